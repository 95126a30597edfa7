"""Tells where a user's turn begins and ends from the detector's edges: pure, on the microphone's clock.

A turn begins with the first confirmed voice and ends when silence has lasted ``silence_duration_ms`` since the last
confirmed voice ended, or at ``turn_limit_ms``. How long the silence must last is for a
:class:`media.hearing.patience.Patience` to say. A suspicion holds the silence timer, since it may become voice; a
dismissed one neither extends the turn nor its silence. The names are those of Realtime's ``server_vad``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, TypeAlias, assert_never

from media.hearing.edges import Confirmed, Dismissed, Edge, Ended, Suspected, Sustained
from media.hearing.patience import Eagerness, Patience, Semantic, Timer


@dataclass(frozen=True, slots=True)
class TurnOptions:
    """Realtime's ``turn_detection`` fields with its defaults, in milliseconds, and a limit of our own."""

    threshold: float = 0.5
    """For :func:`media.hearing.detector.with_threshold`; the endpointer itself has no use for it."""
    prefix_padding_ms: int = 300
    """Sound kept from before the onset."""
    silence_duration_ms: int = 500
    """Silence that ends a turn, where ``eagerness`` is None."""
    eagerness: Eagerness | None = None
    """``semantic_vad``: what was said decides how long a silence must last. None for the timer of ``server_vad``."""
    idle_timeout_ms: int | None = None
    """For the voice leg: the silence after an answer that is itself answered; None for any length."""
    turn_limit_ms: int = 60_000
    """The longest turn: a radio in the room must not be transcribed for ever."""


@dataclass(frozen=True, slots=True)
class TurnStarted:
    """A turn began. *audio_start_ms* includes the padding and lies after the last turn's end."""

    audio_start_ms: int


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The turn is over. *audio_end_ms* includes the silence that ended it, as Realtime's ``speech_stopped`` has it.

    *limited* turns lasted ``turn_limit_ms``; the voice that goes on belongs to no turn until it has once ended.
    """

    audio_start_ms: int
    audio_end_ms: int
    limited: bool


TurnEdge: TypeAlias = TurnStarted | TurnEnded


@dataclass(frozen=True, slots=True)
class Pressed:
    """Push to talk: a turn began by hand at *at_ms*, and reaches back by *preroll_ms*."""

    at_ms: int
    preroll_ms: int


@dataclass(frozen=True, slots=True)
class Discarded:
    """A turn that began by hand was over before anything could be said."""


def patience(options: TurnOptions) -> Patience:
    """How long a silence must last under these options."""
    return Timer(options.silence_duration_ms) if options.eagerness is None else Semantic(options.eagerness)


class _Sound(Enum):
    QUIET = auto()
    SUSPECTED = auto()
    CONFIRMED = auto()


class Endpointer:
    """The turns of one microphone. What it finds depends on the edges and their times, not on how often it is asked."""

    def __init__(self, options: TurnOptions) -> None:
        self._options: Final = options
        self._patience: Final = patience(options)
        self._words: str | None = None
        """What was said when the voice last ended; None while that is not known."""
        self._start_ms: int | None = None
        """Where the running turn's audio starts; None between turns."""
        self._sound = _Sound.QUIET
        """What the detector last said is going on."""
        self._voice_end_ms = 0
        """Where the last confirmed utterance ended."""
        self._taken_ms = 0
        """Up to here the sound belongs to earlier turns, or was dismissed."""
        self._now_ms = 0

    def process(self, edges: Sequence[Edge], at_ms: int) -> list[TurnEdge]:
        """Take the detector's latest edges, also when there are none; *at_ms* is the microphone's clock."""
        found: list[TurnEdge] = []
        for edge in edges:
            found += self._expire(edge.at_ms - 1)
            found += self._hear(edge)
        self._now_ms = at_ms
        return found + self._expire(at_ms)

    def commit(self, at_ms: int) -> list[TurnEdge]:
        """End the running turn at *at_ms*, if there is one. A voice that goes on starts no turn until it has ended."""
        return [] if self._start_ms is None else [self._end(self._start_ms, at_ms, limited=False)]

    def said(self, words: str) -> None:
        """What was said in the running turn so far. Counts until the voice goes on."""
        self._words = words

    def discard(self) -> None:
        """Forget the running turn, whose sound was dismissed: no later turn's padding reaches back into it.

        Also what to call when the detector is reset.
        """
        if self._start_ms is not None:
            self._taken_ms = self._now_ms if self._sound is _Sound.CONFIRMED else self._voice_end_ms
        self._start_ms = None

    def _hear(self, edge: Edge) -> list[TurnEdge]:
        match edge:
            case Suspected():
                self._sound = _Sound.SUSPECTED
            case Confirmed(onset_ms=onset_ms):
                self._sound = _Sound.CONFIRMED
                self._words = None
                return self._begin(onset_ms)
            case Sustained():
                pass
            case Ended(end_ms=end_ms):
                self._sound = _Sound.QUIET
                self._voice_end_ms = end_ms
            case Dismissed():
                self._sound = _Sound.QUIET
            case never:
                assert_never(never)
        return []

    def _begin(self, onset_ms: int) -> list[TurnEdge]:
        if self._start_ms is not None:
            return []
        self._start_ms = max(self._taken_ms, onset_ms - self._options.prefix_padding_ms)
        return [TurnStarted(self._start_ms)]

    def _expire(self, now_ms: int) -> list[TurnEdge]:
        if self._start_ms is None:
            return []
        limit_ms = self._start_ms + self._options.turn_limit_ms
        silent_ms = self._voice_end_ms + self._patience.silence_ms(self._words)
        if self._sound is _Sound.QUIET and silent_ms <= min(now_ms, limit_ms):
            return [self._end(self._start_ms, silent_ms, limited=False)]
        return [self._end(self._start_ms, limit_ms, limited=True)] if limit_ms <= now_ms else []

    def _end(self, start_ms: int, end_ms: int, limited: bool) -> TurnEnded:
        self._start_ms = None
        self._taken_ms = end_ms
        return TurnEnded(start_ms, end_ms, limited)
