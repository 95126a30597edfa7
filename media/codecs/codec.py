"""What the RTP path asks of a codec. One stream each way, mono, and 20 ms in each packet that is sent."""

from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

from media.frames import Pcm

Name: TypeAlias = Literal["opus", "PCMU", "PCMA"]
"""A codec by its name in a session description (RFC 7587, RFC 3551)."""


class CodecError(Exception):
    """A codec is missing, or refused a payload or a setting."""


@dataclass(frozen=True, slots=True)
class Format:
    """A codec as both sides of a call agreed on it. What is sent and what is received has the same."""

    codec: Name
    payload_type: int
    """What stands in the header of each packet: 0 to 127."""

    @property
    def rtp_rate_hz(self) -> int:
        """The clock of the packets' times: 48 kHz for Opus whatever rate is coded (RFC 7587, 4.1)."""
        return RTP_RATES_HZ[self.codec]


CODECS: Final[tuple[Name, ...]] = ("opus", "PCMU", "PCMA")
"""What is spoken, the best first."""

RTP_RATES_HZ: Final[dict[Name, int]] = {"opus": 48_000, "PCMU": 8_000, "PCMA": 8_000}


class Encoder(Protocol):
    """Sound on its way out, one packet each 20 ms."""

    @property
    def frame(self) -> int:
        """Samples in 20 ms of what is to be sent."""
        ...

    @property
    def rtp_step(self) -> int:
        """RTP time from one packet to the next, in the clock of the codec: 960 for Opus, 160 for G.711."""
        ...

    def encode(self, pcm: Pcm | None) -> bytes:
        """The packet for the next 20 ms: :attr:`frame` samples, or None for silence, which soon costs nothing.

        Raises :class:`ValueError` for any other number of samples.
        """
        ...


class Decoder(Protocol):
    """Packets on their way to sound, in order. All its errors are :class:`CodecError`."""

    @property
    def rate_hz(self) -> int:
        """Rate of the sound that comes out."""
        ...

    def samples(self, payload: bytes) -> int:
        """How long the sound of one packet is. Raises :class:`CodecError` if that cannot be told."""
        ...

    def decode(self, payload: bytes) -> Pcm:
        """The sound of one packet. Raises :class:`CodecError` if it is damaged, empty, or longer than 120 ms."""
        ...

    def conceal(self, samples: int) -> Pcm:
        """*samples* that continue the sound where a packet is missing."""
        ...

    def recover(self, payload: bytes, samples: int) -> Pcm:
        """The last *samples* before *payload*: from what that packet repeats of them if it does, else concealed."""
        ...

    def save(self) -> object:
        """What :meth:`restore` needs to decode again from here."""
        ...

    def restore(self, saved: object) -> None:
        """Go back to where *saved* was taken, of this same decoder."""
        ...
