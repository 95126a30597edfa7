"""A real server on the loopback that speaks OpenAI's Responses API, over HTTP and over its WebSocket, and misbehaves.

In a test: ``async with FakeResponses(["Hello", " there"]) as server``, then ``server.base_url``. What came in and who
hung up are kept in lists, as in :mod:`tests.agents.fake_openai`.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self, TypeAlias, TypeVar

from websockets.frames import Frame, Opcode
from websockets.http11 import Request as Handshake
from websockets.server import ServerProtocol

from tests.agents.fake_openai import Disconnect, Request

T = TypeVar("T")
Event: TypeAlias = dict[str, Any]

Fault = Literal["", "hang", "stall", "garbage", "reset", "error", "failed", "ends", "whole"]
"""``hang`` sends nothing at all. After ``fault_after`` tokens, ``stall`` sends no more, ``garbage`` sends what is no
JSON, ``reset`` resets the connection, ``error`` and ``failed`` send those events, ``ends`` ends without a last event.
``whole`` answers a request for a stream, over HTTP, with one JSON document."""

SteerFault = Literal["", "refused", "pending", "no successor", "failed", "late", "silent", "reset"]
"""What becomes of a ``response.steer``: it is refused at once; it is accepted and must wait for a tool's result; it is
accepted and then fails, or its response does; it is accepted and nothing more comes; nothing is said of it; the
connection is reset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What to do with one request for a response."""

    tokens: Sequence[str] = ("Hello", " there", ".")
    calls: Sequence[tuple[str, str, str]] = ()
    """Call id, name and arguments of functions that the model asks for, after its words."""

    thoughts: Sequence[str] = ()
    usage: Mapping[str, Any] | None = None
    incomplete: str = ""
    """The reason of ``response.incomplete``, if it ends so."""

    error: Mapping[str, Any] | None = None
    """That of a status of failure, or of ``failed``."""

    events: Sequence[Event] | None = None
    """Sent as they are, instead of all the above: what servers of other makes send."""

    delay_s: float = 0.0
    before_token: Callable[[int], Awaitable[None]] | None = None
    """Awaited before the token of this number (from 0) is sent: a gate for tests."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Fault = ""
    fault_after: int = 0

    steer: SteerFault = ""
    boundary: int = 0
    """How many more tokens are said after a steer was accepted."""

    successor: Sequence[str] = ("Then", " this", ".")
    """What is said after a steer."""


Script: TypeAlias = Answer | Sequence[str] | Callable[[Request], Answer | Sequence[str]]


class FakeResponses:
    """The server. Listens while its context is open.

    A ``response.create`` over a WebSocket is a request, too; a ``response.steer`` is kept in ``steers``.
    """

    def __init__(self, script: Script = ("Hello", " there", ".")) -> None:
        """*script* is a list of tokens, an :class:`Answer`, or makes either from a request."""
        self._script = script
        self._news = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.requests: list[Request] = []
        self.steers: list[Event] = []
        self.disconnects: list[Disconnect] = []
        self.connections_accepted = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
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
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def request(self, number: int = 0) -> Request:
        """The request of this number (from 0), as soon as it has come."""
        return await self._nth(self.requests, number)

    async def steer(self, number: int = 0) -> Event:
        """The ``response.steer`` of this number (from 0), as soon as it has come."""
        return await self._nth(self.steers, number)

    async def disconnect(self, number: int = 0) -> Disconnect:
        """The disconnect of this number (from 0), as soon as it was seen."""
        return await self._nth(self.disconnects, number)

    async def _nth(self, things: list[T], number: int) -> T:
        while len(things) <= number:
            await self._news.wait()
        return things[number]

    def keep(self, things: list[T], thing: T) -> None:
        """Remember *thing*, and wake up who waits for it."""
        things.append(thing)
        self._news.set()
        self._news = asyncio.Event()

    def left(self, request: Request, tokens: int) -> None:
        """A client has hung up before its answer was complete."""
        self.keep(self.disconnects, Disconnect(request.number, tokens, asyncio.get_running_loop().time()))

    def answer(self, request: Request) -> Answer:
        """What the script says."""
        script = self._script(request) if callable(self._script) else self._script
        return script if isinstance(script, Answer) else Answer(tokens=script)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        self.connections_accepted += 1
        try:
            # A cancelled server task would be reported by asyncio; closing is the ordinary end here.
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._serve(reader, writer)
        finally:
            self._connections.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raw = await reader.readuntil(b"\r\n\r\n")
        head = raw.decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        if headers.get("upgrade") == "websocket":
            await _Socket(self, headers, reader, writer).converse(raw)
            return
        body = json.loads(await reader.readexactly(int(headers.get("content-length", "0"))) or b"{}")
        request = Request(len(self.requests), method, path, headers, body)
        self.keep(self.requests, request)
        stream = _Stream(writer)
        # The end, for no client sends anything before its answer is complete.
        gone = asyncio.create_task(reader.read(1))
        answering = asyncio.create_task(self._answer(request, stream))
        try:
            await asyncio.wait({gone, answering}, return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                await answering
            else:
                self.left(request, stream.tokens)
        finally:
            for task in (gone, answering):
                task.cancel()
            await asyncio.gather(gone, answering, return_exceptions=True)

    async def _answer(self, request: Request, stream: "_Stream") -> None:
        if request.path.split("?")[0] != "/v1/responses":
            stream.document(404, {"error": {"message": "no such path"}}, {})
            return
        answer = self.answer(request)
        if answer.fault == "hang":
            await asyncio.Event().wait()
        if answer.status >= 400:
            stream.document(answer.status, {"error": answer.error or {"message": "scripted"}}, answer.headers)
        elif answer.fault == "whole":
            stream.document(200, _whole(answer), answer.headers)
        else:
            stream.begin(answer.headers)
            if await said(answer, "resp_0", stream.send, stream):
                stream.end()


class _Stream:
    """The answer to one HTTP request on its way out. Connections are used once: enough for what is tested here."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.tokens = 0
        self._writer = writer

    def document(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        content = json.dumps(body).encode()
        self._head(status, {"content-type": "application/json", "content-length": str(len(content)), **headers})
        self._writer.write(content)

    def begin(self, headers: Mapping[str, str]) -> None:
        self._head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked", **headers})

    async def send(self, event: Event | str) -> None:
        name = f"event: {event['type']}\n" if isinstance(event, dict) and "type" in event else ""
        content = f"{name}data: {_text(event)}\n\n".encode()
        self._writer.write(b"%x\r\n%b\r\n" % (len(content), content))
        await self._writer.drain()

    def end(self) -> None:
        self._writer.write(b"0\r\n\r\n")

    def reset(self) -> None:
        self._writer.transport.abort()

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in headers.items())]
        self._writer.write(("\r\n".join([*lines, "connection: close"]) + "\r\n\r\n").encode("latin-1"))


class _Socket:
    """One client's WebSocket: its responses run one at a time, and can be steered."""

    def __init__(
        self,
        server: FakeResponses,
        headers: Mapping[str, str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.tokens = 0
        self._server = server
        self._headers = headers
        self._reader = reader
        self._writer = writer
        self._protocol = ServerProtocol()
        self._running: asyncio.Task[bool] | None = None
        self._request: Request | None = None
        self._answer = Answer()
        self._responses = 0

    async def converse(self, head: bytes) -> None:
        self._protocol.receive_data(head)
        [handshake] = self._protocol.events_received()
        assert isinstance(handshake, Handshake)
        opening = self._server.answer(Request(0, "GET", handshake.path, self._headers, {}))
        if opening.fault == "reset":
            self.reset()
            return
        if opening.status >= 400:
            self._protocol.send_response(self._protocol.reject(opening.status, "scripted"))
            self._flush()
            return
        self._protocol.send_response(self._protocol.accept(handshake))
        self._flush()
        try:
            while data := await self._reader.read(1 << 16):
                self._protocol.receive_data(data)
                self._flush()
                for event in self._protocol.events_received():
                    if isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                        self._take(json.loads(bytes(event.data)))
                if self._protocol.close_rcvd is not None:
                    break
        finally:
            if self._running is not None:
                if not self._running.done() and self._request is not None:
                    self._server.left(self._request, self.tokens)
                self._running.cancel()
                await asyncio.gather(self._running, return_exceptions=True)

    def _take(self, event: Event) -> None:
        if event["type"] == "response.steer":
            self._server.keep(self._server.steers, event)
            self._steering = asyncio.create_task(self._steered(event))
            return
        body = {name: value for name, value in event.items() if name != "type"}
        self._request = Request(len(self._server.requests), "WS", "/v1/responses", self._headers, body)
        self._server.keep(self._server.requests, self._request)
        self._answer = self._server.answer(self._request)
        self._running = asyncio.create_task(self._respond(self._answer))

    async def _respond(self, answer: Answer) -> bool:
        if answer.fault == "hang":
            await asyncio.Event().wait()
        if answer.status >= 400:
            error = {"type": "scripted", "message": "scripted", **(answer.error or {})}
            await self.send({"type": "error", "status": answer.status, "error": error})
            return True
        self._responses += 1
        if await said(answer, self.response_id, self.send, self):
            return True
        self._writer.close()
        return False

    @property
    def response_id(self) -> str:
        return f"resp_{self._responses}"

    async def _steered(self, event: Event) -> None:
        answer = self._answer
        steer = {"id": "steer_1", "previous_response_id": event["previous_response_id"]}
        failed = {"type": "response.steer.failed", "steer": {**steer, "input": event["input"]}}
        match answer.steer:
            case "silent":
                return
            case "reset":
                self.reset()
                return
            case "refused":
                error = {"code": "response_already_completed", "message": "scripted", "type": "invalid_request_error"}
                await self.send({**failed, "error": error})
                return
        await self.send({"type": "response.steer.accepted", "steer": steer})
        if answer.steer == "pending":
            stubs = [{"type": "function_call_output", "call_id": "call_1"}]
            reason = "waiting_for_required_input"
            await self.send(
                {"type": "response.steer.pending", "steer": steer, "reason": reason, "required_input": stubs}
            )
            return
        if answer.steer == "late":
            return
        if answer.steer == "failed":
            error = {"code": "rate_limit_exceeded", "message": "scripted"}
            await self.send({"type": "response.failed", "response": {"status": "failed", "error": error}})
            return
        assert self._running is not None
        await self._stop_at_a_boundary(answer)
        if answer.steer == "no successor":
            error = {"code": "successor_creation_failed", "message": "scripted", "type": "invalid_request_error"}
            await self.send({**failed, "error": error})
            return
        self._responses += 1
        rest = Answer(tokens=answer.successor, before_token=answer.before_token, delay_s=answer.delay_s)
        self._running = asyncio.create_task(said(rest, self.response_id, self.send, self))

    async def _stop_at_a_boundary(self, answer: Answer) -> None:
        """End what is being said after a few more tokens, as steered."""
        assert self._running is not None
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        for token in answer.tokens[self.tokens : self.tokens + answer.boundary]:
            await self.send(_delta(token))
        await self.send(_over(answer, self.response_id, "response.incomplete", incomplete="steered"))

    async def send(self, event: Event | str) -> None:
        self._protocol.send_text(_text(event).encode())
        self._flush()
        await self._writer.drain()

    def reset(self) -> None:
        self._writer.transport.abort()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._writer.write(data)


async def said(
    answer: Answer, response_id: str, send: Callable[[Event | str], Awaitable[None]], to: _Stream | _Socket
) -> bool:
    """Send all of an answer; False when the connection is of no use after it."""
    if answer.events is not None:
        for event in answer.events:
            await send(event)
        return True
    await send({"type": "response.created", "response": {"id": response_id, "status": "in_progress", "output": []}})
    for event in _thinking(answer.thoughts):
        await send(event)
    await send({"type": "response.output_item.added", "output_index": 0, "item": _message(())})
    for number, token in enumerate(answer.tokens):
        if answer.fault and number == answer.fault_after:
            return await _misbehave(answer, response_id, send, to)
        if answer.before_token is not None:
            await answer.before_token(number)
        await asyncio.sleep(answer.delay_s)
        await send(_delta(token))
        to.tokens += 1
    if answer.fault:
        return await _misbehave(answer, response_id, send, to)
    await send({"type": "response.output_text.done", "item_id": "msg_1", "text": "".join(answer.tokens)})
    await send({"type": "response.output_item.done", "output_index": 0, "item": _message(answer.tokens)})
    for event in _calling(answer.calls):
        await send(event)
    ending = "response.incomplete" if answer.incomplete else "response.completed"
    await send(_over(answer, response_id, ending, incomplete=answer.incomplete))
    return True


async def _misbehave(
    answer: Answer, response_id: str, send: Callable[[Event | str], Awaitable[None]], to: _Stream | _Socket
) -> bool:
    error = dict(answer.error or {"code": "server_error", "message": "scripted"})
    match answer.fault:
        case "stall":
            await asyncio.Event().wait()
        case "garbage":
            await send("{this is no JSON")
        case "error":
            nested = {"error": {"type": "server_error", **error}} if isinstance(to, _Socket) else error
            await send({"type": "error", **nested})
        case "failed":
            response = {"id": response_id, "status": "failed", "error": error, "output": []}
            await send({"type": "response.failed", "response": response})
        case "reset":
            to.reset()
    return False


def _delta(token: str) -> Event:
    return {
        "type": "response.output_text.delta",
        "item_id": "msg_1",
        "output_index": 0,
        "content_index": 0,
        "delta": token,
    }


def _thinking(thoughts: Sequence[str]) -> Iterator[Event]:
    for part, thought in enumerate(thoughts):
        yield {"type": "response.reasoning_summary_part.added", "item_id": "rs_1", "summary_index": part}
        yield {
            "type": "response.reasoning_summary_text.delta",
            "item_id": "rs_1",
            "summary_index": part,
            "delta": thought,
        }


def _calling(calls: Sequence[tuple[str, str, str]]) -> Iterator[Event]:
    for number, (call_id, name, arguments) in enumerate(calls, start=1):
        item = {"type": "function_call", "id": f"fc_{number}", "call_id": call_id, "name": name}
        begun = {**item, "arguments": "", "status": "in_progress"}
        yield {"type": "response.output_item.added", "output_index": number, "item": begun}
        yield {"type": "response.function_call_arguments.delta", "item_id": f"fc_{number}", "delta": arguments}
        yield {"type": "response.function_call_arguments.done", "item_id": f"fc_{number}", "arguments": arguments}
        done = {**item, "arguments": arguments, "status": "completed"}
        yield {"type": "response.output_item.done", "output_index": number, "item": done}


def _message(tokens: Sequence[str]) -> Event:
    content = [{"type": "output_text", "text": "".join(tokens), "annotations": []}] if tokens else []
    status = "completed" if tokens else "in_progress"
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": status, "content": content}


def _over(answer: Answer, response_id: str, type: str, *, incomplete: str) -> Event:
    response: Event = {"id": response_id, "status": type.removeprefix("response."), "usage": answer.usage}
    if incomplete:
        response["incomplete_details"] = {"reason": incomplete}
    return {"type": type, "response": response}


def _whole(answer: Answer) -> Event:
    return {"id": "resp_0", "object": "response", "status": "completed", "output": [_message(answer.tokens)]}


def _text(event: Event | str) -> str:
    return event if isinstance(event, str) else json.dumps(event)
