"""Sound that comes as events: base64 of 16-bit little-endian mono samples at 24 kHz."""

import base64

from gateway.errors import ProtocolViolation
from media.frames import MIC_RATE_HZ, VOICE_RATE_HZ, Pcm, from_bytes
from media.resample import Resampler


class Microphone:
    """Pieces of any length, to 16 kHz. One for each connection."""

    def __init__(self) -> None:
        self._resampler = Resampler(VOICE_RATE_HZ, MIC_RATE_HZ)
        self._odd = b""
        """Half of a sample, whose other half comes with the next piece."""

    def take(self, audio: str) -> Pcm:
        """The next samples. Raises ``ProtocolViolation`` for what is not base64; that is as if never sent."""
        try:
            data = self._odd + base64.b64decode(audio, validate=True)
        except ValueError:  # binascii's own error is one; so is what a character beyond ASCII raises
            raise ProtocolViolation("invalid_value", "Audio must be base64.", param="audio") from None
        whole = len(data) & ~1
        self._odd = data[whole:]
        return self._resampler.process(from_bytes(data[:whole]))

    def begin_anew(self) -> None:
        """What comes next does not go on from what came before: a half sample would shift it by a byte."""
        self._odd = b""
