"""Which windows of a microphone are judged, and by what: a speech model, spared what it need not hear, or webrtcvad.

The model hears windows on a fixed grid, so what it says does not depend on how sound is cut into frames. Its *base*
stream has windows end to end. While a sound is in doubt up to three *staggered* streams hear windows in between, so
that one ends every 8 ms; each is forked from the base stream when it is needed. Gates in front spare the model: the
level of the sound, and webrtcvad where the options say so. When a gate opens, the base stream first hears the windows
it missed, and forgets what it knew if there are more of them than are kept.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import numpy as np

from media.frames import MIC_RATE_HZ, Pcm, milliseconds, silence
from media.hearing.follower import WINDOW_MS, Heard
from media.hearing.profiles import DetectorOptions
from media.levels import BLOCK, LevelGate, onset, powers
from media.vad import WINDOW, SpeechModel
from media.vad.webrtc import FRAME_10MS, WebRtcGate, WebRtcVad

_PER_WINDOW: Final = WINDOW // BLOCK

_PREROLL: Final = 7
"""Windows that the model hears when a gate opens: 224 ms. Measured with the hang-over of 300 ms: costs no miss."""

_KEPT: Final = (_PREROLL + 2) * WINDOW
"""Samples kept: the pre-roll, the window before it, in which an onset may lie, and a window begun."""

_STIRS_P: Final = 0.1
"""A window of the base stream at this makes a sound worth hearing closely, however steady its level."""


class Attention(NamedTuple):
    """How closely the next block is to be heard."""

    options: DetectorOptions
    followed: bool
    """A sound is being followed: no gate may close."""
    in_doubt: bool
    """It is neither confirmed nor dismissed."""


class ModelEar:
    """A speech model behind its gates. Blocks come one by one, in order, from the beginning of the clock."""

    block = BLOCK

    def __init__(self, model: SpeechModel, at: int) -> None:
        self._base: Final = model
        self._staggered: Final[list[SpeechModel | None]] = [None] * _PER_WINDOW
        self._staggered_at: Final = [0] * _PER_WINDOW
        """Where the last window of each staggered stream ended, in samples."""
        self._base_at = at - at % WINDOW
        self._judged_at = self._base_at
        self._stirs = False
        self._level = LevelGate()
        self._gate: Final = WebRtcGate(mode=2, hangover_ms=300)
        self._voiced = False
        self._sound = silence(_KEPT)
        self._end = at
        model.reset()

    def take(self, pcm: Pcm) -> list[float]:
        """Keep *pcm*, whole blocks of sound, for :meth:`hear` to go through; returns their powers."""
        self._sound = np.concatenate((self._sound[-_KEPT:], pcm))
        self._end += len(pcm)
        listed: list[float] = powers(pcm).tolist()
        return listed

    def hear(self, end: int, power: float, attention: Attention) -> Iterable[Heard]:
        """Judge what is due with the block that ends at sample *end*."""
        self._level.take(power)
        whole = end % WINDOW == 0
        return self._judge(end, whole, attention) if self._is_open(end, whole, attention) else ()

    def _judge(self, end: int, whole: bool, attention: Attention) -> Iterator[Heard]:
        closely = attention.in_doubt or (not attention.followed and (self._stirs or self._level.rising))
        if whole:
            yield from self._hear_base(end)
        elif closely and end // BLOCK % (_PER_WINDOW // attention.options.streams) == 0:
            yield from self._hear_base(end - end % WINDOW)
            yield self._hear_staggered(end)

    def _is_open(self, end: int, whole: bool, attention: Attention) -> bool:
        if attention.followed:
            return True
        if not self._level.loud:
            return False
        if not attention.options.gated:
            return True
        if whole:
            self._voiced = self._gate.hears(self._window(end))
        return self._voiced

    def _hear_base(self, end: int) -> Iterator[Heard]:
        """The windows of the base stream up to *end* that it has not heard."""
        missed = (end - self._base_at) // WINDOW
        if missed > _PREROLL:
            self._base.reset()
            missed = _PREROLL
        for back in range(missed - 1, -1, -1):
            at = end - back * WINDOW
            p = self._base.probability(self._window(at))
            self._stirs = p >= _STIRS_P
            self._base_at = at
            yield self._judged(p, at)

    def _hear_staggered(self, end: int) -> Heard:
        which = end % WINDOW // BLOCK
        stream = self._staggered[which]
        if stream is None or self._staggered_at[which] != end - WINDOW:
            stream = self._staggered[which] = self._base.fork(self._window(end - WINDOW))
        self._staggered_at[which] = end
        return self._judged(stream.probability(self._window(end)), end)

    def _judged(self, p: float, end: int) -> Heard:
        start = max(self._judged_at, end - WINDOW)
        self._judged_at = end
        start_ms, end_ms = milliseconds(start, MIC_RATE_HZ), milliseconds(end, MIC_RATE_HZ)

        def onset_ms() -> int:
            # Silero rises a window late: a voice often sets in before the window that tells of it.
            around = self._from(end - 2 * WINDOW, end)
            return min(end_ms - 2 * WINDOW_MS + milliseconds(onset(around), MIC_RATE_HZ), start_ms)

        return Heard(p, start_ms, end_ms, onset_ms)

    def _window(self, end: int) -> Pcm:
        return self._from(end - WINDOW, end)

    def _from(self, start: int, end: int) -> Pcm:
        first = len(self._sound) - (self._end - start)
        return self._sound[first : first + end - start]


class VoteEar:
    """webrtcvad alone, at its strictest."""

    block = FRAME_10MS

    def __init__(self, at: int) -> None:
        self._vad: Final = WebRtcVad(mode=3)
        self._sound = silence(0)
        self._end = at

    def take(self, pcm: Pcm) -> list[float]:
        """Keep *pcm*, whole frames of 10 ms, for :meth:`hear`; their powers are of no use here."""
        self._sound = pcm
        self._end += len(pcm)
        return [0.0] * (len(pcm) // FRAME_10MS)

    def hear(self, end: int, power: float, attention: Attention) -> Iterator[Heard]:
        """Judge the frame that ends at sample *end*."""
        first = len(self._sound) - (self._end - end) - FRAME_10MS
        p = float(self._vad.voiced(self._sound[first : first + FRAME_10MS]))
        end_ms = milliseconds(end, MIC_RATE_HZ)
        start_ms = end_ms - 10
        yield Heard(p, start_ms, end_ms, lambda: start_ms)
