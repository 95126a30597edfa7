"""Bytes to client events. Returns an event or raises ``ProtocolViolation``; never anything else."""

import re
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec

from gateway.errors import ProtocolViolation
from gateway.protocol.extension import AnyClientEvent
from gateway.protocol.messages import ItemUpdate
from gateway.protocol.realtime import AudioAppend, ItemCreate

T = TypeVar("T")

MAX_DEPTH: Final = 32
"""How deep JSON may nest: far beyond any client event, far below what exhausts a stack."""

MAX_KEYS: Final = 256
"""How many keys one object may have, known ones or not: a JSON Schema of a tool may have many, in objects of few."""

_IMAGE: Final = b'"input_image"'
_APPEND: Final = b"input_audio_buffer.append"
_decoder: Final[msgspec.json.Decoder[AnyClientEvent]] = msgspec.json.Decoder(AnyClientEvent)
# A string without its end is taken to the end of the data, in one go: trying again from each quote is quadratic.
_nesting: Final = re.compile(rb'(?s)"(?:[^"\\]|\\.)*+"?|[\[{:]|[\]}]')
_path: Final = re.compile(r" - at `\$\.?(.*)`$")
_event_id: Final = re.compile(rb'"event_id"\s*:\s*"([\w.:-]{1,128})"')


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a client event may be, in bytes of JSON."""

    event_bytes: int = 64 * 1024
    append_bytes: int = 15 * 1024 * 1024
    """An ``input_audio_buffer.append``: what OpenAI takes."""

    image_bytes: int = 768 * 1024
    """A message with a picture: what a WebSocket client of 1 MiB frames can send, and be sent."""


def decode(data: str | bytes, limits: Limits) -> AnyClientEvent:
    """The client event in *data*.

    Raises ``ProtocolViolation`` with one of the codes ``event_too_large``, ``invalid_json``,
    ``unknown_event_type``, ``missing_required_parameter``, ``invalid_value``.
    """
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    # The head or the tail names the type in every client seen; one that hides it is held to the small limit.
    bulky = _APPEND in raw[:512] or _APPEND in raw[-512:]
    pictured = not bulky and _IMAGE in raw
    small = limits.image_bytes if pictured else limits.event_bytes
    _check_size(raw, limits.append_bytes if bulky else max(small, limits.event_bytes))
    if not bulky:
        _check_shape(raw)
    event = _decoded(raw, _decoder)
    if not isinstance(event, AudioAppend):
        _check_size(raw, max(limits.image_bytes, limits.event_bytes) if _has_picture(event) else limits.event_bytes)
    return event


def _has_picture(event: AnyClientEvent) -> bool:
    match event:
        case ItemCreate(item=item):
            content = item.content
        case ItemUpdate(content=content):
            pass
        case _:
            return False
    return any(part.image_url for part in content or ())


def _check_size(raw: bytes, limit: int) -> None:
    if len(raw) > limit:
        message = f"A client event may have {limit} bytes at most."
        raise ProtocolViolation("event_too_large", message, event_id=_id_of(raw))


def decode_as(kind: type[T], raw: bytes) -> T:
    """The body of a request, as *kind*. Raises as :func:`decode`; how long it is has been looked at."""
    _check_shape(raw)
    return _decoded(raw, msgspec.json.Decoder(kind))


def _decoded(raw: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise _violation(str(error), raw) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise ProtocolViolation("invalid_json", "This is not a JSON object.", event_id=_id_of(raw)) from None


def _check_shape(raw: bytes) -> None:
    # Texts are counted too, so that most events need no closer look.
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH and raw.count(b":") <= MAX_KEYS:
        return
    if fault := _misshapen(raw):
        raise ProtocolViolation("invalid_json", fault, event_id=_id_of(raw))


def _misshapen(raw: bytes) -> str:
    """What is too much in *raw*; ``""`` when nothing is."""
    keys = [0]
    for match in _nesting.finditer(raw):
        token = match.group()
        if token in (b"[", b"{"):
            keys.append(0)
            if len(keys) - 1 > MAX_DEPTH:
                return f"JSON may nest {MAX_DEPTH} levels deep at most."
        elif token in (b"]", b"}"):
            if len(keys) > 1:  # else it is no JSON, as who decodes it will tell
                keys.pop()
        elif token == b":":
            keys[-1] += 1
            if keys[-1] > MAX_KEYS:
                return f"An object may have {MAX_KEYS} keys at most."
    return ""


def _violation(message: str, raw: bytes) -> ProtocolViolation:
    """msgspec's sentence, as one of ours: what is wrong, and where."""
    found = _path.search(message)
    param = found.group(1) if found else None
    reason = _path.sub("", message)
    if param == "type" or (param is None and "required field `type`" in reason):
        return ProtocolViolation(
            "unknown_event_type", "This is not the type of a client event.", param="type", event_id=_id_of(raw)
        )
    if "missing required field" in reason:
        missing = reason.rpartition("field `")[2].rstrip("`")
        path = f"{param}.{missing}" if param else missing
        return ProtocolViolation(
            "missing_required_parameter", f"Missing required parameter: {path}.", param=path, event_id=_id_of(raw)
        )
    return ProtocolViolation("invalid_value", f"{_without_content(reason)}.", param=param, event_id=_id_of(raw))


def _without_content(reason: str) -> str:
    """msgspec quotes an unexpected value; what a client sent is not repeated."""
    return "Invalid value" if reason.startswith("Invalid") else reason


def _id_of(raw: bytes) -> str | None:
    """The ``event_id`` of an event that could not be read, as well as it can be told."""
    found = _event_id.search(raw[:4096])
    return found.group(1).decode() if found else None


def canonical(event: Any) -> bytes:
    """An event's body without what correlates it: the same command gives the same bytes."""
    body = msgspec.to_builtins(event)
    body.pop("event_id", None)
    body.pop("idempotency_key", None)
    return msgspec.json.encode(body, order="deterministic")
