"""The active path ends elsewhere: never while an answer runs, nor while a turn has yet to tell what it says."""

from dataclasses import replace
from itertools import takewhile

from gateway.core import events as ev, waiting
from gateway.core.ids import ItemId
from gateway.core.state import Switch
from gateway.core.step import Step
from gateway.core.tree import Node


def perform(step: Step) -> None:
    """Switch, if that is wanted and the time has come."""
    moment, switch = step.moment, step.moment.switch
    if switch is None or step.conversation.responses or moment.transcribing:
        return
    moment.switch = None
    moment.unheard = None
    if moment.pending is not None and moment.pending.spoken:
        moment.pending = None  # it was to answer what leaves
    tree = step.conversation.tree
    if switch.to is not None and switch.to not in tree.nodes:
        moment.pending = None  # it proved to be no turn, so there is nothing to go on from
        return
    select(step, _end(step, switch))


def coming(step: Step) -> ItemId | None:
    """Where the active path will end once what waits is done."""
    tree, switch = step.conversation.tree, step.moment.switch
    if switch is None or (switch.to is not None and switch.to not in tree.nodes):
        return tree.tip
    return _end(step, switch)


def append(step: Step, added: ev.ItemAdded) -> None:
    """Put a message at the end of the conversation; of where it goes, if a switch waits."""
    if step.moment.switch is None:
        step.fact(added)
        return
    step.fact(replace(added, parent=coming(step), aside=True))
    step.moment.switch = Switch(added.item_id, whole=False)


def _end(step: Step, switch: Switch) -> ItemId | None:
    return step.conversation.tree.leaf(switch.to) if switch.whole and switch.to is not None else switch.to


def select(step: Step, tip: ItemId | None) -> None:
    """Let the active path end at *tip*. Nothing happens when it does."""
    tree = step.conversation.tree
    if tip == tree.tip:
        return
    before, after = tree.path(), tree.path_to(tip)
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] is pair[1], zip(before, after, strict=False)))
    left = tuple(node.item_id for node in before[shared:])
    step.fact(ev.BranchSelected(tip, left, tuple(_entered(node) for node in after[shared:])))
    for queued in [it for it in step.conversation.queue if it.about in left]:
        waiting.withdraw(step, queued, "superseded")


def _entered(node: Node) -> ev.Entered:
    return ev.Entered(
        node.item_id,
        node.parent,
        node.role,
        node.status,
        node.spoken,
        node.device,
        node.truncated,
        node.seen,
        node.redacted,
        node.kind,
        node.call_id,
        node.name,
        node.pictures,
    )
