"""Keeps a conversation connected: :class:`gateway.client.protocol.ClientProtocol` on a WebSocket that comes back."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from gateway.client.backoff import Backoff
from gateway.client.errors import ClientError, CommandFailed, ConnectionRefused, GatewayUnreachable
from gateway.client.events import Disconnected, Event, Missed
from gateway.client.protocol import ClientProtocol, Receipt
from gateway.client.wire import Wire
from gateway.protocol.close_codes import CloseCode

MAX_UNREAD: Final = 4096
"""Events kept for a program that does not read them."""

STEADY_S: Final = 10.0
"""A connection that lasts so long was none that the gateway ends at once: the next attempt is a first one again."""

FOR_GOOD: Final = {
    CloseCode.FORBIDDEN: ("forbidden", "The gateway does not let this client in."),
    CloseCode.SESSION_NOT_FOUND: ("session_not_found", "There is no session with this id."),
    CloseCode.TOO_MANY_ERRORS: ("too_many_errors", "The gateway could not take what this client sent."),
}
"""Close codes after which trying again would only be refused again."""


class Link:
    """Reads, writes and connects again, in one task; holds who waits for an answer, and what was not read yet."""

    def __init__(self, protocol: ClientProtocol, open_wire: Callable[[], Awaitable[Wire]], backoff: Backoff) -> None:
        self.protocol = protocol
        self._open_wire = open_wire
        self._backoff = backoff
        self._waiting: dict[str, asyncio.Future[Receipt]] = {}
        self._unread: deque[Event] = deque()
        self._missed = 0
        self._news = asyncio.Event()
        self._to_send = asyncio.Event()
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None
        self._over: BaseException | None = None
        """Why nothing comes any more; None while something may."""

    # --- what the program says ---

    async def give(self, *commands: tuple[str, dict[str, Any]]) -> list[Receipt]:
        """Give commands, and wait until all are applied; those that nobody waits for any more are withdrawn.

        All are on their way before the first is answered: an interruption does not wait for a round trip.
        """
        begun: list[str] = []  # those begun before one that fails are withdrawn
        try:
            for type, fields in commands:
                begun.append(self._begin(type, fields))
            return [await self._waiting[each] for each in begun]
        finally:
            for each in begun:
                self._forget(each)

    def tell(self, type: str, fields: dict[str, Any]) -> bool:
        """Send an event that gets no receipt. False while there is no connection."""
        told = self._over is None and self.protocol.tell(type, fields)
        self._to_send.set()
        return told

    def _begin(self, type: str, fields: dict[str, Any]) -> str:
        if self._over is not None:
            code = self._over.code if isinstance(self._over, ClientError) else "closed"
            raise CommandFailed(code, "The conversation is over.")
        command_id = self.protocol.command(type, fields)
        self._waiting[command_id] = asyncio.get_running_loop().create_future()
        self._to_send.set()
        return command_id

    def _forget(self, command_id: str) -> None:
        self.protocol.withdraw(command_id)
        answer = self._waiting.pop(command_id)
        if answer.done() and not answer.cancelled():
            answer.exception()  # who waited was told of another one; this one is not lost by accident

    # --- the connection ---

    async def open(self) -> None:
        """Connect, and wait until the conversation so far is there. Called by :func:`connect`."""
        wire = await self._open_wire()
        self._task = asyncio.create_task(self._run(wire), name="conversation")
        await self._ready

    async def aclose(self) -> None:
        """Close the connection. Harmless when it is closed."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._end(_Closed("closed", "The conversation was closed."))

    async def _run(self, wire: Wire) -> None:
        try:
            while True:
                began = asyncio.get_running_loop().time()
                await self._serve(wire)
                if asyncio.get_running_loop().time() - began >= STEADY_S:
                    self._backoff.succeeded()
                self._check(wire)
                wire = await self._dial_again(wire)
        except Exception as error:
            self._end(error)
            if not isinstance(error, ClientError):
                raise

    def _check(self, wire: Wire) -> None:
        """Raise when there is no point in trying again, or nobody has been promised that."""
        for code, (name, message) in FOR_GOOD.items():
            if wire.close_code == code:
                raise ConnectionRefused(name, message)
        if not self._ready.done():
            raise GatewayUnreachable(f"The gateway closed the connection at once ({wire.close_code}).")

    async def _serve(self, wire: Wire) -> None:
        """Read and write until the connection ends."""
        self.protocol.opened()
        writer = asyncio.create_task(self._write(wire), name="conversation writes")
        try:
            async for text in wire:
                self._take(text)
        finally:
            writer.cancel()
            self.protocol.lost()
            await asyncio.gather(writer, return_exceptions=True)
            await wire.aclose()

    async def _write(self, wire: Wire) -> None:
        while True:
            self._to_send.clear()
            due = self.protocol.to_send(asyncio.get_running_loop().time())
            self._settle()
            for text in due:
                await wire.send(text)
            await self._to_send.wait()

    async def _dial_again(self, lost: Wire) -> Wire:
        code, reason, hint_s = lost.close_code, lost.close_reason, self.protocol.retry_after_s
        while True:
            wait_s = self._backoff.next(hint_s)
            self._tell_reader(Disconnected(code, reason, wait_s))
            await asyncio.sleep(wait_s)
            try:
                return await self._open_wire()
            except GatewayUnreachable as error:
                reason, hint_s = str(error), None
            except ConnectionRefused as error:
                if error.for_good:
                    raise
                reason, hint_s = error.code, error.retry_after_s

    def _take(self, text: str | bytes) -> None:
        for event in self.protocol.receive(text):
            self._tell_reader(event)
        self._settle()
        if self.protocol.caught_up and not self._ready.done():
            self._ready.set_result(None)
        self._to_send.set()

    def _settle(self) -> None:
        for command_id, result in self.protocol.settled():
            answer = self._waiting.get(command_id)
            if answer is None or answer.done():
                continue
            if isinstance(result, Receipt):
                answer.set_result(result)
            else:
                answer.set_exception(result)

    # --- who reads ---

    async def events(self) -> AsyncIterator[Event]:
        """What happens, to the end of the conversation. For one reader at a time.

        Of what is not read the last 4096 events are kept; then :class:`gateway.client.events.Missed` comes in place
        of the others. Raises :class:`ConnectionRefused` when the gateway does not let this client back in.
        """
        while True:
            while self._unread or self._missed:
                yield self._next_unread()
            if self._over is not None:
                if not isinstance(self._over, _Closed):
                    raise self._over
                return
            self._news.clear()
            await self._news.wait()

    def _tell_reader(self, event: Event) -> None:
        if len(self._unread) >= MAX_UNREAD:
            self._unread.popleft()
            self._missed += 1
        self._unread.append(event)
        self._news.set()

    def _next_unread(self) -> Event:
        if self._missed:
            missed, self._missed = self._missed, 0
            return Missed(missed)
        return self._unread.popleft()

    def _end(self, why: Exception) -> None:
        if self._over is not None:
            return
        self._over = why
        code = why.code if isinstance(why, ClientError) else "closed"
        self.protocol.fail(code, "The conversation ended before the gateway answered.")
        self._settle()
        if not self._ready.done():
            self._ready.set_exception(why)
            self._ready.exception()  # whoever opens it is told; nobody else needs to be
        self._news.set()


class _Closed(ClientError):
    """The end that was asked for."""
