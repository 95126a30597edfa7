"""A voice leg whose words come over a real Realtime transcription session on loopback."""

import asyncio

from media.hearing import scribe
from media.speech.live.recognizer import LiveTranscription
from tests.media.live.fake_realtime_transcription import FakeTranscription, Fault
from tests.media.test_leg import LONG, VOICE, Desk


def test_words_over_an_answer_are_heard_while_they_are_spoken_and_transcribed_at_the_end() -> None:
    async def main() -> None:
        async with FakeTranscription("Stop it now.", streams=True).running() as server:
            live = LiveTranscription("key", server.base_url, "m")
            desk = Desk()
            desk.recognizer = live  # type: ignore[assignment]  # any recognizer will do
            desk.leg = desk.made()
            desk.answer(LONG)
            await desk.settle()
            await desk.tick(times=10)
            await desk.tick(VOICE, times=12)
            session = await server.until(0, "input_audio_buffer.append", 2)
            await asyncio.sleep(0)
            while not desk.of(scribe.Heard):
                await desk.tick(VOICE)
            assert session.committed == []  # the voice goes on
            assert desk.of(scribe.Heard)[0].text in ("Stop", "Stop it")
            await desk.tick(times=50)
            desk.leg.transcribe("turn")
            await desk.leg.aclose()
            assert desk.of(scribe.Transcribed) == [scribe.Transcribed("turn", "Stop it now.")]
            await live.aclose()

    asyncio.run(main())


def test_a_turn_whose_upstream_breaks_off_has_failed_and_the_next_one_has_words() -> None:
    async def main() -> None:
        async with FakeTranscription(fault="drop").running() as server:
            live = LiveTranscription("key", server.base_url, "m")
            desk = Desk()
            desk.recognizer = live  # type: ignore[assignment]  # any recognizer will do
            desk.leg = desk.made()
            faults: tuple[tuple[str, Fault], ...] = (("first", "drop"), ("second", ""))
            for tag, fault in faults:
                server.fault, server.texts = fault, ["Hello."]
                await desk.tick(VOICE, times=30)
                await desk.tick(times=50)
                desk.leg.transcribe(tag)
                while not any(getattr(report, "tag", "") == tag for report in desk.reports):
                    await desk.tick()
            (failed,) = desk.of(scribe.TranscriptionFailed)
            assert (failed.tag, failed.code) == ("first", "engine_failed")
            assert desk.of(scribe.Transcribed) == [scribe.Transcribed("second", "Hello.")]
            await desk.leg.aclose()
            await live.aclose()

    asyncio.run(main())
