"""The words of the user: who is told them, and connections that want nothing else."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import get_args

import pytest
from openai.types.realtime import RealtimeTranscriptionSessionCreateRequest, SessionCreatedEvent
from openai.types.realtime.realtime_transcription_session_create_response import (
    RealtimeTranscriptionSessionCreateResponse,
)

from gateway.agents.scripted import ScriptedAgent
from media.leg import Engines
from tests.media.engines import LoudnessModel, ScriptedRecognizer, ToneSynthesizer
from tests.protocol.stock import problems
from tests.transports.inbox import Json
from tests.transports.server import Gateway, Socket, serving
from tests.transports.speaking import speak
from tests.transports.wire import Client, line, update
from tests.virtual_time import run

WORDS = "conversation.item.input_audio_transcription."
DELTA, COMPLETED, FAILED = f"{WORDS}delta", f"{WORDS}completed", f"{WORDS}failed"

MANUAL = update(audio={"input": {"turn_detection": None}})


async def say_something(client: Client) -> None:
    await client.sound(900, loud=True)
    await client.sound(1200, loud=False)


# --- in a conversation ---


def test_words_come_while_they_are_spoken_and_whole_at_the_end() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("one"), hears=["what time is it"]) as at:
            client = await at.connect(await at.open())
            await say_something(client)
            await client.get("response.done")
            types = client.types()
            assert types.index("input_audio_buffer.speech_started") < types.index(DELTA)
            assert types.index(DELTA) < types.index("input_audio_buffer.committed") < types.index(COMPLETED)
            said = client.all(COMPLETED)[0]
            assert "".join(event["delta"] for event in client.all(DELTA)) == said["transcript"] == "what time is it"
            assert {event["item_id"] for event in client.all(DELTA)} == {said["item_id"]}
            started = client.all("input_audio_buffer.speech_started")[0]["audio_start_ms"]
            stopped = client.all("input_audio_buffer.speech_stopped")[0]["audio_end_ms"]
            assert said["usage"] == {"type": "duration", "seconds": (stopped - started) / 1000}
            assert all(problems(json.dumps(event)) == [] for event in client.got)
            await client.leave()

    run(main())


def test_a_client_that_wants_no_words_is_told_none_and_the_turn_is_answered_all_the_same() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("one", "two"), hears=["what time is it", "and now"]) as at:
            actor = await at.open()
            client, extended = await at.connect(actor), await at.connect(actor, extended=True)
            await client.send("session.update", **update(audio={"input": {"transcription": None}}))
            await extended.send("session.update", **update(audio={"input": {"transcription": None}}))
            await say_something(client)
            await client.get("response.done")
            assert not [kind for kind in client.types() if kind.startswith(WORDS)]
            # One of the extension keeps the conversation by these events, and what was said stands in it.
            assert (await extended.get(COMPLETED))["transcript"] == "what time is it"
            item_id = client.all("input_audio_buffer.committed")[0]["item_id"]
            await client.send("conversation.item.retrieve", item_id=item_id)
            item = (await client.get("conversation.item.retrieved"))["item"]
            assert item["content"] == [{"type": "input_audio", "transcript": "what time is it"}]
            await client.send("session.update", **update(audio={"input": {"transcription": {"model": "whisper-1"}}}))
            await say_something(client)
            assert (await client.get(COMPLETED))["transcript"] == "and now"
            await client.leave()

    run(main())


def test_words_that_could_not_be_had_are_reported_as_every_client_can_read_it() -> None:
    async def main() -> None:
        async with line(ScriptedAgent(), hears=[None]) as at:
            client = await at.connect(await at.open())
            await say_something(client)
            failed = await client.get(FAILED)
            assert failed["error"] == {"type": "server_error", "code": "engine_failed", "message": "told to"}
            assert problems(json.dumps(failed)) == []
            await client.leave()

    run(main())


# --- a connection for transcription, over a real socket ---


Talk = Callable[[Gateway, Socket, Json], Awaitable[None]]


def connected(folder: Path, talk: Talk, *hears: str | None, query: str = "intent=transcription") -> None:
    async def main() -> None:
        engines = Engines(ToneSynthesizer(), ScriptedRecognizer(*hears), LoudnessModel)
        async with asyncio.timeout(25), serving(folder, agent=ScriptedAgent(), engines=engines) as gateway:
            async with gateway.socket(query, "realtime") as socket:
                created = await socket.get("session.created")
                await talk(gateway, socket, created["session"])
            assert all(problems(json.dumps(event)) == [] for event in socket.got)

    asyncio.run(main())


def test_its_session_object_is_openais(tmp_path: Path) -> None:
    async def talk(_gateway: Gateway, socket: Socket, session: Json) -> None:
        RealtimeTranscriptionSessionCreateResponse.model_validate(session, strict=True)
        assert (session["type"], session["object"]) == ("transcription", "realtime.transcription_session")
        assert set(session) == {"id", "type", "object", "include", "audio", "bargein"}
        assert session["audio"] == {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "transcription": {"model": "scripted"},
                "noise_reduction": None,
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 300,
                    "silence_duration_ms": 500,
                },
            }
        }
        wanted = {
            "type": "transcription",
            "include": ["item.input_audio_transcription.logprobs"],
            "audio": {
                "input": {
                    "format": {"type": "audio/pcmu"},
                    "transcription": {"model": "gpt-4o-transcribe", "language": "en", "prompt": "names"},
                    "noise_reduction": {"type": "near_field"},
                    "turn_detection": {"type": "semantic_vad", "eagerness": "high"},
                }
            },
        }
        RealtimeTranscriptionSessionCreateRequest.model_validate(wanted, strict=True)
        await socket.send("session.update", session=wanted)
        updated = (await socket.get("session.updated"))["session"]
        assert {key: updated[key] for key in wanted} == wanted

    connected(tmp_path, talk)


def test_turns_become_words_and_nothing_is_answered(tmp_path: Path) -> None:
    async def talk(_gateway: Gateway, socket: Socket, _session: Json) -> None:
        await speak(socket, 900)
        said = await socket.get(COMPLETED)
        assert [kind for kind in socket.types(1) if kind != DELTA] == [
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            COMPLETED,
        ]
        assert said["transcript"] == "take a note"
        committed = socket.all("input_audio_buffer.committed")[0]
        assert committed["item_id"] == said["item_id"]
        await speak(socket, 900)
        assert (await socket.get(COMPLETED, 2))["transcript"] == "and another"
        second = socket.all("input_audio_buffer.committed")[1]
        assert second["previous_item_id"] == committed["item_id"]
        assert not [kind for kind in socket.types() if kind.startswith("response.")]

    connected(tmp_path, talk, "take a note", "and another")


def test_each_turn_that_was_committed_ends_in_words_or_in_their_failure(tmp_path: Path) -> None:
    async def talk(_gateway: Gateway, socket: Socket, _session: Json) -> None:
        await socket.send("session.update", session={**MANUAL["session"], "type": "transcription"})
        for _ in range(3):
            await speak(socket, 300, quiet_ms=0)
            await socket.send("input_audio_buffer.commit")
        await socket.get(FAILED)
        await socket.get(COMPLETED, 2)
        ended = [event["item_id"] for event in socket.got if event["type"] in (COMPLETED, FAILED)]
        assert ended == [event["item_id"] for event in socket.all("input_audio_buffer.committed")]
        assert [event["transcript"] for event in socket.all(COMPLETED)] == ["by hand", ""]
        assert socket.all("conversation.item.deleted")[0]["item_id"] == ended[-1]

    connected(tmp_path, talk, "by hand", None, "")


def test_even_there_words_may_be_refused(tmp_path: Path) -> None:
    async def talk(_gateway: Gateway, socket: Socket, _session: Json) -> None:
        without: Json = {"input": {"turn_detection": None, "transcription": None}}
        await socket.send("session.update", session={"type": "transcription", "audio": without})
        for _ in range(2):
            await speak(socket, 300, quiet_ms=0)
            await socket.send("input_audio_buffer.commit")
        await socket.get("conversation.item.deleted")
        assert not [kind for kind in socket.types() if kind.startswith(WORDS)]

    connected(tmp_path, talk, "some", "")


@pytest.mark.parametrize("event", [{"type": "response.create"}, {"type": "response.create", "response": {}}])
def test_an_answer_is_refused(tmp_path: Path, event: Json) -> None:
    async def talk(_gateway: Gateway, socket: Socket, _session: Json) -> None:
        await socket.raw(json.dumps({**event, "event_id": "e1"}))
        error = (await socket.get("error"))["error"]
        assert (error["code"], error["event_id"]) == ("invalid_event_for_session_type", "e1")
        await socket.send("session.update", session={"type": "transcription"})
        await socket.get("session.updated")

    connected(tmp_path, talk)


def test_a_conversation_becomes_one_for_transcription_and_a_conversation_again(tmp_path: Path) -> None:
    async def talk(_gateway: Gateway, socket: Socket, session: Json) -> None:
        assert session["type"] == "realtime"
        await socket.send("session.update", session={"type": "transcription"})
        assert (await socket.get("session.updated"))["session"]["type"] == "transcription"
        await socket.send("response.create")
        await socket.get("error")
        await socket.send("session.update", session={"type": "realtime"})
        again = (await socket.get("session.updated", 2))["session"]
        assert (again["type"], again["audio"]["output"]["voice"]) == ("realtime", "alloy")

    connected(tmp_path, talk, query="model=m")


def test_a_client_secret_for_transcription(tmp_path: Path) -> None:
    async def talk(gateway: Gateway, _socket: Socket, _session: Json) -> None:
        wish = {"session": {"type": "transcription", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}}
        answer = await gateway.http(
            "POST", "/v1/realtime/client_secrets", json.dumps(wish), {"Content-Type": "application/json"}
        )
        assert answer.status == 200
        assert answer.json["session"]["type"] == "transcription"
        protocols = ("realtime", f"openai-insecure-api-key.{answer.json['value']}")
        async with gateway.socket("", *protocols) as socket:
            session = (await socket.get("session.created"))["session"]
            assert session["object"] == "realtime.transcription_session"
            assert session["audio"]["input"]["transcription"] == {"model": "whisper-1"}

    connected(tmp_path, talk)


def test_idle_silence_is_no_turn_there() -> None:
    async def main() -> None:
        async with line(ScriptedAgent(), hears=()) as at:
            client = await at.connect(await at.open())
            vad = {"type": "server_vad", "idle_timeout_ms": 5000}
            await client.send(
                "session.update", session={"type": "transcription", "audio": {"input": {"turn_detection": vad}}}
            )
            await client.sound(20_000, loud=False)
            assert client.types() == ["session.created", "session.updated"]
            await client.leave()

    run(main())


def test_the_types_of_sessions_are_those_of_the_package() -> None:
    kinds = {kind.__name__ for kind in get_args(SessionCreatedEvent.model_fields["session"].annotation)}
    assert kinds == {"RealtimeSessionCreateRequest", "RealtimeTranscriptionSessionCreateRequest"}
