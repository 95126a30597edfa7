"""Every route of the gateway that is not a WebSocket: what it is for, what it takes and gives, and who answers.

The app serves this table and ``/openapi.json`` describes it, so that neither knows a route that the other does not.
"""

from collections.abc import Sequence
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.protocol import auth, http as wire
from gateway.transports import (
    admission,
    client_secrets,
    documents,
    health,
    links,
    listing,
    network,
    pages,
    reading,
    rest,
    revoking,
    webrtc,
)
from gateway.transports.errand import POSTED
from gateway.transports.failures import Endpoint
from gateway.transports.operations import HTML, JSON, SDP, STREAM, Answer, Operation, Parameter

SESSION: Final = Parameter("session_id", "path", "The session's id, as `session.created` tells it.")
CALL: Final = Parameter("call_id", "path", "The call's id, the end of its `Location`.")
DEVICE: Final = Parameter("device", "query", "An id that stays the same when a device comes back.")
JOINED: Final = Parameter("session", "query", "The session to join; without it one is opened.")
EXTENSION: Final = Parameter("ext", "query", "`bargein.v1` asks for the extension.")
RESUME: Final = Parameter("resume", "query", "`EPOCH.SEQ` of the last event that this client has seen.")
KEY: Final = Parameter(
    "Idempotency-Key",
    "header",
    "With it an event takes effect once within 24 hours, however often it is posted.",
    {"type": "string", "maxLength": rest.MAX_KEY},
)
UNCHANGED: Final = Parameter("If-None-Match", "header", "The `ETag` of what is known already.")
AFTER: Final = Parameter("after", "query", "Tell what followed this cursor: `EPOCH.SEQ`, or what a long poll gave.")
LAST_EVENT: Final = Parameter("Last-Event-ID", "header", "The same as `after`, before which it counts.")
WAIT: Final = Parameter(
    "wait",
    "query",
    "Answer with JSON, and wait for something to tell at most so many seconds.",
    {"type": "integer", "minimum": 0, "maximum": reading.MAX_WAIT_S},
)
LIMIT: Final = Parameter(
    "limit",
    "query",
    "How many items at most.",
    {"type": "integer", "minimum": 1, "maximum": rest.MAX_ITEMS, "default": rest.USUAL_ITEMS},
)

FAILS: Final = {503: "store_unavailable"}
UNKNOWN: Final = {404: "session_not_found", **FAILS}
BAD_JSON: Final = {
    400: "invalid_json, missing_required_parameter, invalid_value",
    408: "request_timeout",
    415: "unsupported_content_type",
}
OFFERED: Final = {SDP: None, "multipart/form-data": None}
OFFER_FAULTS: Final = {
    400: "invalid_sdp, invalid_form, invalid_value, unsupported_codec, unsupported_ptime",
    404: "session_not_found, call_id_not_found",
    408: "request_timeout",
    413: "offer_too_large",
    415: "unsupported_content_type",
    429: "rate_limited, too_many_connections",
    503: "voice_unavailable, no_udp_port, overloaded, store_unavailable",
}
ANY_OBJECT: Final = {JSON: dict[str, Any]}
SHUT: Final = {404: "call_id_not_found"}

OPERATIONS: Final = (
    Operation(
        "GET", "/", "The page where one can talk", pages.page, {200: Answer("The page.", {HTML: None})}, open=True
    ),
    Operation(
        "GET", "/docs", "A page about all of this", documents.page, {200: Answer("The page.", {HTML: None})}, open=True
    ),
    Operation(
        "GET",
        "/openapi.json",
        "These routes, for programs",
        documents.routes,
        {200: Answer("An OpenAPI 3.1 document.", ANY_OBJECT)},
        open=True,
    ),
    Operation(
        "GET",
        "/asyncapi.json",
        "The events, for programs",
        documents.events,
        {200: Answer("An AsyncAPI 3.0 document.", ANY_OBJECT)},
        open=True,
    ),
    Operation(
        "GET", "/healthz", "Is the process alive?", health.healthz, {200: Answer("It is.", ANY_OBJECT)}, open=True
    ),
    Operation(
        "GET",
        "/readyz",
        "Can it serve, and who answers?",
        health.readyz,
        {200: Answer("It can.", ANY_OBJECT)},
        FAILS,
    ),
    Operation("GET", "/v1/load", "How busy it is", admission.load, {200: Answer("How busy.", ANY_OBJECT)}),
    Operation(
        "GET",
        "/v1/sessions",
        "List sessions, newest first",
        listing.sessions,
        {
            200: Answer(
                "Those that who asks may read. `metadata.KEY=VALUE` leaves those alone.", {JSON: wire.SessionPage}
            )
        },
        {400: "invalid_value", **FAILS},
        (
            Parameter(
                "limit",
                "query",
                "How many at most.",
                {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": listing.MAX_SESSIONS,
                    "default": listing.USUAL_SESSIONS,
                },
            ),
            Parameter(
                "before",
                "query",
                "Those after the page that gave this as `next`.",
                {"type": "integer", "minimum": 0, "maximum": listing.LAST},
            ),
        ),
    ),
    Operation(
        "POST",
        "/v1/sessions",
        "Open a session",
        rest.create,
        {201: Answer("The session.", {JSON: wire.SessionObject}, {"Location": "Where it can be read."})},
        {**BAD_JSON, 413: "event_too_large", **FAILS},
        body={JSON: wire.NewSession},
        body_required=False,
    ),
    Operation(
        "GET",
        "/v1/sessions/{session_id}",
        "Read a session",
        rest.read,
        {200: Answer("The session as it is now.", {JSON: wire.SessionObject})},
        UNKNOWN,
        (SESSION,),
    ),
    Operation(
        "GET",
        "/v1/sessions/{session_id}/link",
        "Let another device join",
        links.link,
        {200: Answer("Where another device finds the session, and a QR code of that as SVG.", ANY_OBJECT)},
        {**UNKNOWN, 409: "not_reachable"},
        (SESSION,),
    ),
    Operation(
        "GET",
        "/v1/sessions/{session_id}/items",
        "Read what was said",
        rest.items,
        {
            200: Answer(
                "Items of the active path, oldest first.",
                {JSON: wire.ItemPage},
                {"ETag": "Set when nothing in it is still being said."},
            ),
            304: Answer("They are as they were."),
        },
        {400: "invalid_value", 404: "session_not_found, item_not_found", **FAILS},
        (
            SESSION,
            Parameter("before", "query", "Those before the item with this id."),
            Parameter("after", "query", "Those after the item with this id."),
            LIMIT,
            UNCHANGED,
        ),
    ),
    Operation(
        "GET",
        "/v1/sessions/{session_id}/queue",
        "Read what waits",
        rest.queue,
        {200: Answer("Turns that wait for the running answer to end, in order.", {JSON: wire.Queue})},
        UNKNOWN,
        (SESSION,),
    ),
    Operation(
        "GET",
        "/v1/sessions/{session_id}/events",
        "Follow what happens",
        reading.events,
        {
            200: Answer(
                "Server-sent events, each with the JSON of a server event as its data; with `wait` one JSON object.",
                {STREAM: None, JSON: wire.Events},
            )
        },
        {
            400: "invalid_value",
            404: "session_not_found",
            429: "too_many_connections",
            503: "overloaded, store_unavailable",
        },
        (SESSION, DEVICE, AFTER, LAST_EVENT, WAIT),
        endless=True,
    ),
    Operation(
        "POST",
        "/v1/sessions/{session_id}/events",
        "Tell a session what to do",
        rest.post,
        {200: Answer("It took effect.", {JSON: wire.Accepted})},
        {
            400: "invalid_json, unknown_event_type, missing_required_parameter, invalid_value, "
            "invalid_event_for_transport, unsupported_format",
            404: "session_not_found",
            408: "request_timeout",
            409: "The code of `command.rejected`: the session is not in a state for it.",
            413: "event_too_large",
            415: "unsupported_content_type",
            422: "idempotency_conflict",
            429: "rate_limited",
            **FAILS,
        },
        (SESSION, DEVICE, KEY),
        {JSON: POSTED},
    ),
    Operation(
        "GET",
        "/v1/realtime/ice_servers",
        "Servers for a call",
        network.ice_servers,
        {200: Answer("As `RTCConfiguration` takes them.", ANY_OBJECT)},
    ),
    Operation(
        "POST",
        "/v1/realtime/client_secrets",
        "Mint a client secret",
        client_secrets.create,
        {200: Answer("The secret.", {JSON: auth.ClientSecret})},
        {**BAD_JSON, 404: "session_not_found", 413: "event_too_large", 503: "overloaded, store_unavailable"},
        body={JSON: auth.NewSecret},
        body_required=False,
    ),
    Operation(
        "POST",
        "/v1/auth/revocations",
        "Take rights away",
        revoking.create,
        {201: Answer("It holds, for connections that are open too.", {JSON: auth.Revoked})},
        {**BAD_JSON, 413: "event_too_large", **FAILS},
        body={JSON: auth.NewRevocation},
    ),
    Operation(
        "POST",
        "/v1/realtime/calls",
        "Open a call",
        webrtc.create,
        {201: Answer("The SDP answer.", {SDP: None}, {"Location": "The call."})},
        OFFER_FAULTS,
        (JOINED, DEVICE, RESUME, EXTENSION),
        OFFERED,
    ),
    Operation(
        "POST",
        "/v1/realtime/calls/{call_id}",
        "Go on with a call over another path",
        webrtc.go_on,
        {200: Answer("The SDP answer.", {SDP: None}, {"Location": "The call."})},
        OFFER_FAULTS,
        (CALL,),
        OFFERED,
    ),
    Operation(
        "DELETE",
        "/v1/realtime/calls/{call_id}",
        "End a call",
        webrtc.hang_up,
        {200: Answer("It is over.")},
        SHUT,
        (CALL,),
    ),
    Operation(
        "POST",
        "/v1/realtime/calls/{call_id}/hangup",
        "End a call",
        webrtc.hang_up,
        {200: Answer("It is over.")},
        SHUT,
        (CALL,),
    ),
    *(
        Operation(
            "POST",
            f"/v1/realtime/calls/{{call_id}}/{verb}",
            "Of telephone calls, which there are none",
            webrtc.telephone,
            {},
            {404: "sip_not_supported"},
            (CALL,),
        )
        for verb in ("accept", "refer", "reject")
    ),
)


def routes(operations: Sequence[Operation]) -> list[Route]:
    """The table as the app serves it: one route for each path, so that it knows which methods there are."""
    by_path: dict[str, list[Operation]] = {}
    for operation in operations:
        by_path.setdefault(operation.path, []).append(operation)
    return [Route(path, _served(known), methods=METHODS) for path, known in by_path.items()]


METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def _served(operations: Sequence[Operation]) -> Endpoint:
    endpoints = {operation.method: operation.endpoint for operation in operations}
    if any(operation.method == "GET" and not operation.endless for operation in operations):
        endpoints["HEAD"] = endpoints["GET"]
    allowed = {"Allow": ", ".join([*endpoints, "OPTIONS"])}

    async def serve(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=allowed)
        endpoint = endpoints.get(request.method)
        if endpoint is None:
            raise HTTPException(405, headers=allowed)
        return await endpoint(request)

    return serve
