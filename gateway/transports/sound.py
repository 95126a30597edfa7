"""Sound that goes and comes as events: base64 of samples in one of Realtime's formats."""

from collections.abc import Callable
from typing import Any, Final, Literal, TypeAlias, cast, get_args

from gateway.errors import ProtocolViolation
from gateway.protocol import realtime as rt
from media.codecs import g711
from media.frames import VOICE_RATE_HZ, Pcm

SoundFormat: TypeAlias = Literal["audio/pcm", "audio/pcmu", "audio/pcma"]
"""16-bit little-endian mono at 24 kHz, and G.711's two laws at 8 kHz."""

LAWS: Final[dict[SoundFormat, g711.Law]] = {"audio/pcmu": "PCMU", "audio/pcma": "PCMA"}


def rate_hz(form: SoundFormat) -> int:
    """How many samples make a second."""
    return g711.RATE_HZ if form in LAWS else VOICE_RATE_HZ


def format_of(given: rt.AudioFormat, where: str) -> SoundFormat:
    """The format that a client names at *where*. Raises ``ProtocolViolation`` (``unsupported_format``)."""
    if given.type in get_args(SoundFormat):
        form = cast(SoundFormat, given.type)
        if given.rate in (None, rate_hz(form)):
            return form
    message = "Served are audio/pcm at 24000 Hz, audio/pcmu and audio/pcma."
    raise ProtocolViolation("unsupported_format", message, param=where)


def shown(form: SoundFormat) -> dict[str, Any]:
    """A format as a session object has it."""
    return {"type": form} if form in LAWS else {"type": form, "rate": VOICE_RATE_HZ}


def encoder(form: SoundFormat) -> Callable[[Pcm], bytes]:
    """Turns the frames of one answer (20 ms at 24 kHz each), in order, into bytes that last as long."""
    law = LAWS.get(form)
    if law is None:
        return lambda frame: frame.astype("<i2").tobytes()
    return g711.Encoder(law, VOICE_RATE_HZ).encode
