"""A session's messages as the wire shows them: for who joins, who resumes, and who asks by HTTP."""

from collections.abc import Mapping, Sequence
from typing import Final

from gateway.core.ids import ItemId, SessionId
from gateway.core.tree import Node
from gateway.protocol import realtime as rt
from gateway.protocol.messages import annotate
from gateway.protocol.projection import item
from gateway.runtime.actor import Glance
from gateway.runtime.ports import Content, Store

NO_CHOICES: Final[Mapping[ItemId, tuple[ItemId, ...]]] = {}


async def items(store: Store, session: SessionId, glance: Glance, *, extended: bool = False) -> list[rt.Item]:
    """The active path, oldest first, with the text so far of what is still being said.

    Extended clients are told as well which messages have siblings.
    """
    contents = await store.contents(session, [node.item_id for node in glance.path])
    choices = glance.choices if extended else {}
    return [shown(node, glance.open_texts, contents, choices) for node in glance.path]


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
