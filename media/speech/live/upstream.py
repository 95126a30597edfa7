"""One session at a Realtime transcription server: the only place in the audio plane that knows ``websockets``."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self, TypeAlias
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from media.frames import VOICE_RATE_HZ
from media.speech import SpeechError
from media.speech.api.server import refusal, trust
from media.speech.api.transcribing import SEVERAL_LANGUAGES

CLOSE_TIMEOUT_S: Final = 1.0
PING_EVERY_S: Final = 10.0
MAX_EVENT_BYTES: Final = 1 << 20

_LIBRARY_LOG: Final = logging.getLogger(f"{__name__}.websockets")
"""The library logs headers and messages at its lowest level: keys, words and sound."""

_LIBRARY_LOG.setLevel(logging.INFO)

_READY: Final = frozenset({"session.updated", "transcription_session.updated"})
_FOR_GOOD: Final = frozenset({400, 401, 403, 404})
_SECURE: Final = {"http": "ws", "https": "wss"}

Tell: TypeAlias = Callable[[Mapping[str, Any] | None], None]
"""Told each event, and None when nothing more comes."""


class RefusedError(SpeechError):
    """The server refused, and would again: trying once more is in vain."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect, and what to transcribe with."""

    base_url: str
    api_key: str
    model: str
    language: str = ""
    connect_s: float = 5.0
    """Until a session is ready."""

    @property
    def url(self) -> str:
        """The WebSocket's address."""
        parts = urlsplit(self.base_url)
        return f"{_SECURE[parts.scheme]}://{parts.netloc}{parts.path.rstrip('/')}/realtime?intent=transcription"

    @property
    def server(self) -> str:
        """The server's name and port, for messages."""
        return urlsplit(self.base_url).netloc.rpartition("@")[2]

    @property
    def session(self) -> dict[str, Any]:
        """What the session is asked to be."""
        transcription = {"model": self.model, **hint(self.model, self.language)}
        pcm = {"type": "audio/pcm", "rate": VOICE_RATE_HZ}
        return {
            "type": "transcription",
            "audio": {"input": {"format": pcm, "transcription": transcription, "turn_detection": None}},
        }


def hint(model: str, language: str) -> dict[str, Any]:
    """How a model is told which language it hears; nothing where it is to guess."""
    if not language:
        return {}
    return {"languages": [language]} if model.startswith(SEVERAL_LANGUAGES) else {"language": language}


class Upstream:
    """A session, used by one utterance at a time. What comes while nobody uses it is dropped."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._tell: Tell | None = None
        self._mine: set[str] = set()
        """Ids of items that came while it was used."""

        self._former: set[str] = set()
        """Ids of items of former users, whose words are nobody else's."""

        self._opened_at = asyncio.get_running_loop().time()
        self._reader = asyncio.create_task(self._read(), name="realtime transcription")
        self._gone = False

    @classmethod
    async def open(cls, target: Target) -> Self:
        """Connect, and wait until the session is what it was asked to be. Raises :class:`SpeechError`."""
        try:
            async with asyncio.timeout(target.connect_s):
                socket = await connect(
                    target.url,
                    additional_headers={"Authorization": f"Bearer {target.api_key}"},
                    compression=None,
                    max_size=MAX_EVENT_BYTES,
                    open_timeout=None,
                    close_timeout=CLOSE_TIMEOUT_S,
                    ping_interval=PING_EVERY_S,
                    ping_timeout=PING_EVERY_S,
                    logger=_LIBRARY_LOG,
                    ssl=trust() if target.url.startswith("wss") else None,
                )
                try:
                    await _configure(socket, target)
                except BaseException:
                    socket.transport.abort()
                    raise
        except TimeoutError:
            raise SpeechError("engine_timeout", f"{target.server} did not open a session in time.") from None
        except InvalidStatus as error:
            raise _refused(error.response.status_code, target.server) from None
        except (InvalidHandshake, EOFError, ConnectionClosed):
            raise SpeechError("engine_failed", f"{target.server} broke off the connection.") from None
        except OSError:
            raise SpeechError("engine_unavailable", f"No connection to {target.server}.") from None
        return cls(socket)

    @property
    def age_s(self) -> float:
        """How long ago it was opened."""
        return asyncio.get_running_loop().time() - self._opened_at

    @property
    def gone(self) -> bool:
        """True when it cannot be used any more."""
        return self._gone

    def lend(self, tell: Tell) -> None:
        """Tell what comes from now on; at once when nothing does any more."""
        self._tell = tell
        if self._gone:
            tell(None)

    def take_back(self) -> None:
        """Whoever used it is done."""
        self._tell = None
        self._former |= self._mine
        self._mine.clear()

    async def send(self, event: str) -> None:
        """Send an event. One to a session that is gone is dropped: whoever uses it is told of that."""
        with contextlib.suppress(ConnectionClosed):
            await self._socket.send(event)

    async def aclose(self) -> None:
        """Close it, within :data:`CLOSE_TIMEOUT_S`."""
        self._tell = None
        await self._socket.close()
        await asyncio.wait({self._reader})

    async def _read(self) -> None:
        try:
            async for message in self._socket:
                self._take(decode(message))
        except (ConnectionClosed, SpeechError):
            pass
        finally:
            self._gone = True
            if self._tell is not None:
                self._tell(None)

    def _take(self, event: dict[str, Any]) -> None:
        given = event.get("item_id")
        named = {given} if isinstance(given, str) else set()
        if self._tell is not None and not named & self._former:
            self._mine |= named
            self._tell(event)


def decode(message: str | bytes) -> dict[str, Any]:
    """An event. Raises :class:`SpeechError` for what is none."""
    try:
        return msgspec.json.decode(message, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise SpeechError("engine_failed", "The speech server sent what is no event.") from None


async def _configure(socket: ClientConnection, target: Target) -> None:
    update = {"type": "session.update", "session": target.session}
    await socket.send(msgspec.json.encode(update).decode())
    while (kind := decode(await socket.recv()).get("type")) not in _READY:
        if kind == "error":
            raise RefusedError("engine_unavailable", f"{target.server} refused the session, or its model.")


def _refused(status: int, server: str) -> SpeechError:
    error = refusal(status, server)
    return RefusedError(error.code, str(error)) if status in _FOR_GOOD else error
