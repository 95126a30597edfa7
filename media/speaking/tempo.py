"""Speech made faster or slower at the same pitch, piece by piece (WSOLA: Verhelst and Roelands, ICASSP 1993).

Frames of 20 ms are taken from the sound at the pace that is wanted and laid over each other at the pace of the clock.
Each is taken from where it continues the one before best, within 7.5 ms of its place, so that periods of a voice meet.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from media.frames import VOICE_RATE_HZ, Pcm, samples, silence
from media.speech import Speech

_FRAME: Final = samples(20, VOICE_RATE_HZ)
_HOP: Final = _FRAME // 2
_SEARCH: Final = samples(7.5, VOICE_RATE_HZ)
"""Half the longest period of a voice (70 Hz)."""

_COARSE: Final = 3
"""Likeness is measured in every third sample: a voice has little above 4 kHz, and it costs a ninth."""

_RISE: Final = (np.arange(_HOP) + 0.5) / _HOP
_FADE_IN: Final[NDArray[np.float64]] = np.sin(np.pi / 2 * _RISE) ** 2


class Tempo:
    """One stretch of speech at 24 kHz, *speed* times as fast: what comes out lasts 1/*speed* of what goes in."""

    def __init__(self, speed: float) -> None:
        self._speed: Final = speed
        self._sound = silence(0)
        self._from = 0
        """Where in the whole stretch what is kept of it begins."""

        self._taken = 0
        self._frames = 0
        self._last = 0
        """Where in the stretch the last frame was taken from."""

        self._tail = np.zeros(_HOP)
        """The second half of the last frame, which the next one is laid over."""

    def process(self, pcm: Pcm) -> Pcm:
        """What *pcm* completes."""
        self._taken += len(pcm)
        self._sound = np.concatenate((self._sound, pcm))
        return self._made()

    def flush(self) -> Pcm:
        """The rest of the stretch. Nothing may be added after that."""
        given = self._frames * _HOP
        self._sound = np.concatenate((self._sound, silence(2 * (_FRAME + _SEARCH) + _HOP)))
        return self._made()[: max(0, self.length(self._taken) - given)]

    def length(self, count: int) -> int:
        """How many samples *count* of them become, and where the one at *count* comes to lie."""
        return round(count / self._speed)

    def _made(self) -> Pcm:
        made = []
        while max(self._place + _SEARCH, self._last + _HOP) + _FRAME <= self._from + len(self._sound):
            made.append(self._next())
            self._forget(min(self._last + _HOP, self._place - _SEARCH))
        return np.concatenate(made) if made else silence(0)

    @property
    def _place(self) -> int:
        """Where in the stretch the next frame belongs."""
        return round(self._frames * _HOP * self._speed)

    def _next(self) -> Pcm:
        at = self._best(self._place) if self._frames else 0
        frame = self._at(at, _FRAME).astype(np.float64)
        head = frame[:_HOP] * _FADE_IN + self._tail if self._frames else frame[:_HOP]
        self._tail = frame[_HOP:] * _FADE_IN[::-1]
        self._last = at
        self._frames += 1
        return np.rint(head).clip(-32768, 32767).astype(np.int16)

    def _best(self, place: int) -> int:
        """Where near *place* the sound is most like what follows the last frame."""
        first = max(0, place - _SEARCH)
        follows = self._at(self._last + _HOP, _FRAME)[::_COARSE].astype(np.float64)
        near = self._at(first, place + _SEARCH + _FRAME - first)[::_COARSE].astype(np.float64)
        likeness = np.correlate(near, follows, mode="valid")
        power = np.convolve(near**2, np.ones(len(follows)), mode="valid")
        return first + _COARSE * int(np.argmax(likeness / np.sqrt(power + 1)))

    def _at(self, place: int, count: int) -> Pcm:
        return self._sound[place - self._from : place - self._from + count]

    def _forget(self, before: int) -> None:
        count = max(0, before - self._from)
        self._sound = self._sound[count:]
        self._from += count


async def paced(speech: AsyncIterator[Speech], speed: float) -> AsyncGenerator[Speech, None]:
    """What an engine says of one text, *speed* times as fast, its words where they come to lie."""
    tempo = Tempo(speed)
    async for piece in speech:
        if speed == 1:
            yield piece
            continue
        words = tuple(replace(word, sample=tempo.length(word.sample)) for word in piece.words)
        yield Speech(tempo.process(piece.pcm), words)
    if speed != 1:
        yield Speech(tempo.flush())
