"""Live transcription against a real WebSocket server on loopback."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from media.frames import MIC_FRAME, MIC_RATE_HZ, VOICE_RATE_HZ, Pcm, silence
from media.speech import Recognition, SpeechError
from media.speech.live.recognizer import LiveTranscription, Patience
from tests.media.live.fake_realtime_transcription import SECRET_WORDS, FakeTranscription, Fault, loudness

KEY = "sk-not-to-be-told"
VOICE: Pcm = (8000 * np.sin(2 * np.pi * 300 * np.arange(MIC_RATE_HZ) / MIC_RATE_HZ)).astype(np.int16)
FAINT: Pcm = (VOICE // 20).astype(np.int16)
QUICK = Patience(connect=0.2, answer=0.3, first_retry=0.01, last_retry=0.02)


def say(utterance: Recognition, pcm: Pcm = VOICE) -> None:
    """In frames, as a leg does."""
    for at in range(0, len(pcm), MIC_FRAME):
        utterance.feed(pcm[at : at + MIC_FRAME])


@asynccontextmanager
async def listening(
    server: FakeTranscription, patience: Patience | None = None, model: str = "a-model", language: str = ""
) -> AsyncIterator[LiveTranscription]:
    recognizer = LiveTranscription(KEY, server.base_url, model, language, patience=patience)
    try:
        yield recognizer
    finally:
        await recognizer.aclose()
        await recognizer.aclose()


async def words_of(recognizer: LiveTranscription) -> str:
    utterance = recognizer.listen()
    say(utterance)
    return await utterance.finish()


def test_sound_is_sent_as_it_is_heard_and_committed_at_the_end() -> None:
    async def main() -> None:
        async with FakeTranscription("Hello there.").running() as server, listening(server, language="en") as live:
            utterance = live.listen()
            say(utterance)
            session = await server.until(0, "input_audio_buffer.append", 16)  # 60 ms each, before its end
            assert session.committed == []
            assert await utterance.finish() == "Hello there."
            assert await utterance.finish() == await utterance.judge() == await utterance.partial() == "Hello there."
            utterance.feed(VOICE)
            utterance.cancel()
        assert session.path == "/v1/realtime?intent=transcription"
        assert session.authorization == f"Bearer {KEY}"
        assert session.update == {
            "type": "transcription",
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24000},
                    "transcription": {"model": "a-model", "language": "en"},
                    "turn_detection": None,
                }
            },
        }
        (heard,) = session.committed
        assert len(heard) == VOICE_RATE_HZ
        assert loudness(heard) == pytest.approx(loudness(VOICE), rel=0.02)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("model", "language", "hint"),
    [("m", "", {}), ("m", "de", {"language": "de"}), ("gpt-live-transcribe", "de", {"languages": ["de"]})],
)
def test_models_are_told_the_language_in_their_own_way(model: str, language: str, hint: dict[str, object]) -> None:
    async def main() -> None:
        async with FakeTranscription("Ja.").running() as server, listening(server, None, model, language) as live:
            assert await words_of(live) == "Ja."
        assert server.sessions[0].update["audio"]["input"]["transcription"] == {"model": model, **hint}

    asyncio.run(main())


def test_words_of_a_model_that_streams_are_known_while_they_are_spoken() -> None:
    async def main() -> None:
        async with FakeTranscription("Stop it now", streams=True).running() as server, listening(server) as live:
            utterance = live.listen()
            assert await utterance.partial() == ""
            say(utterance, VOICE[: MIC_RATE_HZ // 2])
            while await utterance.partial() != "Stop it":
                await server.until(0, "input_audio_buffer.append")
                await asyncio.sleep(0)
            assert await utterance.finish() == "Stop it now"

    asyncio.run(main())


def test_a_short_utterance_is_judged_by_its_words_and_goes_on() -> None:
    async def main() -> None:
        async with FakeTranscription("Well,", "I think so.").running() as server, listening(server) as live:
            utterance = live.listen()
            say(utterance)
            assert await utterance.judge() == "Well,"
            assert await utterance.judge() == "Well,"
            say(utterance)
            assert await utterance.finish() == "Well, I think so."
        assert [len(pcm) for pcm in server.sessions[0].committed] == [VOICE_RATE_HZ] * 2

    asyncio.run(main())


def test_the_silence_behind_a_judged_word_is_not_transcribed() -> None:
    async def main() -> None:
        fake = FakeTranscription("Well.", "Thank you for watching.")
        async with fake.running() as server, listening(server) as live:
            utterance = live.listen()
            say(utterance)
            assert await utterance.judge() == "Well."
            say(utterance, FAINT)
            assert await utterance.finish() == "Well."
            assert await words_of(live) == "Thank you for watching."
        (session,) = server.sessions  # nothing of the silence was sent, so that the next utterance had the same one
        assert [len(pcm) for pcm in session.committed] == [VOICE_RATE_HZ] * 2

    asyncio.run(main())


@pytest.mark.parametrize("sound", [silence(0), silence(MIC_RATE_HZ), VOICE[:1000]])
def test_silence_and_clicks_say_nothing(sound: Pcm) -> None:
    async def main() -> None:
        async with FakeTranscription("Thank you.").running() as server, listening(server) as live:
            utterance = live.listen()
            say(utterance, sound)
            assert await utterance.judge() == ""
            assert await utterance.finish() == ""
        assert all(session.committed == [] for session in server.sessions)


def test_no_session_is_opened_for_silence_and_little_of_it_is_sent_before_a_voice() -> None:
    async def main() -> None:
        async with FakeTranscription("Hello.").running() as server, listening(server) as live:
            utterance = live.listen()
            say(utterance, silence(60 * MIC_RATE_HZ))
            assert server.handshakes == 0
            say(utterance)
            assert await utterance.finish() == "Hello."
        ((heard,),) = (session.committed for session in server.sessions)
        assert len(heard) == pytest.approx(1.3 * VOICE_RATE_HZ, abs=0.03 * VOICE_RATE_HZ)

    asyncio.run(main())


def test_a_session_serves_one_utterance_after_another() -> None:
    async def main() -> None:
        async with FakeTranscription("One.", "Two.", "Three.").running() as server, listening(server) as live:
            await live.warm_up()
            assert [await words_of(live) for _ in range(3)] == ["One.", "Two.", "Three."]
        assert len(server.sessions) == 1
        assert server.sessions[0].closed.is_set()

    asyncio.run(main())


@pytest.mark.parametrize("fault", ["odd ids", "repeats"])
def test_events_about_something_else_are_harmless(fault: Fault) -> None:
    async def main() -> None:
        async with FakeTranscription("One.", "Two.", fault=fault).running() as server, listening(server) as live:
            assert [await words_of(live) for _ in range(2)] == ["One.", "Two."]
        assert len(server.sessions) == 1

    asyncio.run(main())


def test_utterances_at_the_same_time_have_sessions_of_their_own() -> None:
    async def main() -> None:
        async with FakeTranscription("One.", "One.").running() as server, listening(server) as live:
            assert set(await asyncio.gather(words_of(live), words_of(live))) == {"One."}
            assert len(server.sessions) == 2

    asyncio.run(main())


@pytest.mark.parametrize("committed", [False, True])
def test_what_was_forgotten_turns_up_nowhere(committed: bool) -> None:
    """Its session serves nobody else: words of one person must not become those of another."""

    async def main() -> None:
        gate = asyncio.Event()
        async with FakeTranscription("Secret.", "Hello.", gate=gate).running() as server, listening(server) as live:
            utterance = live.listen()
            say(utterance)
            finishing = asyncio.create_task(utterance.finish()) if committed else None
            await server.until(0, "input_audio_buffer.append", 10)
            utterance.cancel()
            utterance.cancel()
            assert await utterance.partial() == ""
            if finishing is not None:
                assert await finishing == ""
            gate.set()
            await server.sessions[0].closed.wait()
            server.texts = ["Hello."]
            assert await words_of(live) == "Hello."
            assert len(server.sessions) == 2

    asyncio.run(main())


def test_sessions_roll_over_between_turns() -> None:
    async def main() -> None:
        async with (
            FakeTranscription("One.", "Two.").running() as server,
            listening(server, Patience(session=0)) as live,
        ):
            assert await words_of(live) == "One."
            await server.sessions[0].closed.wait()
            assert await words_of(live) == "Two."
        assert len(server.sessions) == 2

    asyncio.run(main())


def test_a_session_that_was_lost_between_turns_is_replaced() -> None:
    async def main() -> None:
        server = FakeTranscription("One.", "Two.")
        async with server.running():
            live = LiveTranscription(KEY, server.base_url, patience=QUICK)
            assert await words_of(live) == "One."
        async with server.running():
            assert await words_of(live) == "Two."
            await live.aclose()

    asyncio.run(main())


def test_an_upstream_that_comes_back_in_time_costs_no_turn() -> None:
    async def main() -> None:
        server = FakeTranscription("Hello.", status=503)
        patience = Patience(first_retry=0.001, last_retry=0.002)
        async with server.running(), listening(server, patience) as live:
            utterance = live.listen()
            say(utterance)
            finishing = asyncio.create_task(utterance.finish())
            await server.greeted(3)
            server.status = 0
            assert await finishing == "Hello."

    asyncio.run(main())


def test_attempts_to_connect_become_rarer() -> None:
    async def main() -> None:
        server = FakeTranscription(status=503)
        loop = asyncio.get_running_loop()
        async with server.running(), listening(server, Patience(first_retry=0.01, last_retry=10)) as live:
            began = loop.time()
            utterances = [live.listen() for _ in range(3)]
            for utterance in utterances:
                say(utterance)
            await server.greeted(3 * 4)
            assert loop.time() - began >= 0.01 + 0.02 + 0.04
            for utterance in utterances:
                utterance.cancel()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("no session", "engine_timeout"),
        ("refused session", "engine_unavailable"),
        ("no answer", "engine_timeout"),
        ("close", "engine_failed"),
        ("drop", "engine_failed"),
        ("error", "engine_failed"),
        ("failed", "engine_failed"),
        ("garbage", "engine_failed"),
        ("binary", "engine_failed"),
        ("deaf", "engine_timeout"),
    ],
)
def test_a_fault_costs_that_turn_alone(fault: Fault, code: str) -> None:
    async def main() -> None:
        async with FakeTranscription("Hello.", fault=fault).running() as server, listening(server, QUICK) as live:
            utterance = live.listen()
            say(utterance)
            with pytest.raises(SpeechError) as error:
                await asyncio.wait_for(utterance.finish(), 5)
            assert error.value.code == code
            assert SECRET_WORDS not in str(error.value)
            assert KEY not in str(error.value)
            with pytest.raises(SpeechError):
                await utterance.finish()
            utterance.cancel()
            server.fault, server.texts = "", ["Hello."]
            assert await words_of(live) == "Hello."

    asyncio.run(main())


@pytest.mark.parametrize(
    ("status", "code"), [(401, "engine_unavailable"), (404, "engine_unavailable"), (429, "engine_failed")]
)
def test_a_refused_handshake_is_told(status: int, code: str) -> None:
    async def main() -> None:
        async with FakeTranscription(status=status).running() as server, listening(server, QUICK) as live:
            with pytest.raises(SpeechError) as error:
                await words_of(live)
            assert error.value.code == code
            assert f"(HTTP {status})" in str(error.value)
            assert SECRET_WORDS not in str(error.value)

    asyncio.run(main())


def test_a_server_that_is_not_there_is_told() -> None:
    async def main() -> None:
        server = FakeTranscription()
        async with server.running():
            pass
        async with listening(server, QUICK) as live:
            with pytest.raises(SpeechError) as error:
                await words_of(live)
            assert error.value.code == "engine_unavailable"
            with pytest.raises(SpeechError):
                await live.warm_up()

    asyncio.run(main())


def test_a_slow_answer_is_waited_for() -> None:
    async def main() -> None:
        gate = asyncio.Event()
        async with FakeTranscription("Hello.", gate=gate).running() as server, listening(server) as live:
            utterance = live.listen()
            say(utterance)
            judging, finishing = asyncio.create_task(utterance.judge()), asyncio.create_task(utterance.finish())
            await server.until(0, "input_audio_buffer.append", 16)
            gate.set()
            assert await judging == await finishing == "Hello."

    asyncio.run(main())


def test_an_utterance_of_an_engine_that_is_stopped_fails() -> None:
    async def main() -> None:
        async with FakeTranscription(fault="no answer").running() as server:
            async with listening(server) as live:
                utterance = live.listen()
                say(utterance)
                finishing = asyncio.create_task(utterance.finish())
                await server.until(0, "input_audio_buffer.commit")
            with pytest.raises(SpeechError) as error:
                await finishing
            assert error.value.code == "engine_unavailable"
            assert server.sessions[0].closed.is_set()

    asyncio.run(main())


def test_an_address_or_a_key_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    for key, address in ((None, None), (KEY, "nowhere")):
        with pytest.raises(SpeechError) as error:
            LiveTranscription(key, address)
        assert error.value.code == "engine_unavailable"
