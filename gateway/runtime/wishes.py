"""Where the store keeps what stands beside the words of a message: what is wanted for an answer that waits, and
pictures."""

from collections.abc import Iterable, Mapping

import msgspec

from gateway.core.ids import ItemId
from gateway.core.values import Wish
from gateway.errors import StoreError
from gateway.runtime.ports import Content


def place_of(item_id: ItemId) -> ItemId:
    """What the wish of a turn that waits stands under. No client can name an item with a ``*``."""
    return ItemId(f"*{item_id}")


def pictures_of(item_id: ItemId) -> ItemId:
    """What the pictures of a message stand under."""
    return ItemId(f"*images:{item_id}")


def as_text(wish: Wish) -> str:
    """A wish as it is stored; ``""`` for one that wants nothing."""
    return msgspec.json.encode(wish).decode() if wish != Wish() else ""


def as_wish(text: str) -> Wish:
    """The wish of a text. Raises ``store_unavailable`` for what is none."""
    try:
        return msgspec.json.decode(text, type=Wish) if text else Wish()
    except (msgspec.DecodeError, UnicodeEncodeError) as fault:
        raise StoreError("store_unavailable", "what waits in the log is damaged") from fault


def wishes(items: Iterable[ItemId], contents: Mapping[ItemId, Content]) -> dict[ItemId, Wish]:
    """What is wanted for each of *items*, where that is anything. Raises as :func:`as_wish`."""
    places = {item_id: contents.get(place_of(item_id)) for item_id in items}
    return {item_id: as_wish(content.text) for item_id, content in places.items() if content is not None}


def as_pictures(text: str) -> tuple[str, ...]:
    """Pictures as they are stored. Raises ``store_unavailable`` for what is none."""
    try:
        return msgspec.json.decode(text, type=tuple[str, ...]) if text else ()
    except (msgspec.DecodeError, UnicodeEncodeError) as fault:
        raise StoreError("store_unavailable", "pictures in the log are damaged") from fault
