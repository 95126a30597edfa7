"""What clients do to the turns that wait."""

from dataclasses import dataclass

from gateway.core.ids import ItemId


@dataclass(frozen=True, slots=True)
class QueueEditRequested:
    """Other words, for a turn that waits."""

    item_id: ItemId
    text: str


@dataclass(frozen=True, slots=True)
class QueueReorderRequested:
    """Everything that waits, in the wanted order."""

    order: tuple[ItemId, ...]


@dataclass(frozen=True, slots=True)
class QueueWithdrawalRequested:
    """A turn shall wait no longer, and not be answered."""

    item_id: ItemId
