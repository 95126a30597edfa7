"""The extension's events about what new input does while an answer is running."""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import UNSET, UnsetType

from gateway.protocol.realtime import ClientEvent, ServerEvent, UserItem


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


class Steer(ClientEvent, tag="response.steer"):
    """Give a running answer another direction, without ending it."""

    input: str | Annotated[list[UserItem], msgspec.Meta(min_length=1)]
    """A message of the user; several are taken as one."""

    previous_response_id: str | None = None
    """The answer that runs when left out."""

    when: Literal["now", "next_step"] = "now"


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


class SteerAccepted(SteeringEvent, tag="response.steer.accepted"):
    """Exactly one of ``consumed`` and ``failed`` follows."""

    item_id: str
    """The id its message will have."""

    response_id: str
    input: str
    when: Literal["now", "next_step"]
    device: str
    command_id: str


class SteerPending(SteeringEvent, tag="response.steer.pending"):
    """It waits for the next model call, or with ``next_step`` for the next step of a tool loop."""

    item_id: str
    response_id: str
    when: Literal["now", "next_step"]


class SteerConsumed(SteeringEvent, tag="response.steer.consumed"):
    """The first token came of a model call that contained it."""

    item_id: str
    response_id: str


class SteerFailed(SteeringEvent, tag="response.steer.failed"):
    """No model call answered it; ``input`` gives it back."""

    item_id: str
    response_id: str
    code: str
    input: str
