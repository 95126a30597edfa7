"""Sound from a server, however it was cut, in pieces that a playout likes; and no more of it than a text can have."""

from typing import Final

from media.frames import VOICE_FRAME, VOICE_RATE_HZ, Pcm, from_bytes
from media.speech import SpeechError

SAMPLE_BYTES: Final = 2

LONGEST_S: Final = 10.0
LONGEST_CHAR_S: Final = 1.0
"""More sound than both together, for each character of the text, is no speech: a server that never ends is left."""

_MIN_PIECE_BYTES: Final = VOICE_FRAME * SAMPLE_BYTES
_MAX_PIECE_BYTES: Final = 5 * _MIN_PIECE_BYTES


class Pieces:
    """Bytes of 16 bit samples, however cut, become pieces of sound of 20 to 100 ms."""

    def __init__(self, chars: int, server: str) -> None:
        """The sound of so many characters, from *server*."""
        self._buffer = b""
        self._left = round((LONGEST_S + LONGEST_CHAR_S * chars) * VOICE_RATE_HZ) * SAMPLE_BYTES
        self._server = server

    def take(self, data: bytes) -> list[Pcm]:
        """The pieces that *data* completes. Raises :class:`SpeechError` when it does not end."""
        self._left -= len(data)
        if self._left < 0:
            raise SpeechError("engine_failed", f"{self._server} sends sound without end.")
        self._buffer += data
        pieces = []
        while len(self._buffer) >= _MIN_PIECE_BYTES:
            pieces.append(self._cut(_MAX_PIECE_BYTES))
        return pieces

    def rest(self) -> Pcm:
        """What is left at the end, less than 20 ms. Half a sample is no sound."""
        return self._cut(_MIN_PIECE_BYTES)

    def _cut(self, limit: int) -> Pcm:
        count = min(len(self._buffer) // SAMPLE_BYTES * SAMPLE_BYTES, limit)
        piece, self._buffer = self._buffer[:count], self._buffer[count:]
        return from_bytes(piece)
