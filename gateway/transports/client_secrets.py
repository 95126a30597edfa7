"""``POST /v1/realtime/client_secrets``: what an app's server gets for a browser, so that it needs no key of its own."""

from dataclasses import replace
from typing import Any

import msgspec
from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import Response

from gateway.auth.authority import FOR_OTHERS
from gateway.auth.principal import Principal, invalid
from gateway.auth.rights import Right, rights_of
from gateway.core.ids import SessionId, UserId, session_id
from gateway.protocol import auth, realtime as rt
from gateway.protocol.decoding import decode_as
from gateway.transports import config as conf, effective
from gateway.transports.connection import Services
from gateway.transports.doors import authority_of, found, visitor_of
from gateway.transports.failures import told
from gateway.transports.incoming import read_json
from gateway.transports.permits import demand


@told
async def create(request: Request) -> Response:
    """A client secret, as ``{value, expires_at, session}``."""
    services: Services = request.app.state.services
    visitor = visitor_of(request)
    if visitor.value:
        raise invalid("secret_from_secret")
    wish = decode_as(auth.NewSecret, await read_json(request, services.limits) or b"{}")
    shown = _effective(wish.session, services)
    if wish.bargein.session_id is not UNSET:
        await found(request, services.registry, SessionId(wish.bargein.session_id))
        shown["id"] = wish.bargein.session_id
    principal = narrowed(visitor.principal, wish.bargein)
    value, expires = authority_of(request).issue(
        principal, wish.expires_after.seconds, msgspec.json.encode(wish.session), once=wish.bargein.once
    )
    body = msgspec.json.encode(auth.ClientSecret(value, int(expires), shown))
    return Response(body, headers={"Cache-Control": "no-store"}, media_type="application/json")


def narrowed(principal: Principal, wish: auth.Narrowing) -> Principal:
    """Never more than *principal*. Raises ``MissingRight`` when it may not mint for another user. Pure."""
    rights = FOR_OTHERS if wish.rights is UNSET else rights_of(wish.rights)
    narrow = principal.limited(rights)
    if wish.session_id is not UNSET:
        narrow = replace(narrow, bound=SessionId(wish.session_id))
    if wish.user is not UNSET and wish.user != principal.user:
        if not principal.may_administer():
            demand(frozenset(), Right.ADMINISTER)
        narrow = replace(narrow, user=UserId(wish.user))
    return narrow


def _effective(changes: rt.SessionChanges, services: Services) -> dict[str, Any]:
    """The session object that a client gets by this secret. Raises ``ProtocolViolation``."""
    config = conf.updated(conf.ConnectionConfig(("audio",)), changes)
    settings = conf.shared(services.begin(), changes, services.names)
    session = effective.session("", settings, config, services.about.get("recognizer"))
    shown: dict[str, Any] = msgspec.to_builtins(session)
    # OpenAI's clients want an id, which here is that of no session: each that is opened by the secret has its own.
    shown["id"] = session_id(0, services.clock.token())
    return shown
