"""What a replay and a transport ask of each other. There are two lines: :mod:`.webrtc` and :mod:`.websocket`.

A line takes a frame from the microphone every 20 ms from the moment the session is ready, and tells its witness
everything it sends, hears and reads, with the event loop's clock. It asks for the extension ``bargein.v1``.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias
from urllib.parse import urlsplit

import msgspec

from gateway.replay.errors import ReplayError
from gateway.replay.microphone import MicFrame, Microphone
from gateway.replay.story import Event
from media.frames import Pcm

CONNECT_TIMEOUT_S: Final = 10.0

_SECURE: Final = {"http": False, "ws": False, "https": True, "wss": True}


class Witness(Protocol):
    """Who is told what happens on a line. Nothing of it blocks or raises; *at* is the loop's clock in seconds."""

    def on_ready(self, at: float) -> None:
        """The session has answered, and sound flows. Called once."""
        ...

    def on_sent(self, frame: MicFrame, at: float) -> None:
        """20 ms of the caller are being handed to the encoder or the socket."""
        ...

    def on_heard(self, pcm: Pcm, stream_sample: int, at: float) -> None:
        """A piece of the answer at 24 kHz, which begins at *stream_sample* of its stream, is heard."""
        ...

    def on_event(self, event: Event, at: float) -> None:
        """A server event came; sound is none."""
        ...

    def on_lost(self, why: str, at: float) -> None:
        """The connection has ended, though nobody asked for that; *why* is a part of a sentence."""
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """A gateway, and how to be let in."""

    secure: bool
    netloc: str
    path: str
    token: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries."""
        return {} if self.token is None else {"Authorization": f"Bearer {self.token}"}


Line: TypeAlias = Callable[[Target, Microphone, Witness], AbstractAsyncContextManager[None]]
"""A connection that lasts as long as its context. Entering raises :class:`ReplayError` (``gateway_unreachable``,
``gateway_refused``).
"""


def target(url: str, token: str | None = None) -> Target:
    """The gateway at *url*: ``http(s)://host[:port][/path]``, with or without ``/v1/realtime``; ``ws(s)`` as well.

    Raises :class:`ReplayError` (``bad_url``).
    """
    parts = urlsplit(url)
    if parts.scheme not in _SECURE or not parts.netloc:
        raise ReplayError("bad_url", f"“{url}” is not the URL of a gateway, like http://127.0.0.1:8080.")
    path = parts.path.rstrip("/").removesuffix("/realtime").removesuffix("/v1")
    return Target(_SECURE[parts.scheme], parts.netloc, f"{path}/v1/realtime", token)


def read_event(text: str | bytes) -> Event:
    """A server event; what cannot be read is an event without a type."""
    try:
        event = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return event if isinstance(event, dict) else {}
