"""What a session decided about input that came while an answer was running, in the words of the extension."""

from typing import assert_never

from msgspec import UNSET

from gateway.core import events as ev
from gateway.core.queue import Queued, QueueFact
from gateway.core.steer import SteerFact
from gateway.protocol import steering as st
from gateway.protocol.realtime import ServerEvent


def project_steering(event: QueueFact | SteerFact | ev.SteerPending | ev.ResponseSteered) -> list[ServerEvent]:
    """The events by which extended clients learn of it; others see only what joins the conversation."""
    match event:
        case ev.SteerAccepted() | ev.SteerPending() | ev.SteerConsumed() | ev.SteerFailed():
            return [project_steer(event)]
        case ev.ResponseSteered():
            return []  # the end of one item of the answer, and the beginning of the next, tell it
        case _:
            return [project_queue(event)]


def project_queue(event: QueueFact) -> ServerEvent:
    """What became of the turns that wait."""
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


def project_steer(event: SteerFact | ev.SteerPending) -> ServerEvent:
    """The receipt that extended clients get."""
    match event:
        case ev.SteerAccepted():
            return st.SteerAccepted(
                item_id=event.item_id,
                response_id=event.response_id,
                input=event.text,
                when=event.when,
                device=event.device,
                command_id=event.command,
            )
        case ev.SteerPending():
            return st.SteerPending(item_id=event.item_id, response_id=event.response_id, when=event.when)
        case ev.SteerConsumed():
            return st.SteerConsumed(item_id=event.item_id, response_id=event.response_id)
        case ev.SteerFailed():
            return st.SteerFailed(
                item_id=event.item_id, response_id=event.response_id, code=event.code, input=event.text
            )
        case _:
            assert_never(event)


def queue_item(waiting: ev.TurnQueued | Queued, text: str) -> st.QueueItem:
    """A turn that waits, with its words, as the wire shows it."""
    about = waiting.about or UNSET
    return st.QueueItem(waiting.item_id, text, waiting.how, waiting.device, waiting.command, about)
