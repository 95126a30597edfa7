"""A session's messages as the wire shows them: for who joins, who resumes, and who asks by HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from gateway.core.ids import ItemId, SessionId
from gateway.core.tree import Node
from gateway.errors import ProtocolViolation
from gateway.protocol import extension as ext, realtime as rt
from gateway.protocol.messages import annotate
from gateway.protocol.shown import item
from gateway.protocol.steering_projection import queue_item
from gateway.runtime.actor import Actor
from gateway.runtime.glance import Glance
from gateway.runtime.ports import Content, Store

NO_CHOICES: Final[Mapping[ItemId, tuple[ItemId, ...]]] = {}

MOST_ITEMS: Final = 1000
"""In a snapshot: more than anybody scrolls through, and read in a moment."""


async def items(store: Store, session: SessionId, glance: Glance) -> list[rt.Item]:
    """The active path, oldest first, with the text so far of what is still being said."""
    contents = await store.contents(session, [node.item_id for node in glance.path])
    return [shown(node, glance.open_texts, contents) for node in glance.path]


async def queue(store: Store, actor: Actor) -> ext.QueueListed:
    """Everything that waits, with the words it waits with. Raises ``StoreError``, ``SessionEnded``."""
    return await waiting(store, actor, await actor.glance())


async def waiting(store: Store, actor: Actor, glance: Glance) -> ext.QueueListed:
    """The same, as it was at a glance."""
    wanted = [it.about or it.item_id for it in glance.queue]
    contents = await store.contents(actor.session_id, wanted)
    texts = [contents.get(item_id, Content("")).text for item_id in wanted]
    listed = ext.QueueListed(items=[queue_item(it, text) for it, text in zip(glance.queue, texts, strict=True)])
    listed.seq, listed.epoch = glance.seq, actor.epoch
    return listed


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the active path, oldest first."""

    items: list[rt.Item]
    has_before: bool
    has_after: bool

    @property
    def finished(self) -> bool:
        """True when nothing in it is still being said."""
        return all(item.status != "in_progress" for item in self.items)


async def page(
    store: Store, session: SessionId, glance: Glance, *, before: str | None, after: str | None, limit: int
) -> Part:
    """Up to *limit* items after an item, before one, or between two; without either, the newest.

    Raises :class:`gateway.errors.ProtocolViolation` (``item_not_found``) and :class:`gateway.errors.StoreError`.
    """
    path = glance.path
    begin, end = 0, len(path) if before is None else _place(path, before, "before")
    if after is not None:
        begin = _place(path, after, "after") + 1
        end = min(end, begin + limit)
    part = path[max(begin, end - limit) : end]
    contents = await store.contents(session, [node.item_id for node in part])
    found = [shown(node, glance.open_texts, contents, glance.choices) for node in part]
    return Part(found, has_before=end - len(part) > 0, has_after=end < len(path))


async def newest(store: Store, session: SessionId, glance: Glance, most_bytes: int) -> Part:
    """The end of the active path, as much of it as one event may hold. Raises :class:`gateway.errors.StoreError`."""
    part = await page(store, session, glance, before=None, after=None, limit=MOST_ITEMS)
    taken, size = 0, 0
    for each in reversed(part.items):
        size += len(msgspec.json.encode(each))
        if size > most_bytes and taken:
            break
        taken += 1
    return Part(part.items[len(part.items) - taken :], part.has_before or taken < len(part.items), has_after=False)


def _place(path: Sequence[Node], item_id: str, param: str) -> int:
    for place, node in enumerate(path):
        if node.item_id == item_id:
            return place
    raise ProtocolViolation("item_not_found", "There is no item with this id.", param=param)


def shown(
    node: Node,
    open_texts: Mapping[ItemId, str],
    contents: Mapping[ItemId, Content],
    choices: Mapping[ItemId, tuple[ItemId, ...]] = NO_CHOICES,
) -> rt.Item:
    """One message. Content that was removed is empty."""
    content = contents.get(node.item_id, Content(""))
    text = open_texts.get(node.item_id, content.text) if node.status == "in_progress" else content.text
    found = item(
        node.item_id,
        node.role,
        node.status,
        text,
        spoken=node.spoken,
        unheard=content.unheard if node.truncated else None,
        seen=node.seen,
        device=node.device,
        kind=node.kind,
        call_id=node.call_id,
        name=node.name,
        pictures=node.pictures,
    )
    if node.redacted:
        found.redacted = True
    return annotate(found, node, choices.get(node.item_id, ()))


def told(items: Sequence[rt.Item]) -> list[rt.ServerEvent]:
    """The messages as events, for a client that knows no snapshot. What is still being said is not done."""
    events: list[rt.ServerEvent] = []
    previous: str | None = None
    for each in items:
        events.append(rt.ItemAdded(item=each, previous_item_id=previous))
        if each.status != "in_progress":
            events.append(rt.ItemDone(item=each, previous_item_id=previous))
        previous = each.id
    return events
