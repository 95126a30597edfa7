"""WebRTC: :class:`Peer`, and how late the packets of all peers leave. aiortc, aioice and PyAV have no other home."""

from media.metronome import Lateness, send_lateness
from media.peer.connection import Peer
from media.peering import CHANNEL, Ears, IceServer, Media, PeerError, PeerOptions, PeerStats, Pull, Reason

__all__ = [
    "CHANNEL",
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
