"""Taking messages out of the conversation, and out of whatever still counted on them."""

from gateway.core import events as ev, shortening, waiting
from gateway.core.ids import ItemId
from gateway.core.step import Step


def forget(step: Step, item_id: ItemId) -> None:
    """Words that are gone are neither awaited nor spoken, and nobody waits for an answer to them."""
    moment = step.moment
    shortening.void(step, item_id)
    moment.transcribing.pop(item_id, None)
    moment.over_answers.pop(item_id, None)
    moment.said.pop(item_id, None)
    if moment.unheard is not None and moment.unheard.item_id == item_id:
        moment.unheard = None
    if moment.pending is not None and moment.pending.rest is not None and moment.pending.rest.item_id == item_id:
        moment.pending = None
    for queued in [it for it in step.conversation.queue if it.about == item_id]:
        waiting.withdraw(step, queued, "withdrawn")


def roll_back(step: Step, answer: ItemId | None, answers: ItemId | None) -> None:
    """Take an answer, and the user's turn that ends with *answers*, off the active path."""
    tree, nodes = step.conversation.tree, step.conversation.tree.nodes
    gone = [answer] if answer in nodes else []
    at = nodes.get(answers) if answers is not None else None
    while at is not None and at.role == "user":
        gone.append(at.item_id)
        at = nodes.get(at.parent) if at.parent is not None else None
    for item_id in gone:
        if item_id is not None:
            forget(step, item_id)
            step.fact(ev.ItemRemoved(item_id, "rolled_back", not tree.active(item_id)))
