"""The fact that an item's words are gone."""

from dataclasses import dataclass

from gateway.core.ids import ItemId, ResponseId


@dataclass(frozen=True, slots=True)
class ItemRedacted:
    """Its words, and the metadata of the response that it belongs to, are gone for good; its place stays."""

    item_id: ItemId
    response_id: ResponseId | None = None
