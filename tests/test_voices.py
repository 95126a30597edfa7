"""A session's voice, from a client's ``session.update`` to the speech server that is asked for it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.media.speech_api.server import TONE, Answer, Server, serving as speech_server, start_and_hang, whole
from tests.transports.server import STOCK, Gateway, serving

Talk = Callable[[Gateway, Server], Awaitable[None]]


def served(folder: Path, talk: Talk, answer: Answer | None = None, **settings: Any) -> None:
    async def main() -> None:
        async with (
            asyncio.timeout(20),
            speech_server(answer or whole(TONE.tobytes())) as speaks,
            serving(
                folder,
                synthesizer="openai",
                recognizer="tests.media.engines:ScriptedRecognizer",
                tts_base_url=speaks.url,
                **{"voice": "amy", "voices": "joe", "voice_alias": "marin=kate", **settings},
            ) as gateway,
        ):
            await talk(gateway, speaks)

    asyncio.run(main())


def voices(speaks: Server) -> set[str]:
    return {json.loads(body)["voice"] for _, body in speaks.requests}


@pytest.mark.parametrize(("asked", "spoken"), [("joe", "joe"), ("marin", "kate"), ("ash", "amy"), (None, "amy")])
def test_answers_are_spoken_in_the_voice_that_a_client_asks_for(tmp_path: Path, asked: str | None, spoken: str) -> None:
    async def talk(gateway: Gateway, speaks: Server) -> None:
        async with gateway.socket("model=m", STOCK) as socket:
            audio = {"output": {"voice": asked}}
            await socket.send("session.update", session={"type": "realtime", "audio": audio})
            shown = (await socket.get("session.updated"))["session"]["audio"]["output"]["voice"]
            assert shown == spoken
            await socket.ask("hello")
            await socket.get("response.output_audio.delta")
            assert voices(speaks) == {spoken}

    served(tmp_path, talk)


def test_a_voice_that_the_operator_has_taken_away_is_not_asked_for(tmp_path: Path) -> None:
    sessions = []

    async def choose(gateway: Gateway, _speaks: Server) -> None:
        async with gateway.socket("model=m", STOCK) as socket:
            sessions.append((await socket.get("session.created"))["session"]["id"])
            await socket.send("session.update", session={"type": "realtime", "audio": {"output": {"voice": "joe"}}})
            await socket.get("session.updated")

    async def speak(gateway: Gateway, speaks: Server) -> None:
        async with gateway.socket(f"session={sessions[0]}", STOCK) as socket:
            await socket.ask("hello")
            await socket.get("response.output_audio.delta")
            assert voices(speaks) == {"amy"}

    served(tmp_path, choose)
    served(tmp_path, speak, voices="")


@pytest.mark.parametrize(
    "answer", [whole(b"{}", "application/json", "500 Internal Server Error"), whole(b"<html>", "text/html")]
)
def test_an_answer_that_cannot_be_spoken_goes_on_in_writing(tmp_path: Path, answer: Answer) -> None:
    async def talk(gateway: Gateway, _speaks: Server) -> None:
        async with gateway.socket("model=m", STOCK) as socket:
            await socket.ask("hello")
            written = (await socket.get("response.output_audio_transcript.done"))["transcript"]
            done = (await socket.get("response.done"))["response"]
            assert (done["status"], len(written) > 10) == ("completed", True)
            assert socket.all("response.output_audio.delta") == []
            await socket.ask("and again?")  # nothing hangs
            await socket.get("response.done")

    served(tmp_path, talk, answer)


def test_a_cancelled_answer_leaves_the_speech_server(tmp_path: Path) -> None:
    async def talk(gateway: Gateway, speaks: Server) -> None:
        async with gateway.socket("model=m", STOCK) as socket:
            await socket.ask("hello")
            await socket.get("response.output_audio.delta")
            await socket.send("response.cancel")
            await speaks.disconnected.wait()
            assert len(speaks.requests) == 1

    served(tmp_path, talk, start_and_hang)
