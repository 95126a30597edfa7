"""What a client asks to see of its session: one message, or how all of them hang together."""

from gateway.core.ids import ItemId
from gateway.core.state import State
from gateway.core.tree import Node
from gateway.errors import ProtocolViolation
from gateway.protocol import realtime as rt
from gateway.protocol.messages import TreeRetrieve, TreeRetrieved, page
from gateway.runtime.actor import Actor
from gateway.runtime.ports import Store
from gateway.transports import history


async def answer(
    actor: Actor, store: Store, event: rt.ItemRetrieve | TreeRetrieve, *, extended: bool
) -> rt.ServerEvent:
    """The answer to *event*. Raises ``ProtocolViolation``, ``StoreError``, ``SessionEnded``."""
    if isinstance(event, TreeRetrieve):
        return await _tree(actor, event)
    return await _item(actor, store, ItemId(event.item_id), extended=extended)


async def _item(actor: Actor, store: Store, item_id: ItemId, *, extended: bool) -> rt.ItemRetrieved:
    """A message; one beside the active path is there for extended clients alone."""
    glance = await actor.glance()
    node = next((node for node in glance.path if node.item_id == item_id), None)
    if node is None and extended:
        node = await actor.consult(lambda state: _beside(state, item_id))
    if node is None:
        raise ProtocolViolation("item_retrieve_invalid_item_id", "There is no item with this id.", param="item_id")
    contents = await store.contents(actor.session_id, [item_id])
    choices = glance.choices if extended else {}
    return rt.ItemRetrieved(item=history.shown(node, glance.open_texts, contents, choices))


def _beside(state: State, item_id: ItemId) -> Node | None:
    return state.conversation.tree.nodes.get(item_id)


async def _tree(actor: Actor, event: TreeRetrieve) -> TreeRetrieved:
    found = await actor.consult(lambda state: page(state.conversation.tree, event))
    if found is None:
        raise ProtocolViolation("item_retrieve_invalid_item_id", "There is no item with this id.", param="after")
    return found
