"""A conversation as one block of bytes: what a log folds into, without any words.

The codec follows the dataclasses of :class:`gateway.core.state.Conversation`, whatever fields they
have: their shape is part of a snapshot, and one of another shape is ignored, since the log is there.
Whoever changes what ``evolve`` makes of a fact, and not the shape, raises :data:`VERSION`.
"""

import hashlib
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Final, get_args, get_type_hints

import msgspec

from gateway.core.ids import ItemId, SessionId
from gateway.core.state import Conversation
from gateway.errors import StoreError
from gateway.store.records import SETTINGS_WORDS, plain, put_settings

VERSION: Final = 1
"""Of what folding means."""

FACTS: Final = 500
BYTES: Final = 256 * 1024
"""So much may be appended before the next snapshot is due."""

_TRACKED: Final = 10_000
"""Sessions whose growth is remembered, at most; of one that is forgotten it counts anew."""

Words = Callable[[Sequence[ItemId]], Mapping[ItemId, str]]
"""Finds the present words that stand under each of these."""


class _Document(msgspec.Struct, array_like=True):
    shape: str
    settings: dict[str, Any]
    rest: msgspec.Raw


def dataclasses_of(kind: Any) -> Iterator[type]:
    """Every dataclass that a value of this type may hold, the type itself among them."""
    yield from _dataclasses_of(kind, set())


def _dataclasses_of(kind: Any, seen: set[type]) -> Iterator[type]:
    if isinstance(kind, type) and is_dataclass(kind) and kind not in seen:
        seen.add(kind)
        yield kind
        for hint in get_type_hints(kind).values():
            yield from _dataclasses_of(hint, seen)
    for part in get_args(kind):
        if isinstance(part, type | types.GenericAlias | types.UnionType) or get_args(part):
            yield from _dataclasses_of(part, seen)


def shape_of(kind: type) -> str:
    """Names what values of a dataclass look like: equal only where one can be read as the other."""
    parts = [
        f"{each.__qualname__}.{name}: {hint!r}"
        for each in dataclasses_of(kind)
        for name, hint in get_type_hints(each).items()
    ]
    return hashlib.sha256("\n".join((str(VERSION), *parts)).encode()).hexdigest()


_HINTS: Final = get_type_hints(Conversation)
_SHAPE: Final = shape_of(Conversation)
_Rest: Final = msgspec.defstruct(
    "_Rest", [(field.name, _HINTS[field.name]) for field in fields(Conversation) if field.name != "settings"]
)
_documents: Final = msgspec.msgpack.Decoder(_Document)
_rests: Final = msgspec.msgpack.Decoder(_Rest)
_encoder: Final = msgspec.msgpack.Encoder(enc_hook=plain)


def encode(conversation: Conversation) -> bytes:
    """A conversation without its words. Raises ``TypeError`` or ``ValueError`` for what no log can have led to."""
    settings: dict[str, Any] = msgspec.to_builtins(conversation.settings, enc_hook=plain)
    put_settings(settings, {})
    rest = {name: getattr(conversation, name) for name in _HINTS if name != "settings"}
    return _encoder.encode(_Document(_SHAPE, settings, msgspec.Raw(_encoder.encode(rest))))


def decode(data: bytes, words: Words) -> Conversation | None:
    """The conversation of a snapshot with the present words of its settings; None for what cannot be read."""
    try:
        document = _documents.decode(data)
        if document.shape != _SHAPE:
            return None
        put_settings(document.settings, words(SETTINGS_WORDS))
        rest = _rests.decode(document.rest)
        settings = msgspec.convert(document.settings, _HINTS["settings"])
    except (msgspec.DecodeError, StoreError, UnicodeDecodeError, RecursionError):
        return None
    return Conversation(settings=settings, **{name: getattr(rest, name) for name in _HINTS if name != "settings"})


class Growth:
    """How much each session's log has grown since its last snapshot."""

    def __init__(self) -> None:
        self._grown: dict[SessionId, tuple[int, int]] = {}

    def add(self, session: SessionId, facts: int, size: int) -> None:
        """So many facts, of so many bytes, were appended."""
        before = self._grown.get(session, (0, 0))
        self.set(session, before[0] + facts, before[1] + size)

    def set(self, session: SessionId, facts: int, size: int) -> None:
        """So much follows the last snapshot."""
        self._grown.pop(session, None)
        if facts:
            self._grown[session] = (facts, size)
        if len(self._grown) > _TRACKED:
            del self._grown[next(iter(self._grown))]

    def due(self, session: SessionId) -> bool:
        """Is another snapshot worth its while?"""
        facts, size = self._grown.get(session, (0, 0))
        return facts >= FACTS or size >= BYTES
