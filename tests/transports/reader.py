"""A reader of server-sent events over a raw socket: what a browser's ``EventSource`` makes of what comes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.transports.inbox import Inbox, Json
from tests.transports.server import Gateway


@dataclass(slots=True)
class Reader:
    """Takes events until the stream ends. The last id and the waiting time are kept as a browser keeps them."""

    source: asyncio.StreamReader
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    inbox: Inbox = field(default_factory=lambda: Inbox(patience_s=10.0))
    last_id: str = ""
    retry_ms: int = 0

    @property
    def got(self) -> list[Json]:
        return self.inbox.got

    async def get(self, kind: str, count: int = 1) -> Json:
        return await self.inbox.get(kind, count)

    async def begin(self) -> None:
        """Read the head of the answer."""
        self.status = int((await self.source.readline()).split()[1])
        while (line := (await self.source.readline()).decode().strip()) != "":
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()

    async def read(self) -> None:
        """Take what comes until the stream ends."""
        data: list[str] = []
        while line := (await self.source.readline()).decode():
            name, _, value = line.rstrip("\n").partition(":")
            value = value.removeprefix(" ")
            match name:
                case "data":
                    data.append(value)
                case "id":
                    self.last_id = value
                case "retry":
                    self.retry_ms = int(value)
                case "" if not value and data:
                    self.inbox.take(json.loads("\n".join(data)))
                    data = []
                case _:
                    pass
        self.inbox.end(0)


@asynccontextmanager
async def reading(
    gateway: Gateway, session: str, query: str = "", *, reads: bool = True, **headers: str
) -> AsyncIterator[Reader]:
    """Follow a session's events. HTTP/1.0, so that the stream is what stands on the wire."""
    source, out = await asyncio.open_connection("127.0.0.1", gateway.port, limit=1 << 22)
    head = [f"GET /v1/sessions/{session}/events?{query} HTTP/1.0", f"Host: 127.0.0.1:{gateway.port}"]
    head += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    out.write("\r\n".join([*head, "", ""]).encode())
    reader = Reader(source)
    await reader.begin()
    task = asyncio.create_task(reader.read()) if reads else None
    try:
        yield reader
    finally:
        if task is not None:
            task.cancel()
        out.close()
