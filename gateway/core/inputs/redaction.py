"""The command that removes an item's words."""

from dataclasses import dataclass

from gateway.core.ids import ItemId


@dataclass(frozen=True, slots=True)
class ItemRedactionRequested:
    """Remove what an item says, everywhere and for good, and leave its place in the conversation."""

    item_id: ItemId
