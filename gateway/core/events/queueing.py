"""Facts about what waits for the running answer to end."""

from dataclasses import dataclass, field

from gateway.core.ids import DeviceId, ItemId, LegId
from gateway.core.values import Waiting, Wish


@dataclass(frozen=True, slots=True)
class TurnQueued:
    """A turn waits until the answer has ended sounding."""

    item_id: ItemId
    """The id its message will have; a name of its own where ``adds`` is false."""

    text: str
    how: Waiting
    adds: bool = True
    """False when no message joins the conversation with it: only the wish to be answered waits."""

    about: ItemId | None = None
    """The spoken message that stands in the conversation already, and waits to be answered."""

    device: DeviceId = DeviceId("")
    leg: LegId = LegId("")
    """Who asked: speaks the answer, if it is there by then."""

    command: str = ""
    wish: Wish = field(default_factory=Wish)
    text_only: bool = False
    not_before: float | None = None
    """Wall time, of one that is debounced; None when only the answer is waited for."""


@dataclass(frozen=True, slots=True)
class QueueEdited:
    """The words of a turn that waits were replaced, by *device*."""

    item_id: ItemId
    text: str
    device: DeviceId = DeviceId("")


@dataclass(frozen=True, slots=True)
class QueueReordered:
    """Everything that waits, in its new order."""

    order: tuple[ItemId, ...]


@dataclass(frozen=True, slots=True)
class QueueWithdrawn:
    """A turn waits no longer, and will not be answered."""

    item_id: ItemId
    reason: str
    """``withdrawn``, ``cancelled``, ``superseded`` (a later one, or another branch, took its place)."""


@dataclass(frozen=True, slots=True)
class QueueTaken:
    """Its time has come: its message follows, and its answer."""

    item_id: ItemId
