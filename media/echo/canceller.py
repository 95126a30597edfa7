"""A linear echo canceller: learns the room as a filter and subtracts what the filter makes of the reference.

Partitioned-block frequency-domain adaptive filter (Soo and Pang 1990) whose step size is a Kalman gain (Enzner and
Vary 2006): where the near end is strong against what is not yet known of the room, the filter hardly moves, so nobody
has to decide who speaks.
"""

from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from media.echo.reference import BLOCK, Sound
from media.echo.spectrum import Spectrum, power, sound, spectrum

_SPAN: Final = 2 * BLOCK
_BINS: Final = _SPAN // 2 + 1
_ZEROS: Final = np.zeros(BLOCK, dtype=np.float32)


class Canceller(Protocol):
    """Subtracts the echo of a reference that comes in step with the microphone."""

    def start(self, coupling: float) -> None:
        """Forget the room; of the new one only the echo's power over the reference's is known."""
        ...

    def refer(self, block: Sound) -> None:
        """The next block of the reference."""
        ...

    def cancel(self, block: Sound) -> Sound:
        """What the microphone's block holds beside the echo."""
        ...

    @property
    def length(self) -> int:
        """Samples of room that it knows."""
        ...

    def direct(self) -> int | None:
        """Where in the room's response the direct sound comes, in samples; None when nothing stands out."""
        ...

    def shift(self, samples: int, sent: Sound) -> None:
        """From now on the reference comes *samples* later; *sent* is its last :attr:`length` and one block so."""
        ...


class KalmanCanceller:
    """See the module. *partitions* blocks of 20 ms are the longest room it knows."""

    KEEPING: Final = np.float32(0.9995)
    """The share of a room's power that is the same 20 ms later."""

    FADING: Final = 0.5
    """How fast a room is expected to decay before it is known: nepers of power a block (a T60 of 0.28 s)."""

    SMOOTHING: Final = np.float32(0.8)
    """Of the near end's power, from block to block."""

    PLAIN: Final = 6.0
    """A direct sound is so much stronger than the response's root mean square."""

    def __init__(self, partitions: int = 8) -> None:
        shape = (partitions, _BINS)
        self._prior: Final = np.exp(-self.FADING * np.arange(partitions, dtype=np.float32))[:, None]
        self._sent: Spectrum = np.zeros(shape, dtype=np.complex64)
        self._room: Spectrum = np.zeros(shape, dtype=np.complex64)
        self._doubt: NDArray[np.float32] = np.zeros(shape, dtype=np.float32)
        self._near: NDArray[np.float32] = np.zeros(_BINS, dtype=np.float32)
        self._last: Sound = _ZEROS

    def start(self, coupling: float) -> None:
        """See :class:`Canceller`."""
        self._sent[:] = 0
        self._room[:] = 0
        self._near[:] = 0
        self._doubt[:] = coupling * self._prior
        self._last = _ZEROS

    def refer(self, block: Sound) -> None:
        """See :class:`Canceller`."""
        self._sent[1:] = self._sent[:-1]
        self._sent[0] = spectrum(np.concatenate((self._last, block)), _SPAN)
        self._last = block

    def cancel(self, block: Sound) -> Sound:
        """See :class:`Canceller`."""
        sent, doubt = self._sent, self._doubt
        left = block - sound((sent * self._room).sum(axis=0), _SPAN)[BLOCK:]
        error = spectrum(np.concatenate((_ZEROS, left)), _SPAN)
        self._near *= self.SMOOTHING
        self._near += (1 - self.SMOOTHING) * power(error)
        loud = power(sent)
        # Half of a block of 2n is zeros: hence the halves (Kuech et al. 2014).
        gain = doubt / (np.float32(0.5) * (loud * doubt).sum(axis=0) + self._near + np.float32(1e-6))
        self._room += gain * np.conj(sent) * error
        self._room[:] = spectrum(self._taps(), _SPAN)  # a partition's response lasts one block
        kept = self.KEEPING * self.KEEPING
        doubt *= kept * (1 - np.float32(0.5) * gain * loud)
        doubt += (1 - kept) * power(self._room)
        np.maximum(doubt, np.float32(1e-9), out=doubt)
        return left

    @property
    def length(self) -> int:
        """See :class:`Canceller`."""
        return len(self._room) * BLOCK

    def direct(self) -> int | None:
        """See :class:`Canceller`."""
        taps = np.abs(self._taps().reshape(-1))
        first = int(taps.argmax())
        return first if taps[first] > self.PLAIN * np.sqrt(np.mean(taps * taps)) else None

    def shift(self, samples: int, sent: Sound) -> None:
        """See :class:`Canceller`."""
        taps = np.roll(self._taps().reshape(-1), -samples)
        taps[len(taps) - samples if samples > 0 else 0 : None if samples > 0 else -samples] = 0
        self._room[:] = spectrum(taps.reshape(-1, BLOCK), _SPAN)
        self._last = sent[:BLOCK]
        for at in range(BLOCK, len(sent), BLOCK):
            self.refer(sent[at : at + BLOCK])

    def _taps(self) -> Sound:
        return sound(self._room, _SPAN)[:, :BLOCK]
