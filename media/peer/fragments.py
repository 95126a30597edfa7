"""The messages of a data channel while they are put together: aiortc 1.16 keeps any number of their fragments."""

from collections.abc import Callable
from typing import Final

from aiortc.rtcsctptransport import DataChunk, RTCSctpTransport

WINDOW_BYTES: Final = 256 * 1024
"""What may wait for a fragment that was lost: the receive window that is announced (RFC 9260, 3.3.3)."""

MAX_FRAGMENTS: Final = 1_024
MAX_STREAMS: Final = 16
"""A client needs one. Empty fragments and streams cost memory too."""


def bound(sctp: RTCSctpTransport, longest: int, on_flood: Callable[[], None]) -> None:
    """Call *on_flood*, and take no more, when the fragments that wait exceed what a client could have sent that keeps
    to the window and to messages of *longest* bytes."""
    receive = sctp._receive_data_chunk
    sctp._advertised_rwnd = WINDOW_BYTES

    async def receive_within_bounds(chunk: DataChunk) -> None:
        streams = sctp._inbound_streams
        known = chunk.stream_id in streams or len(streams) < MAX_STREAMS
        fragments = sum(len(each.reassembly) for each in streams.values())
        # A sender may probe a window that is closed (RFC 9260, 6.1), and its last message may reach over the edge.
        room = sctp._advertised_rwnd + longest - len(chunk.user_data)
        if known and fragments < MAX_FRAGMENTS and room >= 0:
            await receive(chunk)
        else:
            on_flood()

    vars(sctp).update(_receive_data_chunk=receive_within_bounds)
