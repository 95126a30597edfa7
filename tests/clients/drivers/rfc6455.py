"""RFC 6455 frame by frame: what Autobahn's case groups 1 to 7 ask of a server, written anew.

Autobahn's own runner needs Python 2 and a server that echoes. Here the echo is a message of the conversation: the
text of a ``conversation.item.create`` comes back in ``conversation.item.added``. The numbers are those of Autobahn's
groups; each case has a connection of its own.
"""

import asyncio
import base64
import json
import os
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from tests.clients.drivers.kit import Stage, case, ensure
from tests.clients.drivers.sequences import BROKEN, WHOLE

CONTINUED, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
PATIENCE_S: Final = 5.0

Check = Callable[["Wire"], Awaitable[None]]


class Closed(Exception):
    """The server closed: with this code, or without a word (1006)."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True) -> bytes:
    """A frame as a client sends it, or must not."""
    head = bytes([fin << 7 | rsv << 4 | opcode])
    size, mask = len(payload), os.urandom(4) if masked else b""
    bit = masked << 7
    if size < 126:
        head += bytes([bit | size])
    elif size < 65_536:
        head += bytes([bit | 126]) + struct.pack(">H", size)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", size)
    body = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload)) if masked else payload
    return head + mask + body


def message(text: str, size: int = 0) -> bytes:
    """What is echoed, filled up with blanks to so many bytes."""
    content = [{"type": "input_text", "text": text}]
    item = {"type": "message", "role": "user", "content": content}
    event = {"type": "conversation.item.create", "item": item}
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode().ljust(size)


class Wire:
    """A connection after its handshake."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, *frames: bytes, chop: int = 0) -> None:
        """Send frames at once, or in pieces of *chop* bytes, each in a segment of its own."""
        data = b"".join(frames)
        for at in range(0, len(data), chop or len(data)):
            self._writer.write(data[at : at + (chop or len(data))])
            await self._writer.drain()
            if chop:
                await asyncio.sleep(0)

    async def receive(self) -> tuple[int, bytes]:
        """The next frame's opcode and payload; raises :class:`Closed` for a closing one, and at the end."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                first, second = await self._reader.readexactly(2)
                ensure(first & 0x70 == 0, "the server set a reserved bit")
                ensure(second & 0x80 == 0, "the server masked a frame")
                size = second & 0x7F
                if size == 126:
                    (size,) = struct.unpack(">H", await self._reader.readexactly(2))
                elif size == 127:
                    (size,) = struct.unpack(">Q", await self._reader.readexactly(8))
                payload = await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise Closed(1006) from None
        opcode = first & 0x0F
        if opcode == CLOSE:
            raise Closed(struct.unpack(">H", payload[:2])[0] if payload else 1005)
        return opcode, payload

    async def echo(self, text: str) -> None:
        """Wait for the text to come back."""
        while True:
            opcode, payload = await self.receive()
            event: dict[str, Any] = json.loads(payload) if opcode == TEXT else {"type": ""}
            ensure(event["type"] != "error", "the message was refused")
            if event["type"] == "conversation.item.added":
                said = event["item"]["content"][0]["text"]
                ensure(said == text, "another text came back")
                return

    async def pong(self, payload: bytes) -> None:
        """Wait for this pong; another one is wrong."""
        while True:
            opcode, found = await self.receive()
            if opcode == PONG:
                ensure(found == payload, "a pong has another payload")
                return

    async def end(self, *codes: int) -> None:
        """Wait for the connection to end, in one of these ways, with nothing echoed before."""
        try:
            while True:
                opcode, payload = await self.receive()
                ensure(opcode != PONG, "a ping was answered")
                echoed = opcode == TEXT and json.loads(payload)["type"] == "conversation.item.added"
                ensure(not echoed, "a message was taken")
        except Closed as closed:
            ensure(closed.code in codes, f"it was closed with {closed.code}")
        except TimeoutError:
            ensure(False, "it was not closed")


@asynccontextmanager
async def connected(stage: Stage) -> AsyncIterator[Wire]:
    """A connection whose handshake is done and whose session is there."""
    parts = urlsplit(stage.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    key = base64.b64encode(os.urandom(16)).decode()
    lines = (
        "GET /v1/realtime?model=local HTTP/1.1",
        f"Host: {parts.netloc}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Extensions: permessage-deflate",
        f"Authorization: Bearer {stage.key}",
    )
    writer.write("\r\n".join((*lines, "", "")).encode())
    try:
        async with asyncio.timeout(PATIENCE_S):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        status = head.split("\r\n")[0]
        ensure(" 101 " in status, f"the handshake was refused: {status}")
        ensure("sec-websocket-extensions" not in head, "compression was agreed on")
        yield Wire(reader, writer)
    finally:
        writer.transport.abort()


def echoed(*frames: bytes, text: str = "hello", chop: int = 0) -> Check:
    """These frames are a message that is taken."""

    async def check(wire: Wire) -> None:
        await wire.send(*frames, chop=chop)
        await wire.echo(text)

    return check


def failed(*frames: bytes, codes: tuple[int, ...] = (1002, 1006)) -> Check:
    """These frames fail the connection, and so nothing after them is taken."""

    async def check(wire: Wire) -> None:
        await wire.send(*frames, frame(TEXT, message("after it")))
        await wire.end(*codes)

    return check


def ponged(*frames: bytes, payloads: tuple[bytes, ...], text: str = "", chop: int = 0) -> Check:
    """These frames bring these pongs, in order, and then the text."""

    async def check(wire: Wire) -> None:
        await wire.send(*frames, chop=chop)
        for payload in payloads:
            await wire.pong(payload)
        if text:
            await wire.echo(text)

    return check


def closed(*frames: bytes, codes: tuple[int, ...]) -> Check:
    """These frames close the connection, and the server says one of the codes."""

    async def check(wire: Wire) -> None:
        await wire.send(*frames)
        await wire.end(*codes)

    return check


def split(payload: bytes, size: int) -> bytes:
    """A text message in fragments of so many bytes."""
    pieces = [payload[at : at + size] for at in range(0, len(payload), size)]
    last = len(pieces) - 1
    return b"".join(frame(TEXT if at == 0 else CONTINUED, each, fin=at == last) for at, each in enumerate(pieces))


HELLO: Final = message("hello")
WORD: Final = frame(TEXT, HELLO)
HEAD, TAIL = HELLO[:20], HELLO[20:]


def framing() -> Iterator[Check]:
    """1: payloads at the limits of each length, whole and chopped."""
    for size in (len(HELLO), 125, 126, 127, 128, 65_535, 65_536):
        whole = frame(TEXT, message("hello", size))
        yield echoed(whole)
        yield echoed(whole, chop=997)
    yield echoed(WORD, chop=1)
    yield echoed(frame(PONG), WORD)


def pings() -> Iterator[Check]:
    """2: pings of any payload up to 125 bytes are answered in order, pongs never."""
    for payload in (b"", b"Hello, world!", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", b"\xfe" * 125):
        yield ponged(frame(PING, payload), payloads=(payload,))
        yield ponged(frame(PING, payload), payloads=(payload,), chop=1)
    yield failed(frame(PING, b"\xfe" * 126))
    yield ponged(frame(PONG), frame(PING, b"then"), payloads=(b"then",))
    yield ponged(frame(PONG, b"unasked"), frame(PING, b"then"), payloads=(b"then",))
    ten = tuple(b"payload-%d" % number for number in range(10))
    yield ponged(*(frame(PING, each) for each in ten), payloads=ten)
    yield ponged(*(frame(PING, each) for each in ten), payloads=ten, chop=1)


def reserved() -> Iterator[Check]:
    """3: a reserved bit fails the connection, in any frame."""
    for bits in range(1, 8):
        yield failed(frame(TEXT, HELLO, rsv=bits))
    yield failed(frame(PING, b"", rsv=4))
    yield failed(frame(CLOSE, struct.pack(">H", 1000), rsv=4))


def opcodes() -> Iterator[Check]:
    """4: an opcode that nobody has defined fails the connection."""
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        yield failed(frame(opcode))
        yield failed(frame(opcode, HELLO))


def fragments() -> Iterator[Check]:
    """5: fragments are put together; what may not be fragmented, or not come between, fails the connection."""
    yield failed(frame(PING, b"a", fin=False), frame(CONTINUED, b"b"))
    yield failed(frame(PONG, b"a", fin=False), frame(CONTINUED, b"b"))
    for chop in (0, 997, 1):
        yield echoed(split(HELLO, 20), chop=chop)
        ping = frame(TEXT, HEAD, fin=False), frame(PING, b"between"), frame(CONTINUED, TAIL)
        yield ponged(*ping, payloads=(b"between",), text="hello", chop=chop)
    yield echoed(split(HELLO, 1))
    yield echoed(frame(TEXT, b"", fin=False), frame(CONTINUED, HELLO, fin=False), frame(CONTINUED))
    for fin in (True, False):
        yield failed(frame(CONTINUED, b"nothing to continue", fin=fin))
    yield failed(frame(CONTINUED, HEAD, fin=False), frame(TEXT, TAIL))
    yield failed(frame(TEXT, HEAD, fin=False), frame(TEXT, TAIL))
    pieces = [HELLO[at : at + 30] for at in range(0, len(HELLO), 30)]
    numbers = tuple(b"%d" % number for number in range(len(pieces) - 1))
    mixed = [frame(TEXT, pieces[0], fin=False)]
    for number, piece in zip(numbers, pieces[1:], strict=True):
        mixed += [frame(PING, number), frame(CONTINUED, piece, fin=piece is pieces[-1])]
    yield ponged(*mixed, payloads=numbers, text="hello")
    yield failed(frame(TEXT, HELLO, masked=False))


def encoding() -> Iterator[Check]:
    """6: text is UTF-8, in whatever pieces it comes; anything else fails the connection."""
    for text in WHOLE:
        whole = message(text)
        yield echoed(frame(TEXT, whole), text=text)
        yield echoed(split(whole, 1), text=text)
    for octets in BROKEN:
        broken = HELLO.replace(b"hello", octets)
        yield failed(frame(TEXT, broken), codes=(1007, 1006))
        yield failed(split(broken, 1), codes=(1007, 1006))


def closing() -> Iterator[Check]:
    """7: a close is answered in kind, ends what comes after it, and has a code that may be sent."""
    bye = frame(CLOSE, struct.pack(">H", 1000))
    yield closed(bye, bye, codes=(1000,))
    yield closed(bye, frame(PING, b"late"), codes=(1000,))
    yield closed(bye, WORD, codes=(1000,))
    yield closed(frame(TEXT, HEAD, fin=False), bye, codes=(1000, 1002))  # section 5.5.1 does not say which
    yield closed(frame(CLOSE), codes=(1005,))
    yield failed(frame(CLOSE, b"a"))
    for reason in (b"Hello, world!", b"*" * 123):
        yield closed(frame(CLOSE, struct.pack(">H", 1000) + reason), codes=(1000,))
    yield failed(frame(CLOSE, struct.pack(">H", 1000) + b"*" * 124))
    yield failed(frame(CLOSE, struct.pack(">H", 1000) + b"\xce\xba\xe1\xbd\xb9\xf4\x90"), codes=(1002, 1006, 1007))
    for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999):
        yield closed(frame(CLOSE, struct.pack(">H", code)), codes=(code,))
    for code in (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535):
        yield failed(frame(CLOSE, struct.pack(">H", code)))


GROUPS: Final = {
    "framing": framing,
    "pings": pings,
    "reserved_bits": reserved,
    "opcodes": opcodes,
    "fragments": fragments,
    "utf_8": encoding,
    "closing": closing,
}


async def main() -> None:
    """All groups; one is passed when each of its cases is, and says how many it has."""
    stage = Stage()
    for name, group in GROUPS.items():
        async with case(name) as notes:
            count, wrong = 0, []
            for count, check in enumerate(group(), 1):
                async with connected(stage) as wire:
                    try:
                        await check(wire)
                    except Closed as ended:
                        wrong.append(f"{count}: it was closed with {ended.code}")
                    except (AssertionError, TimeoutError) as error:
                        wrong.append(f"{count}: {str(error) or 'nothing came'}")
            ensure(not wrong, f"of {count} cases, {'; '.join(wrong)}")
            notes.append(f"{count} cases")


if __name__ == "__main__":
    asyncio.run(main())
