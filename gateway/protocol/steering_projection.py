"""What a session decided about input that came while an answer was running, in the words of the extension."""

from typing import assert_never

from msgspec import UNSET

from gateway.core import events as ev
from gateway.core.queue import Queued, QueueFact
from gateway.protocol import steering as st
from gateway.protocol.realtime import ServerEvent


def project_queue(event: QueueFact) -> ServerEvent:
    """The event by which extended clients learn of it; others see only what joins the conversation."""
    match event:
        case ev.TurnQueued():
            return st.QueueItemAdded(item=queue_item(event, event.text))
        case ev.QueueEdited():
            return st.QueueItemEdited(item_id=event.item_id, text=event.text, device=event.device)
        case ev.QueueReordered():
            return st.QueueReordered(order=list(event.order))
        case ev.QueueWithdrawn():
            return st.QueueItemWithdrawn(item_id=event.item_id, reason=event.reason)
        case ev.QueueTaken():
            return st.QueueItemTaken(item_id=event.item_id)
        case _:
            assert_never(event)


def queue_item(waiting: ev.TurnQueued | Queued, text: str) -> st.QueueItem:
    """A turn that waits, with its words, as the wire shows it."""
    about = waiting.about or UNSET
    return st.QueueItem(waiting.item_id, text, waiting.how, waiting.device, waiting.command, about)
