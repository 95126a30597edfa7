"""The extension ``bargein.v1``: events that only clients which asked for it send or see."""

from typing import ClassVar, Literal

import msgspec
from msgspec import UNSET, UnsetType

from gateway.protocol.auth import (
    AuthChanged as AuthChanged,
    AuthRefresh as AuthRefresh,
    AuthRefreshRequired as AuthRefreshRequired,
)
from gateway.protocol.context import (
    ContextReset as ContextReset,
    ContextRestored as ContextRestored,
    ContextShortened as ContextShortened,
)
from gateway.protocol.floor import (
    FloorChanged as FloorChanged,
    FloorClaim as FloorClaim,
    FloorRelease as FloorRelease,
)
from gateway.protocol.messages import BranchSelect, ItemUpdate, OfMessages, ReactionAdd, ReactionRemove, TreeRetrieve
from gateway.protocol.presence import OfPresence, PresenceUpdate, ReactionSend, TypingStart, TypingStop
from gateway.protocol.realtime import (
    AudioAppend,
    AudioClear,
    AudioCommit,
    ClientEvent,
    Count,
    Item,
    ItemCreate,
    ItemDelete,
    ItemRetrieve,
    ItemTruncate,
    OutputClear,
    ResponseCancel,
    ResponseCreate,
    ServerEvent,
    SessionUpdate,
)
from gateway.protocol.reasoning import ReasoningDelta as ReasoningDelta
from gateway.protocol.redaction import ItemRedact as ItemRedact, ItemRedacted as ItemRedacted
from gateway.protocol.steering import (
    QueueItemAdded as QueueItemAdded,
    QueueItemEdited as QueueItemEdited,
    QueueItemTaken as QueueItemTaken,
    QueueItemWithdrawn as QueueItemWithdrawn,
    QueueListed as QueueListed,
    QueueReordered as QueueReordered,
    QueueUpdate as QueueUpdate,
    Steer as Steer,
    SteerAccepted as SteerAccepted,
    SteerConsumed as SteerConsumed,
    SteerFailed as SteerFailed,
    SteerPending as SteerPending,
)

SUBPROTOCOL = "bargein.v1"


class ExtendedEvent(ServerEvent):
    """A server event of the extension."""

    extension: ClassVar[bool] = True


class SessionSnapshot(ExtendedEvent, tag="session.snapshot"):
    """The active path; it replaces what the client holds."""

    session_id: str
    items: list[Item]
    has_before: bool | UnsetType = UNSET
    """True when only the newest items are here: older ones come by ``GET …/items?before=``."""

    running: list[str] = msgspec.field(default_factory=list)
    """Ids of the responses that are being generated, oldest first."""


class SessionResumed(ExtendedEvent, tag="session.resumed"):
    """What follows the client's cursor comes next, flagged ``replay``."""

    session_id: str
    retry_after_ms: Count | UnsetType = UNSET
    """How long to wait before resuming the next time. Set while many resume at once, and different for each."""


class SessionReset(ExtendedEvent, tag="session.reset"):
    """The cursor is void; a snapshot follows. ``reason``: ``epoch_changed``, ``ahead_of_log``, ``invalid_cursor``."""

    session_id: str
    reason: str


class SessionClosing(ExtendedEvent, tag="session.closing"):
    """The gateway ends this connection; the session goes on. ``reason`` is the close code's name in lower case."""

    reason: str
    retry_after_ms: Count
    """How long to wait before connecting again; different for each client, so that not all come back at once."""


class SpeechSuspected(ExtendedEvent, tag="input_audio_buffer.speech_suspected"):
    audio_start_ms: int


class SpeechConfirmed(ExtendedEvent, tag="input_audio_buffer.speech_confirmed"):
    pass


class SpeechDismissed(ExtendedEvent, tag="input_audio_buffer.speech_dismissed"):
    pass


class OutputPaused(ExtendedEvent, tag="output_audio_buffer.paused"):
    response_id: str


class OutputResumed(ExtendedEvent, tag="output_audio_buffer.resumed"):
    response_id: str


class CommandAccepted(ExtendedEvent, tag="command.accepted"):
    """``command_id`` is the ``event_id`` of the client's event."""

    command_id: str
    applied_seq: int
    duplicate: bool
    effect: Literal["none"] | UnsetType = UNSET
    """``none`` when there was nothing to do."""


class CommandRejected(ExtendedEvent, tag="command.rejected"):
    command_id: str
    code: str
    message: str
    param: str | UnsetType = UNSET


class OutputPause(ClientEvent, tag="output_audio_buffer.pause"):
    """Hold the answer on every device, by button."""


class OutputResume(ClientEvent, tag="output_audio_buffer.resume"):
    """Let it go on."""


class PushToTalk(ClientEvent, tag="input_audio_buffer.push_to_talk"):
    """A key is pressed, or released: what is said in between is a turn, whatever the detector makes of it."""

    state: Literal["down", "up"]


class Mute(ClientEvent, tag="input_audio_buffer.mute"):
    """This connection's microphone counts as silent, until it is told otherwise."""

    muted: bool


OfTheExtension = (
    OutputPause
    | OutputResume
    | PushToTalk
    | Mute
    | QueueUpdate
    | Steer
    | ItemRedact
    | ContextReset
    | OfMessages
    | OfPresence
    | AuthRefresh
)


class SessionResume(ClientEvent, tag="session.resume"):
    """Continue after a drop, from the last ``seq`` this client has seen."""

    epoch: str
    seq: int
    open: dict[str, int] = msgspec.field(default_factory=dict)
    """How many code points of each unfinished item the client holds; one that is not named arrives whole."""


class PlaybackReport(ClientEvent, tag="playback.report"):
    """How far this client really played. Either how much of an item, or what it still buffers, or both."""

    item_id: str | None = None
    played_ms: Count | None = None
    """Of the item's sound as it was sent."""

    buffered_ms: Count | None = None
    """What has arrived and is not heard yet: the jitter buffer, and the output latency of the sound card."""


AnyClientEvent = (
    SessionUpdate
    | AudioAppend
    | AudioCommit
    | AudioClear
    | OutputClear
    | ItemCreate
    | ItemRetrieve
    | ItemTruncate
    | ItemDelete
    | ResponseCreate
    | ResponseCancel
    | OutputPause
    | OutputResume
    | FloorClaim
    | FloorRelease
    | PushToTalk
    | Mute
    | QueueUpdate
    | Steer
    | SessionResume
    | PlaybackReport
    | AuthRefresh
    | PresenceUpdate
    | TypingStart
    | TypingStop
    | ReactionSend
    | ItemUpdate
    | BranchSelect
    | TreeRetrieve
    | ReactionAdd
    | ReactionRemove
    | ItemRedact
    | ContextReset
)

__all__ = ["SUBPROTOCOL", "UNSET", "AnyClientEvent"]
