"""What a peer asks of its surroundings and promises to them, in plain types."""

from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

from media.codecs.codec import CODECS, Name
from media.frames import MIC_RATE_HZ, VOICE_RATE_HZ, Pcm, Pull as Pull

CHANNEL: Final = "oai-events"
"""Name of the text channel, as OpenAI's clients open it."""

Reason: TypeAlias = Literal["closed", "failed", "disconnected"]
"""Why a peer ended: either side closed it; it never came up, or broke; the other side fell silent."""

Media: TypeAlias = Literal["direct", "stock"]
"""Whose media path: ours, or aiortc's."""


class PeerError(Exception):
    """A peer cannot be had, or used like this. ``code`` is stable; the message tells nothing of what was exchanged.

    Codes: ``invalid_sdp``, ``unsupported_codec``, ``unsupported_ptime``, ``no_udp_port``, ``connect_timeout``,
    ``closed``, ``channel_closed``, ``channel_full``, ``message_too_large``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Ears(Protocol):
    """Who listens to a peer. Everything is called in the event loop and must neither block nor raise."""

    def on_audio(self, pcm: Pcm, rtp_time: int, arrival: float) -> None:
        """The sound of a packet, when it arrives.

        *rtp_time* counts 48 kHz modulo 2**32, whatever the rate of *pcm* and the codec's clock; *arrival* is the loop's
        clock.
        """
        ...

    def attentive(self) -> bool:
        """Whether sound matters that its sender calls quiet: somebody speaks, or all is recorded.

        While it does not, such packets may come as silence, and up to 0.1 s later than others.
        """
        ...

    def on_repair(self, pcm: Pcm) -> None:
        """The last ``len(pcm)`` samples heard were made up in part: a packet of them came late. These are they."""
        ...

    def on_channel_open(self) -> None:
        """Messages flow from now on."""
        ...

    def on_message(self, text: str) -> None:
        """The other side sent a text message."""
        ...

    def on_closed(self, reason: Reason) -> None:
        """The peer has ended. Called exactly once, and nothing is called after it."""
        ...


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server (RFC 7064, RFC 7065)."""

    url: str
    username: str | None = None
    credential: str | None = None


@dataclass(frozen=True, slots=True)
class PeerOptions:
    """What a peer is made of."""

    ice_servers: tuple[IceServer, ...] = ()
    """None by default: host candidates are enough for a server that can be reached."""

    send_rate_hz: int = VOICE_RATE_HZ
    """Rate of the frames that are pulled; a frame has a fiftieth of it."""

    receive_rate_hz: int = MIC_RATE_HZ
    codecs: tuple[Name, ...] = CODECS
    """The best first. Both sides send one and the same."""

    bitrate_bps: int = 32_000

    connect_timeout_s: float = 15.0
    """How long both descriptions may be known without a connection; then the peer has failed."""

    silence_timeout_s: float = 4.5
    """No datagram for so long is a disconnect. A line that is quiet is asked, and answers if it is there."""

    media: Media = "direct"
    """Whose media path serves: ours, or aiortc's, which also serves where ours has lost a hook."""

    fill_pauses: bool = False
    """Whether sound is to last as long as the stream: silence is heard while the other side sends nothing. Its times
    may be those of sound that comes after all, behind it, when the network had only been slow."""

    private_candidates: bool = False
    """Whether an offer may name addresses in networks that are not public, which makes us probe them. Peers there
    connect without it, by their own checks, unless a firewall wants us to speak first."""

    max_message_bytes: int = 262_144
    """The longest text message that is taken, which our description says. One that is longer ends the peer."""

    ports: range | None = None
    """UDP ports to take, one for each address of this machine; None lets the system choose."""

    public_address: str = ""
    """An address under which a router passes everything on to this machine, port by port (1:1 NAT); "" for none."""


@dataclass(frozen=True, slots=True)
class PeerStats:
    """Packets since the start, and jitter as in RFC 3550, 6.4.1."""

    sent: int
    received: int

    lost: int
    """Missing so far by sequence number, as in our receiver reports."""

    late: int
    """Dropped because newer ones had been heard, and it was too late for a repair."""

    repaired: int
    """Used although a newer one had been heard."""

    concealed: int
    """Made up for missing ones."""

    dozed: int
    """Left undecoded because their sender calls them quiet, and nobody had use for them."""

    undecodable: int
    refused: int
    """Above the rate at which a call may send."""

    jitter_ms: float

    round_trip_ms: float | None = None
    """To the other side and back, smoothed, from its receiver reports (RFC 3550, 6.4.1); None before the first."""
