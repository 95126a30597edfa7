"""Items form a tree; one path through it, from the root to the tip, is the conversation.

A node knows facts about an item, never its words. Pure bookkeeping, no rules of its own.
"""

from dataclasses import dataclass, field

from gateway.core import events as ev
from gateway.core.ids import DeviceId, ItemId, ResponseId
from gateway.core.values import ItemStatus, Role


@dataclass(slots=True)
class Node:
    """What is known of an item without reading it."""

    item_id: ItemId
    parent: ItemId | None
    role: Role
    status: ItemStatus
    spoken: bool
    device: DeviceId
    response_id: ResponseId | None
    awaits_words: bool = False
    """True for a spoken turn whose words are not known yet."""

    truncated: bool = False
    """True once it was cut: its text is what was heard."""

    broken_off: bool = False
    """True when nobody cut it: its device was lost, or its speech engine failed."""

    seen: int = 0
    """Of one that was cut, how many code points of its whole text had been shown."""

    redacted: bool = False
    """True once its words were removed for good."""


@dataclass(slots=True)
class Tree:
    """All items of a session, and the end of the active path."""

    nodes: dict[ItemId, Node] = field(default_factory=dict)
    tip: ItemId | None = None
    """The last item of the active path; None while the conversation is empty."""

    def path(self) -> list[Node]:
        """The active path, oldest first."""
        found: list[Node] = []
        at = self.tip
        while at is not None:
            node = self.nodes[at]
            found.append(node)
            at = node.parent
        found.reverse()
        return found

    def follower(self, item_id: ItemId | None) -> ItemId | None:
        """The item that follows *item_id* (None: the root) on the active path; None at its end."""
        return next((node.item_id for node in self.path() if node.parent == item_id), None)

    def add(self, fact: ev.ItemAdded) -> None:
        """Put an item in its place; an item in mid-path takes over the follower it names."""
        self.nodes[fact.item_id] = Node(
            fact.item_id,
            fact.parent,
            fact.role,
            fact.status,
            fact.spoken,
            fact.device,
            fact.response_id,
            awaits_words=fact.spoken and fact.role == "user",
        )
        if fact.before is None:
            self.tip = fact.item_id
        else:
            self.nodes[fact.before].parent = fact.item_id

    def remove(self, item_id: ItemId) -> None:
        """Take an item out; those that followed it now follow its parent."""
        gone = self.nodes.pop(item_id)
        for node in self.nodes.values():
            if node.parent == item_id:
                node.parent = gone.parent
        if self.tip == item_id:
            self.tip = gone.parent
