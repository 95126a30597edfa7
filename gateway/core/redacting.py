"""An item's words are removed for good: from the log by its store, from the moment here."""

from gateway.core import answering, events as ev, inputs as inp
from gateway.core.ids import ItemId
from gateway.core.step import Step


def item_redaction_requested(step: Step, input: inp.ItemRedactionRequested) -> None:
    """Take the words of a message away. Twice is once; an answer that is still being given is refused."""
    node = step.conversation.tree.nodes.get(input.item_id)
    if node is None:
        step.reject("item_redact_invalid_item_id", "There is no item with this id.", "item_id")
    elif any(r.item_id == input.item_id for r in step.conversation.responses.values()):
        step.reject("item_in_use", "This answer is still being given; cancel it first.", "item_id")
    elif not node.redacted:
        forget(step, input.item_id)
        step.fact(ev.ItemRedacted(input.item_id, node.response_id))
        answering.start_pending(step)


def forget(step: Step, item_id: ItemId) -> None:
    """Words that are gone are neither awaited nor spoken."""
    moment = step.moment
    moment.transcribing.pop(item_id, None)
    moment.over_answers.pop(item_id, None)
    moment.said.pop(item_id, None)
    if moment.unheard is not None and moment.unheard.item_id == item_id:
        moment.unheard = None
    if moment.pending is not None and moment.pending.rest is not None and moment.pending.rest.item_id == item_id:
        moment.pending = None
