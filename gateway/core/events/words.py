"""The words of a turn, before it has ended."""

from dataclasses import dataclass

from gateway.core.ids import ItemId, LegId


@dataclass(frozen=True, slots=True)
class TurnWorded:
    """More of what the turn says that is being spoken. ``ItemTranscribed`` tells the whole of it, maybe otherwise."""

    leg: LegId
    item_id: ItemId
    text: str
