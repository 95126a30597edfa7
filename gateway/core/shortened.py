"""Where the context of models begins, as the log tells it. The words of summaries are not kept here."""

from dataclasses import dataclass

from gateway.core import events as ev
from gateway.core.ids import ItemId


@dataclass(slots=True)
class Shortened:
    """See :class:`gateway.core.events.ContextShortened` for its fields."""

    item_id: ItemId
    upto: ItemId
    sums_up: bool
    """False when nothing stands for what came before."""


ShortenedFact = ev.ContextShortened | ev.ContextRestored


def evolve_shortened(known: list[Shortened], fact: ShortenedFact) -> None:
    """Fold one fact into them. The log does not tell apart a summary without words from none, so they tell it."""
    match fact:
        case ev.ContextShortened(item_id, upto):
            known[:] = [it for it in known if it.upto != upto]
            known.append(Shortened(item_id, upto, fact.sums_up))
        case ev.ContextRestored(item_id):
            known[:] = [it for it in known if it.item_id != item_id]


def moved(known: list[Shortened], gone: ItemId, parent: ItemId | None) -> None:
    """A message is removed: what began after it begins after the one before, or with the conversation."""
    for it in known:
        if it.upto == gone and parent is not None:
            it.upto = parent
    known[:] = [it for it in known if it.upto != gone]
