"""Server events as a program sees them: the protocol's own structs, and a few that only a client knows.

A type that this release does not know, or a known one with values that it does not, comes as :class:`Unknown`:
a newer gateway is no error.
"""

import functools
import operator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from gateway.protocol import extension
from gateway.protocol.realtime import ServerEvent

SUBPROTOCOL: Final = extension.SUBPROTOCOL


@dataclass(frozen=True, slots=True)
class Unknown:
    """A server event that this release does not know; ``fields`` is all of it."""

    type: str
    fields: dict[str, Any] = field(default_factory=dict)
    seq: int | UnsetType = UNSET
    prev_seq: int | UnsetType = UNSET
    epoch: str | UnsetType = UNSET
    replay: bool | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection was lost; the client tries again by itself. Never sent by a gateway."""

    code: int
    """The close code, 1006 when there was none."""

    reason: str
    retry_in_s: float


@dataclass(frozen=True, slots=True)
class Missed:
    """The program did not read for so long that events were forgotten. What is folded holds them all the same."""

    count: int


Told: TypeAlias = ServerEvent | Unknown
"""What a gateway tells."""

Event: TypeAlias = ServerEvent | Unknown | Disconnected | Missed
"""What a program reads."""


def decode(data: str | bytes) -> Told:
    """The server event in *data*. Never raises: what cannot be read is an :class:`Unknown` without a type."""
    try:
        event: ServerEvent = _decoder().decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _unknown(data)
    return event


def type_of(event: Told) -> str:
    """The ``type`` by which the wire names *event*."""
    return event.type if isinstance(event, Unknown) else str(event.__struct_config__.tag)


def retry_after_s(event: Told, otherwise: float | None) -> float | None:
    """The ``retry_after_ms`` of *event* in seconds, if it has any: when to connect again after the connection's end."""
    given = event.fields.get("retry_after_ms") if isinstance(event, Unknown) else getattr(event, "retry_after_ms", None)
    return given / 1000 if isinstance(given, int | float) else otherwise


@functools.cache
def _decoder() -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(functools.reduce(operator.or_, _leaves(ServerEvent)))


def _leaves(kind: type[ServerEvent]) -> list[type[ServerEvent]]:
    below = kind.__subclasses__()
    return [leaf for child in below for leaf in _leaves(child)] if below else [kind]


def _unknown(data: str | bytes) -> Unknown:
    try:
        fields = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return Unknown("")
    if not isinstance(fields, dict):
        return Unknown("")
    seq, prev_seq, epoch = fields.get("seq"), fields.get("prev_seq"), fields.get("epoch")
    return Unknown(
        str(fields.get("type", "")),
        fields,
        seq if isinstance(seq, int) else UNSET,
        prev_seq if isinstance(prev_seq, int) else UNSET,
        epoch if isinstance(epoch, str) else UNSET,
        fields.get("replay") is True or UNSET,
    )
