"""``GET /v1/sessions/{id}/events``: a session's events as a stream, or, with ``wait``, by long polling."""

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.auth.rights import Right
from gateway.errors import StoreError
from gateway.protocol import http as wire
from gateway.runtime.actor import Actor
from gateway.transports.admission import Overloaded, overloaded
from gateway.transports.connection import Services
from gateway.transports.crowd import guest_of
from gateway.transports.failures import told
from gateway.transports.incoming import number
from gateway.transports.polling import poll
from gateway.transports.sessions import enter_session
from gateway.transports.streams import EventStream
from gateway.transports.telling import Caller

MAX_WAIT_S: Final = 30


@told
async def events(request: Request) -> Response:
    """What follows the reader's cursor, and what happens from then on."""
    services: Services = request.app.state.services
    wait_s = number(request, "wait", 0, MAX_WAIT_S)
    polls = "wait" in request.query_params
    actor, caller = await enter_session(request, Right.READ, stays=not polls)
    try:
        place = services.admission.connection(guest_of(request))
    except Overloaded as error:
        return overloaded(error)
    if not polls:
        return EventStream(services, actor, caller, place)
    try:
        return await _polled(request, services, actor, caller, wait_s)
    finally:
        place.leave()


async def _polled(request: Request, services: Services, actor: Actor, caller: Caller, wait_s: int) -> Response:
    basket = await poll(services, actor, caller, wait_s, request.receive)
    if basket.cursor is None:
        raise StoreError("store_unavailable", "the session could not be told")
    told = wire.Events(basket.events, basket.cursor, more=basket.full.is_set())
    return Response(msgspec.json.encode(told), headers={"Cache-Control": "no-store"}, media_type="application/json")
