"""What clients ask for: add and remove messages, answer, stop. Each is taken, or refused with a reason."""

from dataclasses import replace

from gateway.core import answering, branching, events as ev, floor, heard, inputs as inp, redacting, switching
from gateway.core.ids import ItemId
from gateway.core.state import Pending, Switch
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
    added = ev.ItemAdded(item_id, tree.tip, input.role, "completed", input.text, device=stamp.device, user=stamp.user)
    if input.previous is not None:
        parent = ItemId(input.previous) if input.previous else None
        step.fact(replace(added, parent=parent, before=tree.follower(parent)))
    elif step.moment.switch is not None:  # it belongs to where the conversation goes
        step.fact(replace(added, parent=switching.coming(step), aside=True))
        step.moment.switch = Switch(item_id, whole=False)
    else:
        step.fact(added)
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
        redacting.forget(step, input.item_id)
        step.fact(ev.ItemRemoved(input.item_id, "deleted", not step.conversation.tree.active(input.item_id)))
        answering.start_pending(step)


def response_requested(step: Step, input: inp.ResponseRequested) -> None:
    """Answer, unless an answer is being generated; ``interrupt`` cuts it (and what sounds) first."""
    if input.replaces is not None:
        branching.regeneration_requested(step, input, input.replaces)
        return
    wanted = Pending(step.stamp, input.instructions, input.text_only, input.metadata)
    alive = step.state.alive()
    if input.on_active == "interrupt":
        silence = _wants_silence(step)
        step.moment.pending = None
        heard.cut(step, alive, "client_cancelled")
        floor.yield_to_voices(step)
        step.moment.pending = None if silence else wanted
        answering.start_pending(step)
    elif step.moment.pending is not None or any(r.generating for r in alive):
        step.reject(
            "conversation_already_has_active_response",
            "An answer is being generated. Wait for response.done, or cancel it.",
        )
        return
    else:
        step.moment.pending = wanted
        answering.start_pending(step)
    step.moment.last_typed = ""


def _wants_silence(step: Step) -> bool:
    """Was a stop word typed while an answer lives, is being cut, or waits?"""
    answers = bool(step.conversation.responses) or step.moment.pending is not None
    return answers and step.is_stop_word(step.moment.last_typed)


def cancel_requested(step: Step, input: inp.CancelRequested) -> None:
    """Stop an answer that generates or sounds, or one that was about to begin."""
    wanted = [r for r in step.state.alive() if input.response_id in (None, r.response_id)]
    if not wanted and (step.moment.pending is None or input.response_id is not None):
        step.reject("response_cancel_not_active", "Cancellation failed: no active response found.")
        return
    if input.response_id is None:
        step.moment.pending = None
    heard.cut(step, wanted, "client_cancelled")
    floor.yield_to_voices(step)


def output_clear_requested(step: Step) -> None:
    """Silence what sounds; harmless when nothing does."""
    begun = [r for r in step.state.alive() if r.leg is not None and r.item_id is not None]
    heard.cut(step, begun, "client_cancelled")
    floor.yield_to_voices(step)
