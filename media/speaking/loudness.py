"""Bringing every voice to the same loudness: speech engines differ by 20 dB, and a session may change its voice.

The idea is that of ITU-R BS.1770-4: loudness is the mean energy of blocks, those that are silent or far below the
others left out (gated). What is simplified: no frequency weighting, one block for each piece of up to 100 ms, none
overlapping, and a mean that forgets, so that it follows a voice that changes. The gain moves slowly; a limiter sees
to what is left over.
"""

from typing import Final

import numpy as np

from media.frames import VOICE_RATE_HZ, Pcm, samples
from media.levels import peak

TARGET_DB: Final = -22.0
"""Of full scale, root mean square of what is not silent: what espeak-ng gives, with room for a voice's peaks."""

CEILING: Final = 29_204
"""No sample is louder: -1 dBFS."""

MAX_GAIN_DB: Final = 18.0
"""Louder than that and the noise of the engine is what is heard."""

_SLEW_DB_PER_S: Final = 6.0
_FIRST_SLEW_DB_PER_S: Final = 40.0
_FIRST: Final = samples(600, VOICE_RATE_HZ)
"""A voice of which no more was heard is brought to its loudness at once, before it could be noticed."""

_RAMP: Final = samples(5, VOICE_RATE_HZ)
_MEMORY: Final = samples(10_000, VOICE_RATE_HZ)
_PIECE: Final = samples(100, VOICE_RATE_HZ)
_SILENT: Final = 32_768.0**2 * 10 ** (-60 / 10)
_GATE: Final = 10 ** (-10 / 10)
_TARGET: Final = 32_768.0**2 * 10 ** (TARGET_DB / 10)
_LIMIT: Final = 10 ** (MAX_GAIN_DB / 20)


class Loudness:
    """One voice's gain. Give it the sound piece by piece; each comes back as long as it was, and no later."""

    def __init__(self) -> None:
        self._gain = 1.0
        self._energy = 0.0
        self._heard = 0

    def level(self, pcm: Pcm) -> Pcm:
        """*pcm* (24 kHz) as loud as it should be; a new array."""
        if len(pcm) > _PIECE:
            return np.concatenate([self.level(pcm[at : at + _PIECE]) for at in range(0, len(pcm), _PIECE)])
        if not len(pcm):
            return pcm
        sound = pcm.astype(np.float32)
        self._listen(sound)
        before, self._gain = self._gain, self._next(len(pcm))
        if peak(pcm) * max(before, self._gain) > CEILING:
            return self._limited(pcm, before)
        sound *= np.linspace(before, self._gain, len(pcm), dtype=np.float32) if before != self._gain else before
        return sound.astype(np.int16)

    def _next(self, count: int) -> float:
        """The gain after *count* samples, on its slow way from where it is to where it should be."""
        if not self._energy:
            return self._gain
        wanted = min(_LIMIT, (_TARGET / self._energy) ** 0.5)
        slew = _FIRST_SLEW_DB_PER_S if self._heard <= _FIRST else _SLEW_DB_PER_S
        most = 10 ** (slew * count / VOICE_RATE_HZ / 20)
        return float(min(max(wanted, self._gain / most), self._gain * most))

    def _limited(self, pcm: Pcm, before: float) -> Pcm:
        """A piece whose peaks would be over the ceiling: the gain dives under them."""
        ramps = -(-len(pcm) // _RAMP)
        whole = np.zeros(ramps * _RAMP, np.int32)
        whole[: len(pcm)] = np.abs(pcm.astype(np.int32))
        allowed = CEILING / np.maximum(whole.reshape(ramps, _RAMP).max(axis=1), 1)
        # At each point the gain suits the ramps on both sides of it, and so do the samples between two points.
        gains = np.linspace(before, self._gain, ramps + 1)
        gains[:-1] = np.minimum(gains[:-1], allowed)
        gains[1:] = np.minimum(gains[1:], allowed)
        if gains[0] < before:  # the piece before ended louder: no step, though its first ramp may touch the ceiling
            gains[0] = before
        self._gain = float(gains[-1])
        levelled = pcm * np.interp(np.arange(len(pcm)) / _RAMP, np.arange(ramps + 1), gains)
        return np.clip(levelled, -CEILING, CEILING).astype(np.int16)

    def _listen(self, sound: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
        """Learn from a piece, if it is voice."""
        energy = float(sound @ sound) / len(sound)
        if energy < max(_SILENT, self._energy * _GATE):
            return
        self._heard += len(sound)
        self._energy += (energy - self._energy) * len(sound) / min(self._heard, _MEMORY)
