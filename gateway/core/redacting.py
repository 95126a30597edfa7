"""An item's words are removed for good: from the log by its store, from the moment here."""

from gateway.core import answering, events as ev, inputs as inp
from gateway.core.removing import forget
from gateway.core.step import Step


def item_redaction_requested(step: Step, input: inp.ItemRedactionRequested) -> None:
    """Take the words of a message away. Twice is once; an answer that is still being given is refused."""
    node = step.conversation.tree.nodes.get(input.item_id)
    beside = step.conversation.beside.get(input.item_id)
    if beside is not None:
        step.fact(ev.ItemRedacted(input.item_id, beside))
    elif node is None:
        step.reject("item_redact_invalid_item_id", "There is no item with this id.", "item_id")
    elif any(r.item_id == input.item_id for r in step.conversation.responses.values()):
        step.reject("item_in_use", "This answer is still being given; cancel it first.", "item_id")
    elif not node.redacted:
        forget(step, input.item_id)
        step.fact(ev.ItemRedacted(input.item_id, node.response_id))
        answering.start_pending(step)
