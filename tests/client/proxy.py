"""A way to a gateway that breaks where a test wants it to: TCP on loopback, in the test's own loop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Proxy:
    """Passes bytes on to the port *to*. Each connection is cut when the gateway has sent so many bytes on it."""

    to: int
    cut_after: Callable[[int], int | None] = lambda _number: None
    """Bytes for the connection of this number (from 0); None for one that stays."""

    port: int = 0
    connections: int = 0
    passed: list[int] = field(default_factory=list)
    """Bytes that the gateway sent, of each connection."""

    refuses: bool = False
    """True to let nobody in."""

    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    def cut(self) -> None:
        """Break all connections now, without a word."""
        for writer in list(self._open):
            writer.transport.abort()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number, self.connections = self.connections, self.connections + 1
        self.passed.append(0)
        if self.refuses:
            writer.transport.abort()
            return
        there, thither = await asyncio.open_connection("127.0.0.1", self.to)
        self._open |= {writer, thither}
        try:
            up = asyncio.create_task(_pump(reader, thither))
            down = asyncio.create_task(self._down(number, there, writer))
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
            up.cancel()
            down.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
        finally:
            for end in (writer, thither):
                end.transport.abort()
                self._open.discard(end)

    async def _down(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        limit = self.cut_after(number)
        while data := await reader.read(65_536):
            rest = len(data) if limit is None else limit - self.passed[number]
            writer.write(data[:rest])
            self.passed[number] += len(data[:rest])
            if len(data) >= rest and limit is not None:
                with contextlib.suppress(ConnectionError):
                    await writer.drain()
                writer.close()  # what was passed on still arrives
                return
            await writer.drain()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()


@asynccontextmanager
async def proxy(to: int, cut_after: Callable[[int], int | None] = lambda _number: None) -> AsyncIterator[Proxy]:
    """A proxy on a free port."""
    made = Proxy(to, cut_after)
    server = await asyncio.start_server(made.take, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        made.cut()
