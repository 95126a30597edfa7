"""What a client was sent, and waiting for it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(slots=True)
class Inbox:
    """Events in the order in which they came, and the code with which the connection was closed."""

    got: list[Json] = field(default_factory=list)
    presence: list[Json] = field(default_factory=list)
    """What came of who is here, apart from the rest: it comes at times of its own."""

    closed: list[int] = field(default_factory=list)
    patience_s: float = 60.0
    """How long to wait for something, on the loop's clock, be it a real one or not."""

    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, event: Json) -> None:
        (self.presence if event["type"].startswith("presence.") else self.got).append(event)
        self._news.set()

    def end(self, code: int) -> None:
        self.closed.append(code)
        self._news.set()

    def types(self, after: int = 0) -> list[str]:
        """The types of what came."""
        return [str(event["type"]) for event in self.got[after:]]

    def all(self, kind: str) -> list[Json]:
        """What came of one type."""
        return [event for event in (*self.got, *self.presence) if event["type"] == kind]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until *condition* holds."""
        async with asyncio.timeout(self.patience_s):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def get(self, kind: str, count: int = 1) -> Json:
        """Wait for the *count*-th event of a type."""
        await self.until(lambda: len(self.all(kind)) >= count)
        return self.all(kind)[count - 1]
