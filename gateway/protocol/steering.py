"""The extension's events about what new input does while an answer is running."""

from typing import ClassVar, Literal

import msgspec
from msgspec import UNSET, UnsetType

from gateway.protocol.realtime import ClientEvent, ServerEvent


class QueueUpdate(ClientEvent, tag="queue.update"):
    """List, reorder, edit or withdraw what waits, whichever device it came from."""

    action: Literal["list", "reorder", "edit", "withdraw"]
    item_id: str | None = None
    """What to edit or withdraw."""

    text: str | None = None
    """Its new words."""

    order: list[str] | None = None
    """The ids of everything that waits, in the wanted order."""


class QueueItem(msgspec.Struct):
    """A turn that waits."""

    id: str
    text: str
    """Its words; empty where no message joins the conversation with it."""

    mode: Literal["queue", "merge", "latest", "debounce"]
    device: str
    command_id: str
    """The ``event_id`` of the command that it came by."""

    about: str | UnsetType = UNSET
    """The spoken message in the conversation that waits to be answered."""


class SteeringEvent(ServerEvent):
    """A server event of the extension."""

    extension: ClassVar[bool] = True


class QueueItemAdded(SteeringEvent, tag="queue.item.added"):
    item: QueueItem


class QueueItemEdited(SteeringEvent, tag="queue.item.edited"):
    item_id: str
    text: str
    device: str


class QueueReordered(SteeringEvent, tag="queue.reordered"):
    order: list[str]


class QueueItemWithdrawn(SteeringEvent, tag="queue.item.withdrawn"):
    """It will not be answered. ``reason``: ``withdrawn``, ``cancelled``, ``superseded``."""

    item_id: str
    reason: str


class QueueItemTaken(SteeringEvent, tag="queue.item.taken"):
    """Its message joins the conversation next, and is answered."""

    item_id: str


class QueueListed(SteeringEvent, tag="queue.listed"):
    """Everything that waits, in order; it replaces what the client holds."""

    items: list[QueueItem]
