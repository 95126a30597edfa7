"""What a loudspeaker was sent, on the clock of a microphone near it."""

from collections import deque
from math import inf
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from media.frames import MIC_FRAME, MIC_RATE_HZ, VOICE_FRAME, VOICE_RATE_HZ, Pcm, silence
from media.levels import peak
from media.resample import Resampler

Sound: TypeAlias = NDArray[np.float32]
"""Samples at 16 kHz, full scale 1."""

BLOCK: Final = MIC_FRAME
"""Samples the echo is worked on by: 20 ms."""

MAX_DELAY: Final = 8_192
"""The longest way from the gateway through a client and back that is looked for: 512 ms, of which 60 are a margin."""

_KEPT_FRAMES: Final = 50
_KEPT: Final = _KEPT_FRAMES * MIC_FRAME
"""One second: the longest delay, and the longest stretch that is compared with the microphone."""

_LOUD: Final = 300
"""A frame with a smaller peak leaves no echo that anybody could mistake for a voice."""

_WINDOW: Final = MAX_DELAY + MIC_RATE_HZ // 4
"""How long after a loud frame its echo may still sound: the longest delay and a quarter of a second of room."""


def to_float(pcm: Pcm) -> Sound:
    """Full scale 1."""
    return pcm.astype(np.float32) / np.float32(32768)


class Reference:
    """The last second that was sent. Turned to 16 kHz only when somebody looks: mostly nobody does."""

    def __init__(self) -> None:
        self._resampler: Final = Resampler(VOICE_RATE_HZ, MIC_RATE_HZ)
        self._fresh: deque[Pcm | None] = deque(maxlen=_KEPT_FRAMES)
        self._sound: Sound = np.zeros(_KEPT, dtype=np.float32)
        self._loud_until: float = -inf
        self.end = 0
        """Samples taken so far, at 16 kHz."""

    def push(self, frame: Pcm | None) -> None:
        """The next 480 samples at 24 kHz, None for silence."""
        self._fresh.append(frame)
        self.end += MIC_FRAME
        if frame is not None and peak(frame) > _LOUD:
            self._loud_until = self.end + _WINDOW

    def echoes(self, at: int) -> bool:
        """Whether an echo of something loud may sound at *at*."""
        return at < self._loud_until

    def until(self, end: int, count: int) -> Sound:
        """The *count* samples before *end*; zeros for what is not there, or not there yet."""
        self._catch_up()
        last = _KEPT - (self.end - end)
        first = last - count
        if first >= 0 and last <= _KEPT:
            return self._sound[first:last]
        before, after = max(0, -first), max(0, last - _KEPT)
        there = self._sound[max(0, first) : max(0, min(last, _KEPT))]
        return np.pad(there, (min(before, count), min(after, count)))[:count]

    def _catch_up(self) -> None:
        if not self._fresh:
            return
        pcm = np.concatenate([silence(VOICE_FRAME) if frame is None else frame for frame in self._fresh])
        self._fresh.clear()
        fresh = to_float(self._resampler.process(pcm))
        self._sound = np.concatenate((self._sound[len(fresh) :], fresh))
