"""What a canceller leaves: the echo of the tail, of codecs and bent loudspeakers, which no linear filter predicts.

Works on power in bands of about one Bark (as Faller and Chen 2005, "Suppressing acoustic echo in a spectral envelope
space"): the reference's power, smeared by the room, times a learnt leakage is what may be left of the echo. A band
keeps what exceeds it. A voice fills other bands at other times than the echo, so enough of it gets through.
"""

from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from media.echo.reference import BLOCK, Sound
from media.echo.spectrum import power, sound, spectrum
from media.frames import MIC_RATE_HZ

_SPAN: Final = 2 * BLOCK
_BINS: Final = _SPAN // 2 + 1
_EDGES_HZ: Final = (
    *(0, 100, 200, 300, 400, 510, 630, 770, 920, 1080, 1270),
    *(1480, 1720, 2000, 2320, 2700, 3150, 3700, 4400, 5300, 6400),
)
"""Zwicker 1961; the last band ends at 8 kHz."""

_STARTS: Final = np.searchsorted(np.arange(_BINS) * MIC_RATE_HZ / _SPAN, _EDGES_HZ)
_BAND_OF: Final = np.searchsorted(_STARTS, np.arange(_BINS), side="right") - 1
_HANN: Final = np.hanning(_SPAN + 1)[:_SPAN].astype(np.float32)

LATENCY: Final = 64
"""Samples by which what is given trails what is taken: half the length of the filter that subdues."""

_TAPER: Final = np.hanning(2 * LATENCY + 3)[1:-1].astype(np.float32)

Bands = NDArray[np.float32]


def _bands(block: Sound) -> Bands:
    return np.add.reduceat(power(spectrum(block * _HANN, _SPAN)), _STARTS)


class Suppressor(Protocol):
    """Subdues what a canceller leaves."""

    unexplained: float
    """The share of the last block's power, 0 to 1, that no echo explains."""

    def start(self, coupling: float) -> None:
        """Of the room only the echo's power over the reference's is known."""
        ...

    def refer(self, block: Sound) -> None:
        """The next block of the reference."""
        ...

    def subdue(self, block: Sound) -> Sound:
        """The canceller's next block, :data:`LATENCY` samples late."""
        ...

    def pass_on(self, block: Sound) -> Sound:
        """The same where no echo can be."""
        ...


class BandSuppressor:
    """See the module."""

    MARGIN: Final = np.float32(4.0)
    """A band must exceed what leaks by 6 dB. Measured: with 3 dB an answer pauses ten times as often; with 9 dB
    one barge-in of ten is missed."""

    QUANTILE: Final = 0.75
    """The leakage learnt is exceeded in every fourth block: speech over an answer is rarer than that."""

    STEP_DB: Final = 1.0
    """How far the leakage moves in a block at most."""

    SMEAR: Final = np.float32(0.6)
    """What a room keeps of a sound's power 20 ms later, at most: a T60 of 0.54 s."""

    def __init__(self) -> None:
        self._leak_db: Bands = np.zeros(len(_STARTS), dtype=np.float32)
        self._smeared: Bands = np.zeros(len(_STARTS), dtype=np.float32)
        self._floor: Bands = np.full(len(_STARTS), 1e-3, dtype=np.float32)
        self._last_sent: Sound = np.zeros(BLOCK, dtype=np.float32)
        self._last: Sound = np.zeros(BLOCK, dtype=np.float32)
        self._tail: Sound = np.zeros(2 * LATENCY, dtype=np.float32)
        self.unexplained = 0.0

    def start(self, coupling: float) -> None:
        """See :class:`Suppressor`."""
        self._leak_db[:] = 10 * np.log10(coupling)
        self._smeared[:] = 0

    def refer(self, block: Sound) -> None:
        """See :class:`Suppressor`."""
        here = _bands(np.concatenate((self._last_sent, block)))
        self._last_sent = block
        self._smeared = np.maximum(here, self.SMEAR * self._smeared + (1 - self.SMEAR) * here)

    def subdue(self, block: Sound) -> Sound:
        """See :class:`Suppressor`."""
        here = _bands(np.concatenate((self._last, block)))
        self._last = block
        leaks = np.float32(10) ** (self._leak_db / np.float32(10)) * self._smeared
        self._learn(here, leaks)
        kept = np.maximum(here - self.MARGIN * leaks, 0)
        self.unexplained = float(kept.sum()) / (float(here.sum()) + 1e-12)
        return self._filtered(block, np.sqrt(kept / (here + np.float32(1e-12))))

    def pass_on(self, block: Sound) -> Sound:
        """See :class:`Suppressor`."""
        taken = np.concatenate((self._tail, block))
        self._tail, self._last = taken[BLOCK:], block
        return taken[LATENCY : LATENCY + BLOCK]

    def _learn(self, here: Bands, leaks: Bands) -> None:
        """Follow a quantile, which a voice over the echo hardly moves; only where the echo would stand out."""
        self._floor = np.minimum(self._floor * np.float32(1.02), np.maximum(here, np.float32(1e-9)))
        step = np.where(here > leaks, self.QUANTILE, self.QUANTILE - 1) * self.STEP_DB
        self._leak_db += np.where(leaks > 2 * self._floor, step, 0).astype(np.float32)
        np.clip(self._leak_db, -60, 6, out=self._leak_db)

    def _filtered(self, block: Sound, gains: Bands) -> Sound:
        response = sound(gains[_BAND_OF], _SPAN)
        taps = np.concatenate((response[-LATENCY:], response[: LATENCY + 1])) * _TAPER
        taken = np.concatenate((self._tail, block))
        self._tail = taken[BLOCK:]
        return np.convolve(taken, taps, "valid")
