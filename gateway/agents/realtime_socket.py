"""A WebSocket to a server that speaks OpenAI's Realtime protocol: the one place here that knows the library."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final
from urllib.parse import quote, urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from gateway.agents.library_log import LIBRARY_LOG
from gateway.agents.realtime_mirror import Event
from gateway.errors import AgentError, SettingsError

OPENAI: Final = "https://api.openai.com/v1"

MAX_EVENT_BYTES: Final = 8 * 1024 * 1024
"""Of one event: some servers send many seconds of sound at once."""

CLOSE_S: Final = 1.0
PING_EVERY_S: Final = 20.0

_SECURE: Final = {"http": "ws", "ws": "ws", "https": "wss", "wss": "wss"}


def address(base_url: str, model: str) -> str:
    """Where the sessions of *model* are. Raises :class:`SettingsError` for what is no address."""
    try:
        parts = urlsplit(base_url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in _SECURE or not parts.hostname:
        raise SettingsError("The model's base URL must begin with http:// or https://, and usually ends in /v1.")
    query = "&".join(part for part in (parts.query, f"model={quote(model, safe='')}") if part)
    return f"{_SECURE[parts.scheme]}://{parts.netloc}{parts.path.rstrip('/')}/realtime?{query}"


class Socket:
    """An open connection. Iterate over it for the events that come, to its end."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send(self, *events: Mapping[str, Any]) -> bool:
        """Send events. False when the connection is closed; then they are lost."""
        try:
            for event in events:
                await self._connection.send(msgspec.json.encode(event).decode())
        except ConnectionClosed:
            return False
        return True

    async def __aiter__(self) -> AsyncIterator[Event]:
        """What comes. Raises :class:`AgentError` for what is no event."""
        try:
            async for message in self._connection:
                yield _event(message)
        except ConnectionClosed:
            return

    async def aclose(self) -> None:
        """Close it, within :data:`CLOSE_S`."""
        await self._connection.close()


def _event(message: str | bytes) -> Event:
    try:
        event = msgspec.json.decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError):
        event = None
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        raise AgentError("model_failed", "The model server sent something that is no event of a Realtime session.")
    return event


async def dial(url: str, api_key: str | None, within_s: float) -> Socket:
    """Connect. Raises :class:`AgentError`."""
    server = urlsplit(url).netloc.rpartition("@")[2]
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    try:
        async with asyncio.timeout(within_s):
            connection = await connect(
                url,
                additional_headers=headers,
                compression=None,
                max_size=MAX_EVENT_BYTES,
                open_timeout=None,
                close_timeout=CLOSE_S,
                ping_interval=PING_EVERY_S,
                ping_timeout=PING_EVERY_S,
                logger=LIBRARY_LOG,
            )
    except TimeoutError:
        raise AgentError("model_timeout", f"{server} did not take the connection in time.") from None
    except InvalidStatus as error:
        raise _refusal(error.response.status_code, server) from None
    except (OSError, EOFError, InvalidURI, InvalidHandshake):
        sentence = f"No connection to {server}: check that the model server runs, and its base URL."
        raise AgentError("model_unreachable", sentence) from None
    return Socket(connection)


def _refusal(status: int, server: str) -> AgentError:
    where = f"{server} (HTTP {status})"
    match status:
        case 401:
            return AgentError("model_refused", f"The key was refused by {where}: check OPENAI_API_KEY.")
        case 403:
            return AgentError("model_refused", f"The key may not use this model, says {where}.")
        case 404:
            sentence = f"No Realtime sessions at {where}: check the model's name, and the base URL."
            return AgentError("model_refused", sentence)
        case 429:
            return AgentError("rate_limited", f"Too many sessions for {where}: try again later.")
        case _ if 400 <= status < 500:
            return AgentError("model_refused", f"The session was refused by {where}: check the model's settings.")
        case _:
            return AgentError("model_failed", f"The model server failed: {where}. Try again.")
