"""Items form a tree; one path through it, from the root to the tip, is the conversation.

A message that was edited, or an answer that was given again, stands beside the one before: they are
*siblings*, children of one parent, and at most one of them is on the active path. A node knows facts
about an item, never its words. Pure bookkeeping, no rules of its own.
"""

from dataclasses import dataclass, field

from gateway.core import events as ev
from gateway.core.ids import DeviceId, ItemId, ResponseId, UserId
from gateway.core.values import ItemKind, ItemStatus, Role, Version


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

    heard_ms: int | None = None
    """Of one that was cut, how much of its sound was heard; None for one that was not."""

    broken_off: bool = False
    """True when nobody cut it: its device was lost, or its speech engine failed."""

    seen: int = 0
    """Of one that was cut, how many code points of its whole text had been shown."""

    version: Version | None = None
    """Its last correction; None while it says what it said at first."""

    reactions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Each reaction, and who gave it, oldest first. Replaced, never changed in place: copies of a node share it."""

    redacted: bool = False
    """True once its words were removed for good."""

    user: UserId = UserId("")
    """Who said it, ``""`` where that is not known."""

    kind: ItemKind = "message"
    call_id: str = ""
    """Joins a tool's call and its result."""

    name: str = ""
    """Of the tool that is called."""

    pictures: int = 0
    """How many came with it."""

    fell_short: bool = False
    """True for an incomplete one that nobody cut: the model ended it early."""


@dataclass(slots=True)
class Tree:
    """All items of a session, and the end of the active path."""

    nodes: dict[ItemId, Node] = field(default_factory=dict)
    tip: ItemId | None = None
    """The last item of the active path; None while the conversation is empty."""

    children: dict[ItemId | None, list[ItemId]] = field(default_factory=dict)
    """Of each item that was ever followed (None: the root), those that follow it, oldest first."""

    chosen: dict[ItemId | None, ItemId] = field(default_factory=dict)
    """Of each item that was ever followed, the one of them that was last on the active path."""

    forks: set[ItemId | None] = field(default_factory=set)
    """Items that several follow."""

    # --- questions ---

    def path(self) -> list[Node]:
        """The active path, oldest first."""
        return self.path_to(self.tip)

    def path_to(self, item_id: ItemId | None) -> list[Node]:
        """The path from the root to an item, oldest first; empty for None."""
        found, at = list[Node](), item_id
        while at is not None:
            found.append(self.nodes[at])
            at = found[-1].parent
        found.reverse()
        return found

    def active(self, item_id: ItemId) -> bool:
        """Is the item on the active path?"""
        at = self.tip
        while at is not None and at != item_id:
            at = self.nodes[at].parent
        return at is not None

    def follower(self, item_id: ItemId | None) -> ItemId | None:
        """The item that follows *item_id* (None: the root) on the active path; None at its end, and beside it."""
        if item_id == self.tip or (item_id is not None and not self.active(item_id)):
            return None
        return self.chosen.get(item_id)

    def leaf(self, item_id: ItemId) -> ItemId:
        """The end of the branch with *item_id*: from it on, what was last on the active path, else the newest."""
        at = item_id
        while followers := self.children.get(at):
            at = self.chosen.get(at, followers[-1])
        return at

    def siblings(self, item_id: ItemId) -> tuple[ItemId, ...]:
        """The items that follow the same parent, *item_id* among them, oldest first."""
        return tuple(self.children[self.nodes[item_id].parent])

    def choices(self) -> dict[ItemId, tuple[ItemId, ...]]:
        """The items of the active path that have siblings, and these."""
        if not self.forks:
            return {}
        return {node.item_id: self.siblings(node.item_id) for node in self.path() if node.parent in self.forks}

    # --- changes ---

    def add(self, fact: ev.ItemAdded) -> None:
        """Put an item in its place; an item in mid-path takes over the follower it names."""
        item_id, parent = fact.item_id, fact.parent
        self.nodes[item_id] = Node(
            item_id,
            parent,
            fact.role,
            fact.status,
            fact.spoken,
            fact.device,
            fact.response_id,
            awaits_words=fact.spoken and fact.role == "user",
            user=fact.user,
            kind=fact.kind,
            call_id=fact.call_id,
            name=fact.name,
            pictures=len(fact.images),
        )
        followers = self.children.setdefault(parent, [])
        if fact.before is not None:
            followers[followers.index(fact.before)] = item_id
            self.nodes[fact.before].parent = item_id
            self.children[item_id] = [fact.before]
            self.chosen[parent], self.chosen[item_id] = item_id, fact.before
            return
        followers.append(item_id)
        self._count(parent)
        if not fact.aside:
            self.tip = self.chosen[parent] = item_id

    def select(self, tip: ItemId | None) -> None:
        """Let the active path end at *tip*."""
        self.tip = tip
        for node in self.path():
            self.chosen[node.parent] = node.item_id

    def remove(self, item_id: ItemId) -> None:
        """Take an item out; those that followed it now follow its parent, in its place."""
        gone = self.nodes.pop(item_id)
        orphans = self.children.pop(item_id, [])
        for orphan in orphans:
            self.nodes[orphan].parent = gone.parent
        followers = self.children[gone.parent]
        at = followers.index(item_id)
        followers[at : at + 1] = orphans
        heir = self.chosen.pop(item_id, None)
        if self.chosen.get(gone.parent) == item_id:
            if heir is None:
                del self.chosen[gone.parent]
            else:
                self.chosen[gone.parent] = heir
        self.forks.discard(item_id)
        self._count(gone.parent)
        if self.tip == item_id:
            self.tip = gone.parent

    def correct(self, fact: ev.ItemCorrected) -> None:
        """An item says something else from now on."""
        self.nodes[fact.item_id].version = Version(fact.version, fact.by, fact.wall)

    def react(self, fact: ev.ReactionAdded | ev.ReactionRemoved) -> None:
        """Somebody gave, or took back, a reaction."""
        node = self.nodes[fact.item_id]
        givers = tuple(who for who in node.reactions.get(fact.reaction, ()) if who != fact.by)
        if isinstance(fact, ev.ReactionAdded):
            givers += (fact.by,)
        others = {reaction: who for reaction, who in node.reactions.items() if reaction != fact.reaction}
        node.reactions = {**node.reactions, fact.reaction: givers} if givers else others

    def _count(self, item_id: ItemId | None) -> None:
        followers = self.children[item_id]
        if len(followers) > 1:
            self.forks.add(item_id)
        else:
            self.forks.discard(item_id)
        if not followers:
            del self.children[item_id]
