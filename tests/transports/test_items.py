"""What clients do with items and with the input buffer, over a real socket, as the checklist of the protocol has it."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.agents.scripted import ScriptedAgent
from media.leg import Engines
from tests.media.engines import LoudnessModel, ScriptedRecognizer, ToneSynthesizer
from tests.protocol.stock import problems
from tests.transports.inbox import Json
from tests.transports.server import Socket, serving
from tests.transports.speaking import speak, tone

Talk = Callable[[Socket], Awaitable[None]]

MANUAL = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
COMPLETED = "conversation.item.input_audio_transcription.completed"
EMPTY = "input_audio_buffer_commit_empty"


def connected(folder: Path, talk: Talk, *answers: str, hears: tuple[str, ...] = ()) -> None:
    """A stock client that is sent sound, and *talk*; everything it is told must be as its types want it."""

    async def main() -> None:
        engines = Engines(ToneSynthesizer(), ScriptedRecognizer(*hears), LoudnessModel)
        async with (
            asyncio.timeout(25),
            serving(folder, agent=ScriptedAgent(*answers), engines=engines) as gateway,
            gateway.socket("model=m", "realtime") as socket,
        ):
            await talk(socket)
            assert [problem for event in socket.got for problem in problems(json.dumps(event))] == []

    asyncio.run(main())


async def refused(socket: Socket, kind: str, **fields: object) -> tuple[str, str | None]:
    """The code and the parameter with which an event is refused; the connection goes on."""
    count = len(socket.all("error")) + 1
    await socket.send(kind, event_id=f"e{count}", **fields)
    error = (await socket.get("error", count))["error"]
    assert error["event_id"] == f"e{count}"
    return error["code"], error["param"]


async def append(socket: Socket, ms: int) -> None:
    await socket.send("input_audio_buffer.append", audio=base64.b64encode(tone(ms)).decode())


# --- the input buffer ---


def test_a_commit_needs_a_tenth_of_a_second_and_a_refused_one_takes_nothing_away(tmp_path: Path) -> None:
    async def talk(socket: Socket) -> None:
        await socket.send("session.update", session=MANUAL)
        assert await refused(socket, "input_audio_buffer.commit") == (EMPTY, None)
        await append(socket, 99)
        assert await refused(socket, "input_audio_buffer.commit") == (EMPTY, None)
        await append(socket, 1)
        await socket.send("input_audio_buffer.commit")
        first = await socket.get("input_audio_buffer.committed")
        assert first["previous_item_id"] is None
        assert (await socket.get(COMPLETED))["usage"] == {"type": "duration", "seconds": 0.1}
        assert await refused(socket, "input_audio_buffer.commit") == (EMPTY, None)
        await append(socket, 250)
        await socket.send("input_audio_buffer.commit")
        second = await socket.get("input_audio_buffer.committed", 2)
        assert second["previous_item_id"] == first["item_id"]
        assert (await socket.get(COMPLETED, 2))["usage"] == {"type": "duration", "seconds": 0.25}
        # A commit asks for no answer, and nobody has announced these turns.
        assert not {"input_audio_buffer.speech_started", "response.created"} & set(socket.types())

    connected(tmp_path, talk, hears=("one", "two"))


def test_what_is_cleared_is_never_committed(tmp_path: Path) -> None:
    async def talk(socket: Socket) -> None:
        await socket.send("session.update", session=MANUAL)
        await append(socket, 500)
        await socket.send("input_audio_buffer.clear")
        await socket.get("input_audio_buffer.cleared")
        assert await refused(socket, "input_audio_buffer.commit") == (EMPTY, None)
        await append(socket, 200)
        await socket.send("input_audio_buffer.commit")
        assert (await socket.get(COMPLETED))["usage"]["seconds"] == 0.2
        await socket.send("input_audio_buffer.clear")
        await socket.get("input_audio_buffer.cleared", 2)

    connected(tmp_path, talk, hears=("cleared", "kept"))


# --- retrieve ---


def test_items_are_retrieved_without_their_sound(tmp_path: Path) -> None:
    async def talk(socket: Socket) -> None:
        await socket.say("Typed.")
        await speak(socket, 600)
        await socket.get("response.done")
        typed, spoken, answer = [event["item"]["id"] for event in socket.all("conversation.item.added")]
        contents = []
        for count, item_id in enumerate((typed, spoken, answer), 1):
            await socket.send("conversation.item.retrieve", item_id=item_id)
            item = (await socket.get("conversation.item.retrieved", count))["item"]
            assert (item["id"], item["type"], item["object"]) == (item_id, "message", "realtime.item")
            assert item["status"] == "completed"
            contents.append((item["role"], item["content"]))
        assert contents == [
            ("user", [{"type": "input_text", "text": "Typed."}]),
            ("user", [{"type": "input_audio", "transcript": "Spoken."}]),
            ("assistant", [{"type": "output_audio", "transcript": "One two."}]),
        ]
        found = await refused(socket, "conversation.item.retrieve", item_id="item_nobody_knows")
        assert found == ("item_retrieve_invalid_item_id", "item_id")

    connected(tmp_path, talk, "One two.", hears=("Spoken.",))


# --- delete, and where things are put ---


def test_items_are_put_where_they_are_wanted_and_taken_out(tmp_path: Path) -> None:
    async def talk(socket: Socket) -> None:
        def message(item_id: str) -> Json:
            content = [{"type": "input_text", "text": item_id}]
            return {"id": item_id, "type": "message", "role": "user", "content": content}

        async def create(item_id: str, **fields: object) -> None:
            await socket.send("conversation.item.create", item=message(item_id), **fields)

        await create("b")
        await create("a", previous_item_id="root")
        await create("c", previous_item_id="b")
        await socket.get("conversation.item.done", 3)
        placed = {event["item"]["id"]: event["previous_item_id"] for event in socket.all("conversation.item.added")}
        assert placed == {"b": None, "a": None, "c": "b"}
        found = await refused(socket, "conversation.item.create", item=message("b"))
        assert found == ("item_create_duplicate_item_id", "item.id")
        found = await refused(socket, "conversation.item.create", item=message("d"), previous_item_id="z")
        assert found == ("previous_item_not_found", "previous_item_id")
        await socket.send("conversation.item.delete", item_id="b")
        assert (await socket.get("conversation.item.deleted"))["item_id"] == "b"
        for kind, code in (("retrieve", "item_retrieve_invalid_item_id"), ("delete", "item_delete_invalid_item_id")):
            assert await refused(socket, f"conversation.item.{kind}", item_id="b") == (code, "item_id")
        await create("d")
        assert (await socket.get("conversation.item.added", 4))["previous_item_id"] == "c"

    connected(tmp_path, talk)


# --- truncate ---


async def truncated(socket: Socket, item_id: str, ms: int) -> Json:
    count = len(socket.all("conversation.item.truncated")) + 1
    await socket.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=ms)
    found = await socket.get("conversation.item.truncated", count)
    assert (found["item_id"], found["content_index"]) == (item_id, 0)
    return found


async def transcript(socket: Socket, item_id: str) -> str:
    count = len(socket.all("conversation.item.retrieved")) + 1
    await socket.send("conversation.item.retrieve", item_id=item_id)
    found = (await socket.get("conversation.item.retrieved", count))["item"]["content"][0]["transcript"]
    return str(found)


def test_a_truncation_is_clamped_said_twice_it_is_said_once_and_it_never_lengthens(tmp_path: Path) -> None:
    async def talk(socket: Socket) -> None:
        await socket.ask("Count.")
        done = await socket.get("response.done")
        item_id = done["response"]["output"][0]["id"]
        # It was sent whole, and heard whole by now: five words of 200 ms.
        assert (await truncated(socket, item_id, 60_000))["audio_end_ms"] == 1000
        assert await transcript(socket, item_id) == "one two three four five"
        for _ in range(2):
            assert (await truncated(socket, item_id, 450))["audio_end_ms"] == 450
            assert await transcript(socket, item_id) == "one two"
        assert (await truncated(socket, item_id, 900))["audio_end_ms"] == 450
        assert await transcript(socket, item_id) == "one two"
        assert (await truncated(socket, item_id, 0))["audio_end_ms"] == 0
        assert await transcript(socket, item_id) == ""

    connected(tmp_path, talk, "one two three four five")


def test_a_truncation_in_the_answer_cuts_it_and_keeps_what_was_heard(tmp_path: Path) -> None:
    async def talk(socket: Socket) -> None:
        await socket.ask("Count.")
        item_id = (await socket.get("response.output_audio.delta", 25))["item_id"]
        cut = await truncated(socket, item_id, 60_000)
        sent_ms = 20 * len(socket.all("response.output_audio.delta"))
        assert cut["audio_end_ms"] <= sent_ms
        heard = await transcript(socket, item_id)
        assert heard == cut["heard_text"] == ("one two three four five " * 8).strip()[: len(heard)]
        await socket.get("response.done")
        assert socket.types().count("response.done") == 1

    connected(tmp_path, talk, ("one two three four five " * 8).strip())


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"item_id": "item_nobody_knows", "audio_end_ms": 5}, "item_truncate_invalid_item_id", "item_id"),
        ({"item_id": "mine", "audio_end_ms": 5}, "item_truncate_invalid_item_id", "item_id"),
        ({"item_id": "mine", "audio_end_ms": -5}, "invalid_value", "audio_end_ms"),
        ({"item_id": "mine"}, "missing_required_parameter", "audio_end_ms"),
    ],
)
def test_a_truncation_of_what_is_no_answer_is_refused(tmp_path: Path, fields: Json, code: str, param: str) -> None:
    async def talk(socket: Socket) -> None:
        item = {"id": "mine", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi."}]}
        await socket.send("conversation.item.create", item=item)
        assert await refused(socket, "conversation.item.truncate", **fields) == (code, param)

    connected(tmp_path, talk)
