"""What stock clients take: the types of the ``openai`` package, and where other clients are stricter than those.

The stricter rules are those of the JavaScript clients, whose schemas take a missing key but not a null, and
of Pipecat, which ends at a float where it wants a whole number.
"""

import json
from typing import Any, Final, get_args

from openai.types.live import ServerEvent as LiveServerEvent
from openai.types.realtime import RealtimeServerEvent
from openai.types.responses import ResponsesServerEvent
from pydantic import TypeAdapter, ValidationError


def _kinds(union: Any) -> dict[str, Any]:
    """The models of one of the package's unions, by the type that each stands for."""
    return {get_args(kind.model_fields["type"].annotation)[0]: kind for kind in get_args(get_args(union)[0])}


_KINDS: Final = {name: TypeAdapter(kind) for name, kind in _kinds(RealtimeServerEvent).items()}

STANDARD: Final = frozenset(_KINDS)
"""The types of all server events of Realtime that the package knows."""

RESPONSES: Final = frozenset(_kinds(ResponsesServerEvent))
"""Those of the Responses API, over its WebSocket too."""

LIVE: Final = frozenset(_kinds(LiveServerEvent))
"""Those of GPT-Live."""

MAY_BE_NULL: Final = frozenset(
    {"previous_item_id", "status_details", "usage", "transcript", "code", "param", "event_id", "metadata"}
    | {"transcription", "noise_reduction", "turn_detection", "idle_timeout_ms", "tracing", "prompt", "include"}
)
"""Keys that OpenAI's own server sends as null."""


def problems(event: str) -> list[str]:
    """Why a stock client would stumble over this event; empty when none would."""
    found = json.loads(event)
    adapter = _KINDS.get(found["type"])
    if adapter is None:
        return [f"{found['type']} is not standard"]
    try:
        adapter.validate_json(event, strict=True)
    except ValidationError as error:
        return [f"{found['type']}: {problem['loc']} {problem['msg']}" for problem in error.errors()]
    return [f"{found['type']}: {problem}" for problem in _stricter(found)]


def _stricter(event: dict[str, Any]) -> list[str]:
    found = [f"{path} is null" for path, value in _leaves(event) if value is None and path[-1] not in MAY_BE_NULL]
    if not event.get("event_id"):
        found.append("no event_id")
    if event["type"].endswith("input_audio_transcription.failed"):
        found += [f"error.{key} is null" for key, value in event["error"].items() if value is None]
    found += [
        f"{path} is a float" for path, value in _leaves(event) if isinstance(value, float) and path[-1].endswith("_ms")
    ]
    for item in _items(event):
        found += _item(item)
    return found


def _item(item: dict[str, Any]) -> list[str]:
    if item.get("type") != "message":
        return []
    if "content" not in item:
        return ["an item without content"]
    return [
        "a content part without its text"
        for part in item["content"]
        if part["type"] != "input_image" and ("transcript" if part["type"].endswith("audio") else "text") not in part
    ]


def _items(event: dict[str, Any]) -> list[dict[str, Any]]:
    single = [event["item"]] if "item" in event else []
    return [*single, *event.get("response", {}).get("output", [])]


def _leaves(tree: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    if isinstance(tree, dict):
        # What is ours no client's schema looks into.
        return [leaf for key, value in tree.items() if key != "bargein" for leaf in _leaves(value, (*path, key))]
    if isinstance(tree, list):
        return [leaf for value in tree for leaf in _leaves(value, path)]
    return [(path, tree)]
