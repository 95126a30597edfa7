"""What a reader is sent as server-sent events: the events of a WebSocket, in the same order, with ids to go on from.

See the WHATWG's HTML standard, 9.2. Events have no ``event`` field, so that one handler takes them all, those of later
versions too; their type stands in their data. An id stands only where a reader may go on from it.
"""

import asyncio
import contextlib
import logging
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.protocol import extension as ext, realtime as rt
from gateway.protocol.close_codes import CloseCode
from gateway.runtime.actor import Actor
from gateway.runtime.outbox import Outbox
from gateway.transports.admission import Place
from gateway.transports.config import ConnectionConfig
from gateway.transports.connection import Connection, Services
from gateway.transports.cursors import Cursor, write_cursor
from gateway.transports.telling import Caller

log = logging.getLogger(__name__)

KEEP_ALIVE_S: Final = 15.0
"""Proxies close what is silent for 30 to 60 s."""

LAST_WORDS_S: Final = 5.0
"""How long a reader that is let go may take to read what it was sent before."""

RETRY_MS: Final = 1000
"""How long a reader waits before it connects again, in calm weather."""

_HEADERS: Final = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would keep events until it has a page full
}


def frame(event: rt.ServerEvent) -> str:
    """An event as a reader of the stream gets it."""
    cursor = cursor_of(event)
    head = f"id: {write_cursor(cursor)}\n" if cursor is not None else ""
    retry = getattr(event, "retry_after_ms", None)
    if isinstance(retry, int):
        head += f"retry: {RETRY_MS + retry}\n"
    return f"{head}data: {rt.encode(event)}\n\n"


def cursor_of(event: rt.ServerEvent) -> Cursor | None:
    """Where a reader is once it has *event*; None where it was before."""
    # What resumes tells where it will end, not where it is.
    if isinstance(event, ext.SessionResumed) or not isinstance(event.seq, int) or not isinstance(event.epoch, str):
        return None
    return Cursor(event.epoch, event.seq)


async def hung_up(receive: Receive) -> None:
    """Wait until the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


class EventStream(Response):
    """A session's events until either side closes. Gives *place* back then."""

    def __init__(self, services: Services, actor: Actor, caller: Caller, place: Place) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._place = place
        self._outbox = Outbox()
        self._over = asyncio.Event()
        config = ConnectionConfig(("text",))
        self._connection = Connection(
            services, actor, caller, config, holds_sound=False, send=self._put, close=self._close_soon
        )
        self._connection.teller.deliver = lambda event: self._put(frame(event))
        self._connection.teller.drained = self._outbox.drained

    def _put(self, text: str) -> None:
        if not self._outbox.put(text):
            self._close_soon(CloseCode.SLOW_CONSUMER)

    def _close_soon(self, code: CloseCode) -> None:
        """End the stream after what was sent before, unless its reader may no longer read that."""
        log.info("an event stream ends", extra={"session": self._connection.actor.session_id, "reason": code.name})
        if code in (CloseCode.FORBIDDEN, CloseCode.UNAUTHORISED):
            self._outbox.cut()
        else:
            self._outbox.close()
        self._over.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        tasks = [
            asyncio.create_task(self._write(send), name="event stream writes"),
            asyncio.create_task(self._let_go(), name="event stream lets go"),
            asyncio.create_task(hung_up(receive), name="event stream listens"),
        ]
        greeting = asyncio.create_task(self._greet(), name="event stream greets")
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._place.leave()
            for task in (greeting, *tasks):
                task.cancel()
            await asyncio.gather(greeting, *tasks, return_exceptions=True)
            await self._connection.aclose()

    async def _greet(self) -> None:
        try:
            await self._connection.open()
        except Exception:
            log.exception("an event stream could not begin")
            self._close_soon(CloseCode.INTERNAL_ERROR)

    async def _write(self, send: Send) -> None:
        with contextlib.suppress(OSError):
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            text: str | None = f"retry: {RETRY_MS}\n\n"
            while text is not None:
                await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
                text = await self._next()
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _next(self) -> str | None:
        try:
            async with asyncio.timeout(KEEP_ALIVE_S):
                return await self._outbox.get()
        except TimeoutError:
            return ": still here\n\n"

    async def _let_go(self) -> None:
        """A reader that does not read would hold up the end for ever."""
        await self._over.wait()
        await asyncio.sleep(LAST_WORDS_S)
