"""What models are given of a long conversation, on the wire: events of the extension alone."""

from typing import ClassVar

from msgspec import UNSET, UnsetType

from gateway.core import events as ev
from gateway.protocol.realtime import ClientEvent, ServerEvent


class ContextReset(ClientEvent, tag="conversation.context.reset"):
    """Models shall know nothing of what was said so far. It stays in the conversation."""


class ContextShortened(ServerEvent, tag="conversation.context.shortened"):
    """Models are given what follows ``upto``, after ``summary``, if there is one. The messages stay as they are."""

    extension: ClassVar[bool] = True
    item_id: str
    upto: str
    summary: str | UnsetType = UNSET


class ContextRestored(ServerEvent, tag="conversation.context.restored"):
    """That summary is void, since something changed of which it told: models are given the messages again."""

    extension: ClassVar[bool] = True
    item_id: str


def told(event: ev.ContextShortened | ev.ContextRestored) -> ServerEvent:
    """The event by which extended clients learn of it."""
    if isinstance(event, ev.ContextRestored):
        return ContextRestored(item_id=event.item_id)
    return ContextShortened(item_id=event.item_id, upto=event.upto, summary=event.text or UNSET)
