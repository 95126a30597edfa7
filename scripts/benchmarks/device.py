"""A device of a session, as the benchmarks need one: it notes when each event came, before it reads it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from websockets.asyncio.client import ClientConnection, connect

from benchmarks.process import Server

Holds: TypeAlias = Callable[[dict[str, Any]], bool]


class Client:
    """An extended client that reads in the background."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.events: list[tuple[float, dict[str, Any]]] = []
        self.session: dict[str, Any] = {}
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for text in self.socket:
            at, event = time.monotonic(), json.loads(text)
            if event["type"] == "session.created":
                self.session = event["session"]
            self.events.append((at, event))
            self._news.set()

    async def until(self, holds: Holds, within_s: float = 30.0) -> tuple[float, dict[str, Any]]:
        """The first event of which that is true, with its time."""
        seen = 0
        async with asyncio.timeout(within_s):
            while True:
                for found in self.events[seen:]:
                    if holds(found[1]):
                        return found
                seen = len(self.events)
                self._news.clear()
                await self._news.wait()

    async def tell(self, kind: str, **fields: Any) -> float:
        """Send an event; when that was."""
        at = time.monotonic()
        await self.socket.send(json.dumps({"type": kind, **fields}))
        return at

    async def aclose(self) -> None:
        """Leave."""
        self._reading.cancel()
        await self.socket.close()


@asynccontextmanager
async def connected(server: Server, session: str = "", query: str = "") -> AsyncIterator[Client]:
    """A client of a session, of a new one unless *session* is given."""
    url = f"ws{server.url.removeprefix('http')}/v1/realtime?device=bench{query}"
    url += f"&session={session}" if session else ""
    protocols: Any = ["bargein.v1"]
    socket = await connect(url, subprotocols=protocols, ping_interval=None, max_size=None, open_timeout=60, proxy=None)
    client = Client(socket)
    try:
        await client.until(happens("session.created"), 60)
        yield client
    finally:
        await client.aclose()


def happens(kind: str) -> Holds:
    """Is it an event of this kind?"""
    return lambda event: event["type"] == kind


def message(text: str) -> dict[str, Any]:
    """What a user types, as an item."""
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
