"""The detector's state machine: judged windows in, edges out. See :mod:`media.hearing.detector` for the three steps."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from math import log
from typing import Final, assert_never

from media.frames import MIC_RATE_HZ, milliseconds
from media.hearing.edges import Confirmed, Dismissed, Edge, Ended, Suspected, Sustained
from media.hearing.profiles import DetectorOptions
from media.vad import WINDOW

_ODDS: Final = 2
"""Evidence counts against twice the odds of ``confirm_p``: 3 to 1 for its 0.6."""

_STRONGEST: Final = 3.0
"""What one window of 32 ms may say at most (log odds). Measured: 2 to 4 do alike; it bounds what one freak can do."""

WINDOW_MS: Final = milliseconds(WINDOW, MIC_RATE_HZ)
"""A window of the model; staggered windows count for the part that is new in them."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the model said of the sound from *start_ms*, where the last judgement ended, to *end_ms*."""

    p: float
    start_ms: int
    end_ms: int
    onset_ms: Callable[[], int]
    """Where the sound of this window sets in: at *start_ms* or a little before."""

    @property
    def length_ms(self) -> int:
        return self.end_ms - self.start_ms


class Phase(Enum):
    """Where a :class:`Follower` stands."""

    IDLE = auto()
    SUSPECTED = auto()
    CONFIRMED = auto()
    SUSTAINED = auto()
    SPENT = auto()
    """A suspicion ran out of time and was dismissed, and the same sound goes on."""


class Follower:
    """IDLE → SUSPECTED → CONFIRMED → SUSTAINED → IDLE, with SUSPECTED → IDLE or SPENT when dismissed.

    SPENT lasts until a quiet window. A sound in it is not suspected again, or a steady noise would stop the answer
    every two seconds; but what confirms a suspicion still raises and confirms one at once, so that a voice over that
    noise is heard.

    *Evidence* is the cumulative sum (CUSUM, Page 1954, "Continuous inspection schemes") of the log odds of speech
    against twice the odds of ``confirm_p``, per 32 ms, never below 0: it tells how long the model has been how sure.
    Voice that the model is sure of confirms as soon as ``confirm_ms`` of it are there, a doubtful one must last.
    """

    def __init__(self, floor_ms: int) -> None:
        self.phase = Phase.IDLE
        self._voice_end_ms = floor_ms
        """Where the last window of voice ended; no later onset lies before it."""
        self._heard_ms = floor_ms
        """Where the last judged window ended."""
        self._evidence = 0.0
        self._plain: deque[tuple[int, int]] = deque()
        """Start and end of the windows of plain voice lately."""
        self._lately: deque[tuple[int, float]] = deque()
        """End and probability of the windows that a suspicion is told by."""
        self._raised_ms = 0
        self._forget_run()

    def _forget_run(self) -> None:
        self._onset_ms: int | None = None
        self._voiced_ms = 0
        self._quiet_ms = 0
        self._judged_p = 0.0
        self._judged = 0

    @property
    def in_doubt(self) -> bool:
        """Whether a sound is suspected and neither confirmed nor dismissed."""
        return self.phase is Phase.SUSPECTED

    def step(self, heard: Heard, at_ms: int, options: DetectorOptions) -> list[Edge]:
        """The edges that the next window brings, judged by *options*; *at_ms* is the end of the sound it took."""
        self._measure(heard, options)
        match self.phase:
            case Phase.IDLE | Phase.SPENT:
                return self._watch(heard, at_ms, options)
            case Phase.SUSPECTED:
                return self._judge(heard, at_ms, options)
            case Phase.CONFIRMED | Phase.SUSTAINED:
                return self._follow(at_ms, options)
            case never:
                assert_never(never)

    def _measure(self, heard: Heard, options: DetectorOptions) -> None:
        if heard.start_ms > self._heard_ms:
            # The gate was closed in between, which only happens in IDLE: what came before it is over.
            self._forget_run()
            self._lately.clear()
            self._evidence = 0.0
        self._heard_ms = heard.end_ms
        self._weigh(heard, options)
        if heard.p < options.quiet_p:
            self._quiet_ms += heard.length_ms
            return
        if self._onset_ms is None:
            self._onset_ms = max(heard.onset_ms(), self._voice_end_ms)
        self._quiet_ms = 0
        self._voiced_ms += heard.length_ms
        self._voice_end_ms = heard.end_ms

    def _weigh(self, heard: Heard, options: DetectorOptions) -> None:
        """Add the window to what a suspicion and a confirmation are told by."""
        against = log(_ODDS) + _log_odds(options.confirm_p)
        weight = max(-_STRONGEST, min(_log_odds(heard.p) - against, _STRONGEST))
        self._evidence = max(0.0, self._evidence + weight * heard.length_ms / WINDOW_MS)
        self._lately.append((heard.end_ms, heard.p))
        while len(self._lately) > 1 and self._lately[0][0] <= heard.end_ms - options.suspect_over_ms:
            self._lately.popleft()
        if heard.p >= options.confirm_p:
            self._plain.append((heard.start_ms, heard.end_ms))
        while self._plain and heard.end_ms - self._plain[0][0] > options.confirm_within_ms:
            self._plain.popleft()

    def _is_plain(self, options: DetectorOptions) -> bool:
        plain_ms = sum(end - start for start, end in self._plain)
        return plain_ms >= options.confirm_ms and self._evidence >= options.confirm_evidence

    def _watch(self, heard: Heard, at_ms: int, options: DetectorOptions) -> list[Edge]:
        if self._is_plain(options):
            self._begin_with_plain_voice()
            return self._suspect(heard, at_ms, options)
        if self._quiet_ms >= WINDOW_MS:
            self._forget_run()
            self.phase = Phase.IDLE
        elif self.phase is Phase.IDLE and heard.p >= options.quiet_p and self._is_suspect(options):
            return self._suspect(heard, at_ms, options)
        return []

    def _is_suspect(self, options: DetectorOptions) -> bool:
        if self._lately[-1][1] >= options.suspect_at_once_p:
            return True
        expected = max(1, options.suspect_over_ms * options.streams // WINDOW_MS)
        return sum(p for _, p in self._lately) >= options.suspect_p * expected

    def _begin_with_plain_voice(self) -> None:
        if self.phase is Phase.SPENT:
            self._forget_run()
        first_ms = self._plain[0][0]
        self._onset_ms = first_ms if self._onset_ms is None else min(first_ms, self._onset_ms)
        self._voiced_ms = max(self._voiced_ms, sum(end - start for start, end in self._plain))

    def _suspect(self, heard: Heard, at_ms: int, options: DetectorOptions) -> list[Edge]:
        self.phase = Phase.SUSPECTED
        self._raised_ms = heard.end_ms
        return [Suspected(self._onset(), at_ms), *self._judge(heard, at_ms, options)]

    def _judge(self, heard: Heard, at_ms: int, options: DetectorOptions) -> list[Edge]:
        self._judged_p += heard.p * heard.length_ms
        self._judged += heard.length_ms
        if self._is_plain(options):
            return self._confirm(at_ms, options)
        if self._quiet_ms >= options.release_ms:
            return [self._dismiss(at_ms)]
        # The next window would end too late.
        if heard.end_ms + heard.length_ms > self._raised_ms + options.decide_ms:
            if self._judged_p >= options.decide_p * self._judged:
                return self._confirm(at_ms, options)
            return [self._dismiss(at_ms)]
        return []

    def _confirm(self, at_ms: int, options: DetectorOptions) -> list[Edge]:
        self.phase = Phase.CONFIRMED
        return [Confirmed(self._onset(), at_ms), *self._follow(at_ms, options)]

    def _dismiss(self, at_ms: int) -> Edge:
        edge = Dismissed(self._onset(), at_ms)
        self._rest(Phase.IDLE if self._quiet_ms else Phase.SPENT)
        return edge

    def _follow(self, at_ms: int, options: DetectorOptions) -> list[Edge]:
        edges: list[Edge] = []
        if self.phase is Phase.CONFIRMED and self._voiced_ms >= options.sustained_ms:
            self.phase = Phase.SUSTAINED
            edges.append(Sustained(self._onset(), at_ms, self._voiced_ms))
        if self._quiet_ms >= options.ended_ms:
            edges.append(Ended(self._onset(), self._voice_end_ms, at_ms, self._voiced_ms))
            self._rest(Phase.IDLE)
        return edges

    def _rest(self, phase: Phase) -> None:
        self.phase = phase
        self._plain.clear()
        self._evidence = 0.0
        self._forget_run()

    def _onset(self) -> int:
        assert self._onset_ms is not None, "a suspicion has an onset"
        return self._onset_ms


def _log_odds(p: float) -> float:
    p = min(max(p, 1e-6), 1 - 1e-6)
    return log(p / (1 - p))
