"""What a data channel may make us keep."""

import asyncio
from typing import Any

import pytest
from aiortc.rtcsctptransport import SCTP_DATA_FIRST_FRAG, DataChunk, InboundStream

from media.peer import PeerOptions, fragments
from tests.media.calls import called, play

LONGEST = 65_536


class Association:
    """The part of aiortc's that is used, without a network."""

    def __init__(self) -> None:
        self._advertised_rwnd = 1 << 20
        self._inbound_streams: dict[int, InboundStream] = {}
        self.received = 0

    async def _receive_data_chunk(self, chunk: DataChunk) -> None:
        self._inbound_streams.setdefault(chunk.stream_id, InboundStream()).add_chunk(chunk)
        self._advertised_rwnd -= len(chunk.user_data)
        self.received += 1


def flood(count: int, size: int, streams: int = 1) -> tuple[int, int]:
    """Send *count* fragments that never make a message: how many were taken, and how often it was told."""
    sctp: Any = Association()
    told: list[None] = []
    fragments.bound(sctp, LONGEST, lambda: told.append(None))

    async def main() -> None:
        for number in range(count):
            chunk = DataChunk(flags=SCTP_DATA_FIRST_FRAG)
            chunk.tsn, chunk.stream_id, chunk.user_data = number, number % streams, bytes(size)
            await sctp._receive_data_chunk(chunk)

    asyncio.run(main())
    return sctp.received, len(told)


@pytest.mark.parametrize(
    ("count", "size", "streams", "taken"),
    [
        (400, 1_024, 1, (fragments.WINDOW_BYTES + LONGEST) // 1_024),
        (2_000, 1, 1, fragments.MAX_FRAGMENTS),
        (100, 1, 100, fragments.MAX_STREAMS),
    ],
)
def test_fragments_that_never_end_are_refused(count: int, size: int, streams: int, taken: int) -> None:
    assert flood(count, size, streams) == (taken, count - taken)


def test_what_a_client_may_send_is_taken() -> None:
    assert flood(200, 1_024) == (200, 0)


@pytest.mark.parametrize("size", [LONGEST + 1, 1_000_000])
def test_a_message_that_is_too_long_ends_the_call(size: int) -> None:
    async def main() -> None:
        async with called(options=PeerOptions(max_message_bytes=LONGEST)) as call:
            await call.opened()
            call.caller.send("x" * LONGEST)
            await call.at_gateway.until(lambda: call.at_gateway.messages != [])
            wire: Any = call.caller._pc.sctp
            wire._remote_max_message_size = call.caller._channel.max_message_bytes = 0  # it does not keep to the limit
            call.caller.send("x" * size)
            await call.at_gateway.until(lambda: call.at_gateway.ends != [])
            assert call.at_gateway.ends == ["failed"]
            assert len(call.at_gateway.messages) == 1

    play(main)
