"""WebSockets that notice when nobody is there any more, whatever waits to be sent."""

from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame

PING_EVERY_S: Final = 4.0

PONG_WITHIN_S: Final = 6.0
"""A client that is busy for less is not taken for dead. Who falls silent is noticed within ``PING_EVERY_S`` and this:
with the grace of the core that is less than the 15 s after which others must know."""

MAX_FRAGMENTS: Final = 1024
"""Of one message: the largest that we take, 15 MiB of sound, in pieces of 16 KiB, as libraries make them."""

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

    def handle_cont(self, event: Frame) -> None:
        """Take another fragment."""
        if len(self.frames) < MAX_FRAGMENTS:
            super().handle_cont(event)
        elif not self.close_sent:
            self.frames = []
            self.conn.fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
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
