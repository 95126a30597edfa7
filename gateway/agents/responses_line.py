"""A WebSocket to a server of the Responses API: events go there and come back as plain JSON."""

import asyncio
import json
import logging
from typing import Final, Self

import httpx2
from openai.resources.responses.responses import AsyncResponsesConnection
from openai.types.websocket_connection_options import WebSocketConnectionOptions
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus, WebSocketException

from gateway.agents.library_log import LIBRARY_LOG
from gateway.agents.responses_request import Body
from gateway.agents.upstream import MAX_EVENT_BYTES, Upstream

_OTHERWISE: Final = (401, 408, 429, 500, 502, 503, 504)
"""Statuses that say nothing of the WebSocket. Not 403: Starlette, and so vLLM, says that where there is none."""

SPARES: Final = 4
"""Connections that are kept open for the answers to come; each saves three or four round trips."""

_SPARE_S: Final = 60.0
_OLD_S: Final = 50 * 60.0
"""OpenAI ends a connection after an hour, in the middle of an answer if need be."""


class _Options(WebSocketConnectionOptions):
    """The package hands on what it is given, also what its own type does not name."""

    logger: logging.Logger


_OPTIONS: Final = _Options(max_size=MAX_EVENT_BYTES, compression=None, logger=LIBRARY_LOG)


class NotOffered(Exception):
    """The server has no WebSocket there."""


class Line:
    """One connection, on which one response runs at a time. Raises ``httpx2.HTTPError`` when it has ended."""

    def __init__(self, connection: AsyncResponsesConnection) -> None:
        self._connection = connection
        self._opened = asyncio.get_running_loop().time()

    @classmethod
    async def open(cls, upstream: Upstream, within_s: float) -> Self:
        """Connect. Raises :class:`NotOffered`, and ``httpx2.HTTPError`` for whatever else is in the way."""
        manager = upstream.client.responses.connect(websocket_connection_options=_OPTIONS)
        try:
            async with asyncio.timeout(within_s):
                return cls(await manager.enter())
        except InvalidStatus as error:
            if error.response.status_code in _OTHERWISE:
                raise httpx2.ConnectError("refused") from None
            raise NotOffered from None
        except (InvalidMessage, OSError):  # it hung up, or is not there in time; perhaps only now
            raise httpx2.ConnectError("no connection") from None
        except (WebSocketException, ImportError):  # the latter for a proxy that needs another library
            raise NotOffered from None

    @property
    def old(self) -> bool:
        """Is it too old for another answer?"""
        return asyncio.get_running_loop().time() - self._opened > _OLD_S

    async def send(self, event: Body) -> None:
        """Send an event."""
        try:
            await self._connection.send_raw(json.dumps(event))
        except ConnectionClosed:
            raise _ended() from None

    async def next(self) -> object:
        """The next event. Nothing is lost when it is cancelled. Raises ``ValueError`` for what is no JSON."""
        try:
            return json.loads(await self._connection.recv_bytes())
        except ConnectionClosed:
            raise _ended() from None

    async def aclose(self) -> None:
        """Hang up: the server is told at once."""
        await self._connection.close()


class Lines:
    """The connections to one server: those that are free wait a while for the next answer."""

    def __init__(self, upstream: Upstream, within_s: float) -> None:
        """*within_s* is the time to connect."""
        self._upstream = upstream
        self._within_s = within_s
        self._spares: dict[Line, asyncio.TimerHandle] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def get(self) -> Line:
        """A connection, the youngest that is free. Raises as :meth:`Line.open`."""
        if not self._spares:
            return await Line.open(self._upstream, self._within_s)
        line, until = self._spares.popitem()
        until.cancel()
        return line

    def free(self, line: Line) -> None:
        """The answer on *line* is complete."""
        if line.old or len(self._spares) == SPARES:
            self.hang_up(line)
        else:
            self._spares[line] = asyncio.get_running_loop().call_later(_SPARE_S, self.hang_up, line)

    def hang_up(self, line: Line) -> None:
        """Tell the server now; nobody waits for its good-bye."""
        if (until := self._spares.pop(line, None)) is not None:
            until.cancel()
        task = asyncio.create_task(line.aclose(), name="hang up")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def aclose(self) -> None:
        """Hang up everywhere. Calling it twice is harmless."""
        for line in list(self._spares):
            self.hang_up(line)
        await asyncio.gather(*self._closing, return_exceptions=True)


def _ended() -> httpx2.ReadError:
    return httpx2.ReadError("the connection has ended")
