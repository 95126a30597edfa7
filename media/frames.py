"""The units of sound. Everything here is mono, signed 16 bit, and counted in samples.

Two rates are spoken inside the gateway: a microphone is heard at 16 kHz (what detectors and
recognisers take) and an answer is spoken at 24 kHz (what OpenAI's voices and wire format use).
"""

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Pcm: TypeAlias = NDArray[np.int16]
"""Mono PCM: shape ``(samples,)``, dtype ``int16``; its rate is named beside it."""

Pull: TypeAlias = Callable[[], Pcm | None]
"""Called in the event loop for each 20 ms of a call, when they are about to be sent: the sound, or None for silence."""

PTIME_MS: Final = 20
"""Packetisation time: one tick of the voice path, in milliseconds (RFC 7587 section 4.2)."""

MIC_RATE_HZ: Final = 16_000
VOICE_RATE_HZ: Final = 24_000

MIC_FRAME: Final = MIC_RATE_HZ * PTIME_MS // 1000
"""Samples of one tick of a microphone: 320."""

VOICE_FRAME: Final = VOICE_RATE_HZ * PTIME_MS // 1000
"""Samples of one tick of an answer: 480."""


def samples(ms: float, rate_hz: int) -> int:
    """How many samples last *ms* milliseconds."""
    return round(ms * rate_hz / 1000)


def milliseconds(count: int, rate_hz: int) -> int:
    """How many whole milliseconds *count* samples last, rounded down."""
    return count * 1000 // rate_hz


def silence(count: int) -> Pcm:
    """*count* samples of digital silence."""
    return np.zeros(count, dtype=np.int16)


def from_bytes(data: bytes) -> Pcm:
    """Little-endian 16 bit samples as an array. An odd last byte is the caller's to carry over."""
    return np.frombuffer(data, dtype="<i2")
