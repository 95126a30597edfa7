"""A real HTTP server on loopback that answers as it is told, for the speech engines that stand behind an API."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np

from media.frames import Pcm

KEY = "sk-not-to-be-told"
TEXT = "Nobody else should read this."
TONE: Pcm = (8000 * np.sin(np.arange(24_000) / 10)).astype(np.int16)

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    """Answers every request as told and remembers it."""

    answer: Answer
    url: str = ""
    requests: list[tuple[str, bytes]] = field(default_factory=list)
    connections: int = 0
    disconnected: asyncio.Event = field(default_factory=asyncio.Event)
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def requested(self, count: int) -> None:
        """Wait until so many requests have come."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.requests) >= count)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(head.lower().split("content-length:")[1].split("\r\n")[0])
                self.requests.append((head, await reader.readexactly(length)))
                async with self._arrived:
                    self._arrived.notify_all()
                await self.answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.disconnected.set()
        finally:
            writer.close()


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[Server]:
    server = Server(answer)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"
    try:
        yield server
    finally:
        listener.close()
        await listener.wait_closed()


def whole(body: bytes, content_type: str = "audio/pcm", status: str = "200 OK") -> Answer:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(
            f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        )
        writer.write(body)
        await writer.drain()

    return answer


def chunked(chunks: list[bytes], content_type: str = "audio/pcm") -> Answer:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n"
        writer.write(head.encode())
        for chunk in chunks:
            writer.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0)
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    return answer


async def start_and_hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A tenth of a second of sound, then nothing until the client goes away."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: audio/pcm\r\ntransfer-encoding: chunked\r\n\r\n")
    sound = TONE[:2400].tobytes()
    writer.write(f"{len(sound):x}\r\n".encode() + sound + b"\r\n")
    await writer.drain()
    await hang(reader, writer)


async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    assert await reader.read() == b""
    raise ConnectionError


async def break_off(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: audio/pcm\r\ncontent-length: 9600\r\n\r\n" + TONE[:2400].tobytes())
    await writer.drain()
    raise ConnectionError


async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A tenth of a second of sound, then the connection is reset."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: audio/pcm\r\ntransfer-encoding: chunked\r\n\r\n")
    sound = TONE[:2400].tobytes()
    writer.write(f"{len(sound):x}\r\n".encode() + sound + b"\r\n")
    await writer.drain()
    writer.transport.abort()
    raise ConnectionError


async def no_http(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What answers speaks another protocol."""
    writer.write(b"220 mail.example ESMTP\r\n")
    await writer.drain()
    raise ConnectionError


def events(*payloads: str) -> Answer:
    """Server-sent events, each in a chunk of its own."""
    return chunked([f"data: {payload}\n\n".encode() for payload in payloads], "text/event-stream")
