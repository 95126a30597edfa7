"""Long conversations: from where on models are given them, and what stands for the part before.

Whoever keeps within a policy's bounds tells where to begin; a client may say "forget all that". The
messages stay, and so does what is true of them: a summary of words that were removed, put right, or
not heard after all, is void at once.
"""

from gateway.core import events as ev, inputs as inp
from gateway.core.ids import ItemId
from gateway.core.step import Step


def requested(step: Step, input: inp.ContextOutgrown | inp.ContextResetRequested) -> None:
    """Begin the context later; after the last message, if a client wants that."""
    if isinstance(input, inp.ContextOutgrown):
        _outgrown(step, input)
    else:
        _reset(step)


def _outgrown(step: Step, input: inp.ContextOutgrown) -> None:
    """Not when something changed meanwhile of which the text tells."""
    tree = step.conversation.tree
    if not tree.active(input.upto) or input.upto not in tree.nodes:
        return
    for item_id, changes in input.covers:
        if item_id not in tree.nodes or step.moment.reworded.get(item_id, 0) != changes:
            return
    _begin_after(step, input.upto, input.text)


def _reset(step: Step) -> None:
    tip = step.conversation.tree.tip
    if tip is not None:
        _begin_after(step, tip, "")


def _begin_after(step: Step, upto: ItemId, text: str) -> None:
    """A summary that stood in the same place is void: nobody is given it any more, so its words go too."""
    for it in [it for it in step.conversation.shortened if it.sums_up and it.upto == upto]:
        step.fact(ev.ContextRestored(it.item_id))
    step.fact(ev.ContextShortened(ItemId(step.mint("item")), upto, text, sums_up=bool(text)))


def void(step: Step, item_id: ItemId) -> None:
    """What a message says is about to change, or to go: no summary may tell of it any more.

    One that is being made is refused when it comes.
    """
    step.moment.reworded[item_id] = step.moment.reworded.get(item_id, 0) + 1
    if not any(it.sums_up for it in step.conversation.shortened):
        return
    tree = step.conversation.tree
    for it in [it for it in step.conversation.shortened if it.sums_up and it.upto in tree.nodes]:
        if any(node.item_id == item_id for node in tree.path_to(it.upto)):
            step.fact(ev.ContextRestored(it.item_id))
