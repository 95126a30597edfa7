"""The events of the wire as an AsyncAPI 3.0 document, made of the types that read and write them. Pure."""

from collections.abc import Iterable
from typing import Any, Final, get_args

import msgspec

from gateway.protocol import (
    realtime as rt,
    transcription as transcription,  # so that its events are found
)
from gateway.protocol.extension import SUBPROTOCOL, AnyClientEvent

Json = dict[str, Any]

REF: Final = "#/components/schemas/{name}"

CLIENT_EVENTS: Final[tuple[type[rt.ClientEvent], ...]] = get_args(AnyClientEvent)


def server_events() -> list[type[rt.ServerEvent]]:
    """Every kind of server event, those of the extension included, by type."""
    found: list[type[rt.ServerEvent]] = []
    open_kinds: list[type[rt.ServerEvent]] = [rt.ServerEvent]
    while open_kinds:
        kinds = open_kinds.pop().__subclasses__()
        open_kinds += kinds
        found += [kind for kind in kinds if not kind.__subclasses__()]
    return sorted(found, key=type_of)


def type_of(kind: type[msgspec.Struct]) -> str:
    """The ``type`` of an event."""
    return str(kind.__struct_config__.tag)


def extended(kind: type[msgspec.Struct]) -> bool:
    """True for an event of the extension."""
    if issubclass(kind, rt.ServerEvent):
        return kind.extension
    return kind.__module__ != rt.__name__


def asyncapi() -> Json:
    """The document."""
    told, sent = server_events(), sorted(CLIENT_EVENTS, key=type_of)
    _, schemas = msgspec.json.schema_components([*told, *sent], ref_template=REF)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Bargein",
            "version": "1",
            "description": "OpenAI Realtime (GA) over WebSocket and WebRTC's data channel, and the extension"
            f" {SUBPROTOCOL}. Events with x-extension go only to clients that asked for it.",
        },
        "defaultContentType": "application/json",
        "channels": {
            "realtime": {
                "address": "/v1/realtime",
                "description": f"A WebSocket with the subprotocol realtime, {SUBPROTOCOL} or none.",
                "messages": {type_of(kind): _to_message(kind) for kind in (*told, *sent)},
                "bindings": {"ws": {"method": "GET", "query": _QUERY}},
            },
            "oai-events": {
                "address": "oai-events",
                "description": "The data channel of a call that POST /v1/realtime/calls has opened.",
                "messages": {type_of(kind): _to_message(kind) for kind in (*told, *sent)},
            },
            "events": {
                "address": "/v1/sessions/{session_id}/events",
                "description": "Server-sent events; client events are posted to the same address.",
                "parameters": {"session_id": {"description": "The session's id."}},
                "messages": {type_of(kind): _to_message(kind) for kind in told},
            },
        },
        "operations": {
            name: operation
            for channel, receives in (("realtime", True), ("oai-events", True), ("events", False))
            for name, operation in _operations(channel, receives).items()
        },
        "components": {
            "messages": {type_of(kind): _message(kind) for kind in (*told, *sent)},
            "schemas": schemas,
        },
    }


_QUERY: Final[Json] = {
    "type": "object",
    "properties": {
        "model": {"type": "string"},
        "session": {"type": "string", "description": "The session to join."},
        "call_id": {"type": "string", "description": "The call to attach to."},
        "device": {"type": "string", "description": "An id that stays the same when the device comes back."},
        "resume": {"type": "string", "description": "EPOCH.SEQ of the last event that was handled."},
    },
}


def _operations(channel: str, receives: bool) -> Json:
    told = _operation("send", channel, "What the gateway tells.", server_events())
    sent = _operation("receive", channel, "What a client sends.", CLIENT_EVENTS)
    return {f"{channel}.tell": told, **({f"{channel}.take": sent} if receives else {})}


def _operation(action: str, channel: str, summary: str, kinds: Iterable[type[msgspec.Struct]]) -> Json:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "messages": [{"$ref": f"#/channels/{channel}/messages/{type_of(kind)}"} for kind in kinds],
    }


def _to_message(kind: type[msgspec.Struct]) -> Json:
    return {"$ref": f"#/components/messages/{type_of(kind)}"}


def _message(kind: type[msgspec.Struct]) -> Json:
    return {
        "name": type_of(kind),
        "title": kind.__name__,
        "payload": {"$ref": REF.format(name=kind.__name__)},
        "x-extension": extended(kind),
    }
