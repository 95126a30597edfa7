"""Edit a message, give an answer again, go back to another branch: siblings in a tree, one active path.

An answer that runs is interrupted by that (or the command is refused, if the session says so). The
path changes when the answer has ended and has said how much of it was heard; an edited message is
in the log at once, beside the path until then.
"""

from dataclasses import replace
from typing import Final

from gateway.core import answering, events as ev, floor, heard, inputs as inp, switching
from gateway.core.ids import ItemId
from gateway.core.state import Pending, Switch
from gateway.core.step import Step
from gateway.core.tree import Node

MOST_SIBLINGS: Final = 50
"""Versions of one message that may stand beside each other: beyond any use, and far below what burdens a client."""


def edit_submitted(step: Step, input: inp.EditSubmitted) -> None:
    """Put another message beside a user's one, and go on from there."""
    node = own_message(step, input.item_id)
    if node is None or _refused(step, node):
        return
    new_id = input.new_id or ItemId(step.mint("item"))
    if step.knows(new_id):
        step.reject("item_create_duplicate_item_id", "An item with this id exists already.", "new_item_id")
        return
    _interrupt(step)
    device, user = step.stamp.device, step.stamp.user
    added = ev.ItemAdded(new_id, node.parent, "user", "completed", input.text, device=device, aside=True, user=user)
    step.fact(replace(added, images=input.images))
    _switch(step, Switch(new_id, whole=False), None)
    if input.answer:
        _want(step, Pending(step.stamp))
    answering.start_pending(step)


def regeneration_requested(step: Step, input: inp.ResponseRequested, item_id: ItemId) -> None:
    """Give an answer again. The one before stays beside it, and comes back if the new one comes to nothing."""
    node = step.conversation.tree.nodes.get(item_id)
    if node is None or node.role != "assistant" or not step.conversation.tree.active(item_id):
        step.reject("replaces_invalid_item_id", "There is no answer with this id on the active path.", "replaces")
        return
    if _refused(step, node):
        return
    parent = node.parent
    _interrupt(step)
    _switch(step, Switch(parent, whole=False), item_id)
    _want(step, Pending(step.stamp, input.wish, input.text_only, replaces=item_id))
    answering.start_pending(step)


def branch_requested(step: Step, input: inp.BranchRequested) -> None:
    """Go on from the branch with an item; harmless when the conversation is there already."""
    tree = step.conversation.tree
    if input.item_id not in tree.nodes:
        step.reject("branch_select_invalid_item_id", "There is no item with this id.", "item_id")
    elif tree.leaf(input.item_id) == tree.tip:
        if step.moment.switch is not None and not _busy(step):
            _stay(step)
    elif not _busy(step):
        _interrupt(step)
        _switch(step, Switch(input.item_id, whole=True), None)
        answering.start_pending(step)


def _stay(step: Step) -> None:
    """The conversation does not go where it was about to, and nor does what was to be answered there."""
    moment = step.moment
    moment.switch = None
    if moment.pending is not None and not moment.pending.spoken:  # what was spoken stands on the path that stays
        moment.pending = None
    answering.start_pending(step)


def own_message(step: Step, item_id: ItemId) -> Node | None:
    """A user's message on the active path; None, and the command is refused, when it is none."""
    tree = step.conversation.tree
    node = tree.nodes.get(item_id)
    if node is not None and node.role == "user" and tree.active(item_id):
        return node
    step.reject("item_update_invalid_item_id", "There is no user's message with this id on the active path.", "item_id")
    return None


def settle(step: Step) -> None:
    """What follows once an input has had its consequences."""
    if step.rejected:
        return
    if step.moment.switch is not None:
        answering.start_pending(step)
    _come_back(step)


def tell(step: Step) -> None:
    """Clients hear of other siblings, once nothing moves any more: what waited may join the conversation, too."""
    if any(_moves(step, fact) for fact in step.facts):
        _tell_choices(step)


def _refused(step: Step, node: Node) -> bool:
    if len(step.conversation.tree.siblings(node.item_id)) >= MOST_SIBLINGS:
        step.reject("too_many_siblings", f"A message has at most {MOST_SIBLINGS} siblings, itself included.")
    return step.rejected or _busy(step)


def _busy(step: Step) -> bool:
    """Does an answer run that may not be interrupted? Then the command is refused."""
    runs = bool(step.state.alive()) or step.moment.pending is not None
    if runs and step.conversation.settings.on_edit == "reject":
        step.reject("conversation_already_has_active_response", "An answer is being given. Wait for its end.")
    return step.rejected


def _interrupt(step: Step) -> None:
    step.moment.pending = None
    heard.cut(step, step.state.alive(), "client_cancelled")
    floor.yield_to_voices(step)
    step.moment.last_typed = ""


def _want(step: Step, pending: Pending) -> None:
    step.moment.pending = pending
    step.moment.hushed = False


def _switch(step: Step, switch: Switch, replaced: ItemId | None) -> None:
    step.moment.switch = switch
    step.moment.replaced = replaced


def _come_back(step: Step) -> None:
    """Of an answer that was to be given again nothing came: the one before takes its place again."""
    moment, tree = step.moment, step.conversation.tree
    if moment.replaced is None or moment.pending or moment.switch or step.conversation.responses:
        return
    replaced, moment.replaced = tree.nodes.get(moment.replaced), None
    if replaced is not None and replaced.parent == tree.tip:
        switching.select(step, tree.leaf(replaced.item_id))


def _moves(step: Step, fact: ev.Fact) -> bool:
    """May other messages have siblings after this fact? Not after most, so that a long path is not walked for each."""
    if isinstance(fact, ev.ItemAdded):
        return fact.before is not None or fact.parent in step.conversation.tree.forks
    return isinstance(fact, ev.ItemRemoved | ev.BranchSelected)


def _tell_choices(step: Step) -> None:
    choices = step.conversation.tree.choices()
    if choices != step.moment.choices:
        step.moment.choices = choices
        step.signal(ev.SiblingsChanged(tuple(choices.items())))
