"""Clients add and remove messages. Each command is taken, or refused with a reason."""

from gateway.core import answering, events as ev, inputs as inp, queueing
from gateway.core.ids import ItemId
from gateway.core.removing import forget
from gateway.core.step import Step


def item_submitted(step: Step, input: inp.ItemSubmitted) -> None:
    """Put a client's message into the conversation, at its end or after the item it names."""
    tree = step.conversation.tree
    item_id = input.item_id or ItemId(step.mint("item"))
    if step.knows(item_id):
        step.reject("item_create_duplicate_item_id", "An item with this id exists already.", "item.id")
        return
    if input.previous and ItemId(input.previous) not in tree.nodes:
        step.reject("previous_item_not_found", "There is no item with this id.", "previous_item_id")
        return
    parent = tree.tip if input.previous is None else ItemId(input.previous) if input.previous else None
    before = tree.follower(parent) if parent != tree.tip else None
    step.fact(
        ev.ItemAdded(item_id, parent, input.role, "completed", input.text, device=step.stamp.device, before=before)
    )
    if input.role == "user":
        step.moment.last_typed = input.text


def item_deletion_requested(step: Step, input: inp.ItemDeletionRequested) -> None:
    """Take a message out of the conversation."""
    if input.item_id not in step.conversation.tree.nodes:
        step.reject("item_delete_invalid_item_id", "There is no item with this id.", "item_id")
    elif any(r.item_id == input.item_id for r in step.conversation.responses.values()):
        step.reject("item_in_use", "This answer is still being given; cancel it first.", "item_id")
    else:
        forget(step, input.item_id)
        queueing.forget_answered(step, input.item_id)
        step.fact(ev.ItemRemoved(input.item_id, "deleted"))
        answering.start_pending(step)
