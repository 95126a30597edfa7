"""A voice leg's reflex, mouth and ears together, driven frame by frame."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import numpy as np

from media import leg
from media.echo import NoDefence
from media.frames import MIC_FRAME, MIC_RATE_HZ, Pcm, silence
from media.hearing import edges, endpoint, scribe
from media.hearing.endpoint import TurnOptions
from media.speaking import playout
from tests.media.engines import LoudnessModel, ScriptedRecognizer, ToneSynthesizer

R = TypeVar("R")

VOICE: Pcm = (6000 * np.sin(2 * np.pi * 220 * np.arange(MIC_FRAME) / MIC_RATE_HZ)).astype(np.int16)
QUIET: Pcm = silence(MIC_FRAME)


class Desk:
    """A leg on a bench: 20 ms pass when :meth:`tick` is called, on no other clock."""

    def __init__(
        self,
        *texts: str | None,
        synthesizer: ToneSynthesizer | None = None,
        turns: TurnOptions | None = None,
        keeps_turns: bool = False,
    ) -> None:
        self.recognizer = ScriptedRecognizer(*texts)
        self.synthesizer = synthesizer or ToneSynthesizer()
        self.reports: list[leg.Report] = []
        self.ticks = 0
        self._turns = turns or TurnOptions()
        self._keeps_turns = keeps_turns
        self.leg = self.made()

    def made(self) -> leg.VoiceLeg:
        """A leg on the engines of this desk, as they are now."""
        return leg.VoiceLeg(
            leg.Engines(
                self.synthesizer, self.recognizer, LoudnessModel, new_echo=NoDefence, keeps_turns=self._keeps_turns
            ),
            self.reports.append,
            lambda: self.ticks * 0.02,
            turns=self._turns,
            client_buffer_ms=0,
        )

    async def tick(self, mic: Pcm = QUIET, times: int = 1) -> list[bool]:
        """Let time pass; tells for each 20 ms whether the loudspeaker sounded."""
        sounded = []
        for _ in range(times):
            self.ticks += 1
            self.leg.hear(mic)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            frame = self.leg.pull()
            sounded.append(frame is not None and int(np.abs(frame.astype(np.int32)).max()) > 500)
        return sounded

    async def wait(self, times: int) -> list[bool]:
        """Let time pass while the microphone sends nothing."""
        sounded = []
        for _ in range(times):
            self.ticks += 1
            frame = self.leg.pull()
            await asyncio.sleep(0)
            sounded.append(frame is not None and int(np.abs(frame.astype(np.int32)).max()) > 500)
        return sounded

    def of(self, kind: type[R]) -> list[R]:
        """The reports of a kind."""
        return [report for report in self.reports if isinstance(report, kind)]

    async def settle(self) -> None:
        """Let tasks that wait for nothing finish."""
        for _ in range(50):
            await asyncio.sleep(0)

    def answer(self, text: str, generation: int = 1) -> None:
        self.leg.begin(generation, f"resp_{generation}", f"item_{generation}")
        self.leg.mouth.speak(generation, text)
        self.leg.mouth.finish(generation)

    def kinds(self) -> list[str]:
        return [type(report).__name__ for report in self.reports]


def run(story: Callable[[Desk], Awaitable[None]], desk: Callable[[], Desk] = Desk) -> None:
    async def main() -> None:
        bench = desk()
        await story(bench)
        await bench.leg.aclose()

    asyncio.run(main())


LONG = "one two three four five six seven eight nine ten."


def test_an_answer_sounds_and_stops_once() -> None:
    async def story(desk: Desk) -> None:
        desk.answer("one two three.")
        await desk.settle()
        sounded = await desk.tick(times=40)
        assert sum(sounded) == 30
        assert desk.kinds() == ["Started", "Stopped"]

    run(story)


def test_a_suspicion_silences_the_answer_before_anybody_is_asked() -> None:
    async def story(desk: Desk) -> None:
        desk.answer(LONG)
        await desk.settle()
        assert all(await desk.tick(times=20))
        after = await desk.tick(VOICE, times=5)
        onset = desk.kinds().index("Suspected")
        assert onset >= 0
        assert not any(after[3:])
        assert desk.leg.mouth.held

    run(story)


def test_a_cough_lets_the_answer_go_on_with_nothing_missing() -> None:
    async def story(desk: Desk) -> None:
        desk.answer(LONG)
        await desk.settle()
        sounded = await desk.tick(times=20)
        sounded += await desk.tick(VOICE)  # with the windows it lies in, shorter than a confirmation takes
        sounded += await desk.tick(times=150)
        assert "Confirmed" not in desk.kinds()
        assert desk.kinds()[-1] == "Stopped"
        paused = sum(not on for on in sounded[: len(sounded) - sounded[::-1].index(True)])
        assert paused > 5
        # All of it was heard; of a fade at most one frame sounds twice.
        assert 100 <= sum(sounded) <= 102

    run(story)


def test_a_confirmed_voice_keeps_the_answer_silent_until_the_session_decides() -> None:
    async def story(desk: Desk) -> None:
        desk.answer(LONG)
        await desk.settle()
        await desk.tick(times=20)
        await desk.tick(VOICE, times=15)
        assert not any(await desk.tick(times=100))
        assert "TurnEnded" in desk.kinds()
        desk.leg.release()
        assert any(await desk.tick(times=3))

    run(story)


def test_a_released_leg_stays_silent_while_somebody_still_speaks() -> None:
    async def story(desk: Desk) -> None:
        desk.answer(LONG)
        await desk.settle()
        await desk.tick(times=20)
        await desk.tick(VOICE, times=15)
        desk.leg.drop_utterance()
        desk.leg.release()
        assert not any(await desk.tick(VOICE, times=5))
        assert any(await desk.tick(times=30))

    run(story)


def test_a_cut_tells_the_last_word_that_was_heard_whole() -> None:
    async def story(desk: Desk) -> None:
        desk.answer(LONG)
        await desk.settle()
        await desk.tick(times=25)  # 500 ms: two words and a half
        cleared = desk.leg.flush(1)
        assert cleared is not None
        assert LONG[: cleared.heard_chars] == "one two"
        assert cleared.heard_ms == 500
        assert desk.leg.flush(1) is None
        assert sum(await desk.tick(times=10)) <= 1

    run(story)


def test_the_answer_after_a_cut_waits_for_the_end_of_the_turn() -> None:
    async def story(desk: Desk) -> None:
        desk.answer(LONG)
        await desk.settle()
        await desk.tick(times=20)
        await desk.tick(VOICE, times=40)
        desk.leg.flush(1)
        desk.answer("and now something else.", generation=2)
        await desk.settle()
        assert not any(await desk.tick(VOICE, times=20))
        assert any(await desk.tick(times=60))

    run(story)


def test_voice_before_the_first_sample_holds_the_answer() -> None:
    async def story(desk: Desk) -> None:
        await desk.tick(VOICE, times=6)
        desk.answer(LONG)
        await desk.settle()
        assert not any(await desk.tick(VOICE, times=20))

    run(story)


def test_a_turn_is_transcribed_from_before_its_onset_and_not_from_the_turn_before() -> None:
    async def story(desk: Desk) -> None:
        await desk.tick(times=10)
        await desk.tick(VOICE, times=20)
        await desk.tick(times=40)
        desk.leg.transcribe("item_a")
        await desk.tick(VOICE, times=20)
        await desk.tick(times=40)
        desk.leg.transcribe("item_b")
        await desk.settle()
        said = [report for report in desk.reports if isinstance(report, scribe.Transcribed)]
        assert said == [scribe.Transcribed("item_a", "first"), scribe.Transcribed("item_b", "second")]
        first, second = desk.recognizer.opened
        assert 700 <= first.heard_ms <= 1300
        assert 700 <= second.heard_ms <= 1300

    run(story, lambda: Desk("first", "second"))


def test_a_failed_transcription_is_reported_with_its_code() -> None:
    async def story(desk: Desk) -> None:
        await desk.tick(VOICE, times=20)
        await desk.tick(times=40)
        desk.leg.transcribe("item_a")
        await desk.settle()
        assert desk.reports[-1] == scribe.TranscriptionFailed("item_a", "engine_failed", "told to")

    run(story, lambda: Desk(None))


def test_a_short_utterance_is_judged_by_its_words() -> None:
    async def story(desk: Desk) -> None:
        desk.answer(LONG)
        await desk.settle()
        await desk.tick(VOICE, times=15)
        await desk.tick(times=15)
        assert "Ended" in desk.kinds()
        desk.leg.judge()
        await desk.settle()
        assert desk.reports[-1] == scribe.Judged("uh huh")

    run(story, lambda: Desk("uh huh"))


def test_a_dropped_utterance_never_becomes_a_turn() -> None:
    async def story(desk: Desk) -> None:
        await desk.tick(VOICE, times=15)
        desk.leg.drop_utterance()
        await desk.tick(times=60)
        assert "TurnEnded" not in desk.kinds()
        assert desk.recognizer.opened[0].cancelled

    run(story, lambda: Desk("uh huh"))


def test_manual_turns_are_committed_by_hand_and_nothing_is_detected() -> None:
    async def story(desk: Desk) -> None:
        desk.leg.configure(None)
        assert not desk.leg.commit()
        await desk.tick(VOICE, times=40)
        await desk.tick(times=60)
        assert desk.reports == []
        assert desk.leg.commit()
        assert isinstance(desk.reports[0], endpoint.TurnEnded)
        desk.leg.transcribe("item_a")
        await desk.settle()
        assert desk.reports[-1] == scribe.Transcribed("item_a", "by hand")

    run(story, lambda: Desk("by hand"))


def test_a_synthesizer_that_fails_ends_the_answer_where_it_stood() -> None:
    async def story(desk: Desk) -> None:
        desk.answer("one two three.")
        await desk.settle()
        await desk.tick(times=40)
        stopped = desk.reports[-1]
        assert isinstance(stopped, playout.Stopped)
        assert stopped.heard_ms == 200

    run(story, lambda: Desk(synthesizer=ToneSynthesizer(fail_at="two")))
    run(story, lambda: Desk(synthesizer=ToneSynthesizer("two", ZeroDivisionError("one two three."))))


def test_an_answer_whose_engine_failed_ends_only_when_its_text_does() -> None:
    async def story(desk: Desk) -> None:
        desk.leg.begin(1, "resp_1", "item_1")
        desk.leg.mouth.speak(1, "one two three. And there is more of it. ")
        await desk.settle()
        await desk.tick(times=60)
        assert "Stopped" not in desk.kinds()
        desk.leg.mouth.finish(1)
        await desk.settle()
        await desk.tick(times=5)
        assert desk.kinds()[-1] == "Stopped"

    run(story, lambda: Desk(synthesizer=ToneSynthesizer(fail_at="two")))


def test_cutting_closes_the_synthesizer() -> None:
    async def story(desk: Desk) -> None:
        desk.answer(" ".join(["word"] * 200) + ".")
        await desk.settle()
        await desk.tick(times=5)
        spoken = len(desk.synthesizer.spoken)
        assert spoken < 200  # no further ahead than the playout has room
        desk.leg.flush(1)
        await desk.settle()
        assert desk.synthesizer.closed >= 1
        await desk.tick(times=20)
        assert len(desk.synthesizer.spoken) == spoken

    run(story)


def test_closing_tells_where_each_answer_stood() -> None:
    async def main() -> None:
        desk = Desk()
        desk.answer(LONG)
        await desk.settle()
        await desk.tick(times=25)
        (cleared,) = await desk.leg.aclose()
        assert cleared.generation == 1
        assert LONG[: cleared.heard_chars] == "one two"

    asyncio.run(main())


def test_suspicions_are_reported_with_the_microphones_clock() -> None:
    async def story(desk: Desk) -> None:
        await desk.tick(times=50)
        await desk.tick(VOICE, times=10)
        suspected = next(report for report in desk.reports if isinstance(report, edges.Suspected))
        assert 980 <= suspected.onset_ms <= 1040

    run(story)


def test_words_are_told_from_repaired_sound_also_before_the_voice_was_sure() -> None:
    """A packet of the word's beginning, and one in its middle, come late."""

    async def story(desk: Desk) -> None:
        await desk.tick(times=20)
        await desk.tick(VOICE)
        await desk.tick(QUIET)
        desk.leg.repair(np.concatenate((VOICE, VOICE + 1)))
        await desk.tick(VOICE, times=20)
        await desk.tick(QUIET)
        await desk.tick(VOICE)
        desk.leg.repair(np.concatenate((VOICE + 2, VOICE)))
        await desk.tick(VOICE, times=10)
        await desk.tick(times=60)
        heard = np.concatenate(desk.recognizer.opened[0].heard).reshape(-1, MIC_FRAME)
        voiced = [frame for frame in heard if frame.any()]
        assert len(voiced) == 34
        assert np.array_equal(voiced[1], VOICE + 1)
        assert np.array_equal(voiced[22], VOICE + 2)

    run(story)


def test_the_words_of_a_turn_are_told_while_it_is_spoken_where_that_costs_nothing() -> None:
    async def story(desk: Desk) -> None:
        await desk.tick(VOICE, times=80)
        so_far = desk.of(scribe.SoFar)
        assert 2 <= len(so_far) <= 4
        assert {report.text for report in so_far} == {"hello"}
        await desk.tick(QUIET, times=60)
        asked = len(desk.of(scribe.SoFar))
        await desk.tick(QUIET, times=100)
        assert len(desk.of(scribe.SoFar)) == asked

    run(story, lambda: Desk("hello"))


def test_nobody_is_asked_for_words_where_each_question_is_a_request() -> None:
    async def story(desk: Desk) -> None:
        await desk.tick(VOICE, times=80)
        assert desk.of(scribe.SoFar) == []

    def desk() -> Desk:
        desk = Desk("hello")
        desk.recognizer.live = False
        desk.leg = desk.made()
        return desk

    run(story, desk)
