"""A speech server, as OpenAI's ``POST /audio/speech`` is served: late by as much as it is told, and then a voice."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from media.frames import PTIME_MS, VOICE_FRAME, VOICE_RATE_HZ

PACE: Final = 2.0
"""How much faster than it sounds its voice comes: as fast as a small model on a small machine."""

LASTS_S: Final = 8.0

_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: audio/pcm\r\nConnection: close\r\n\r\n"
_FRAME: Final = (8000 * np.sin(2 * np.pi * 400 * np.arange(VOICE_FRAME) / VOICE_RATE_HZ)).astype("<i2").tobytes()


@dataclass(slots=True)
class Voice:
    """Runs on loopback. All times are monotonic, in seconds."""

    url: str
    delay_s: float
    asked_at: list[float] = field(default_factory=list)
    closed_at: list[float] = field(default_factory=list)
    """When a request was found closed by its reader."""

    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, and its sound, until nobody listens."""
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
        await reader.readexactly(int(lengths[0]))
        self._note(self.asked_at)
        speaking = asyncio.create_task(self._speak(writer))
        try:
            with contextlib.suppress(OSError):
                await reader.read(1)
            self._note(self.closed_at)
        finally:
            speaking.cancel()
            writer.close()

    def _note(self, times: list[float]) -> None:
        times.append(time.monotonic())
        self.news.set()

    async def _speak(self, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(self.delay_s)
        writer.write(_HEAD)
        for _ in range(round(LASTS_S * 1000 / PTIME_MS)):
            writer.write(_FRAME)
            await asyncio.sleep(PTIME_MS / 1000 / PACE)

    async def nth(self, times: list[float], number: int) -> float:
        """That time, as soon as it is known."""
        async with asyncio.timeout(10):
            while len(times) <= number:
                self.news.clear()
                await self.news.wait()
        return times[number]


@asynccontextmanager
async def voice(delay_s: float) -> AsyncIterator[Voice]:
    """A server whose first sound comes *delay_s* after it was asked."""
    known = Voice("", delay_s)
    server = await asyncio.start_server(known.serve, "127.0.0.1", 0)
    known.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield known
    finally:
        server.close()
