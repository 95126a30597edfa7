"""Clients add and remove messages. Each command is taken, or refused with a reason."""

from dataclasses import replace

from gateway.core import answering, events as ev, inputs as inp, removing, switching
from gateway.core.ids import ItemId
from gateway.core.step import Step


def item_submitted(step: Step, input: inp.ItemSubmitted) -> None:
    """Put a client's message into the conversation, at its end or after the item it names."""
    tree = step.conversation.tree
    item_id = input.item_id or ItemId(step.mint("item"))
    if step.knows(item_id):
        step.reject("item_create_duplicate_item_id", "An item with this id exists already.", "item.id")
        return
    if input.previous and not tree.active(ItemId(input.previous)):
        step.reject("previous_item_not_found", "There is no item with this id on the active path.", "previous_item_id")
        return
    stamp = step.stamp
    added = ev.ItemAdded(
        item_id,
        tree.tip,
        input.role,
        "completed",
        input.text,
        device=stamp.device,
        user=stamp.user,
        kind=input.kind,
        call_id=input.call_id,
        name=input.name,
        images=input.images,
    )
    if input.previous is not None:
        parent = ItemId(input.previous) if input.previous else None
        step.fact(replace(added, parent=parent, before=tree.follower(parent)))
    else:
        switching.append(step, added)
    if input.role == "user":
        step.moment.last_typed = input.text


def item_deletion_requested(step: Step, input: inp.ItemDeletionRequested) -> None:
    """Take a message out of the conversation."""
    if input.item_id not in step.conversation.tree.nodes:
        step.reject("item_delete_invalid_item_id", "There is no item with this id.", "item_id")
    elif any(r.item_id == input.item_id for r in step.conversation.responses.values()):
        step.reject("item_in_use", "This answer is still being given; cancel it first.", "item_id")
    elif step.moment.switch is not None and step.moment.switch.to == input.item_id:
        step.reject("item_in_use", "The conversation is about to go on from this message.", "item_id")
    else:
        removing.forget(step, input.item_id)
        step.fact(ev.ItemRemoved(input.item_id, "deleted", not step.conversation.tree.active(input.item_id)))
        answering.start_pending(step)
