"""Who may knock: Host, Origin and credential are checked before anything else sees a request.

Any page in the user's browser can reach a local gateway; the browser tells its ``Origin``, and a
WebSocket is not held back by CORS (cross-site WebSocket hijacking). A name that an attacker's DNS
points to this machine shows in ``Host`` (DNS rebinding). Both are matched exactly.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.auth.authority import Authority
from gateway.auth.passes import SECRET
from gateway.auth.rights import Right
from gateway.errors import AuthError
from gateway.transports.failures import RESUME_TOKEN, failure, refusal
from gateway.transports.permits import MissingRight

OPEN_PATHS = frozenset({"/", "/docs", "/openapi.json", "/asyncapi.json", "/healthz"})
"""What may be asked for without a token: the page, which then asks for one, what may be asked, and whether we live."""

OPEN_FILES = "/web/"

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})

LOOKS_ITSELF: Final = re.compile(
    r"/v1/realtime(/ice_servers|/client_secrets|/calls(/[^/]+(/(hangup|accept|refer|reject))?)?)?"
    r"|/v1/sessions(/[^/]+(/items|/events|/queue|/link)?)?"
    r"|/v1/auth/revocations|/readyz"
)
"""Paths that look at the rights of who asks. All others are for the operator alone: nothing new is open by
oversight."""

KEY_PROTOCOL = "openai-insecure-api-key."
"""What OpenAI's clients put in front of a key that they offer as a subprotocol."""

AZURE_KEY = "api-key"
"""The header in which Azure's clients present a key."""

HEADERS_TAKEN = (
    "Api-Key",
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-None-Match",
    "Last-Event-ID",
    "X-OpenAI-Agents-SDK",
)


@dataclass(frozen=True, slots=True)
class Rules:
    """From where one may come. ``hosts`` and ``origins`` add to this machine's own names."""

    hosts: tuple[str, ...]
    origins: tuple[str, ...]

    def refusal(self, headers: Headers) -> tuple[int, str, str] | None:
        """Status, code and sentence for a request that is not let in; None for one that is."""
        host = headers.get("host", "")
        if not self._knows(host):
            return 421, "host_not_allowed", "The gateway is not reached under this Host; see --allow-host."
        origin = headers.get("origin")
        if origin is not None and not self._trusts(origin, host):
            return 403, "origin_not_allowed", "This web origin may not connect; see --allow-origin."
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


def credential(headers: Headers, offered: list[str], query: bytes) -> tuple[str, bool]:
    """What a request presents (``""`` for nothing), and whether that stands in its address.

    Raises ``AuthError``: ``token_in_query``.
    """
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip(), False
    if key := headers.get(AZURE_KEY, "").strip():
        return key, False
    # Browsers cannot set a header on a WebSocket; OpenAI's clients offer the key as a subprotocol.
    for name in offered:
        if name.startswith(KEY_PROTOCOL):
            return name.removeprefix(KEY_PROTOCOL), False
    asked = parse_qs(query.decode("latin-1"))
    given = next((asked[name][0] for name in ("token", AZURE_KEY) if name in asked), "")
    if given and not given.startswith(SECRET):
        message = "An address is no place for a token; only a client secret, which that uses up, may stand there."
        raise AuthError("token_in_query", message, reason="token_in_query")
    return given, bool(given)


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(OPEN_FILES)


class Guard:
    """ASGI middleware that applies the rules, finds out who asks (``request.state.visitor``), and lets the pages of
    trusted origins read what they asked for (CORS)."""

    def __init__(self, app: ASGIApp, rules: Rules, authority: Authority) -> None:
        self._app = app
        self._rules = rules
        self._authority = authority
        self._shared: ASGIApp = CORSMiddleware(
            self._guarded,
            allow_origins=rules.origins,
            allow_methods=("GET", "HEAD", "POST", "PATCH", "DELETE"),
            allow_headers=HEADERS_TAKEN,
            expose_headers=("ETag", "Location", "Retry-After", RESUME_TOKEN),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._shared if self._rules.origins else self._guarded)(scope, receive, send)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = await self._refusal(scope) if scope["type"] in ("http", "websocket") else None
        # Before a WebSocket's handshake is accepted, this answers it over HTTP.
        await (refused or self._app)(scope, receive, send)

    async def _refusal(self, scope: Scope) -> Response | None:
        headers, path = Headers(scope=scope), scope["path"]
        if (refused := self._rules.refusal(headers)) is not None:
            return failure(*refused)
        if _is_open(path):
            return None
        try:
            presented, in_address = credential(headers, scope.get("subprotocols", []), scope["query_string"])
            visitor = await self._authority.identify(presented, in_address=in_address)
            if not visitor.principal.operates and LOOKS_ITSELF.fullmatch(path) is None:
                raise MissingRight(Right.ADMINISTER)
        except (AuthError, MissingRight) as error:
            return refusal(error)
        scope.setdefault("state", {})["visitor"] = visitor
        return None
