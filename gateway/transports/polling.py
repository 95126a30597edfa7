"""Long polling: what happened after a cursor, at once if there is anything, else as soon as there is."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

import msgspec
from msgspec import UNSET
from starlette.types import Receive

from gateway.auth.principal import invalid
from gateway.auth.rights import Right
from gateway.errors import GatewayError
from gateway.protocol import extension as ext, realtime as rt
from gateway.protocol.close_codes import CloseCode
from gateway.protocol.presence import PresenceChanged, PresenceSnapshot
from gateway.runtime.actor import Actor
from gateway.transports.config import ConnectionConfig
from gateway.transports.connection import Connection, Services
from gateway.transports.cursors import Cursor, write_cursor
from gateway.transports.permits import MissingRight
from gateway.transports.streams import cursor_of, hung_up
from gateway.transports.telling import Caller

MAX_EVENTS: Final = 500
"""After so many events one answer ends, and says that there is more."""

GATHER_S: Final = 0.04
"""What comes so soon after the first event comes with it: an answer is not fetched token by token."""

NOT_FOR_POLLS = rt.SessionCreated | ext.SessionResumed | PresenceSnapshot | PresenceChanged
Delta = rt.TextDelta | rt.TranscriptDelta


class Basket:
    """Collects what one poll is told, and keeps the cursor from which the next one goes on."""

    def __init__(self, cursor: Cursor | None) -> None:
        self.events: list[msgspec.Raw] = []
        self.news = asyncio.Event()
        """Set when there is something to answer with, or nothing will come any more."""

        self.full = asyncio.Event()
        """Set when there is more than one answer holds."""

        self.catching_up = cursor is not None
        """True until a reader that resumes has been told what it missed."""

        self.refused: GatewayError | None = None
        """Why the reader may not have the events: its right to them was taken away while it waited."""

        self._cursor = cursor
        self._held = dict(cursor.held) if cursor is not None else {}

    @property
    def cursor(self) -> str | None:
        """Where the reader is once it has the events; None when it could not be told anything."""
        return write_cursor(self._cursor._replace(held=self._held)) if self._cursor is not None else None

    def take(self, event: rt.ServerEvent) -> None:
        """An event for the reader. Greetings are none, nor is what it holds already, nor who is here just now."""
        if isinstance(event, NOT_FOR_POLLS) or (isinstance(event, Delta) and not event.delta):
            return
        self._cursor = cursor_of(event) or self._cursor
        self._follow(event)
        self.events.append(msgspec.Raw(rt.encode(event).encode()))
        if not (self.catching_up and self._stands(event)):
            self.news.set()

    def _stands(self, event: rt.ServerEvent) -> bool:
        """True for what every reader is told again when it comes, and which is no reason to answer."""
        return event.seq is UNSET and not isinstance(event, Delta | ext.SessionReset | ext.SessionClosing)

    def close(self, code: CloseCode) -> None:
        """Nothing more comes, and where its reader may no longer read, nothing at all."""
        if code is CloseCode.FORBIDDEN:
            self.refused = MissingRight(Right.READ)
        elif code is CloseCode.UNAUTHORISED:
            self.refused = invalid("revoked")
        self.news.set()

    async def drained(self) -> None:
        """Wait for room. Where there is none there never will be: the next poll goes on from there."""
        if len(self.events) >= MAX_EVENTS:
            self.full.set()
            await asyncio.Event().wait()

    def _follow(self, event: rt.ServerEvent) -> None:
        match event:
            case rt.TextDelta() | rt.TranscriptDelta():
                self._held[event.item_id] = event.offset + len(event.delta)
            case rt.TextDone() | rt.TranscriptDone() | rt.ItemDeleted():
                self._held.pop(event.item_id, None)
            case ext.SessionSnapshot():
                self._held = {item.id: len(_text(item)) for item in event.items if item.status == "in_progress"}
            case _:
                pass


def _text(item: rt.Item) -> str:
    return "".join(part.text or part.transcript or "" for part in item.content or ())


async def poll(services: Services, actor: Actor, caller: Caller, wait_s: float, receive: Receive) -> Basket:
    """What is new to *caller*: at once if there is anything, else within *wait_s*, or until the client is gone.

    Raises ``AuthError`` or ``ProtocolViolation`` when it may not read any more.
    """
    basket = Basket(Cursor(*caller.resume, caller.held) if caller.resume is not None else None)
    connection = Connection(
        services, actor, caller, ConnectionConfig(("text",)), holds_sound=False, send=_unused, close=basket.close
    )
    connection.present = False  # it comes and goes with every poll
    connection.teller.deliver = basket.take
    connection.teller.drained = basket.drained
    try:
        await _first(connection.open(), basket.full.wait(), hung_up(receive))
        basket.catching_up = False
        if not basket.news.is_set():
            await _first(basket.news.wait(), hung_up(receive), timeout_s=wait_s)
            if basket.news.is_set():
                await _first(hung_up(receive), timeout_s=GATHER_S)
    finally:
        await connection.aclose()
    if basket.refused is not None:
        raise basket.refused
    return basket


def _unused(_text: str) -> None:
    """Events are taken as such."""


async def _first(*things: Coroutine[Any, Any, object], timeout_s: float | None = None) -> None:
    """Wait until the first of *things* is done, and drop the others. Raises what that one raised."""
    tasks = [asyncio.create_task(thing) for thing in things]
    try:
        done, _ = await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
