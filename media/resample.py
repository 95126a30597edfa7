"""Change the rate of mono PCM: a streaming polyphase FIR whose output does not depend on how its input is cut.

The low-pass is a Kaiser-windowed sinc (Oppenheim and Schafer, *Discrete-Time Signal Processing*, 7.5.3) that lasts
2 ms, so its group delay is 1 ms at any pair of rates. With the rates reduced to L out for M in, one period of M
inputs makes L outputs, and a stretch of periods is one matrix product.

Coefficients are multiples of 2**-30: products with 16 bit samples and their sums fit a double's 53 bits, so every sum
is exact in whatever order BLAS adds, and a cut anywhere in the input cannot change a single output sample.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import gcd
from typing import Final

import numpy as np
from numpy.typing import NDArray

from media.frames import Pcm, silence

_MIN_RATE_HZ: Final = 8_000
_MAX_PERIOD: Final = 1_000
"""Longest period of two reduced rates: keeps the matrix in the cache (22.05 kHz to 16 kHz needs 441)."""

_BETA: Final = 6.0
"""Kaiser shape: 63 dB of stopband with a transition of 2.0 kHz, which is what 2 ms of filter allow."""

_CUTOFF: Final = 0.46
"""The -6 dB point as a share of the lower rate: a little below Nyquist, since the transition straddles it."""

_GRAIN: Final = 2.0**30
_BLOCK: Final = 4_800
"""Input samples turned at a time, which bounds the memory a whole clip takes."""


@dataclass(frozen=True, slots=True)
class _Filter:
    """What a pair of rates needs; shared by every stream that has it."""

    period_in: int
    period_out: int
    delay: int
    history: int
    matrix: NDArray[np.float64]


@lru_cache(maxsize=32)
def _filter(rate_in_hz: int, rate_out_hz: int) -> _Filter:
    common = gcd(rate_in_hz, rate_out_hz)
    period_in, period_out = rate_in_hz // common, rate_out_hz // common
    if min(rate_in_hz, rate_out_hz) < _MIN_RATE_HZ or max(period_in, period_out) > _MAX_PERIOD:
        raise ValueError(f"cannot resample {rate_in_hz} Hz to {rate_out_hz} Hz")
    delay = rate_out_hz // 1000
    half = delay * period_in / period_out
    history = 2 * delay * period_in // period_out
    taken = np.arange(-history, period_in)[:, None]
    made = (np.arange(period_out)[None, :] - delay) * period_in / period_out
    distance = made - taken
    cutoff = _CUTOFF * min(1.0, rate_out_hz / rate_in_hz)
    inside = np.clip(1 - (distance / half) ** 2, 0, None)
    kernel = np.sinc(2 * cutoff * distance) * np.i0(_BETA * np.sqrt(inside)) * (np.abs(distance) <= half)
    matrix = np.rint(kernel / kernel.sum(axis=0) * _GRAIN) / _GRAIN
    return _Filter(period_in, period_out, delay, history, matrix)


class Resampler:
    """One stream of mono PCM on its way from one rate to another.

    After *k* samples have been taken, exactly ``ceil(k * rate_out_hz / rate_in_hz)`` have been given; they trail the
    input by :attr:`delay` output samples (1 ms), which :meth:`flush` gives at the end. Equal rates pass through
    untouched. Raises :class:`ValueError` for rates below 8 kHz or without a common period of at most 1000 samples.
    """

    __slots__ = ("_buffer", "_filter", "_given", "delay")

    def __init__(self, rate_in_hz: int, rate_out_hz: int) -> None:
        self._filter = None if rate_in_hz == rate_out_hz else _filter(rate_in_hz, rate_out_hz)
        self.delay: Final = self._filter.delay if self._filter else 0
        self._restart()

    def _restart(self) -> None:
        self._buffer = silence(self._filter.history if self._filter else 0)
        self._given = 0

    def process(self, pcm: Pcm) -> Pcm:
        """The output that *pcm* completes."""
        if self._filter is None:
            return pcm
        if len(pcm) <= _BLOCK:
            return self._turn(self._filter, pcm)
        return np.concatenate([self._turn(self._filter, pcm[at : at + _BLOCK]) for at in range(0, len(pcm), _BLOCK)])

    def flush(self) -> Pcm:
        """The last :attr:`delay` samples of the stream. What is taken afterwards begins a new one."""
        if self._filter is None:
            return silence(0)
        tail = -(-self.delay * self._filter.period_in // self._filter.period_out) + 1
        given = self._turn(self._filter, silence(tail))[: self.delay]
        self._restart()
        return given

    def _turn(self, fir: _Filter, pcm: Pcm) -> Pcm:
        buffer = np.concatenate((self._buffer, pcm))
        held = len(buffer) - fir.history
        periods = -(-held // fir.period_in)
        if periods == 0:
            return silence(0)
        # The last period may be incomplete: the zeros stand for sound to come, which no output below `due` needs.
        padded = np.zeros(fir.history + periods * fir.period_in)
        padded[: len(buffer)] = buffer
        windows = np.lib.stride_tricks.sliding_window_view(padded, fir.history + fir.period_in)[:: fir.period_in]
        sums = (np.ascontiguousarray(windows) @ fir.matrix).reshape(-1)
        due = -(-held * fir.period_out // fir.period_in)
        given = np.clip(np.rint(sums[self._given : due]), -32768, 32767).astype(np.int16)
        whole = held // fir.period_in
        self._buffer = buffer[whole * fir.period_in :]
        self._given = due - whole * fir.period_out
        return given


def resample(pcm: Pcm, rate_in: int, rate_out: int) -> Pcm:
    """A whole clip at another rate in Hz, in time with the original and lasting as long.

    Gives ``ceil(len(pcm) * rate_out / rate_in)`` samples. Raises what :class:`Resampler` raises.
    """
    stream = Resampler(rate_in, rate_out)
    return np.concatenate((stream.process(pcm), stream.flush()))[stream.delay :]
