"""The datagrams of a peer: which are let in, and whether they still come; and what aioice 0.13 needs for that.

aioice does the checks of ICE (RFC 8445). It hands on every datagram that is not STUN, whoever sent it, and aiortc
believes them: a single empty one ends its call.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final, Protocol, TypeAlias

GATHER_TIMEOUT_S: Final = 2
"""How long a description waits for STUN and TURN servers."""

Address: TypeAlias = tuple[str, int]

_LOOPBACK: Final = "127.0.0.1"
_LAST_STUN_BYTE: Final = 3
"""The first byte of a datagram tells STUN (0 to 3) from DTLS and SRTP (RFC 7983, 7)."""


class Line:
    """One peer's datagrams. *on_silent* is called when nothing came for as long as was allowed."""

    __slots__ = ("_alarm", "_heard_at", "_known", "_loop", "_on_silent")

    def __init__(self, on_silent: Callable[[], None]) -> None:
        self._on_silent = on_silent
        self._loop = asyncio.get_running_loop()
        self._known: set[Address] = set()
        self._heard_at = 0.0
        self._alarm: asyncio.TimerHandle | None = None

    def admits(self, datagram: bytes, source: Address, candidates: Callable[[], Iterable[Address]]) -> bool:
        """Whether to let *datagram* in: STUN from anyone, which proves itself; all else from ICE's *candidates* only.

        The candidates hold each address that was signalled, or that passed a check with our password.
        """
        if source in self._known or source in candidates():
            self._known.add(source)
            self._heard_at = self._loop.time()
            return bool(datagram)
        return bool(datagram) and datagram[0] <= _LAST_STUN_BYTE

    def allow(self, seconds: float) -> None:
        """Call *on_silent* after *seconds*, whatever comes."""
        self.stop()
        self._alarm = self._loop.call_later(seconds, self._on_silent)

    def watch(self, seconds: float) -> None:
        """Call *on_silent* when nothing was heard from a known address for *seconds*."""
        self.stop()
        self._heard_at = self._loop.time()
        self._listen(seconds)

    def _listen(self, seconds: float) -> None:
        due = self._heard_at + seconds
        if self._loop.time() >= due:
            self._on_silent()
        else:
            self._alarm = self._loop.call_at(due, self._listen, seconds)

    def stop(self) -> None:
        """Expect nothing more."""
        if self._alarm is not None:
            self._alarm.cancel()


class Candidate(Protocol):
    """An address of the other side."""

    host: str
    port: int


class Socket(Protocol):
    """What takes the datagrams of one of our addresses."""

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None: ...


class Connection(Protocol):
    """What is used of aioice's connection; half of it is private."""

    _closing: bool

    @property
    def _protocols(self) -> Sequence[Socket]: ...
    @property
    def remote_candidates(self) -> Sequence[Candidate]: ...
    async def get_component_candidates(self, component: int, addresses: list[str], timeout: int = 5) -> object: ...
    async def query_consent(self) -> None: ...


def mend(connection: Connection) -> None:
    """Before *connection* gathers its candidates: what aioice does not do of itself."""
    gather, consent = connection.get_component_candidates, connection.query_consent

    async def gather_something(component: int, addresses: list[str], timeout: int = 5) -> object:
        # Loopback is left out, and may be all there is. The shield is because what is asked of STUN servers would go
        # on being asked after a cancellation.
        return await asyncio.shield(gather(component, addresses or [_LOOPBACK], GATHER_TIMEOUT_S))

    async def consent_while_open() -> None:
        # A connection that is closed just as it comes up would ask for consent for ever.
        if not connection._closing:
            await consent()

    vars(connection).update(get_component_candidates=gather_something, query_consent=consent_while_open)


def guard(connection: Connection, line: Line, take: Callable[[bytes], bool] | None = None) -> None:
    """After *connection* has gathered its candidates: let in only what *line* admits.

    What *take* takes of it (and tells so) goes no further.
    """

    def candidates() -> Iterator[Address]:
        return ((each.host, each.port) for each in connection.remote_candidates)

    def guarded(let_in: Callable[..., None], data: bytes, addr: tuple[Any, ...]) -> None:
        if line.admits(data, (addr[0], addr[1]), candidates) and not (take is not None and take(data)):
            let_in(data, addr)

    for protocol in connection._protocols:
        vars(protocol).update(datagram_received=partial(guarded, protocol.datagram_received))
