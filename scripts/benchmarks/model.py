"""A model's server, as OpenAI's chat completions are served: it streams words, and sees when nobody listens."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Final

_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


@dataclass(slots=True)
class Model:
    """Runs on loopback."""

    url: str
    every_s: float
    closed_at: list[float] = field(default_factory=list)
    """When a stream was found closed by its reader, monotonic."""

    asked_at: list[float] = field(default_factory=list)
    began_at: list[float] = field(default_factory=list)
    """When the first word of a stream was sent."""

    said_at: list[list[float]] = field(default_factory=list)
    """When each word of each stream was sent."""

    words: int = 1_000_000
    """How many words an answer has."""

    opening: str = ""
    """What it says in place of its first word."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, and its stream."""
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
        await reader.readexactly(int(lengths[0]))
        self.asked_at.append(time.monotonic())
        writer.write(_HEAD)
        gone = asyncio.create_task(self._notice(reader))
        try:
            with contextlib.suppress(OSError, RuntimeError):  # uvloop's word for a connection that is gone
                await self._stream(writer, gone)
        finally:
            gone.cancel()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _notice(self, reader: asyncio.StreamReader) -> None:
        try:
            with contextlib.suppress(OSError):
                await reader.read(1)
        finally:  # a write may have found out before
            self.closed_at.append(time.monotonic())

    async def _stream(self, writer: asyncio.StreamWriter, gone: asyncio.Task[None]) -> None:
        said: list[float] = []
        self.said_at.append(said)
        for number in count():
            if gone.done():
                return
            if number == self.words:
                break
            word = self.opening if self.opening and not number else f"w{number} "
            delta = {"choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}]}
            said.append(time.monotonic())
            writer.write(b"data: " + json.dumps(delta).encode() + b"\n\n")
            if number == 0:
                self.began_at.append(time.monotonic())
            await writer.drain()
            await asyncio.sleep(self.every_s)
        writer.write(b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n')


@asynccontextmanager
async def model(every_s: float, opening: str = "") -> AsyncIterator[Model]:
    """A model that says a word each *every_s* seconds, without end, after *opening* if it has one."""
    known = Model("", every_s, opening=opening)
    server = await asyncio.start_server(known.serve, "127.0.0.1", 0)
    known.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield known
    finally:
        server.close()
