"""Branches, corrections and reactions on the wire: events of the extension alone."""

from typing import Annotated, ClassVar, Literal

import msgspec

from gateway.core import events as ev
from gateway.core.ids import ItemId
from gateway.core.tree import Node, Tree
from gateway.protocol.realtime import ID, ClientEvent, InputPart, Item, Reaction, ServerEvent, Siblings, Version

NAMED = 20
"""Of those who gave a reaction, how many a message names."""

# --- what a client sends ---


class ItemUpdate(ClientEvent, tag="conversation.item.update"):
    """Say a user's message otherwise.

    ``branch``: a new message beside it, from which the conversation goes on; ``response`` answers it. ``correct``: in
    its place, as a new version, and nothing else changes.
    """

    item_id: str
    content: list[InputPart]
    mode: Literal["branch", "correct"] = "branch"
    response: bool = False
    new_item_id: Annotated[str, msgspec.Meta(pattern=ID)] | None = None


class BranchSelect(ClientEvent, tag="conversation.branch.select"):
    """Go on from the branch with this message: as far as the conversation went there."""

    item_id: str


class TreeRetrieve(ClientEvent, tag="conversation.tree.retrieve"):
    """All messages, those beside the active path too, in the order in which they came; without their words."""

    after: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 200


_NO_SPACE = r"^[^\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]+$(?!\n)"
Mark = Annotated[str, msgspec.Meta(pattern=_NO_SPACE, max_length=32)]
"""An emoji or a short name: no text, since it stays in the log when the words of its message are removed."""


class ReactionAdd(ClientEvent, tag="reaction.add"):
    """React to a message; a second time changes nothing."""

    item_id: str
    reaction: Mark


class ReactionRemove(ClientEvent, tag="reaction.remove"):
    """Take one's own reaction back."""

    item_id: str
    reaction: Mark


Command = ItemUpdate | BranchSelect | ReactionAdd | ReactionRemove
OfMessages = Command | TreeRetrieve

# --- what it is sent ---


class BranchSelected(ServerEvent, tag="conversation.branch.selected"):
    """The active path has switched; what left and entered was told just before. ``item_id`` is its end."""

    extension: ClassVar[bool] = True
    item_id: str | None


class ConversationSiblings(ServerEvent, tag="conversation.siblings"):
    """Which messages of the active path have siblings now. It replaces what was known: all others have none."""

    extension: ClassVar[bool] = True
    siblings: dict[str, Siblings]


class ItemReactions(ServerEvent, tag="conversation.item.reactions"):
    """Somebody gave or took back a reaction; ``count`` is how many have given it now."""

    extension: ClassVar[bool] = True
    item_id: str
    reaction: str
    by: str
    given: bool
    count: int


class TreeNode(msgspec.Struct):
    """A message and its place. ``active``: it is on the active path."""

    id: str
    parent: str | None
    role: str
    status: str
    active: bool


class TreeRetrieved(ServerEvent, tag="conversation.tree.retrieved"):
    """A page of the tree. ``tip`` ends the active path; ``next`` is the ``after`` of the next page, null at the end."""

    extension: ClassVar[bool] = True
    nodes: list[TreeNode]
    tip: str | None
    next: str | None


Told = ev.ReactionAdded | ev.ReactionRemoved | ev.SiblingsChanged


def told(event: Told) -> ServerEvent:
    """An event of the core that only extended clients learn of."""
    if isinstance(event, ev.SiblingsChanged):
        return siblings_of(dict(event.choices))
    given = isinstance(event, ev.ReactionAdded)
    return ItemReactions(item_id=event.item_id, reaction=event.reaction, by=event.by, given=given, count=event.count)


def siblings_of(choices: dict[ItemId, tuple[ItemId, ...]]) -> ConversationSiblings:
    """All siblings on the active path, as one event."""
    return ConversationSiblings(siblings={item_id: _siblings(item_id, ids) for item_id, ids in choices.items()})


def annotate(shown: Item, node: Node, siblings: tuple[ItemId, ...] = ()) -> Item:
    """*shown* with what else is known: who reacted, how often it was corrected, what stands beside it."""
    if siblings:
        shown.siblings = _siblings(node.item_id, siblings)
    if node.version is not None:
        shown.version = Version(node.version.number, node.version.by, int(node.version.wall))
    if node.reactions:
        shown.reactions = [Reaction(name, len(by), list(by[:NAMED])) for name, by in node.reactions.items()]
    return shown


def page(tree: Tree, event: TreeRetrieve) -> TreeRetrieved | None:
    """A page of the tree; None when there is no message ``after`` which it could begin."""
    known = list(tree.nodes)
    if event.after is not None and event.after not in tree.nodes:
        return None
    start = known.index(ItemId(event.after)) + 1 if event.after is not None else 0
    wanted = known[start : start + event.limit]
    active = {node.item_id for node in tree.path()}
    nodes = [
        TreeNode(node.item_id, node.parent, node.role, node.status, node.item_id in active)
        for node in (tree.nodes[item_id] for item_id in wanted)
    ]
    more = start + len(wanted) < len(known)
    return TreeRetrieved(nodes=nodes, tip=tree.tip, next=wanted[-1] if more else None)


def _siblings(item_id: ItemId, ids: tuple[ItemId, ...]) -> Siblings:
    return Siblings(ids.index(item_id), len(ids), list(ids))
