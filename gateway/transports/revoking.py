"""``POST /v1/auth/revocations``: take rights away from a token, or from all tokens of a user, now."""

from typing import Annotated

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.auth.principal import MAX_NAME
from gateway.auth.rights import Right, names, rights_of
from gateway.core.ids import UserId
from gateway.errors import GatewayError, ProtocolViolation
from gateway.transports import bodies
from gateway.transports.doors import authority_of, visitor_of
from gateway.transports.failures import refusal
from gateway.transports.permits import MissingRight

Name = Annotated[str, msgspec.Meta(max_length=MAX_NAME)]


class Wish(msgspec.Struct):
    """One of the first two. Without ``rights`` nothing is left."""

    token_id: Name = ""
    user: Name = ""
    rights: list[str] = msgspec.field(default_factory=list)


async def create(request: Request) -> Response:
    """Revoke, or narrow. Holds when it is answered, for connections that are open too."""
    principal = visitor_of(request).principal
    try:
        if not principal.may_administer():
            raise MissingRight(Right.ADMINISTER)
        wish = await bodies.read(request, Wish)
        if bool(wish.token_id) == bool(wish.user):
            raise ProtocolViolation("invalid_value", "Name a token_id or a user.", param="token_id")
        left = rights_of(wish.rights)
        done = await authority_of(request).revoke(principal, wish.token_id, UserId(wish.user), left)
    except GatewayError as refused:
        return refusal(refused)
    body = {"token_id": done.token_id, "user": done.user, "rights": names(done.rights), "revoked_at": int(done.at)}
    return JSONResponse(body, 201)
