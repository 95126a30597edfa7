"""A third party's speech model and detector behind a voice leg."""

import asyncio

import numpy as np

from media.frames import MIC_RATE_HZ, Pcm, milliseconds, silence
from media.hearing.detector import DEFAULTS, Detector, SpeechDetector
from media.hearing.ears import Ears
from media.hearing.edges import Confirmed, Dismissed, Edge, Ended, Suspected
from media.hearing.endpoint import TurnEnded, TurnOptions, TurnStarted
from media.hearing.profiles import AgentState, Profiles
from media.leg import Engines, Report, VoiceLeg
from media.levels import peak
from media.vad import SpeechModel
from tests.media.engines import LoudnessModel, ScriptedRecognizer, ToneSynthesizer
from tests.media.test_detector import assert_well_formed, feed, kinds


class Clap:
    """A whole detector in a few lines: a frame over a peak is a voice, the next one under it its end."""

    def __init__(self) -> None:
        self._taken = 0
        self._onset_ms: int | None = None
        self.configured: list[Profiles] = []
        self.states: set[AgentState | bool] = set()

    @property
    def clock_ms(self) -> int:
        return milliseconds(self._taken, MIC_RATE_HZ)

    def process(self, pcm: Pcm, state: AgentState | bool) -> list[Edge]:
        start_ms = self.clock_ms
        self._taken += len(pcm)
        self.states.add(state)
        now_ms, loud = self.clock_ms, peak(pcm) > 10_000
        if loud and self._onset_ms is None:
            self._onset_ms = start_ms
            return [Suspected(start_ms, now_ms), Confirmed(start_ms, now_ms)]
        if not loud and self._onset_ms is not None:
            onset_ms, self._onset_ms = self._onset_ms, None
            return [Ended(onset_ms, start_ms, now_ms, start_ms - onset_ms)]
        return []

    def configure(self, profiles: Profiles) -> None:
        self.configured.append(profiles)
        self.reset()

    def reset(self) -> None:
        self._onset_ms = None


def claps() -> Pcm:
    loud = np.full(4 * 320, 20_000, dtype=np.int16)
    return np.concatenate((silence(9_600), loud, silence(32_000), loud, silence(32_000)))


def test_a_detector_of_ones_own_keeps_the_protocol() -> None:
    detector: SpeechDetector = Clap()
    assert_well_formed(feed_any(detector, claps()), detector.clock_ms)


def feed_any(detector: SpeechDetector, pcm: Pcm) -> list[Edge]:
    return [edge for at in range(0, len(pcm), 320) for edge in detector.process(pcm[at : at + 320], AgentState.IDLE)]


def test_the_ears_make_turns_of_what_another_detector_finds() -> None:
    detector = Clap()
    ears = Ears(detector, None, TurnOptions(threshold=0.8))
    found = [edge for at in range(0, len(claps()), 320) for edge in ears.hear(claps()[at : at + 320], sounding=False)]
    assert [type(edge) for edge in found] == [Suspected, Confirmed, TurnStarted, Ended, TurnEnded] * 2
    assert detector.configured[-1].speaking.confirm_p == 0.9


def test_a_leg_takes_the_detector_and_the_model_that_its_engines_name() -> None:
    made: list[tuple[SpeechModel | None, Clap]] = []

    def mine(model: SpeechModel | None) -> SpeechDetector:
        made.append((model, Clap()))
        return made[-1][1]

    engines = Engines(ToneSynthesizer(), ScriptedRecognizer(), LoudnessModel, mine)
    reports: list[Report] = []

    async def main() -> None:
        leg = VoiceLeg(engines, reports.append, lambda: 0.0, turns=TurnOptions(), client_buffer_ms=0)
        for at in range(0, len(claps()), 320):
            leg.hear(claps()[at : at + 320])
        await leg.aclose()

    asyncio.run(main())
    assert [type(model) for model, _ in made] == [LoudnessModel]
    assert [type(report) for report in reports].count(Confirmed) == 2


class Zeros:
    """A model in a few lines: how often a window crosses zero, as a hiss does."""

    name = "zero crossings"

    def probability(self, window: Pcm) -> float:
        return float(np.mean(np.diff(np.signbit(window))))

    def reset(self) -> None: ...

    def fork(self, before: Pcm) -> "Zeros":
        return self


def test_a_model_of_ones_own_decides_what_is_voice() -> None:
    hiss = np.random.default_rng(1).normal(0, 2_000, 8_000)
    shrill = (3_000 * np.sign(np.sin(np.arange(8_000) * 3.0))).astype(np.int16)
    sound = np.concatenate((silence(8_000), shrill, silence(8_000), hiss.astype(np.int16), silence(8_000)))
    edges = feed(Detector(DEFAULTS, Zeros()), sound)
    assert kinds(edges)[:2] == [Suspected, Confirmed]
    assert Ended in kinds(edges)
    assert edges[0].onset_ms >= 480
    assert Dismissed not in kinds(edges[:3])
    assert_well_formed(edges, 2_500)
