"""A WebSocket to a gateway: the one place that knows the ``websockets`` library."""

import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Final
from urllib.parse import urlencode, urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from gateway.client.errors import ConnectionRefused, GatewayUnreachable
from gateway.client.events import SUBPROTOCOL

OPEN_TIMEOUT_S: Final = 10.0
CLOSE_TIMEOUT_S: Final = 2.0

PING_EVERY_S: Final = 5.0
"""A path that answers no ping for as long is dead: so a change of network is noticed within ten seconds."""

NO_CODE: Final = 1006
"""What stands for the close code of a connection that was not closed but lost (RFC 6455 section 7.1.5)."""

TRY_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP statuses that another attempt may not meet again."""

_SECURE: Final = {"http": "ws", "ws": "ws", "https": "wss", "wss": "wss"}


def address(url: str, query: Mapping[str, str]) -> str:
    """Where the WebSocket of the gateway at *url* is: ``http(s)`` or ``ws(s)``, with or without ``/v1/realtime``.

    What stands in the query of *url* (``model=``) stays. Raises ``ValueError``.
    """
    parts = urlsplit(url)
    if parts.scheme not in _SECURE or not parts.netloc:
        raise ValueError(f"“{url}” is not the URL of a gateway, like http://127.0.0.1:8080")
    path = parts.path.rstrip("/").removesuffix("/realtime").removesuffix("/v1")
    asked = "&".join(part for part in (parts.query, urlencode(query)) if part)
    return f"{_SECURE[parts.scheme]}://{parts.netloc}{path}/v1/realtime" + (f"?{asked}" if asked else "")


class Wire:
    """An open connection. Iterate over it for what comes, to its end."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    @property
    def close_code(self) -> int:
        """With what it was closed; :data:`NO_CODE` when it was not, or was lost."""
        return self._socket.close_code or NO_CODE

    @property
    def close_reason(self) -> str:
        return self._socket.close_reason or ""

    async def send(self, text: str) -> bool:
        """Send a message. False when the connection is closed; then it is lost."""
        try:
            await self._socket.send(text)
        except ConnectionClosed:
            return False
        return True

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        try:
            async for message in self._socket:
                yield message
        except ConnectionClosed:
            return

    async def aclose(self) -> None:
        """Close it, within :data:`CLOSE_TIMEOUT_S`."""
        await self._socket.close()


async def dial(where: str, *, token: str | None = None, tls: ssl.SSLContext | None = None) -> Wire:
    """Connect, asking for the extension. Raises :class:`ConnectionRefused`, :class:`GatewayUnreachable`."""
    try:
        return Wire(
            await connect(
                where,
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                additional_headers={} if token is None else {"Authorization": f"Bearer {token}"},
                compression=None,
                max_size=None,
                max_queue=None,
                open_timeout=OPEN_TIMEOUT_S,
                close_timeout=CLOSE_TIMEOUT_S,
                ping_interval=PING_EVERY_S,
                ping_timeout=PING_EVERY_S,
                proxy=None,
                ssl=tls,
            )
        )
    except InvalidStatus as error:
        raise _refused(error) from error
    except InvalidHandshake as error:
        # It broke off, or what answers is no gateway: that may be a proxy whose gateway is about to come back.
        raise ConnectionRefused("gateway_refused", f"The handshake failed: {error}.", for_good=False) from error
    except (OSError, TimeoutError, EOFError, InvalidURI) as error:
        raise GatewayUnreachable(f"There is no gateway at {where.partition('?')[0]}: {error}.") from error


def _refused(error: InvalidStatus) -> ConnectionRefused:
    """What an HTTP answer in place of the handshake says."""
    response = error.response
    code, message = _why(response.body)
    return ConnectionRefused(
        code,
        message or f"The gateway answered with HTTP {response.status_code}.",
        retry_after_s=_seconds(response.headers.get("Retry-After")),
        for_good=response.status_code not in TRY_AGAIN,
    )


def _why(body: bytes | bytearray | None) -> tuple[str, str]:
    try:
        error = msgspec.json.decode(body or b"")["error"]
        return str(error["code"]), str(error["message"])
    except (msgspec.DecodeError, KeyError, TypeError, UnicodeDecodeError):
        return "gateway_refused", ""


def _seconds(given: str | None) -> float | None:
    return float(given) if given is not None and given.isdecimal() and len(given) < 7 else None
