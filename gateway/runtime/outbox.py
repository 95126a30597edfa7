"""What waits to be sent to one connection. Bounded; whoever does not read is let go, with a whole beginning of it."""

import asyncio
from collections import deque
from typing import Final

MAX_EVENTS: Final = 4096
MAX_BYTES: Final = 4 * 1024 * 1024
"""A slow phone catches up with this much; beyond it, resuming is cheaper than waiting."""


class Outbox:
    """Overflow policy: disconnect. :meth:`put` says so once, and nothing is taken any more.

    What waited may still be sent: so a client that resumes has got further than the time before.
    """

    def __init__(self, max_events: int = MAX_EVENTS, max_bytes: int = MAX_BYTES) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._waiting: deque[str] = deque()
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._sent = asyncio.Event()
        self._sent.set()
        self._closed = False

    def put(self, text: str) -> bool:
        """Queue *text*. False when it does not fit: the connection must be closed. One always fits."""
        if self._closed:
            return True  # it is going away; what it misses is in the log
        full = len(self._waiting) >= self._max_events or self._bytes + len(text) > self._max_bytes
        if full and self._waiting:
            self.close()
            return False
        self._waiting.append(text)
        self._bytes += len(text)
        self._sent.clear()
        self._arrived.set()
        return True

    async def get(self) -> str | None:
        """The next text, the one before having been sent; None once the outbox was closed and is empty."""
        while not self._waiting:
            self._sent.set()
            if self._closed:
                return None
            self._arrived.clear()
            await self._arrived.wait()
        text = self._waiting.popleft()
        self._bytes -= len(text)
        return text

    async def drained(self) -> None:
        """Wait until everything was sent, or the outbox is closed."""
        await self._sent.wait()

    def cut(self) -> None:
        """Take no more, and send nothing of what waits."""
        self._waiting.clear()
        self._bytes = 0
        self.close()

    def close(self) -> None:
        """Take no more; what waits may still be sent."""
        self._closed = True
        self._sent.set()
        self._arrived.set()
