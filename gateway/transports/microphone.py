"""A microphone whose sound comes as events."""

import base64

import numpy as np

from gateway.errors import ProtocolViolation
from gateway.transports.sound import LAWS, SoundFormat, rate_hz
from media.codecs import g711
from media.frames import MIC_RATE_HZ, Pcm, from_bytes
from media.resample import Resampler


class Microphone:
    """Pieces of any length, to 16 kHz. One for each connection."""

    def __init__(self, form: SoundFormat = "audio/pcm") -> None:
        self.listen(form)

    def listen(self, form: SoundFormat) -> None:
        """What comes from now on has this format."""
        self._form = form
        self._resampler = Resampler(rate_hz(form), MIC_RATE_HZ)
        self._odd = b""
        """Half of a sample, whose other half comes with the next piece."""

    def take(self, audio: str) -> Pcm:
        """The next samples. Raises ``ProtocolViolation`` for what is not base64; that is as if never sent."""
        try:
            data = base64.b64decode(audio, validate=True)
        except ValueError:  # binascii's own error is one; so is what a character beyond ASCII raises
            raise ProtocolViolation("invalid_value", "Audio must be base64.", param="audio") from None
        return self._resampler.process(self._samples(data))

    def _samples(self, data: bytes) -> Pcm:
        law = LAWS.get(self._form)
        if law is not None:
            return g711.decoding(law)[np.frombuffer(data, dtype=np.uint8)]
        data = self._odd + data
        whole = len(data) & ~1
        self._odd = data[whole:]
        return from_bytes(data[:whole])

    def begin_anew(self) -> None:
        """What comes next does not go on from what came before: a half sample would shift it by a byte."""
        self._odd = b""
