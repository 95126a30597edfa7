"""A gateway on a free port of this machine, in the test's own loop, and real clients for it."""

import asyncio
import contextlib
import http.client
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from gateway.app import create_app
from gateway.runtime.ports import Agent
from gateway.settings import Settings
from gateway.transports import keepalive
from gateway.transports.admission import Measured
from gateway.transports.connection import Services
from media.leg import Engines
from tests.transports.inbox import Inbox, Json

EXTENDED, STOCK = "bargein.v1", "realtime"

SHUTDOWN_POLL_S = 0.002


@dataclass(slots=True)
class Socket:
    """A WebSocket of the ``websockets`` library. What comes is read all the time, unless it is told not to."""

    connection: ClientConnection
    inbox: Inbox = field(default_factory=lambda: Inbox(patience_s=10.0))
    reader: asyncio.Task[None] | None = None

    @property
    def got(self) -> list[Json]:
        return self.inbox.got

    def types(self, after: int = 0) -> list[str]:
        return self.inbox.types(after)

    def all(self, kind: str) -> list[Json]:
        return self.inbox.all(kind)

    async def get(self, kind: str, count: int = 1) -> Json:
        return await self.inbox.get(kind, count)

    async def close_code(self) -> int:
        """Wait until the gateway closes the connection."""
        await self.inbox.until(lambda: self.inbox.closed)
        return self.inbox.closed[0]

    async def send(self, kind: str, **fields: Any) -> None:
        """Send an event."""
        await self.raw(json.dumps({"type": kind, **fields}))

    async def raw(self, data: str | bytes) -> None:
        """Send a text frame, or for bytes a binary one. One that is refused by a closed connection is lost."""
        with contextlib.suppress(ConnectionClosed):
            await self.connection.send(data)

    async def say(self, text: str, **fields: Any) -> None:
        """Type a message."""
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        await self.send("conversation.item.create", item=item, **fields)

    async def ask(self, text: str, **fields: Any) -> None:
        """Type a message, and ask for an answer."""
        await self.say(text)
        await self.send("response.create", **fields)

    async def read(self) -> None:
        """Take what comes until the connection ends."""
        try:
            async for message in self.connection:
                self.inbox.take(json.loads(message))
        except ConnectionClosed:
            pass
        self.inbox.end(self.connection.close_code or 1006)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an HTTP request was answered with."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Json:
        found: Json = json.loads(self.body)
        return found

    @property
    def code(self) -> str:
        """The code of the error that it is."""
        return str(self.json["error"]["code"])


@dataclass(slots=True)
class Gateway:
    """A gateway that is being served."""

    app: Starlette
    port: int

    @property
    def services(self) -> Services:
        services: Services = self.app.state.services
        return services

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def socket(
        self, query: str = "model=m", *protocols: str, reads: bool = True, **options: Any
    ) -> AsyncIterator[Socket]:
        """Connect a WebSocket, with ``bargein.v1`` unless it is told otherwise (``""`` for none)."""
        offered = [Subprotocol(name) for name in protocols or (EXTENDED,) if name]
        uri = f"ws://127.0.0.1:{self.port}/v1/realtime?{query}"
        async with connect(uri, subprotocols=offered or None, compression=None, **options) as connection:
            socket = Socket(connection)
            if reads:
                socket.reader = asyncio.create_task(socket.read())
            try:
                yield socket
            finally:
                if socket.reader is not None:
                    socket.reader.cancel()

    async def http(
        self, method: str, path: str, body: bytes | str | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Ask over HTTP, with the standard library's client."""
        return await asyncio.to_thread(self._ask, method, path, body, headers or {})

    def _ask(self, method: str, path: str, body: bytes | str | None, headers: dict[str, str]) -> Answer:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            client.request(method, path, body, headers)
            response = client.getresponse()
            return Answer(
                response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
            )
        finally:
            client.close()

    async def session(self) -> str:
        """The id of a new session."""
        async with self.socket() as socket:
            return str((await socket.get("session.created"))["session"]["id"])


class Server(uvicorn.Server):
    """uvicorn's, which says when it is up, and ends as soon as it may: uvicorn only looks every 100 ms."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()
        self._ends = asyncio.Event()

    def end(self) -> None:
        """Ask it to shut down."""
        self._ends.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self._ends.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110 - uvicorn has no event for it
                    await asyncio.sleep(SHUTDOWN_POLL_S)
        for task in list(self.server_state.tasks):
            task.cancel()
        await self.lifespan.shutdown()


@asynccontextmanager
async def serving(
    folder: Path,
    *,
    agent: Agent | str | None = None,
    engines: Engines | None = None,
    ping_every_s: float = keepalive.PING_EVERY_S,
    pong_within_s: float = keepalive.PONG_WITHIN_S,
    http: type[keepalive.HttpProtocol] = keepalive.HttpProtocol,
    **settings: Any,
) -> AsyncIterator[Gateway]:
    """Serve a gateway with its log in *folder*. It is always in time: the machine is shared with other tests."""
    name, agent = (agent, None) if isinstance(agent, str) else ("offline", agent)
    given = {"agent": name, "synthesizer": "none", "recognizer": "none", "data": str(folder), **settings}
    known = Settings(**given)
    app = create_app(known, agent=agent, engines=engines, lateness=Measured)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        http=http,
        ws=keepalive.Protocol,
        ws_max_size=known.max_append_bytes + 1024,
        ws_per_message_deflate=False,
        ws_ping_interval=ping_every_s,
        ws_ping_timeout=pong_within_s,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    server = Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    await server.up.wait()
    try:
        yield Gateway(app, listener.getsockname()[1])
    finally:
        server.end()
        await task
        listener.close()
