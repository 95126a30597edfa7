"""Test sounds, and what can be told of them."""

import numpy as np
from numpy.typing import NDArray

from media.frames import Pcm


def harmonics(pitch_hz: float, rate_hz: int, ms: int, peak: int = 9_000) -> Pcm:
    """A buzz with a voice's spectrum: 24 harmonics of *pitch_hz*, falling by 6 dB an octave."""
    t = np.arange(rate_hz * ms // 1000) / rate_hz
    wave: NDArray[np.float64] = np.sum([np.sin(2 * np.pi * pitch_hz * k * t) / k for k in range(1, 25)], axis=0)
    return np.asarray(wave / np.abs(wave).max() * peak, dtype=np.int16)


def sine(hz: float, rate_hz: int, ms: int, peak: int = 8_000) -> Pcm:
    """A pure tone."""
    t = np.arange(rate_hz * ms // 1000) / rate_hz
    return (peak * np.sin(2 * np.pi * hz * t)).astype(np.int16)


def rms(pcm: Pcm) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(pcm.astype(np.float64) ** 2)))


def pitch(pcm: Pcm, rate_hz: int) -> float:
    """The strongest frequency, in Hz."""
    spectrum = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm))))
    return float(np.argmax(spectrum)) * rate_hz / len(pcm)
