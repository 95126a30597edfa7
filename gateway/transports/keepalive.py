"""WebSockets that notice when nobody is there any more, whatever waits to be sent."""

from typing import Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

PING_EVERY_S: Final = 4.0

PONG_WITHIN_S: Final = 6.0
"""A client that is busy for less is not taken for dead. Who falls silent is noticed within ``PING_EVERY_S`` and this:
with the grace of the core that is less than the 15 s after which others must know."""


FAREWELL_S: Final = 0.5
"""The close frame may take so long to leave, in case that somebody reads it after all."""


class Protocol(WebSocketsSansIOProtocol):
    """uvicorn's, which closes a socket whose client does not answer a ping only once all that waits was sent.

    To a client that does not read that is never, so that neither it nor whoever sends to it would ever be let go.
    """

    def keepalive_timeout(self) -> None:
        """The ping was not answered."""
        super().keepalive_timeout()
        self.loop.call_later(FAREWELL_S, self.transport.abort)
