"""A bad network on loopback: a UDP relay between two WebRTC peers that delays, shuffles and loses datagrams.

Each description is handed to the relay before the other side sees it; its candidates are replaced by one of the
relay's own, so that no datagram goes another way. What becomes of each datagram is decided by a seed.
"""

import asyncio
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

Address: TypeAlias = tuple[str, int]

_CANDIDATE: Final = re.compile(r"^a=candidate:\S+ 1 udp \d+ (?P<host>[0-9.]+) (?P<port>\d+) typ host.*", re.I)


@dataclass(frozen=True, slots=True)
class Conditions:
    """One direction of a network. The defaults are a perfect one."""

    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    """Added to the delay, uniformly between 0 and this; more than 20 ms change the order of packets of voice."""

    loss: float = 0.0
    """Share of the datagrams that never arrive; 1.0 is a cable that was pulled."""

    def fate(self, dice: random.Random) -> float | None:
        """Seconds until the next datagram arrives; None when it is lost. Always takes two numbers from *dice*."""
        lost, late = dice.random() < self.loss, dice.random()
        return None if lost else (self.delay_ms + late * self.jitter_ms) / 1000


PERFECT: Final = Conditions()


def _is_candidate(line: str) -> bool:
    return line.startswith("a=candidate:")


class _Side(asyncio.DatagramProtocol):
    """The socket that one of the two peers takes for the other; it sends to *peer*."""

    def __init__(self, peer: Address) -> None:
        self.peer = peer
        self.other: _Side | None = None
        self.relay: Relay | None = None
        self.transport: asyncio.DatagramTransport | None = None

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if self.other is not None and self.relay is not None:
            self.relay._forward(data, self.other)

    def send(self, data: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.sendto(data, self.peer)

    @property
    def address(self) -> Address:
        assert self.transport is not None, "made when the socket is"
        host, port = self.transport.get_extra_info("sockname")[:2]
        return host, port


class Relay:
    """Stands between one offer and its answer. :attr:`conditions` may be changed at any time, for both directions.

    It is made by :func:`relay`.
    """

    def __init__(self, seed: int) -> None:
        self.conditions = PERFECT
        self.carried = 0
        self.lost = 0
        self._dice = random.Random(seed)
        self._sides: list[_Side] = []

    async def offer(self, sdp: str) -> str:
        """The offer as the side that answers must see it."""
        return await self._through(sdp)

    async def answer(self, sdp: str) -> str:
        """The answer as the side that offered must see it. Comes after :meth:`offer`."""
        described = await self._through(sdp)
        caller, server = self._sides
        caller.other, server.other = server, caller
        # Whoever is talked to through one socket is on the far side of the other.
        caller.peer, server.peer = server.peer, caller.peer
        return described

    async def _through(self, sdp: str) -> str:
        """Open the socket that stands for the peer described, and describe that instead.

        Raises :class:`ValueError` for a description without an IPv4 host candidate.
        """
        lines = sdp.splitlines()
        found = next((match for line in lines if (match := _CANDIDATE.fullmatch(line))), None)
        if found is None:
            raise ValueError("the description names no IPv4 host candidate")
        peer = (found["host"], int(found["port"]))
        # On the peer's own address: whoever could reach the peer can reach the relay.
        transport, side = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Side(peer), local_addr=(peer[0], 0)
        )
        side.transport, side.relay = transport, self
        self._sides.append(side)
        ours = found[0].replace(f" {peer[1]} typ", f" {side.address[1]} typ", 1)
        # A bundle repeats its candidates in each section, and aiortc reads those of the last one.
        kept = [ours if line == found[0] else line for line in lines if line == found[0] or not _is_candidate(line)]
        return "\r\n".join(kept) + "\r\n"

    def _forward(self, data: bytes, to: _Side) -> None:
        after = self.conditions.fate(self._dice)
        if after is None:
            self.lost += 1
            return
        self.carried += 1
        if after > 0:
            asyncio.get_running_loop().call_later(after, to.send, data)
        else:
            to.send(data)

    def close(self) -> None:
        """Close both sockets; what is under way is lost."""
        for side in self._sides:
            if side.transport is not None:
                side.transport.close()


@asynccontextmanager
async def relay(seed: int = 1) -> AsyncIterator[Relay]:
    """A relay for one call, closed at the end."""
    made = Relay(seed)
    try:
        yield made
    finally:
        made.close()
