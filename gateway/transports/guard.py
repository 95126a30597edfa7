"""Who may knock: Host, Origin and token are checked before anything else sees a request.

Any page in the user's browser can reach a local gateway; the browser tells its ``Origin``, and a
WebSocket is not held back by CORS (cross-site WebSocket hijacking). A name that an attacker's DNS
points to this machine shows in ``Host`` (DNS rebinding). Both are matched exactly.
"""

import hmac
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.protocol.close_codes import CloseCode
from gateway.transports.failures import failure

OPEN_PATHS = frozenset({"/", "/docs", "/openapi.json", "/asyncapi.json", "/healthz"})
"""What may be asked for without a token: the page, which then asks for one, what may be asked, and whether we live."""

OPEN_FILES = "/web/"

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})

KEY_PROTOCOL = "openai-insecure-api-key."
"""What OpenAI's clients put in front of a key that they offer as a subprotocol."""


HEADERS_TAKEN = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-None-Match",
    "Last-Event-ID",
    "X-OpenAI-Agents-SDK",
)


@dataclass(frozen=True, slots=True)
class Rules:
    """Who is let in. ``hosts`` and ``origins`` add to this machine's own names; ``token`` ``""`` asks for none."""

    hosts: tuple[str, ...]
    origins: tuple[str, ...]
    token: str

    def refusal(self, headers: Headers, path: str, offered: list[str]) -> tuple[int, str, str] | None:
        """Status, code and sentence for a request that is not let in; None for one that is."""
        host = headers.get("host", "")
        if not self._knows(host):
            return 421, "host_not_allowed", "The gateway is not reached under this Host; see --allow-host."
        origin = headers.get("origin")
        if origin is not None and not self._trusts(origin, host):
            return 403, "origin_not_allowed", "This web origin may not connect; see --allow-origin."
        if self.token and not _is_open(path) and not self._authorised(headers, offered):
            return 401, "invalid_api_key", "Present the gateway's token as 'Authorization: Bearer …'."
        return None

    def _knows(self, host: str) -> bool:
        host = host.lower()
        name, _, port = host.rpartition(":")
        names = {host, name} if port.isdecimal() else {host}
        names |= {name.strip("[]") for name in names if name.startswith("[")}  # an IPv6 address, as settings give it
        return not names.isdisjoint(LOCAL_NAMES) or not names.isdisjoint(self.hosts)

    def _trusts(self, origin: str, host: str) -> bool:
        try:
            own = urlsplit(origin).netloc.lower() == host.lower()
        except ValueError:
            return False
        return own or origin.lower() in self.origins

    def _authorised(self, headers: Headers, offered: list[str]) -> bool:
        scheme, _, key = headers.get("authorization", "").partition(" ")
        given = [key.strip()] if scheme.lower() == "bearer" else []
        # Browsers cannot set a header on a WebSocket; OpenAI's clients offer the key as a subprotocol.
        given += [name.removeprefix(KEY_PROTOCOL) for name in offered if name.startswith(KEY_PROTOCOL)]
        # Headers are bytes, shown as latin-1 (RFC 9110 section 5.5).
        return any(hmac.compare_digest(one.encode("latin-1", "replace"), self.token.encode()) for one in given)


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(OPEN_FILES)


class Guard:
    """ASGI middleware that applies the rules, and lets the pages of trusted origins read what they asked for (CORS)."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app = app
        self._rules = rules
        self._shared: ASGIApp = CORSMiddleware(
            self._guarded,
            allow_origins=rules.origins,
            allow_methods=("GET", "HEAD", "POST", "PATCH", "DELETE"),
            allow_headers=HEADERS_TAKEN,
            expose_headers=("ETag", "Location", "Retry-After"),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._shared if self._rules.origins else self._guarded)(scope, receive, send)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = None
        if scope["type"] in ("http", "websocket"):
            refusal = self._rules.refusal(Headers(scope=scope), scope["path"], scope.get("subprotocols", []))
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await failure(*refusal)(scope, receive, send)
        else:
            # Before the handshake is accepted this becomes HTTP 403.
            await send({"type": "websocket.close", "code": CloseCode.FORBIDDEN, "reason": refusal[1]})
