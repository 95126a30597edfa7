"""The turns that wait, as the log tells them. Words are not kept here, but by the moment."""

from dataclasses import dataclass

from gateway.core import events as ev
from gateway.core.ids import DeviceId, ItemId, LegId
from gateway.core.values import Waiting


@dataclass(frozen=True, slots=True)
class Queued:
    """A turn that waits. See :class:`gateway.core.events.TurnQueued` for its fields."""

    item_id: ItemId
    how: Waiting
    adds: bool
    about: ItemId | None
    device: DeviceId
    leg: LegId
    command: str
    text_only: bool
    not_before: float | None = None


QueueFact = ev.TurnQueued | ev.QueueEdited | ev.QueueReordered | ev.QueueWithdrawn | ev.QueueTaken


def evolve_queue(queue: list[Queued], fact: QueueFact) -> None:
    """Fold one fact into the queue."""
    match fact:
        case ev.TurnQueued():
            queue.append(
                Queued(
                    fact.item_id,
                    fact.how,
                    fact.adds,
                    fact.about,
                    fact.device,
                    fact.leg,
                    fact.command,
                    fact.text_only,
                    fact.not_before,
                )
            )
        case ev.QueueReordered(order):
            queue.sort(key=lambda waiting: order.index(waiting.item_id))
        case ev.QueueWithdrawn(item_id) | ev.QueueTaken(item_id):
            queue[:] = [waiting for waiting in queue if waiting.item_id != item_id]
        case ev.QueueEdited():
            pass
