"""Sockets that notice when nobody is there any more: WebSockets, whatever waits to be sent, and HTTP, whatever is still
to come of a request's head."""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

PING_EVERY_S: Final = 4.0

PONG_WITHIN_S: Final = 6.0
"""A client that is busy for less is not taken for dead. Who falls silent is noticed within ``PING_EVERY_S`` and this:
with the grace of the core that is less than the 15 s after which others must know."""

HEADS_WITHIN_S: Final = 10.0
"""From connecting to a whole request without its body. A phone whose first packet is lost three times needs 7 s."""

MAX_FRAGMENTS: Final = 1024
"""Of one message: the largest that we take, 15 MiB of sound, in pieces of 16 KiB, as libraries make them."""

TOO_BIG: Final = 1009
"""RFC 6455 section 7.4.1."""

FAREWELL_S: Final = 0.5
"""The close frame may take so long to leave, in case that somebody reads it after all."""


class Protocol(WebSocketsSansIOProtocol):
    """uvicorn's, but for three things.

    It closes a socket whose client does not answer a ping only once all that waits was sent. To a client that does not
    read that is never, so that neither it nor whoever sends to it would ever be let go. It takes a client for silent
    whose answer is late because a large message comes first, or because we do not read. And of a message it bounds the
    bytes alone, which in the smallest fragments take many times their size.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._heard = 0.0
        """When something came last, on the loop's clock."""

    def data_received(self, data: bytes) -> None:
        """Whatever comes is a sign of life."""
        self._heard = self.loop.time()
        super().data_received(data)

    def handle_cont(self, event: Any) -> None:
        """Take another fragment."""
        if len(self.frames) < MAX_FRAGMENTS:
            super().handle_cont(event)
        elif not self.close_sent:
            self.frames = []
            self.conn.fail(TOO_BIG, "too many fragments")
            self.handle_parser_exception()

    def keepalive_timeout(self) -> None:
        """The ping was not answered in time."""
        assert self.ping_timeout is not None, "without it there is no such timer"
        silent_for = 0.0 if self.read_paused else self.loop.time() - self._heard
        if silent_for < self.ping_timeout:
            self.pong_timer = self.loop.call_later(self.ping_timeout - silent_for, self.keepalive_timeout)
            return
        super().keepalive_timeout()
        self.loop.call_later(FAREWELL_S, self.transport.abort)


class HttpProtocol(H11Protocol):
    """uvicorn's, which would wait for ever for the head of a request that comes byte by byte, or not at all."""

    heads_within_s = HEADS_WITHIN_S
    """How long it waits."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._answered = False
        """True once nothing is being answered any more, so that what comes is the next request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody connects: what they want must come in time."""
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is waited for any more."""
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a part of a request."""
        if self._answered:
            self._expect()
        before = self.scope
        super().data_received(data)
        if self.scope is not before:  # a head was complete
            self._answered = False
            self._stop()

    def on_response_complete(self) -> None:
        """Go on to the next request."""
        self._answered = True
        super().on_response_complete()

    def _expect(self) -> None:
        """The time runs from a connection's beginning, or from the first byte of a further request."""
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.heads_within_s, self.transport.abort)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
