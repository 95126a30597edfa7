"""Answers beside the conversation: given to whoever listens, and no part of what is remembered of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.core.ids import DeviceId, Generation, ItemId, ResponseId
from gateway.core.values import CutReason, Failure, ResponseStatus, Shortfall, Usage

# --- facts ---


@dataclass(frozen=True, slots=True)
class AsideStarted:
    response_id: ResponseId
    generation: Generation
    metadata: Mapping[str, str] = field(default_factory=dict)
    device: DeviceId = DeviceId("")
    """Who asked for it."""

    command: str = ""
    """The ``event_id`` of the command that asked for it; ``""`` when that had none."""


@dataclass(frozen=True, slots=True)
class AsideCalled:
    """The model asked for a tool. ``text`` is its arguments, as JSON."""

    response_id: ResponseId
    item_id: ItemId
    call_id: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class AsideEnded:
    """Exactly one for each :class:`AsideStarted`. ``text`` is all that was generated."""

    response_id: ResponseId
    item_id: ItemId
    """Of its message, which there is only where there is text."""

    status: ResponseStatus
    text: str = ""
    reason: CutReason | None = None
    failure: Failure | None = None
    usage: Usage | None = None
    shortfall: Shortfall | None = None


# --- signals ---


@dataclass(frozen=True, slots=True)
class AsideAppended:
    """More of its text. ``offset`` counts Unicode code points from its beginning."""

    response_id: ResponseId
    item_id: ItemId
    offset: int
    text: str
