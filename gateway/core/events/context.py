"""What a model is given of a long conversation. The messages themselves stay as they are."""

from dataclasses import dataclass

from gateway.core.ids import ItemId

# --- facts ---


@dataclass(frozen=True, slots=True)
class ContextShortened:
    """Models are given what follows ``upto``, after ``text``, which stands for what came before; ``""`` for nothing.

    Where ``upto`` is not on the active path it means nothing.
    """

    item_id: ItemId
    """Of the summary."""

    upto: ItemId
    text: str = ""
    sums_up: bool = False
    """Is there a text? Known also once its words were removed."""


@dataclass(frozen=True, slots=True)
class ContextRestored:
    """That summary is void, since something changed of which it told: models are given the messages again."""

    item_id: ItemId
