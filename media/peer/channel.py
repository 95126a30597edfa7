"""The text channel of a peer: what is sent before it opens waits, within the bound that holds afterwards."""

from typing import Final, Protocol

from media.peer.peering import PeerError

MAX_WAITING: Final = 1 << 20
"""Bytes that may wait to be sent. What is above is refused: a slow reader is for the caller to disconnect."""

DEFAULT_MESSAGE_BYTES: Final = 65_536
"""The longest message for a side that has not said how much it takes (RFC 8841, 6.1)."""


class Wire(Protocol):
    """What carries the messages: the part of a data channel (W3C WebRTC, 6.2) that is used here."""

    @property
    def readyState(self) -> str: ...
    @property
    def bufferedAmount(self) -> int: ...
    def send(self, data: str) -> None: ...


class Channel:
    """Messages to the other side, in order."""

    __slots__ = ("_waiting", "_waiting_bytes", "_wire", "max_message_bytes")

    def __init__(self) -> None:
        self.max_message_bytes = DEFAULT_MESSAGE_BYTES
        self._wire: Wire | None = None
        self._waiting: list[str] = []
        self._waiting_bytes = 0

    @property
    def usable(self) -> bool:
        """Whether there is a wire that has not been closed."""
        return self._wire is not None and self._wire.readyState in ("connecting", "open")

    @property
    def waiting_bytes(self) -> int:
        """Bytes that are not sent yet."""
        return self._waiting_bytes if self._wire is None else self._wire.bufferedAmount

    def open(self, wire: Wire) -> None:
        """Use *wire*, which is open, and send what waits."""
        self._wire = wire
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        for text in waiting:
            wire.send(text)

    def send(self, text: str) -> None:
        """Send *text*, or keep it until the channel opens.

        Raises :class:`PeerError`: ``message_too_large``, ``channel_full``, ``channel_closed``.
        """
        size = len(text.encode())
        if self.max_message_bytes and size > self.max_message_bytes:
            raise PeerError("message_too_large", f"the other side takes {self.max_message_bytes} bytes at most")
        if self.waiting_bytes + size > MAX_WAITING:
            raise PeerError("channel_full", f"more than {MAX_WAITING} bytes are waiting to be sent")
        if self._wire is None:
            self._waiting.append(text)
            self._waiting_bytes += size
        elif self._wire.readyState == "open":
            self._wire.send(text)
        else:
            raise PeerError("channel_closed", "the other side has closed the channel")
