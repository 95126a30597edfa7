"""What a session decides: *facts*, which are appended to its log, and *signals*, which only live.

A fact is durable: it gets a ``seq`` from the log, survives the process and is folded into the
conversation again. A signal is published once, to whoever listens now. They are different types,
so that nothing live-only can be stored by mistake and nothing durable can be lost.

Fields named ``text``, ``unheard`` and ``images`` hold content. The store keeps them beside the log, so that
they can be removed; a fact read back after a removal has them empty.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from gateway.core.events.asides import (
    AsideAppended as AsideAppended,
    AsideCalled as AsideCalled,
    AsideEnded as AsideEnded,
    AsideStarted as AsideStarted,
)
from gateway.core.events.context import ContextRestored as ContextRestored, ContextShortened as ContextShortened
from gateway.core.events.floor import (
    FloorChanged as FloorChanged,
    FloorReason as FloorReason,
    PlayoutMoved as PlayoutMoved,
)
from gateway.core.events.messages import (
    BranchSelected as BranchSelected,
    Entered as Entered,
    ItemCorrected as ItemCorrected,
    ReactionAdded as ReactionAdded,
    ReactionRemoved as ReactionRemoved,
    SiblingsChanged as SiblingsChanged,
)
from gateway.core.events.presence import PresenceChanged as PresenceChanged, ReactionSent as ReactionSent
from gateway.core.events.queueing import (
    QueueEdited as QueueEdited,
    QueueReordered as QueueReordered,
    QueueTaken as QueueTaken,
    QueueWithdrawn as QueueWithdrawn,
    TurnQueued as TurnQueued,
)
from gateway.core.events.redaction import ItemRedacted as ItemRedacted
from gateway.core.events.speech import (
    InputCommitted as InputCommitted,
    PlayoutPaused as PlayoutPaused,
    PlayoutResumed as PlayoutResumed,
    SpeechConfirmed as SpeechConfirmed,
    SpeechDismissed as SpeechDismissed,
    SpeechStarted as SpeechStarted,
    SpeechStopped as SpeechStopped,
    SpeechSuspected as SpeechSuspected,
    TimeoutTriggered as TimeoutTriggered,
)
from gateway.core.events.steering import (
    ResponseSteered as ResponseSteered,
    SteerAccepted as SteerAccepted,
    SteerConsumed as SteerConsumed,
    SteerFailed as SteerFailed,
    SteerPending as SteerPending,
)
from gateway.core.events.words import TurnWorded as TurnWorded
from gateway.core.ids import DEFAULT_TENANT, DeviceId, Generation, ItemId, LegId, ResponseId, TenantId, UserId
from gateway.core.values import (
    CutReason,
    Failure,
    ItemKind,
    ItemStatus,
    ResponseStatus,
    Role,
    Settings,
    Shortfall,
    TruncationReason,
    Usage,
)

# --- facts ---


@dataclass(frozen=True, slots=True)
class SessionOpened:
    settings: Settings
    tenant: TenantId = DEFAULT_TENANT
    user: UserId = UserId("")
    """Who opened it."""


@dataclass(frozen=True, slots=True)
class SettingsChanged:
    settings: Settings


@dataclass(frozen=True, slots=True)
class ItemAdded:
    """A message joined the tree, as a child of ``parent`` (None: it begins the conversation).

    Or a tool's call, whose ``text`` is its arguments, or what came of one, whose ``text`` is its output.
    """

    item_id: ItemId
    parent: ItemId | None
    role: Role
    status: ItemStatus
    text: str = ""
    spoken: bool = False
    device: DeviceId = DeviceId("")
    response_id: ResponseId | None = None
    before: ItemId | None = None
    """The item that was the child of ``parent`` and now follows this one; None at the end."""

    aside: bool = False
    """True when it joins beside the active path, which stays as it is until ``BranchSelected``."""

    user: UserId = UserId("")
    """Who said it, ``""`` where that is not known."""

    kind: ItemKind = "message"
    call_id: str = ""
    """Joins a call and its result."""

    name: str = ""
    """Of the tool that is called."""

    images: tuple[str, ...] = ()
    """As ``data:`` or ``https:`` addresses."""


@dataclass(frozen=True, slots=True)
class ItemTranscribed:
    """What a spoken user message says."""

    item_id: ItemId
    text: str
    audio_ms: int = 0
    """How long its sound was; 0 for a silence that was taken for a turn."""


@dataclass(frozen=True, slots=True)
class ItemTranscriptionFailed:
    item_id: ItemId
    failure: Failure


@dataclass(frozen=True, slots=True)
class ItemCompleted:
    """No more text comes. ``text`` is all that was generated."""

    item_id: ItemId
    response_id: ResponseId
    status: ItemStatus
    text: str
    fell_short: bool = False
    """True for an incomplete one that nobody cut: the model ended it early."""


@dataclass(frozen=True, slots=True)
class ItemTruncated:
    """The answer was not heard to its end: ``text`` is what was heard (or shown), ``unheard`` the rest of it.

    May come again for the same item, with less in ``text``: a device says that it played less.
    """

    item_id: ItemId
    text: str
    unheard: str
    heard_ms: int
    """Milliseconds of its sound that were heard; 0 when it was only read."""

    seen: int = 0
    """How many code points of the whole text clients had been shown by then: it may have run ahead of the voice."""

    reason: TruncationReason = "interrupted"


@dataclass(frozen=True, slots=True)
class ItemRemoved:
    item_id: ItemId
    reason: str
    """``deleted``, ``not_speech``, ``unheard`` (an answer of which nothing was heard), ``rolled_back``."""

    aside: bool = False
    """True when it stood beside the active path."""


@dataclass(frozen=True, slots=True)
class ResponseStarted:
    response_id: ResponseId
    generation: Generation
    leg: LegId | None
    """The voice leg that speaks it; None when it is only written."""

    continues: ItemId | None = None
    """Set when no model is asked: the unheard rest of that item is spoken."""

    metadata: Mapping[str, str] = field(default_factory=dict)
    device: DeviceId = DeviceId("")
    """Who asked for it."""

    command: str = ""
    """The ``event_id`` of the command that asked for it; ``""`` when none did."""

    answers: ItemId | None = None
    """The last message before it; None when there was none."""
    replaces: ItemId | None = None
    """The answer beside which this one stands."""


@dataclass(frozen=True, slots=True)
class ResponseEnded:
    """Generation is over: exactly one for each :class:`ResponseStarted`."""

    response_id: ResponseId
    generation: Generation
    status: ResponseStatus
    item_id: ItemId | None
    reason: CutReason | None = None
    failure: Failure | None = None
    usage: Usage | None = None
    """What it cost; None where that is not known, as of an answer that was cut."""

    shortfall: Shortfall | None = None
    """Why one that is ``incomplete`` is."""


@dataclass(frozen=True, slots=True)
class PlayoutStarted:
    response_id: ResponseId
    leg: LegId


@dataclass(frozen=True, slots=True)
class PlayoutStopped:
    """It was heard to its end."""

    response_id: ResponseId
    leg: LegId


@dataclass(frozen=True, slots=True)
class PlayoutCleared:
    """It was cut off, or its leg was lost."""

    response_id: ResponseId
    leg: LegId
    heard_chars: int | None = None
    """Where it stood when its leg was lost; None when it was cut (``ItemTruncated`` tells), or had not begun."""

    heard_ms: int = 0


@dataclass(frozen=True, slots=True)
class CommandApplied:
    """A command with an idempotency key took effect; repeats are answered, not applied."""

    key: str
    digest: str
    wall: float


Fact: TypeAlias = (
    SessionOpened
    | SettingsChanged
    | ItemAdded
    | ItemTranscribed
    | ItemTranscriptionFailed
    | ItemCompleted
    | ItemTruncated
    | ItemRemoved
    | ItemRedacted
    | ResponseStarted
    | ResponseEnded
    | PlayoutStarted
    | PlayoutStopped
    | PlayoutCleared
    | FloorChanged
    | PlayoutMoved
    | CommandApplied
    | TurnQueued
    | QueueEdited
    | QueueReordered
    | QueueWithdrawn
    | QueueTaken
    | SteerAccepted
    | SteerConsumed
    | SteerFailed
    | ResponseSteered
    | BranchSelected
    | ItemCorrected
    | ReactionAdded
    | ReactionRemoved
    | AsideStarted
    | AsideCalled
    | AsideEnded
    | ContextShortened
    | ContextRestored
)


# --- signals ---


@dataclass(frozen=True, slots=True)
class TextAppended:
    """More of an answer's text. ``offset`` counts Unicode code points from the item's beginning."""

    response_id: ResponseId
    item_id: ItemId
    offset: int
    text: str


@dataclass(frozen=True, slots=True)
class ReasoningAppended:
    """More of what the model thinks. ``offset`` counts Unicode code points from the beginning of that."""

    response_id: ResponseId
    offset: int
    text: str


@dataclass(frozen=True, slots=True)
class TruncationKept:
    """A client's claim of what it played changed nothing: the item is as short already."""

    leg: LegId
    item_id: ItemId
    audio_end_ms: int
    """What was played of it, as far as anybody knows: no more than the client claims, where that counts."""


@dataclass(frozen=True, slots=True)
class CommandRejected:
    """A command of the stamp's leg could not be taken. Goes to that connection alone."""

    leg: LegId
    command: str
    failure: Failure
    param: str | None = None


Signal: TypeAlias = (
    TextAppended
    | AsideAppended
    | ReasoningAppended
    | SpeechSuspected
    | SpeechConfirmed
    | SpeechDismissed
    | PlayoutPaused
    | PlayoutResumed
    | SpeechStarted
    | SpeechStopped
    | InputCommitted
    | TurnWorded
    | TimeoutTriggered
    | TruncationKept
    | SteerPending
    | CommandRejected
    | PresenceChanged
    | ReactionSent
    | SiblingsChanged
)

Event: TypeAlias = Fact | Signal
