"""A user at a real socket: sound as a microphone would send it, as fast as the gateway takes it."""

import base64
from typing import Final

import numpy as np

from media.frames import VOICE_RATE_HZ
from tests.transports.server import Socket

PIECE_MS: Final = 100
SILENCE_MS: Final = 1200
"""Enough to end a turn."""


def tone(ms: int, *, loud: bool = True) -> bytes:
    """A voice, or silence, as 16-bit samples at 24 kHz."""
    pcm = 8000 * np.sin(2 * np.pi * 500 * np.arange(VOICE_RATE_HZ * ms // 1000) / VOICE_RATE_HZ) * loud
    return pcm.astype("<i2").tobytes()


async def speak(socket: Socket, voice_ms: int, *, quiet_ms: int = SILENCE_MS) -> None:
    """Speak for so long, and then be silent."""
    data, piece = tone(voice_ms) + tone(quiet_ms, loud=False), VOICE_RATE_HZ * 2 * PIECE_MS // 1000
    for at in range(0, len(data), piece):
        await socket.send("input_audio_buffer.append", audio=base64.b64encode(data[at : at + piece]).decode())
