"""UDP ports from a range, which aioice 0.13 cannot do: a firewall has to be told which ones to open."""

import asyncio
import random
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from aioice.candidate import Candidate, candidate_foundation, candidate_priority
from aioice.ice import Connection, StunProtocol, server_reflexive_candidate
from aioice.turn import UDP_SOCKET_BUFFER_SIZE

from media.peer.peering import PeerError

_TRIES_AT_ONCE: Final = 256
"""Ports that are tried before others may run: all of a large range may be taken."""


async def gather(
    connection: Connection,
    component: int,
    addresses: list[str],
    allowed: range,
    timeout: int,
    rest: Callable[[int, list[str], int], Awaitable[list[Candidate]]],
) -> list[Candidate]:
    """The candidates of *connection*, one socket for each of *addresses* on a port of *allowed*.

    *rest* is aioice's own way, which is left what has no address of ours: TURN. Raises :class:`PeerError`:
    ``no_udp_port`` when every port is taken.
    """
    bound = [each for address in addresses if (each := await _bind(connection, component, address, allowed))]
    if not bound:
        ends = f"{allowed.start} to {allowed.stop - 1}"
        raise PeerError("no_udp_port", f"every UDP port from {ends} is taken")
    connection._protocols += bound
    reflexive = asyncio.gather(*(_reflexive(connection, each, timeout) for each in bound))
    relayed = await rest(component, [], timeout)
    found = [each for each in await reflexive if each is not None]
    return [*(each.local_candidate for each in bound), *found, *relayed]


async def _bind(connection: Connection, component: int, address: str, allowed: range) -> StunProtocol | None:
    listening = await _listen(address, allowed)
    if listening is None:
        return None
    loop = asyncio.get_running_loop()
    _, protocol = await loop.create_datagram_endpoint(lambda: StunProtocol(connection), sock=listening)
    protocol.local_candidate = Candidate(
        foundation=candidate_foundation("host", "udp", address),
        component=component,
        transport="udp",
        priority=candidate_priority(component, "host"),
        host=address,
        port=listening.getsockname()[1],
        type="host",
    )
    return protocol


async def _listen(address: str, allowed: range) -> socket.socket | None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_DGRAM)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UDP_SOCKET_BUFFER_SIZE)
    first = random.randrange(len(allowed))  # two calls that begin at once should not stumble over the same ports
    for number in range(len(allowed)):
        with suppress(OSError):
            made.bind((address, allowed[(first + number) % len(allowed)]))
            return made
        if number % _TRIES_AT_ONCE == _TRIES_AT_ONCE - 1:
            await asyncio.sleep(0)
    made.close()
    return None


async def _reflexive(connection: Connection, bound: StunProtocol, timeout: int) -> Candidate | None:
    if connection.stun_server is None or ":" in bound.local_candidate.host:
        return None
    with suppress(Exception):  # whatever keeps it from answering, we do without
        async with asyncio.timeout(timeout):
            candidate, _ = await server_reflexive_candidate(bound, connection.stun_server)
            return candidate
    return None
