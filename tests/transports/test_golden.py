"""Whole conversations of stock clients over a real socket: every frame as their types want it, in the right order."""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from gateway.core.values import Usage
from gateway.errors import AgentError
from gateway.runtime.ports import Conversation, Piece, SteerMode, ToolCall
from media.leg import Engines
from tests.media.engines import LoudnessModel, ScriptedRecognizer, ToneSynthesizer
from tests.protocol import order
from tests.protocol.checking import check
from tests.protocol.stock import problems
from tests.transports.inbox import Json
from tests.transports.server import Gateway, Socket, serving
from tests.transports.speaking import speak, tone
from tests.transports.wire import line
from tests.virtual_time import run

MANUAL: Final = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
TEXT: Final = {"type": "realtime", "output_modalities": ["text"]}
TOOL: Final = {"type": "function", "name": "clock", "parameters": {"type": "object", "properties": {}}}
WORDS: Final = "conversation.item.input_audio_transcription."

HELD: Final = object()
"""In a reply: nothing more comes until it is cancelled."""

FAILS: Final = object()

Reply = Sequence[Piece | object]


class Model:
    """Gives these replies, one after another. Implements :class:`gateway.runtime.ports.Agent`."""

    name = "golden"
    steer: SteerMode = "instruction"
    speaks = hears = False

    def __init__(self, *replies: Reply | str) -> None:
        self.replies = [[reply] if isinstance(reply, str) else reply for reply in replies]
        self.asked: list[Conversation] = []

    async def reply(self, conversation: Conversation) -> AsyncGenerator[Piece, None]:
        self.asked.append(conversation)
        for piece in self.replies[len(self.asked) - 1]:
            if piece is HELD:
                await asyncio.Event().wait()
            elif piece is FAILS:
                raise AgentError("model_timeout", "The model did not answer in time.")
            else:
                yield piece  # type: ignore[misc]  # the two marks are no pieces

    async def aclose(self) -> None:
        pass


Talk = Callable[[Socket, Model], Awaitable[None]]


def outline(events: Iterable[Json]) -> list[str]:
    """The types of events; what comes several times in a row stands once, and sound not at all."""
    kinds = [event["type"] for event in events if event["type"] != "response.output_audio.delta"]
    return [kind for kind, _ in groupby(kinds)]


@asynccontextmanager
async def guest(gateway: Gateway, query: str = "model=m") -> AsyncIterator[Socket]:
    async with gateway.socket(query, "realtime") as socket:
        await socket.get("session.created")
        yield socket
    check(socket.got)


def conversation(folder: Path, model: Model, talk: Talk, *hears: str | None) -> None:
    async def main() -> None:
        engines = Engines(ToneSynthesizer(), ScriptedRecognizer(*hears), LoudnessModel)
        async with (
            asyncio.timeout(30),
            serving(folder, agent=model, engines=engines) as gateway,
            guest(gateway) as socket,
        ):
            await talk(socket, model)

    asyncio.run(main())


SPOKEN_ANSWER: Final = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]

WRITTEN_ANSWER: Final = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]

SPOKEN_TURN: Final = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
    f"{WORDS}completed",
]


def without_deltas(events: Sequence[Json]) -> list[str]:
    """As :func:`outline`. Words that are told while somebody speaks depend on how fast they speak."""
    return outline(event for event in events if event["type"] != f"{WORDS}delta")


# --- the stories ---


def test_a_written_conversation(tmp_path: Path) -> None:
    async def talk(socket: Socket, model: Model) -> None:
        await socket.send("session.update", session={**TEXT, "instructions": "Be brief.", "tracing": "auto"})
        await socket.get("session.updated")
        await socket.ask("Hello.", response={"metadata": {"topic": "greeting"}})
        first = (await socket.get("response.done"))["response"]
        assert (first["status"], first["metadata"]) == ("completed", {"topic": "greeting"})
        assert first["output"][0]["content"] == [{"type": "output_text", "text": "Hello to you."}]
        assert (first["usage"]["input_tokens"], first["usage"]["output_tokens"]) == (11, 4)
        await socket.ask("And now?")
        await socket.get("response.done", 2)
        said = ["conversation.item.added", "conversation.item.done"]
        assert outline(socket.got) == ["session.created", "session.updated", *2 * (said + WRITTEN_ANSWER)]
        assert [message.text for message in model.asked[1].messages] == ["Hello.", "Hello to you.", "And now?"]

    conversation(tmp_path, Model(["Hello ", "to you.", Usage(11, 4)], "Goodbye."), talk)


def test_a_conversation_by_voice(tmp_path: Path) -> None:
    async def talk(socket: Socket, _model: Model) -> None:
        for count in (1, 2):
            await speak(socket, 700)
            await socket.get("response.done", count)
        assert without_deltas(socket.got) == ["session.created", *2 * (SPOKEN_TURN + SPOKEN_ANSWER)]
        items = [event["item"]["id"] for event in socket.all("conversation.item.added")]
        assert [event["previous_item_id"] for event in socket.all("conversation.item.added")] == [None, *items[:-1]]
        sound = b"".join(base64.b64decode(event["delta"]) for event in socket.all("response.output_audio.delta"))
        assert len(sound) == 2 * 24 * 200 * 3  # three words

    conversation(tmp_path, Model("One two.", "Three."), talk, "first", "second")


def test_an_answer_is_cancelled_twice_and_another_is_given(tmp_path: Path) -> None:
    async def talk(socket: Socket, _model: Model) -> None:
        await socket.ask("Count.")
        await socket.get("response.output_audio.delta", 5)
        await socket.send("response.create", event_id="e1")
        error = (await socket.get("error"))["error"]
        assert (error["code"], error["event_id"]) == ("conversation_already_has_active_response", "e1")
        for _ in range(2):
            await socket.send("response.cancel")
        done = (await socket.get("response.done"))["response"]
        assert (done["status"], done["status_details"]["reason"]) == ("cancelled", "client_cancelled")
        assert [item["status"] for item in done["output"]] == ["incomplete"]
        assert (await socket.get("error", 2))["error"]["code"] == "response_cancel_not_active"
        at_done = socket.types().index("response.done")
        await socket.ask("Again.")
        again = (await socket.get("response.done", 2))["response"]
        assert again["status"] == "completed"
        late = [event for event in socket.got[at_done:] if event.get("response_id") == done["id"]]
        assert late == []

    conversation(tmp_path, Model(["one two three four five six seven. ", HELD], "Eight."), talk)


def test_a_voice_cuts_the_answer_and_its_client_truncates_as_the_sdks_do(tmp_path: Path) -> None:
    async def talk(socket: Socket, model: Model) -> None:
        await socket.ask("Count.")
        item_id = (await socket.get("response.output_audio.delta", 30))["item_id"]
        await speak(socket, 700)
        await socket.get("input_audio_buffer.speech_started")
        # Before it knows whether the gateway has, and once more when it has.
        await socket.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=300)
        await socket.get("conversation.item.truncated")
        await socket.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=300)
        done = (await socket.get("response.done"))["response"]
        assert (done["status"], done["status_details"]["reason"]) == ("cancelled", "turn_detected")
        assert (await socket.get("response.done", 2))["response"]["status"] == "completed"
        await socket.send("conversation.item.retrieve", item_id=item_id)
        heard = (await socket.get("conversation.item.retrieved"))["item"]["content"][0]["transcript"]
        assert "one two three four five six seven eight".startswith(heard)
        assert len(heard.split()) <= 1
        assert heard in model.asked[1].messages[1].text
        assert socket.all("error") == []

    model = Model(["one two three four five six seven eight. ", HELD], "Fine.")
    conversation(tmp_path, model, talk, "no something else")


def test_a_voice_cuts_an_answer_that_is_generated_and_still_sounds(tmp_path: Path) -> None:
    async def talk(socket: Socket, _model: Model) -> None:
        await socket.ask("Count.")
        await socket.get("response.output_audio.delta", 30)
        await speak(socket, 700)
        await socket.get("response.done", 2)
        first = socket.all("response.done")[0]["response"]
        assert (first["status"], first["status_details"]) == ("completed", None)
        cut = socket.all("conversation.item.truncated")[0]
        assert cut["item_id"] == first["output"][0]["id"]

    conversation(tmp_path, Model("one two three four five six seven eight nine ten", "Fine."), talk, "stop that now")


def test_turns_by_hand_and_a_press_that_interrupts(tmp_path: Path) -> None:
    """Push to talk as stock clients have it: no turn detection, ``clear`` and ``cancel`` at the press, ``commit`` and
    ``response.create`` when the key is let go."""

    async def talk(socket: Socket, _model: Model) -> None:
        async def press() -> None:
            await socket.send("input_audio_buffer.clear")
            await socket.send("response.cancel")

        async def let_go() -> None:
            await socket.send("input_audio_buffer.commit")
            await socket.send("response.create")

        await socket.send("session.update", session=MANUAL)
        await press()
        assert (await socket.get("error"))["error"]["code"] == "response_cancel_not_active"
        await speak(socket, 400, quiet_ms=0)
        await let_go()
        await socket.get("response.output_audio.delta", 5)
        await press()
        cancelled = (await socket.get("response.done"))["response"]
        assert cancelled["status_details"]["reason"] == "client_cancelled"
        await speak(socket, 400, quiet_ms=0)
        await let_go()
        assert (await socket.get("response.done", 2))["response"]["status"] == "completed"
        assert len(socket.all(f"{WORDS}completed")) == 2
        assert socket.all("input_audio_buffer.speech_started") == []

    conversation(tmp_path, Model(["one two three four. ", HELD], "Five."), talk, "count", "and then")


def test_a_tool_is_called_and_its_result_is_answered(tmp_path: Path) -> None:
    async def talk(socket: Socket, model: Model) -> None:
        await socket.send("session.update", session={"type": "realtime", "tools": [TOOL], "tool_choice": "auto"})
        await socket.ask("What time is it?")
        done = (await socket.get("response.done"))["response"]
        (call,) = [item for item in done["output"] if item["type"] == "function_call"]
        assert (call["name"], call["call_id"], call["arguments"]) == ("clock", "call_1", '{"zone":"UTC"}')
        output = {"type": "function_call_output", "call_id": "call_1", "output": "Noon."}
        await socket.send("conversation.item.create", item=output)
        await socket.send("response.create")
        assert (await socket.get("response.done", 2))["response"]["status"] == "completed"
        assert [message.kind for message in model.asked[1].messages][-2:] == ["function_call", "function_call_output"]

    model = Model(["Let me see. ", ToolCall("call_1", "clock", '{"zone":"UTC"}')], "It is noon.")
    conversation(tmp_path, model, talk)


def test_models_that_fail_early_and_late_and_one_that_says_nothing(tmp_path: Path) -> None:
    async def talk(socket: Socket, _model: Model) -> None:
        await socket.send("session.update", session=TEXT)  # spoken, an apology would last
        for count, status in enumerate(("failed", "failed", "completed", "completed"), 1):
            await socket.ask("Go on.")
            response = (await socket.get("response.done", count))["response"]
            assert response["status"] == status
            if status == "failed":
                assert response["status_details"]["error"]["code"] == "model_timeout"

    conversation(tmp_path, Model([FAILS], ["One ", FAILS], [], "Two."), talk)


def test_mistakes_of_a_client_leave_its_conversation_whole(tmp_path: Path) -> None:
    async def talk(socket: Socket, _model: Model) -> None:
        mistakes: list[Json] = [
            {"type": "session.update", "session": {"audio": {"input": {"format": {"type": "audio/opus"}}}}},
            {"type": "response.steer", "input": "x"},
            {"type": "input_audio_buffer.append", "audio": "?"},
            {"type": "conversation.item.retrieve", "item_id": "nobody"},
            {"type": "conversation.item.truncate", "item_id": "nobody", "content_index": 0, "audio_end_ms": 0},
            {"type": "input_audio_buffer.commit"},
            {"type": "no.such.event"},
        ]
        for count, mistake in enumerate(mistakes, 1):
            await socket.raw(json.dumps({**mistake, "event_id": f"e{count}"}))
            assert (await socket.get("error", count))["error"]["event_id"] == f"e{count}"
        await speak(socket, 700)
        assert (await socket.get("response.done"))["response"]["status"] == "completed"

    conversation(tmp_path, Model("One."), talk, "hello")


def test_two_stock_clients_in_one_session(tmp_path: Path) -> None:
    async def main() -> None:
        engines = Engines(ToneSynthesizer(), ScriptedRecognizer("hello"), LoudnessModel)
        async with (
            asyncio.timeout(30),
            serving(tmp_path, agent=Model("One two.", "Three."), engines=engines) as gateway,
            guest(gateway) as first,
        ):
            session = first.all("session.created")[0]["session"]["id"]
            await speak(first, 700)
            await first.get("response.done")
            async with guest(gateway, f"session={session}") as second:
                await second.ask("And more?", response={"output_modalities": ["text"]})
                await second.get("response.done")
                await first.get("response.done", 2)
                texts = [event["item"]["id"] for event in second.all("conversation.item.done")]
                assert texts == [event["item"]["id"] for event in first.all("conversation.item.done")]

    asyncio.run(main())


def test_nobody_speaks_for_the_idle_timeout() -> None:
    """In virtual time: five seconds are the least that may be asked for."""

    async def main() -> None:
        async with line(Model("Hello there.", "Are you still there?"), hears=()) as at:
            client = await at.connect(await at.open())
            vad = {"type": "server_vad", "idle_timeout_ms": 5000}
            await client.send("session.update", session={**MANUAL, "audio": {"input": {"turn_detection": vad}}})
            await client.ask("Hi.")
            await client.get("response.done")
            await client.sound(6000, loud=False)
            await client.get("response.done", 2)
            check(client.got)
            timed_out = client.types().index("input_audio_buffer.timeout_triggered")
            assert outline(client.got[timed_out:]) == [
                "input_audio_buffer.timeout_triggered",
                "input_audio_buffer.committed",
                "conversation.item.added",
                "conversation.item.done",
                f"{WORDS}completed",
                *SPOKEN_ANSWER,
            ]
            await client.leave()

    run(main())


def test_the_yardsticks_of_this_page_measure(tmp_path: Path) -> None:
    """A frame that is wrong, or missing, would have been noticed."""

    async def talk(socket: Socket, _model: Model) -> None:
        await speak(socket, 700)
        await socket.get("response.done")
        for at, event in enumerate(socket.got):
            if event["type"] in ("conversation.item.done", "response.content_part.added", "response.output_item.done"):
                assert order.problems([*socket.got[:at], *socket.got[at + 1 :]]) != []
        broken: dict[str, Any] = {**socket.all("input_audio_buffer.speech_started")[0], "audio_start_ms": 1.5}
        assert problems(json.dumps(broken)) != []
        assert len(tone(20)) == 960

    conversation(tmp_path, Model("One."), talk, "hello")
