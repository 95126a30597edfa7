"""How many calls and connections a process takes, and which it lets go when it is overloaded.

A *call* carries sound: a WebRTC call, or a WebSocket that hears and speaks. Every call and every WebSocket has a
:class:`Place` from before it is answered until it is over. :mod:`.overload` decides, :class:`Admission` counts, and
:func:`watch` measures.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final, NoReturn, Protocol, TypeAlias

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.errors import ProtocolViolation
from gateway.transports.crowd import NOBODY, Crowd, Guest, guest_of
from gateway.transports.failures import STATUS, Endpoint, failure
from gateway.transports.overload import Load, Overload, Rule

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 0.5
TICK_S: Final = 0.02
WINDOW: Final = 250
"""Ticks over which the loop's lateness is told: 5 s."""

KEPT: Final = 4
"""A process that is late with no more calls than this is not overloaded by calls; ending them would help nobody."""

FULL: Final = "This gateway has as many calls as it takes. Try again in a while, or type."
LATE: Final = "This gateway is overloaded and takes no calls now. Try again in a while, or type."
SHED: Final = "This gateway is overloaded and had to end the call. The conversation goes on: type, or call again later."


class Late(Protocol):
    """How late sound left in the last seconds, as percentiles; 0 where none did."""

    @property
    def p50_ms(self) -> float: ...
    @property
    def p99_ms(self) -> float: ...


Lateness: TypeAlias = Callable[[], Late]


@dataclass(frozen=True, slots=True)
class Measured:
    """A :class:`Late`."""

    p50_ms: float = 0.0
    p99_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one process takes; 0 for any number."""

    calls: int = 100
    connections: int = 1000
    for_user: int = 0
    for_address: int = 0
    """Calls and connections of one user, and of one address."""


class Overloaded(ProtocolViolation):
    """There is no place. ``retry_after_s`` says when it makes sense to ask again."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__("overloaded", message)
        self.retry_after_s = retry_after_s


class Crowded(Overloaded):
    """There are places, but not for this user or address, which has its share."""

    def __init__(self, party: str) -> None:
        super().__init__(f"This {party} has as many connections as it may have. Close one, or try again later.", 10)
        self.code = "too_many_connections"


class Place:
    """One place, taken. :meth:`leave` gives it back, and may be called twice."""

    __slots__ = ("_crowd", "_guest", "_places", "end")

    def __init__(self, places: dict["Place", None], crowd: Crowd, guest: Guest) -> None:
        self.end: Callable[[], None] | None = None
        """Ends what has this place, and tells its client why. A place without it is not shed."""

        self._places = places
        self._crowd, self._guest = crowd, guest
        places[self] = None
        crowd.enter(guest)

    def leave(self) -> None:
        """Give the place back."""
        if self in self._places:
            del self._places[self]
            self._crowd.leave(self._guest)


class Admission:
    """The places of one process."""

    def __init__(self, limits: Limits, rule: Rule | None = None) -> None:
        self._limits = limits
        self._overload = Overload(rule or Rule())
        self._crowd = Crowd(limits.for_user, limits.for_address)
        self._calls: dict[Place, None] = {}
        self._connections: dict[Place, None] = {}
        self.admitted = self.refused = self.shed = 0
        self.late: Late = Measured()

    @property
    def load(self) -> Load:
        """How the process stands."""
        return self._overload.load

    @property
    def connections(self) -> int:
        """How many connections there are that are no WebRTC calls."""
        return len(self._connections)

    def call(self, guest: Guest = NOBODY) -> Place:
        """A place for a call. Raises :class:`Overloaded`. What has a place as a connection counts for nobody again."""
        self._check(guest)
        if self._full(len(self._calls), self._limits.calls):
            self._refuse(FULL, 10)
        if self.load is not Load.OPEN and len(self._calls) >= KEPT:
            self._refuse(LATE, 30)
        self.admitted += 1
        return Place(self._calls, self._crowd, guest)

    def connection(self, guest: Guest = NOBODY) -> Place:
        """A place for a WebSocket or a reader of an event stream. Raises :class:`Overloaded`."""
        self._check(guest)
        if self._full(len(self._connections), self._limits.connections):
            self._refuse("This gateway has as many connections as it takes. Try again in a while.", 10)
        return Place(self._connections, self._crowd, guest)

    def look(self, late: Late, now: float) -> None:
        """Take the lateness at *now* (monotonic seconds), and end the newest call if one must end."""
        before, self.late = self.load, late
        must_end = self._overload.look(late.p99_ms, now)
        if self.load is not before:
            level = logging.INFO if self.load is Load.OPEN else logging.WARNING
            told = {"load": self.load.name.lower(), "late_ms": round(late.p99_ms, 1), "calls": len(self._calls)}
            log.log(level, "load: %s", self.load.name.lower(), extra=told)
        if must_end and len(self._calls) > KEPT:
            self._end_newest()

    def told(self) -> dict[str, Any]:
        """What an operator wants to know."""
        return {
            "load": self.load.name.lower(),
            "late_p50_ms": round(self.late.p50_ms, 2),
            "late_p99_ms": round(self.late.p99_ms, 2),
            "calls": len(self._calls),
            "connections": len(self._connections),
            "admitted": self.admitted,
            "refused": self.refused,
            "shed": self.shed,
            "max_calls": self._limits.calls,
            "max_connections": self._limits.connections,
            "max_per_user": self._limits.for_user,
            "max_per_address": self._limits.for_address,
        }

    def _full(self, taken: int, limit: int) -> bool:
        return limit > 0 and taken >= limit

    def _check(self, guest: Guest) -> None:
        if party := self._crowd.full(guest):
            self.refused += 1
            raise Crowded(party)

    def _refuse(self, message: str, retry_after_s: int) -> NoReturn:
        self.refused += 1
        raise Overloaded(message, retry_after_s)

    def _end_newest(self) -> None:
        """The newest: those who talk longest have the most to lose, and it was fine before the last ones came."""
        newest = next((place for place in reversed(self._calls) if place.end is not None), None)
        if newest is None or newest.end is None:
            return
        newest.leave()
        self.shed += 1
        log.warning("a call was ended: overloaded", extra={"calls": len(self._calls)})
        newest.end()


class LoopLateness:
    """How late the event loop is: a tick of 20 ms that does nothing else. Whoever sends sound is at least as late."""

    def __init__(self) -> None:
        self._late_ms: deque[float] = deque(maxlen=WINDOW)

    def __call__(self) -> Measured:
        late = sorted(self._late_ms)
        return Measured(late[len(late) // 2], late[len(late) * 99 // 100]) if late else Measured()

    async def run(self) -> None:
        """Tick, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + TICK_S
            await asyncio.sleep(TICK_S)
            self._late_ms.append((loop.time() - due) * 1000)


async def watch(admission: Admission, lateness: Lateness, now: Callable[[], float]) -> None:
    """Look at the lateness twice a second, until cancelled."""
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        admission.look(lateness(), now())


def overloaded(error: Overloaded) -> JSONResponse:
    """503, or 429 for who has their share, with ``Retry-After`` (RFC 9110, 10.2.3)."""
    response = failure(STATUS[error.code], error.code, str(error))
    response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def admitted(create: Endpoint) -> Endpoint:
    """Give *create* a place for a call, ``request.state.place``, that is kept if it answers with 201."""

    @wraps(create)
    async def entered(request: Request) -> Response:
        try:
            place: Place = request.app.state.services.admission.call(guest_of(request))
        except Overloaded as error:
            return overloaded(error)
        request.state.place = place
        created = False
        try:
            response = await create(request)
            created = response.status_code == 201
        finally:
            if not created:
                place.leave()
        return response

    return entered


async def load(request: Request) -> Response:
    """``GET /v1/load``: calls, connections, lateness, and what was refused or shed."""
    return JSONResponse(request.app.state.services.admission.told())
