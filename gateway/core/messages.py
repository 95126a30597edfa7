"""What is done to a message in its place: put right, reacted to, its words removed."""

from typing import Final

from gateway.core import events as ev, inputs as inp, shortening
from gateway.core.branching import own_message
from gateway.core.ids import ItemId
from gateway.core.step import Step
from gateway.core.tree import Node

MOST_REACTIONS: Final = 32
"""Different reactions that one message may have."""

MOST_GIVERS: Final = 200
"""Who may give the same reaction to one message: as many as a session has members."""


def correction_submitted(step: Step, input: inp.CorrectionSubmitted) -> None:
    """A user's message says something else from now on. Answers that were given to it stay."""
    node = own_message(step, input.item_id)
    if node is None:
        return
    if node.user and node.user != step.stamp.user and not input.others:
        step.reject("missing_right_administer", "To put right what another user said needs the right 'administer'.")
        return
    if node.awaits_words:
        step.reject("item_in_use", "This message is still being put into words.", "item_id")
        return
    if node.redacted:
        step.reject("item_redacted", "The words of this message were removed for good.", "item_id")
        return
    version = 2 if node.version is None else node.version.number + 1
    by, wall = step.stamp.who, step.stamp.wall
    shortening.void(step, node.item_id)
    step.fact(
        ev.ItemCorrected(node.item_id, input.text, version, by, wall, node.parent, node.spoken, node.device),
    )


def reaction_requested(step: Step, input: inp.ReactionRequested) -> None:
    """Somebody reacts to a message; harmless when they have given the same reaction before."""
    node = _reacted_to(step, input.item_id)
    if node is None:
        return
    by, givers = step.stamp.who, node.reactions.get(input.reaction, ())
    if by in givers:
        return
    if len(givers) >= MOST_GIVERS or (not givers and len(node.reactions) >= MOST_REACTIONS):
        step.reject("too_many_reactions", "This message has as many reactions as it can have.", "item_id")
        return
    step.fact(ev.ReactionAdded(node.item_id, input.reaction, by, len(givers) + 1))


def reaction_withdrawn(step: Step, input: inp.ReactionWithdrawn) -> None:
    """Somebody takes a reaction of their own back; harmless when there is none."""
    node = _reacted_to(step, input.item_id)
    if node is None:
        return
    by, givers = step.stamp.who, node.reactions.get(input.reaction, ())
    if by in givers:
        step.fact(ev.ReactionRemoved(node.item_id, input.reaction, by, len(givers) - 1))


def _reacted_to(step: Step, item_id: ItemId) -> Node | None:
    tree = step.conversation.tree
    node = tree.nodes.get(item_id)
    if node is not None and tree.active(item_id):
        return node
    step.reject("reaction_invalid_item_id", "There is no item with this id on the active path.", "item_id")
    return None
