"""``POST /v1/realtime/client_secrets``: what an app's server gets for a browser, so that it needs no key of its own."""

from dataclasses import replace
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.auth.authority import FOR_OTHERS
from gateway.auth.principal import MAX_NAME, Principal, invalid
from gateway.auth.rights import Right, rights_of
from gateway.core.ids import SessionId, UserId
from gateway.core.values import Settings
from gateway.errors import GatewayError
from gateway.protocol import realtime as rt
from gateway.transports import bodies, config as conf
from gateway.transports.connection import Services
from gateway.transports.doors import authority_of, found, visitor_of
from gateway.transports.failures import refusal
from gateway.transports.offers import changes_of
from gateway.transports.permits import demand

LASTS_S: Final = 600
"""How long there is to connect, where nothing is said: OpenAI's own default."""


class ExpiresAfter(msgspec.Struct):
    anchor: Literal["created_at"] = "created_at"
    seconds: Annotated[int, msgspec.Meta(ge=10, le=7200)] = LASTS_S


class Narrowing(msgspec.Struct):
    """Ours: how much less than its minter's the secret's rights are."""

    session_id: str | UnsetType = UNSET
    """The only session that it is good for."""

    rights: list[str] | UnsetType = UNSET
    user: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)] | UnsetType = UNSET
    """Whose it is, where that is not its minter."""


class Wish(msgspec.Struct):
    expires_after: ExpiresAfter = msgspec.field(default_factory=ExpiresAfter)
    session: msgspec.Raw = msgspec.Raw(b"{}")
    bargein: Narrowing = msgspec.field(default_factory=Narrowing)


async def create(request: Request) -> Response:
    """A client secret, as ``{value, expires_at, session}``."""
    services: Services = request.app.state.services
    try:
        visitor = visitor_of(request)
        if visitor.value:
            raise invalid("secret_from_secret")
        wish = await bodies.read(request, Wish)
        config = bytes(wish.session)
        changes = changes_of(config)
        shown = _effective(changes, services)
        if wish.bargein.session_id is not UNSET:
            await found(request, services.registry, SessionId(wish.bargein.session_id))
        principal = narrowed(visitor.principal, wish.bargein)
        value, expires = authority_of(request).issue(principal, wish.expires_after.seconds, config)
    except GatewayError as refused:
        return refusal(refused)
    if wish.bargein.session_id is not UNSET:
        shown["id"] = wish.bargein.session_id
    body = {"value": value, "expires_at": int(expires), "session": shown}
    return JSONResponse(body, headers={"Cache-Control": "no-store"})


def narrowed(principal: Principal, wish: Narrowing) -> Principal:
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
    settings = conf.shared(Settings(instructions=services.instructions), changes)
    modalities = list(config.modalities)
    session = rt.Session("", settings.model, settings.instructions, modalities, config.audio(settings.voice))
    shown: dict[str, Any] = msgspec.to_builtins(session)
    del shown["id"]  # there is none before somebody connects
    return shown
