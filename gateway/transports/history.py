"""A session's messages as the wire shows them: for who joins, who resumes, and who asks by HTTP."""

from collections.abc import Mapping, Sequence

from gateway.core.ids import ItemId, SessionId
from gateway.core.tree import Node
from gateway.protocol import extension as ext, realtime as rt
from gateway.protocol.projection import item
from gateway.protocol.steering_projection import queue_item
from gateway.runtime.actor import Actor, Glance
from gateway.runtime.ports import Content, Store


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


def shown(node: Node, open_texts: Mapping[ItemId, str], contents: Mapping[ItemId, Content]) -> rt.Item:
    """One message. Content that was removed is empty."""
    content = contents.get(node.item_id, Content(""))
    text = open_texts.get(node.item_id, content.text) if node.status == "in_progress" else content.text
    return item(
        node.item_id,
        node.role,
        node.status,
        text,
        spoken=node.spoken,
        unheard=content.unheard if node.truncated else None,
        seen=node.seen,
        device=node.device,
    )


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
