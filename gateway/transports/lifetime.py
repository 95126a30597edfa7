"""How long a connection may last, where the operator bounds that. Its session and the log of that go on without it."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

EXPIRED: Final = "session_expired"
"""OpenAI's code: it ends a session after an hour, and says so with this error before it closes."""

LOOK_EVERY_S: Final = 1.0


@dataclass(slots=True, eq=False)
class Lifetime:
    """Of one connection, or of a call with all that is attached to it."""

    ends_at: float
    """Seconds since the epoch; infinite for one without a bound."""

    ends: list[Callable[[], None]] = field(default_factory=list)
    """Called when it is over."""


class Lifetimes:
    """All that are bounded: to *minutes*, 0 for none. *wall* tells seconds since the epoch."""

    def __init__(self, minutes: int = 0, wall: Callable[[], float] = lambda: 0.0) -> None:
        self._minutes = minutes
        self._wall = wall
        self._running: set[Lifetime] = set()

    def __len__(self) -> int:
        return len(self._running)

    @property
    def sentence(self) -> str:
        """Why a connection ends, in OpenAI's words, which a client may look for."""
        return f"Your session hit the maximum duration of {self._minutes} minutes."

    def begin(self) -> Lifetime:
        """A connection's, from now on."""
        return Lifetime(self._wall() + 60 * self._minutes if self._minutes else math.inf)

    def watch(self, lifetime: Lifetime, end: Callable[[], None]) -> None:
        """Call *end* when it is over, unless it is left before."""
        lifetime.ends.append(end)
        if math.isfinite(lifetime.ends_at):
            self._running.add(lifetime)

    def leave(self, lifetime: Lifetime, end: Callable[[], None]) -> None:
        """The connection has ended by itself."""
        if end in lifetime.ends:
            lifetime.ends.remove(end)
        if not lifetime.ends:
            self._running.discard(lifetime)

    def look(self, wall: float) -> None:
        """End those whose time is over at *wall*."""
        for lifetime in [it for it in self._running if wall >= it.ends_at]:
            self._running.discard(lifetime)
            for end in list(lifetime.ends):
                end()

    async def run(self) -> None:
        """Look once a second, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look(self._wall())
