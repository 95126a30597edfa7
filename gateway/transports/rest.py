"""``/v1/sessions``: open a session, read it, and tell it what to do, one request at a time."""

import hashlib
from typing import Final

import msgspec
from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import Response

from gateway.auth.rights import Right
from gateway.errors import ProtocolViolation
from gateway.protocol import http as wire, realtime as rt
from gateway.protocol.decoding import decode, decode_as
from gateway.runtime.actor import Actor
from gateway.transports import config as conf, history
from gateway.transports.connection import STOPS_A_SECOND, Services
from gateway.transports.doors import visitor_of
from gateway.transports.errand import Errand, Refused
from gateway.transports.failures import refusal, told
from gateway.transports.flood import Buckets
from gateway.transports.incoming import number, read_json
from gateway.transports.offers import changes_of
from gateway.transports.permits import needed
from gateway.transports.sessions import enter_session, find_session, open_session

MAX_ITEMS: Final = 1000
USUAL_ITEMS: Final = 100

POSTS_A_SECOND: Final = 50.0
"""For each session. Whoever has more to say takes a WebSocket, on which an event costs a tenth."""

STOPPING: Final = (rt.ResponseCancel, rt.OutputClear)

MAX_KEY: Final = 255
CONFLICT: Final = 409


class Posts:
    """How often a session may be told something by requests; what may stop an answer has a measure of its own."""

    def __init__(self) -> None:
        self._events = Buckets(POSTS_A_SECOND, POSTS_A_SECOND * 4)
        self._stops = Buckets(STOPS_A_SECOND, STOPS_A_SECOND)

    def check(self, session: str, stops: bool, now: float) -> None:
        """Raises ``ProtocolViolation`` (``rate_limited``)."""
        if not self._events.take(session, now) and not (stops and self._stops.take(session, now)):
            raise ProtocolViolation("rate_limited", "Too many requests for this session; slow down.")


@told
async def create(request: Request) -> Response:
    """Open a session."""
    services: Services = request.app.state.services
    body = await read_json(request, services.limits)
    wanted = decode_as(wire.NewSession, body or b"{}")
    settings = conf.shared(services.begin(wanted.model), changes_of(visitor_of(request).config), services.names)
    if isinstance(wanted.session, wire.SharedChanges):
        changes = msgspec.convert(msgspec.to_builtins(wanted.session), rt.SessionChanges)
        settings = conf.shared(settings, changes, services.names)
    actor, rights = await open_session(request, settings)
    await actor.glance()  # it stands in the log from here on
    location = f"{request.scope.get('root_path', '')}/v1/sessions/{actor.session_id}"
    shown = await _described(services, actor)
    if Right.READ not in rights:
        shown.instructions = ""
    return _json(shown, 201, {"Location": location})


@told
async def read(request: Request) -> Response:
    """A session as it is now."""
    services: Services = request.app.state.services
    return _json(await _described(services, await find_session(request)))


async def _described(services: Services, actor: Actor) -> wire.SessionObject:
    glance = await actor.glance()
    settings = actor.state.conversation.settings
    first = await services.store.read(actor.session_id, 0, limit=1)
    return wire.SessionObject(
        id=actor.session_id,
        epoch=actor.epoch,
        seq=glance.seq,
        created_at=int(first[0].wall) if first else 0,
        model=settings.model,
        instructions=settings.instructions,
        voice=settings.voice,
        language=settings.language,
        stop_words=list(settings.stop_words) if settings.stop_words is not None else None,
        backchannels=list(settings.backchannels) if settings.backchannels is not None else None,
        responses=[
            wire.RunningResponse(it.response_id, it.generating, it.sounding, it.item_id) for it in glance.responses
        ],
    )


@told
async def items(request: Request) -> Response:
    """A part of the active path. One in which nothing is still being said has an ``ETag``."""
    services: Services = request.app.state.services
    query = request.query_params
    limit = number(request, "limit", USUAL_ITEMS, MAX_ITEMS, least=1)
    actor = await find_session(request)
    glance = await actor.glance()
    part = await history.page(
        services.store, actor.session_id, glance, before=query.get("before"), after=query.get("after"), limit=limit
    )
    headers = {"Cache-Control": "private, no-cache"}
    if part.finished:
        headers["ETag"] = etag = _etag(part)
        if _matches(request.headers.get("if-none-match", ""), etag):
            return Response(status_code=304, headers=headers)
    page = wire.ItemPage(
        actor.session_id, actor.epoch, glance.seq, part.items, has_before=part.has_before, has_after=part.has_after
    )
    return _json(page, headers=headers)


@told
async def queue(request: Request) -> Response:
    """What waits for the running answer to end."""
    services: Services = request.app.state.services
    actor = await find_session(request)
    glance = await actor.glance()
    listed = await history.waiting(services.store, actor, glance)
    return _json(wire.Queue(actor.session_id, actor.epoch, glance.seq, listed.items))


def _etag(part: history.Part) -> str:
    """Weak (RFC 9110, 8.8.1): the same items, whatever else has happened in the session since."""
    shown = msgspec.json.encode((part.items, part.has_before, part.has_after))
    return f'W/"{hashlib.sha256(shown).hexdigest()[:32]}"'


def _matches(given: str, etag: str) -> bool:
    known = etag.removeprefix("W/")
    return any(tag.strip().removeprefix("W/") in (known, "*") for tag in given.split(","))


@told
async def post(request: Request) -> Response:
    """Take a client event: 200 once it took effect, 409 when the session refuses it."""
    services: Services = request.app.state.services
    event = decode(await read_json(request, services.limits), services.limits)
    _add_key(event, request.headers.get("idempotency-key", ""))
    actor, caller = await enter_session(request, *needed(event), stays=False)
    posts: Posts = request.app.state.posts
    posts.check(actor.session_id, isinstance(event, STOPPING), services.clock.now())
    correlates, event.event_id = event.event_id, event.event_id or f"post_{services.clock.token()[:10]}"
    try:
        verdict = await Errand(services, actor, caller).run(event)
    except Refused as no:
        no.event_id = correlates or None
        return refusal(no, CONFLICT)
    except ProtocolViolation as violation:
        violation.event_id = correlates or None
        raise
    return _json(wire.Accepted(verdict.seq, verdict.duplicate, "none" if verdict.without_effect else UNSET))


def _add_key(event: rt.ClientEvent, key: str) -> None:
    if len(key) > MAX_KEY:
        raise ProtocolViolation("invalid_value", f"A key may have {MAX_KEY} characters.", param="Idempotency-Key")
    if key and event.idempotency_key not in ("", key):
        message = "The event has another idempotency key than the request."
        raise ProtocolViolation("invalid_value", message, param="Idempotency-Key")
    event.idempotency_key = event.idempotency_key or key


def _json(body: msgspec.Struct, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(body), status, headers, media_type="application/json")
