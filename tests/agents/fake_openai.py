"""A real HTTP server on the loopback that speaks OpenAI's chat completions and tells who hung up on it.

In a test: ``async with FakeOpenAI(["Hello", " there"]) as server``, then ``server.base_url``. As a process:
``python -m tests.agents.fake_openai --port 0 --delay-ms 50`` prints its address, then a line of JSON for
each request and each disconnect.
"""

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self, TypeAlias, TypeVar, get_args

T = TypeVar("T")

Fault = Literal[
    "", "hang", "stall", "garbage", "reset", "error", "whole", "page", "end", "comments", "empty", "endless", "line"
]
"""``hang`` sends nothing at all, not even a status. After ``fault_after`` tokens, ``stall`` sends no more,
``garbage`` sends what is no JSON, ``reset`` resets the connection, ``error`` sends an error in the stream, ``end`` ends
it, whole but for its last words. Without an end ``comments`` sends keep-alives, ``empty`` chunks without a token,
``endless`` tokens, ``line`` one line. ``whole`` answers a request for a stream with one JSON document, ``page`` with
one in HTML."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came in; header names in lower case."""

    number: int
    method: str
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def messages(self) -> list[tuple[str, str]]:
        """Role and content of the chat messages."""
        return [(message["role"], message["content"]) for message in self.body["messages"]]


@dataclass(frozen=True, slots=True)
class Disconnect:
    """A client that left before its answer was complete."""

    request: int
    tokens: int
    """How many tokens had been sent to it."""

    at: float
    """When the server saw it: seconds on the event loop's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What to do with one request."""

    tokens: Sequence[str] = ("Hello", " there", ".")
    delay_s: float = 0.0
    """Waited before each token."""

    before_token: Callable[[int], Awaitable[None]] | None = None
    """Awaited before the token of this number (from 0) is sent: a gate for tests."""

    status: int = 200
    error: Mapping[str, Any] | None = None
    """The ``error`` object of the body when *status* is none of success."""

    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Fault = ""
    fault_after: int = 0
    ends_first: bool = False
    """The fault comes after the chunk with the finish reason."""

    finish_reason: str | None = "stop"
    deltas: Sequence[Mapping[str, Any]] = ()
    """Sent after the tokens, as they are: calls of tools, or what a model thinks."""

    usage: Mapping[str, Any] | None = None
    """Sent in a chunk of its own after the end, as OpenAI does."""


Script: TypeAlias = Answer | Sequence[str] | Callable[[Request], Answer | Sequence[str]]


class FakeOpenAI:
    """The server. Listens while its context is open; requests and disconnects are kept in lists."""

    def __init__(
        self,
        script: Script = ("Hello", " there", "."),
        *,
        port: int = 0,
        tell: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        """*script* is a list of tokens, an :class:`Answer`, or makes either from a request; *tell* hears of events."""
        self._script = script
        self._port = port
        self._tell = tell
        self._news = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.requests: list[Request] = []
        self.disconnects: list[Disconnect] = []
        self.connections_accepted = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def base_url(self) -> str:
        """What a client is given: ``http://127.0.0.1:PORT/v1``."""
        return f"http://127.0.0.1:{self._port}/v1"

    async def request(self, number: int = 0) -> Request:
        """The request of this number (from 0), as soon as it has come."""
        return await self._nth(self.requests, number)

    async def disconnect(self, number: int = 0) -> Disconnect:
        """The disconnect of this number (from 0), as soon as it was seen."""
        return await self._nth(self.disconnects, number)

    async def _nth(self, things: list[T], number: int) -> T:
        while len(things) <= number:
            await self._news.wait()
        return things[number]

    def _announce(self, event: dict[str, Any]) -> None:
        self._news.set()
        self._news = asyncio.Event()
        if self._tell is not None:
            self._tell(event)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        self.connections_accepted += 1
        try:
            # A cancelled server task would be reported by asyncio; closing is the ordinary end here.
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._converse(reader, writer)
        finally:
            self._connections.discard(task)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(1)
        while first:
            request = await self._receive(first, reader)
            self.requests.append(request)
            self._announce({"request": request.number, "path": request.path, "body": request.body})
            sending = _Sending(writer)
            # The first byte of the next request, or the end: no client sends either before its answer is complete.
            gone = asyncio.create_task(reader.read(1))
            answering = asyncio.create_task(self._answer(request, sending))
            try:
                await asyncio.wait({gone, answering}, return_when=asyncio.FIRST_COMPLETED)
                if not answering.done() or isinstance(answering.exception(), ConnectionError):
                    self._left(request, sending)
                    return
                if not await answering:
                    return
                first = await gone
            finally:
                await _end(gone, answering)

    def _left(self, request: Request, sending: "_Sending") -> None:
        disconnect = Disconnect(request.number, sending.tokens, asyncio.get_running_loop().time())
        self.disconnects.append(disconnect)
        self._announce({"disconnect": disconnect.request, "tokens": disconnect.tokens})

    async def _receive(self, first: bytes, reader: asyncio.StreamReader) -> Request:
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        return Request(len(self.requests), method, path, headers, json.loads(body) if body else {})

    async def _answer(self, request: Request, sending: "_Sending") -> bool:
        """Whether the connection can be used again."""
        if request.path.split("?")[0] != "/v1/chat/completions":
            await sending.document(404, {"error": {"message": "no such path"}}, {})
            return True
        script = self._script(request) if callable(self._script) else self._script
        answer = script if isinstance(script, Answer) else Answer(tokens=script)
        if answer.fault == "hang":
            await asyncio.Event().wait()
        if answer.status >= 400:
            error = answer.error or {"message": "scripted failure", "code": None}
            await sending.document(answer.status, {"error": error}, answer.headers)
        elif answer.fault == "page":
            await sending.document(200, {}, {"content-type": "text/html", **answer.headers})
        elif answer.fault == "whole" or not request.body.get("stream"):
            await sending.document(200, _completion(answer), answer.headers)
        else:
            return await _stream(answer, sending)
        return True


class _Sending:
    """The answer to one request on its way out."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.tokens = 0
        self._writer = writer

    async def document(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        content = json.dumps(body).encode()
        self._head(status, {"content-type": "application/json", "content-length": str(len(content)), **headers})
        self._writer.write(content)
        await self._writer.drain()

    async def begin(self, headers: Mapping[str, str]) -> None:
        self._head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked", **headers})
        await self._writer.drain()

    async def event(self, payload: str) -> None:
        await self.raw(f"data: {payload}\n\n")

    async def raw(self, text: str) -> None:
        content = text.encode()
        self._writer.write(b"%x\r\n%b\r\n" % (len(content), content))
        await self._writer.drain()

    async def repeat(self, text: str) -> None:
        """Send it again and again, as fast as it is read."""
        while True:
            await self.raw(text)
            await asyncio.sleep(0)

    async def end(self) -> None:
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    def reset(self) -> None:
        self._writer.transport.abort()

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in headers.items())]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))


async def _stream(answer: Answer, sending: _Sending) -> bool:
    await sending.begin(answer.headers)
    for number, token in enumerate(answer.tokens):
        if answer.fault and number == answer.fault_after and not answer.ends_first:
            return await _misbehave(answer.fault, sending)
        if answer.before_token is not None:
            await answer.before_token(number)
        await asyncio.sleep(answer.delay_s)
        await sending.event(_chunk({"content": token}, None))
        sending.tokens += 1
    if answer.fault and not answer.ends_first:
        return await _misbehave(answer.fault, sending)
    for delta in answer.deltas:
        await sending.event(_chunk(delta, None))
    await sending.event(_chunk({}, answer.finish_reason))
    if answer.fault:
        return await _misbehave(answer.fault, sending)
    if answer.usage is not None:
        await sending.event(json.dumps({**json.loads(_chunk({}, None)), "choices": [], "usage": answer.usage}))
    await sending.event("[DONE]")
    await sending.end()
    return True


async def _misbehave(fault: Fault, sending: _Sending) -> bool:
    match fault:
        case "stall":
            await asyncio.Event().wait()
        case "end":
            await sending.end()
            return True
        case "comments" | "empty" | "endless" | "line":
            await sending.repeat(_REPEATED[fault])
        case "garbage":
            await sending.event("{this is no JSON")
        case "error":
            await sending.event(json.dumps({"error": {"message": "scripted failure", "code": "server_error"}}))
        case _:
            sending.reset()
    return False


async def _end(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _chunk(delta: Mapping[str, Any], finish_reason: str | None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return json.dumps(
        {"id": "chatcmpl-0", "object": "chat.completion.chunk", "created": 0, "model": "fake", "choices": [choice]}
    )


_REPEATED: Mapping[str, str] = {
    "comments": ": keep-alive\n\n" * 100,
    "empty": f"data: {_chunk({}, None)}\n\n",
    "endless": f"data: {_chunk({'content': ' word'}, None)}\n\n",
    "line": "data: x" + "x" * 65_536,
}


def _completion(answer: Answer) -> dict[str, Any]:
    message = {"role": "assistant", "content": "".join(answer.tokens)}
    choice = {"index": 0, "message": message, "finish_reason": answer.finish_reason}
    return {"id": "chatcmpl-0", "object": "chat.completion", "created": 0, "model": "fake", "choices": [choice]}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.agents.fake_openai", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--delay-ms", type=float, default=0.0, help="before each token")
    parser.add_argument("--text", default="", help="what to answer; else numbered words")
    parser.add_argument("--tokens", type=int, default=200, help="how many numbered words")
    parser.add_argument("--status", type=int, default=200)
    parser.add_argument("--fault", default="", choices=get_args(Fault))
    parser.add_argument("--fault-after", type=int, default=0, help="tokens before the fault")
    return parser.parse_args()


def _tokens(arguments: argparse.Namespace) -> Iterator[str]:
    words = arguments.text.split() or [f"word{number}" for number in range(arguments.tokens)]
    return (word if number == 0 else f" {word}" for number, word in enumerate(words))


async def _main(arguments: argparse.Namespace) -> None:
    answer = Answer(
        tokens=tuple(_tokens(arguments)),
        delay_s=arguments.delay_ms / 1000,
        status=arguments.status,
        fault=arguments.fault,
        fault_after=arguments.fault_after,
    )
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with FakeOpenAI(answer, port=arguments.port, tell=lambda event: _say(json.dumps(event))) as server:
        _say(f"listening on {server.base_url}")
        await stopped.wait()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_main(_arguments()))
