"""Fourier transforms in single precision, which NumPy keeps to and its types do not tell of."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from media.echo.reference import Sound

Spectrum: TypeAlias = NDArray[np.complex64]


def spectrum(sound: Sound, span: int) -> Spectrum:
    """Of the last axis, filled up with zeros to *span* samples: ``span // 2 + 1`` bins."""
    return np.asarray(np.fft.rfft(sound, span), dtype=np.complex64)


def sound(bins: Spectrum | Sound, span: int) -> Sound:
    """The *span* samples of the last axis' spectrum."""
    return np.asarray(np.fft.irfft(bins, span), dtype=np.float32)


def power(bins: Spectrum) -> Sound:
    """Of each bin."""
    return np.asarray(bins.real**2 + bins.imag**2, dtype=np.float32)
