"""The log's record format: one JSON object per fact, ``{"v": 1, "t": "item_added", ...}``, without any words.

A record is a schema of its own: neither the core's types nor the wire's. Its fields are derived
from the fact types, and ``tests/data/log-v1.jsonl`` holds them still: whoever changes a fact's shape
after a release raises :data:`VERSION`, writes the step from the old shape into :data:`UPGRADES`
and freezes a golden file of the new version beside the old one.

Words never enter a record: the fields ``text``, ``unheard`` and ``images``, the instructions and metadata of
settings and their tools, the metadata of responses, and what is wanted of the answers for which
turns wait. They travel as :class:`ContentRow`, so that they can be removed while the log stays whole. What is left
may stay:
ids, statuses, times, names of models and voices, lists of stop words and backchannels, digests of
commands, and failures, whose sentences are the gateway's own.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeAlias, get_args

import msgspec

from gateway.core.events import (
    ContextRestored,
    Fact,
    ItemCompleted,
    ItemRedacted,
    ItemRemoved,
    QueueTaken,
    QueueWithdrawn,
    SessionOpened,
    SettingsChanged,
    TurnQueued,
)
from gateway.core.ids import ItemId
from gateway.core.values import Wish
from gateway.errors import StoreError
from gateway.runtime.wishes import as_pictures, as_text, as_wish, pictures_of, place_of

VERSION: Final = 1
"""The version that is written. Older ones are read, newer ones are refused."""

Fields: TypeAlias = dict[str, Any]
Upgrades: TypeAlias = Mapping[int, Callable[[Fields], Fields]]

UPGRADES: Final[Upgrades] = MappingProxyType({})
"""From a version to the step that makes its records those of the next version."""


CONTENT_FIELDS: Final = ("text", "unheard")
"""Fields of facts that hold words."""

INSTRUCTIONS: Final = ItemId("*instructions")
METADATA: Final = ItemId("*metadata")
TOOLS: Final = ItemId("*tools")
SETTINGS_WORDS: Final = (INSTRUCTIONS, METADATA, TOOLS)
"""What the words of settings stand under, beside those of items. No client can name an item with a ``*``."""


@dataclass(frozen=True, slots=True)
class ContentRow:
    """The words of one fact. The engine adds session and seq, which with the item are its key."""

    item_id: ItemId
    text: str = ""
    unheard: str = ""


def _tag(kind: type) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


FACTS: Final[Mapping[str, type[Fact]]] = MappingProxyType({_tag(kind): kind for kind in get_args(Fact)})
"""Every fact type by the tag its records carry."""

_TAGS: Final[Mapping[type, str]] = MappingProxyType({kind: tag for tag, kind in FACTS.items()})


def tag_of(fact: Fact) -> str:
    """What the records of a fact's type are called."""
    return _TAGS[type(fact)]


def encode(fact: Fact) -> tuple[bytes, tuple[ContentRow, ...]]:
    """A fact's record, and its words if its type has any (empty words too).

    Raises ``store_unavailable`` for a fact that could not be read back: one such record would make
    its session unreadable for ever.
    """
    tag = _TAGS.get(type(fact))
    if tag is None:
        raise StoreError("store_unavailable", f"{type(fact).__name__} is not a fact")
    try:
        fields: Fields = msgspec.to_builtins(fact, enc_hook=plain)
        contents = _take_content(fields)
        data = msgspec.json.encode({"v": VERSION, "t": tag, **fields})
        decode(data, contents)
    except (TypeError, ValueError, StoreError):
        # Without its cause, which would carry the offending value.
        raise StoreError("store_unavailable", f"a fact {tag} cannot be written as a record") from None
    return data, contents


def decode(data: bytes, contents: Sequence[ContentRow] = ()) -> Fact:
    """The fact of a record; words whose content is missing come back empty.

    Raises ``store_too_new`` for what only a newer gateway can have written and ``store_unavailable``
    for what no gateway wrote.
    """
    fields = upgrade(_parse(data))
    tag = fields.pop("t", None)
    kind = FACTS.get(tag) if isinstance(tag, str) else None
    if kind is None:
        raise StoreError("store_too_new", f"the log holds a fact of unknown type {tag!r}")
    _put_content(fields, kind, contents)
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as fault:
        raise StoreError("store_unavailable", f"a record {tag} of the log has a wrong shape") from fault


def upgrade(record: Fields, upgrades: Upgrades = UPGRADES, version: int = VERSION) -> Fields:
    """A record of any older version as one of *version*, its ``v`` removed. Raises as :func:`decode`."""
    fields = dict(record)
    found = fields.pop("v", None)
    if type(found) is not int:
        raise StoreError("store_unavailable", "a record of the log has no version")
    if found > version:
        raise StoreError("store_too_new", f"the log holds records of version {found}, this gateway reads {version}")
    for step in range(found, version):
        if step not in upgrades:
            raise StoreError("store_unavailable", f"records of version {step} cannot be read")
        fields = upgrades[step](fields)
    return fields


def ended_item(fact: Fact) -> ItemId | None:
    """The item that gets no more text once this fact is in the log; None for all other facts."""
    return fact.item_id if isinstance(fact, ItemCompleted | ItemRemoved) else None


def made_void(fact: Fact) -> tuple[ItemId, ...]:
    """What *fact* makes void: the words that stand under these, in this fact's place of the log or before."""
    match fact:
        case ItemRedacted(item_id, response_id):
            mine = item_id, pictures_of(item_id)
            return mine if response_id is None else (*mine, _metadata_of(response_id))
        case ItemRemoved(item_id, "deleted"):
            return item_id, pictures_of(item_id)
        case ContextRestored(item_id):
            return (item_id,)
        case QueueWithdrawn(item_id):
            return item_id, place_of(item_id)
        case QueueTaken(item_id):
            return (place_of(item_id),)  # its answer begins, or ends with this process
        case _:
            return ()


def replaces_settings(fact: Fact) -> bool:
    """Do the words of the settings before it no longer matter once this fact is in the log?"""
    return isinstance(fact, SessionOpened | SettingsChanged)


def weight(data: bytes, contents: Sequence[ContentRow]) -> int:
    """Bytes of a record and its words."""
    return len(data) + sum(len(row.text.encode()) + len(row.unheard.encode()) for row in contents)


def storable(text: str) -> str:
    """*text* with each lone surrogate, which UTF-8 cannot hold, replaced: offsets stay what they were."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _parse(data: bytes) -> Fields:
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise StoreError("store_unavailable", "a record of the log is damaged") from fault


def plain(value: object) -> dict[Any, Any]:
    """Mappings as msgspec takes them. Raises ``TypeError`` for anything else."""
    # msgspec knows dict alone of all mappings; the facts say Mapping.
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)


def _take_content(fields: Fields) -> tuple[ContentRow, ...]:
    words = {name: storable(fields.pop(name)) for name in CONTENT_FIELDS if name in fields}
    if words:
        said = ContentRow(item_id=fields["item_id"], **words)
        if images := fields.pop("images", None):
            return said, ContentRow(pictures_of(said.item_id), msgspec.json.encode(_storables(images)).decode())
        return (said, *_take_wish(fields)) if "wish" in fields else (said,)
    if "settings" in fields:
        settings = fields["settings"]
        instructions, metadata, tools = (settings.pop(name) for name in ("instructions", "metadata", "tools"))
        words_of = [ContentRow(INSTRUCTIONS, storable(instructions)), ContentRow(METADATA, _map_as_text(metadata))]
        return (*words_of, ContentRow(TOOLS, _tools_as_text(tools))) if tools else tuple(words_of)
    if metadata := fields.pop("metadata", None):
        return (ContentRow(_metadata_of(fields["response_id"]), _map_as_text(metadata)),)
    return ()


def _take_wish(fields: Fields) -> tuple[ContentRow, ...]:
    wish = msgspec.convert(_storables(fields.pop("wish")), Wish)
    return (ContentRow(place_of(fields["item_id"]), text),) if (text := as_text(wish)) else ()


def _storables(value: Any) -> Any:
    """All text in *value*, however deep, as :func:`storable` gives it."""
    match value:
        case str():
            return storable(value)
        case dict():
            return {storable(key): _storables(each) for key, each in value.items()}
        case list() | tuple():
            return [_storables(each) for each in value]
        case _:
            return value


def _tools_as_text(tools: list[Fields]) -> str:
    return msgspec.json.encode(_storables(tools)).decode()


def _put_content(fields: Fields, kind: type[Fact], contents: Sequence[ContentRow]) -> None:
    found = {row.item_id: row for row in contents}
    words = found.get(fields.get("item_id", ""), ContentRow(ItemId("")))
    for name in CONTENT_FIELDS:
        if name in kind.__dataclass_fields__:
            fields[name] = getattr(words, name)
    if isinstance(settings := fields.get("settings"), dict):
        put_settings(settings, {item: row.text for item, row in found.items()})
    elif "images" in kind.__dataclass_fields__:
        fields["images"] = as_pictures(found.get(pictures_of(fields.get("item_id", "")), ContentRow(ItemId(""))).text)
    elif kind is TurnQueued and (row := found.get(place_of(fields.get("item_id", "")))):
        fields["wish"] = msgspec.to_builtins(as_wish(row.text), enc_hook=plain)
    elif "metadata" in kind.__dataclass_fields__ and (row := found.get(_metadata_of(fields.get("response_id")))):
        fields["metadata"] = as_map(row.text)


def _metadata_of(response_id: object) -> ItemId:
    """What the metadata of a response stands under."""
    return ItemId(f"*{response_id}")


def put_settings(settings: Fields, words: Mapping[ItemId, str]) -> None:
    """Give settings their words back; those that are missing are empty."""
    settings["instructions"] = words.get(INSTRUCTIONS, "")
    settings["metadata"] = as_map(words.get(METADATA, ""))
    settings["tools"] = _as_tools(words.get(TOOLS, ""))


def _as_tools(text: str) -> list[Fields]:
    try:
        return msgspec.json.decode(text, type=list[Fields]) if text else []
    except (msgspec.DecodeError, UnicodeEncodeError) as fault:
        raise StoreError("store_unavailable", "tools in the log are damaged") from fault


def as_map(text: str) -> dict[str, str]:
    """Metadata as it is stored. Raises ``store_unavailable`` for what is none."""
    try:
        return msgspec.json.decode(text, type=dict[str, str]) if text else {}
    except (msgspec.DecodeError, UnicodeEncodeError) as fault:
        raise StoreError("store_unavailable", "metadata in the log is damaged") from fault


def _map_as_text(metadata: Mapping[str, str]) -> str:
    storables = {storable(key): storable(value) for key, value in metadata.items()}
    return msgspec.json.encode(storables, order="deterministic").decode() if storables else ""
