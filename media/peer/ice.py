"""The datagrams of a peer: which are let in, and whether they still come; and what aioice 0.13 needs for that.

aioice does the checks of ICE (RFC 8445). It hands on every datagram that is not STUN, whoever sent it, and aiortc
believes them: a single empty one ends its call. It notices after 30 s that the other side is gone.
"""

import asyncio
import math
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final, TypeAlias

from aioice.ice import CandidatePair, Connection

from media.frames import Pull
from media.peer import ports

GATHER_TIMEOUT_S: Final = 2
"""How long a description waits for STUN and TURN servers."""

ASK_AFTER_S: Final = 1.5
"""A line that is quiet for so long is asked whether it is there. Microphones that are muted may send nothing."""

ASK_EACH_S: Final = 0.5
"""More often than for consent (each 4 to 6 s; RFC 7675, 5.1), which goes on beside it; only a quiet line is asked."""

DOUBT_AFTER_S: Final = 2.5
"""A line that has not answered by then is in doubt: sound that nobody hears is not sent."""

MAX_SOURCES: Final = 40
"""Addresses that one peer may have been known by: those it named and those it came from."""

Address: TypeAlias = tuple[str, int]

_LOOPBACK: Final = "127.0.0.1"
_LAST_STUN_BYTE: Final = 3
"""The first byte of a datagram tells STUN (0 to 3) from DTLS and SRTP (RFC 7983, 7)."""

_STALLED_S: Final = 0.25
"""An alarm that is later than this found us unable to listen."""


class Line:
    """One peer's datagrams. *on_silent* is called when nothing came for as long as was allowed."""

    __slots__ = ("_alarm", "_doubt_after", "_heard_at", "_known", "_loop", "_on_silent", "ask")

    def __init__(self, on_silent: Callable[[], None]) -> None:
        self.ask: Callable[[], None] = lambda: None
        """Makes the other side answer, if it is there."""

        self._on_silent = on_silent
        self._loop = asyncio.get_running_loop()
        self._known: set[Address] = set()
        self._heard_at = 0.0
        self._doubt_after = math.inf
        self._alarm: asyncio.TimerHandle | None = None

    def admits(self, datagram: bytes, source: Address, proven: Callable[[], Iterable[Address]]) -> bool:
        """Whether to let *datagram* in: STUN from anyone, which proves itself; all else from *proven* addresses only,
        those that have answered a check of ours."""
        if source in self._known or source in proven():
            self._known.add(source)
            self._heard_at = self._loop.time()
            return bool(datagram)
        return bool(datagram) and datagram[0] <= _LAST_STUN_BYTE

    def allow(self, seconds: float) -> None:
        """Call *on_silent* after *seconds*, whatever comes."""
        self.stop()
        self._alarm = self._loop.call_later(seconds, self._on_silent)

    def watch(self, seconds: float) -> None:
        """Call *on_silent* when nothing was heard from a known address for *seconds*, although it was asked."""
        self.stop()
        self._heard_at = self._loop.time()
        self._doubt_after = min(DOUBT_AFTER_S, seconds * 2 / 3)
        self._listen(seconds, self._heard_at)

    @property
    def in_doubt(self) -> bool:
        """The other side has been asked and has not answered: what is sent now may be heard by nobody."""
        return self._loop.time() - self._heard_at >= self._doubt_after

    def gated(self, pull: Pull) -> Pull:
        """*pull*, which stands still while the line is in doubt."""
        return lambda: None if self.in_doubt else pull()

    def _listen(self, seconds: float, due: float) -> None:
        now = self._loop.time()
        if now - due > _STALLED_S:
            self._heard_at += now - due  # what came meanwhile has still to be read
        quiet = now - self._heard_at
        if quiet >= seconds:
            self._on_silent()
            return
        ask_after = min(ASK_AFTER_S, seconds / 3)
        if quiet >= ask_after:
            self.ask()
            due = min(now + ASK_EACH_S, self._heard_at + seconds)
        else:
            due = self._heard_at + ask_after
        self._alarm = self._loop.call_at(due, self._listen, seconds, due)

    def stop(self) -> None:
        """Expect nothing more."""
        self._doubt_after = math.inf
        if self._alarm is not None:
            self._alarm.cancel()


def mend(connection: Connection, allowed: range | None = None) -> None:
    """Before *connection* gathers its candidates: what aioice does not do of itself. *allowed* are the UDP ports it
    may take; None lets the system choose."""
    gather, consent = connection.get_component_candidates, connection.query_consent

    async def gather_something(component: int, addresses: list[str], timeout: int = 5) -> object:
        # Loopback is left out, and may be all there is.
        addresses = addresses or [_LOOPBACK]
        if allowed is None:
            work = gather(component, addresses, GATHER_TIMEOUT_S)
        else:
            work = ports.gather(connection, component, addresses, allowed, GATHER_TIMEOUT_S, gather)
        # The shield is because what is asked of STUN servers would go on being asked after a cancellation.
        return await asyncio.shield(work)

    async def consent_while_open() -> None:
        # A connection that is closed just as it comes up would ask for consent for ever.
        if not connection._closing:
            await consent()

    vars(connection).update(get_component_candidates=gather_something, query_consent=consent_while_open)


def guard(connection: Connection, line: Line, take: Callable[[bytes], bool] | None = None) -> None:
    """After *connection* has gathered its candidates: let in only what *line* admits, and let it ask.

    What *take* takes of it (and tells so) goes no further.
    """

    def proven() -> Iterator[Address]:
        return (each.remote_addr for each in connection._check_list if each.state is CandidatePair.State.SUCCEEDED)

    def guarded(let_in: Callable[..., None], data: bytes, addr: tuple[Any, ...]) -> None:
        source = (addr[0], addr[1])
        admitted = line.admits(data, source, proven) and _may_be_met(connection, source)
        if admitted and not (take is not None and take(data)):
            let_in(data, addr)

    for protocol in connection._protocols:
        vars(protocol).update(datagram_received=partial(guarded, protocol.datagram_received))


def _may_be_met(connection: Connection, source: Address) -> bool:
    """Each address that sends a check is checked in turn, so that there may not be any number of them."""
    known = connection._remote_candidates
    return len(known) < MAX_SOURCES or any((each.host, each.port) == source for each in known)


def ask(connections: Iterable[Connection]) -> None:
    """Send a binding request on each pair in use (RFC 7675, 5.1). What answers it is heard like everything else."""
    for connection in connections:
        for pair in connection._nominated.values():
            request = connection.build_request(pair, nominate=False)
            request.add_message_integrity((connection.remote_password or "").encode())
            pair.protocol.send_stun(request, pair.remote_addr)
