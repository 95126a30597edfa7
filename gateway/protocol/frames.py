"""Events as messages that a client can take: none longer than it says, or than clients take that do not say. Pure."""

from typing import Any, Final

import msgspec

from gateway.protocol import realtime as rt

MOST_BYTES: Final = 512 * 1024
"""Half of what the WebSocket library of most Python clients takes (1 MiB), so that the five events which end a long
answer fit together into what may wait for a client (4 MiB)."""

_WORST: Final = 6
"""Bytes of JSON that one code point may need: as an escape."""

_AROUND: Final = 2_048
"""Bytes of an event beside its longest texts, amply."""

_SHORTEST: Final = 256
"""No text of fewer code points is cut: ids, types, names."""

_STEP: Final = 8
"""Pieces of base64 end where three samples end."""


def frames(event: rt.ServerEvent, most_bytes: int = MOST_BYTES) -> list[str]:
    """*event* as JSON, in messages of *most_bytes* at most.

    A delta becomes several. Of any other event, which the deltas have told whole, the longest texts are cut at their
    end, and ``shortened`` is set.
    """
    text = rt.encode(event)
    if _fits(text, most_bytes):
        return [text]
    delta = getattr(event, "delta", None)
    if isinstance(delta, str):
        return [rt.encode(piece) for piece in _pieces(event, delta, most_bytes)]
    return [_shortened(event, most_bytes)]


def _fits(text: str, most_bytes: int) -> bool:
    # Seldom is it close enough to be measured.
    return len(text) * 4 <= most_bytes or len(text.encode()) <= most_bytes


def _pieces(event: rt.ServerEvent, delta: str, most_bytes: int) -> list[rt.ServerEvent]:
    """The same delta in parts, each with an id of its own and, where texts have one, its place in the text."""
    length = max(_STEP, (most_bytes - _AROUND) // _WORST // _STEP * _STEP)
    offset = getattr(event, "offset", None)
    pieces: list[rt.ServerEvent] = []
    for begin in range(0, len(delta), length):
        changes: dict[str, Any] = {"delta": delta[begin : begin + length]}
        if isinstance(offset, int):
            changes["offset"] = offset + begin
        if begin:
            changes["event_id"] = f"{event.event_id}.{begin}"
        pieces.append(msgspec.structs.replace(event, **changes))
    return pieces


def _shortened(event: rt.ServerEvent, most_bytes: int) -> str:
    told = {**msgspec.to_builtins(event), "shortened": True}
    most = most_bytes
    while True:
        most //= 2
        text = msgspec.json.encode(_cut(told, most)).decode()
        if most < _SHORTEST or _fits(text, most_bytes):
            return text


def _cut(value: Any, most: int) -> Any:
    """*value* with no text of more than *most* code points in it."""
    match value:
        case str():
            return value[:most]
        case dict():
            return {name: _cut(each, most) for name, each in value.items()}
        case list():
            return [_cut(each, most) for each in value]
        case _:
            return value
