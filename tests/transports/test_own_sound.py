"""A gateway without any speech engine, whose model hears and speaks by itself: over real sockets, both ways."""

import asyncio
import base64
import wave
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from gateway.runtime.clock import SystemClock
from gateway.settings import Settings
from media.frames import VOICE_RATE_HZ, Pcm, from_bytes
from media.resample import resample
from tests.agents.fake_realtime import WORD_MS, Answer, FakeRealtime
from tests.transports.inbox import Json
from tests.transports.server import STOCK, Gateway, Socket, serving

CALLERS = Path(__file__).parent.parent / "data" / "callers"
AGENT: dict[str, Any] = {
    "agent": "openai_realtime",
    "model": "voice",
    "synthesizer": "none",
    "recognizer": "none",
    "voice": "marin",
}


def spoken(name: str) -> Pcm:
    """What somebody says, at 24 kHz."""
    with wave.open(str(CALLERS / name)) as file:
        pcm = from_bytes(file.readframes(file.getnframes()))
        return resample(pcm, file.getframerate(), VOICE_RATE_HZ)


async def say(client: Socket, pcm: Pcm) -> None:
    piece = VOICE_RATE_HZ // 10
    for at in range(0, len(pcm), piece):
        sound = base64.b64encode(pcm[at : at + piece].astype("<i2").tobytes()).decode()
        await client.send("input_audio_buffer.append", audio=sound)


def sound_of(events: list[Json]) -> Pcm:
    deltas = [event["delta"] for event in events if event["type"] == "response.output_audio.delta"]
    return from_bytes(b"".join(base64.b64decode(delta) for delta in deltas))


def test_a_turn_is_answered_without_its_words_and_in_the_model_s_own_voice(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            FakeRealtime(Answer("once upon some time")) as upstream,
            serving(tmp_path, base_url=upstream.base_url, **AGENT) as gateway,
            gateway.socket("model=m", STOCK) as client,
        ):
            await client.get("session.created")
            await say(client, np.concatenate((spoken("ask_time.wav"), np.zeros(VOICE_RATE_HZ, np.int16))))
            done = await client.get("response.done")
            assert done["response"]["status"] == "completed"
            assert done["response"]["output"][0]["content"][0]["transcript"] == "once upon some time"
            assert done["response"]["usage"]["output_token_details"]["audio_tokens"] == 6
            assert abs(len(sound_of(client.got)) * 1000 // VOICE_RATE_HZ - 4 * WORD_MS) <= 20
            assert "conversation.item.input_audio_transcription.failed" in client.types()
            [session] = upstream.sessions
            [turn] = session.turns
            assert 800 < len(turn) // 48 < 3000
            assert session.settings["audio"]["output"]["voice"] == "marin"
            assert session.refused == []

    asyncio.run(main())


def test_turns_by_hand_and_a_cut_by_the_client_reach_the_model(tmp_path: Path) -> None:
    async def main() -> None:
        answers = [Answer(" ".join(["word"] * 200), delay_s=0.02), Answer("All right.")]
        async with (
            FakeRealtime(answers) as upstream,
            serving(tmp_path, base_url=upstream.base_url, **AGENT) as gateway,
            gateway.socket("model=m", STOCK) as client,
        ):
            await by_hand(client)
            await say(client, spoken("ask_time.wav"))
            await client.send("input_audio_buffer.commit")
            await client.send("response.create")
            item_id = (await client.get("response.output_audio.delta", 100))["item_id"]
            await client.send("response.cancel")
            await client.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=600)
            truncated = await client.get("conversation.item.truncated", 2)
            await upstream.until(lambda: bool(upstream.sessions[0].cancelled_at))
            await client.say("stop that")
            await client.send("response.create")
            await client.get("response.done", 2)
            session = upstream.sessions[0]
            heard = int(session.said()[1][1].removesuffix(" ms"))
            assert heard == truncated["audio_end_ms"] <= 600
            assert session.said()[2:] == [("user", "stop that"), ("assistant", "All right.")]
            assert session.refused == []

    asyncio.run(main())


async def by_hand(client: Socket) -> None:
    await client.get("session.created")
    await client.send("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
    await client.get("session.updated")


def test_events_of_an_answer_with_its_own_sound_come_in_the_order_of_the_protocol(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            FakeRealtime(Answer("once upon", sound_first=True)) as upstream,
            serving(tmp_path, base_url=upstream.base_url, **AGENT) as gateway,
            gateway.socket("model=m", STOCK) as client,
        ):
            await client.get("session.created")
            await client.say("hello")
            await client.send("response.create")
            await client.get("response.done")
            types = [kind for kind, after in pairwise([*client.types(), ""]) if kind != after]
            answer = types[types.index("response.created") :]
            assert answer[:4] == [
                *("response.created", "response.output_item.added", "conversation.item.added"),
                "response.content_part.added",
            ]
            assert answer[-6:] == [
                *("response.output_audio.done", "response.output_audio_transcript.done", "response.content_part.done"),
                *("conversation.item.done", "response.output_item.done", "response.done"),
            ]

    asyncio.run(main())


def test_an_answer_in_writing_has_its_words_and_no_sound(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            FakeRealtime(Answer("once upon")) as upstream,
            serving(tmp_path, base_url=upstream.base_url, **AGENT) as gateway,
            gateway.socket() as client,
        ):
            await client.say("hello")
            await client.send("response.create")
            done = await client.get("response.done")
            assert done["response"]["output"][0]["content"] == [{"type": "output_text", "text": "once upon"}]
            assert "response.output_audio.delta" not in client.types()

    asyncio.run(main())


def test_a_model_that_fails_ends_its_response_and_the_next_one_is_asked_anew(tmp_path: Path) -> None:
    async def main() -> None:
        answers = [Answer("once upon some", fault="reset", fault_after=2), Answer("All right.")]
        async with (
            FakeRealtime(answers) as upstream,
            serving(tmp_path, base_url=upstream.base_url, **AGENT) as gateway,
            gateway.socket("model=m", STOCK) as client,
        ):
            await asked(client, "hello")
            failed = await client.get("response.done")
            assert failed["response"]["status"] == "failed"
            assert failed["response"]["status_details"]["error"]["code"] == "model_failed"
            await asked(client, "again")
            assert (await client.get("response.done", 2))["response"]["status"] == "completed"

    asyncio.run(main())


async def asked(client: Socket, text: str) -> None:
    await client.say(text)
    await client.send("response.create")


async def another(upstream: FakeRealtime) -> None:
    """Wait for a fresh session, which nobody has asked for."""
    before = len(upstream.sessions)
    await upstream.until(lambda: len(upstream.sessions) > before)


def test_a_client_does_not_notice_that_its_model_s_sessions_end(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            FakeRealtime(Answer("once upon"), expires_in_s=lambda: 0.6, wall=SystemClock().wall) as upstream,
            serving(tmp_path, base_url=upstream.base_url, **AGENT) as gateway,
            gateway.socket("model=m", STOCK) as client,
        ):
            await client.get("session.created")
            for number in range(1, 4):
                await asked(client, f"question {number}")
                assert (await client.get("response.done", number))["response"]["status"] == "completed"
                await another(upstream)
            assert "error" not in client.types()
            told = next(it for it in reversed(upstream.sessions) if it.got).said()
            assert ("user", "question 1") in told
            assert [words for role, words in told if role == "user"][-1] == "question 3"
            assert all(session.refused == [] for session in upstream.sessions)

    asyncio.run(main())


def test_a_voice_of_the_model_is_none_of_an_engine(tmp_path: Path) -> None:
    """A gateway that has engines all the same starts, whatever the model's voice is called."""

    async def main() -> None:
        given = {**AGENT, "synthesizer": "espeak"}
        async with serving(tmp_path, base_url="http://127.0.0.1:9/v1", **given) as gateway:
            assert isinstance(gateway, Gateway)

    asyncio.run(main())
    assert Settings(**{**AGENT, "base_url": "http://127.0.0.1:9/v1"}).agent == "openai_realtime"
