"""``POST /v1/auth/revocations``: take rights away from a token, or from all tokens of a user, now."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.auth.rights import Right, names, rights_of
from gateway.core.ids import UserId
from gateway.errors import ProtocolViolation, StoreError
from gateway.protocol import auth
from gateway.protocol.decoding import decode_as
from gateway.transports.connection import Services
from gateway.transports.doors import authority_of, visitor_of
from gateway.transports.failures import refusal, told
from gateway.transports.incoming import read_json
from gateway.transports.permits import MissingRight


@told
async def create(request: Request) -> Response:
    """Revoke, or narrow. Holds when it is answered, for connections that are open too."""
    services: Services = request.app.state.services
    principal = visitor_of(request).principal
    if not principal.may_administer():
        raise MissingRight(Right.ADMINISTER)
    wish = decode_as(auth.NewRevocation, await read_json(request, services.limits) or b"{}")
    if bool(wish.token_id) == bool(wish.user):
        raise ProtocolViolation("invalid_value", "Name a token_id or a user.", param="token_id")
    left = rights_of(wish.rights)
    try:
        done = await authority_of(request).revoke(principal, wish.token_id, UserId(wish.user), left)
    except StoreError as unwritten:
        return refusal(unwritten)  # it holds all the same, as this says
    body = auth.Revoked(done.token_id, done.user, names(done.rights), int(done.at))
    return Response(msgspec.json.encode(body), 201, media_type="application/json")
