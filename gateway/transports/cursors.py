"""A reader's cursor as text: ``EPOCH.SEQ``, and for each unfinished item how much of it the reader holds.

``p4x0.17~9.item_a1`` is: the fact 17 of the log ``p4x0``, and 9 code points of ``item_a1``. Pure.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

NOTHING_HELD: Final[Mapping[str, int]] = MappingProxyType({})

_LONGEST: Final = 4096
"""Far longer than the cursor of a session in which a dozen answers are being given."""

_DIGITS: Final = 15


class Cursor(NamedTuple):
    """Where a reader is. A ``seq`` of -1 stands for one that could not be read."""

    epoch: str
    seq: int
    held: Mapping[str, int] = NOTHING_HELD


def read_cursor(text: str) -> Cursor:
    """The cursor in *text*. What cannot be read is as void as what is too old, and is told so later."""
    place, *open_items = text[:_LONGEST].split("~")
    epoch, _, seq = place.rpartition(".")
    held: dict[str, int] = {}
    for each in open_items:
        offset, _, item_id = each.partition(".")
        if item_id:
            held[item_id] = max(0, _number(offset))
    return Cursor(epoch, _number(seq), held)


def write_cursor(cursor: Cursor) -> str:
    """The text that :func:`read_cursor` reads."""
    return "~".join([f"{cursor.epoch}.{cursor.seq}", *(f"{offset}.{item}" for item, offset in cursor.held.items())])


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS else -1
