"""WebRTC: :class:`Peer`, and how late the packets of all peers leave. aiortc, aioice and PyAV have no other home."""

from media.peer.channel import DEFAULT_MESSAGE_BYTES as MESSAGE_BYTES
from media.peer.connection import Peer
from media.peer.peering import CHANNEL, Ears, IceServer, Media, PeerError, PeerOptions, PeerStats, Pull, Reason
from media.rtp.metronome import Lateness, send_lateness

__all__ = [
    "CHANNEL",
    "MESSAGE_BYTES",
    "Ears",
    "IceServer",
    "Lateness",
    "Media",
    "Peer",
    "PeerError",
    "PeerOptions",
    "PeerStats",
    "Pull",
    "Reason",
    "send_lateness",
]
