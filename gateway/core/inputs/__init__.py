"""What the world tells a session. Past participles: it has happened, the session decides what follows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from gateway.core.ids import DEFAULT_TENANT, Generation, ItemId, ResponseId, TenantId, UserId
from gateway.core.inputs.context import (
    ContextOutgrown as ContextOutgrown,
    ContextResetRequested as ContextResetRequested,
)
from gateway.core.inputs.floor import (
    FloorClaimRequested as FloorClaimRequested,
    FloorReleaseRequested as FloorReleaseRequested,
    PlayoutHandedOver as PlayoutHandedOver,
)
from gateway.core.inputs.messages import (
    BranchRequested as BranchRequested,
    CorrectionSubmitted as CorrectionSubmitted,
    EditSubmitted as EditSubmitted,
    ReactionRequested as ReactionRequested,
    ReactionWithdrawn as ReactionWithdrawn,
)
from gateway.core.inputs.model import (
    GenerationBegan as GenerationBegan,
    GenerationFailed as GenerationFailed,
    GenerationFinished as GenerationFinished,
    OfModel as OfModel,
    Reasoned as Reasoned,
    SoundBegan as SoundBegan,
    TextGenerated as TextGenerated,
    ToolCalled as ToolCalled,
    ToolRan as ToolRan,
)
from gateway.core.inputs.presence import (
    DeviceJoined as DeviceJoined,
    DeviceUnreachable as DeviceUnreachable,
    MicrophoneMuted as MicrophoneMuted,
    OfPresence as OfPresence,
    PresenceUpdated as PresenceUpdated,
    ReactionSubmitted as ReactionSubmitted,
    TypingStarted as TypingStarted,
    TypingStopped as TypingStopped,
)
from gateway.core.inputs.queueing import (
    QueueEditRequested as QueueEditRequested,
    QueueReorderRequested as QueueReorderRequested,
    QueueWithdrawalRequested as QueueWithdrawalRequested,
)
from gateway.core.inputs.redaction import ItemRedactionRequested as ItemRedactionRequested
from gateway.core.inputs.stamp import Stamp as Stamp
from gateway.core.inputs.steering import SteerRequested as SteerRequested
from gateway.core.inputs.words import TurnHeard as TurnHeard
from gateway.core.values import Failure, ItemKind, OnActive as OnActive, Role, Settings, Wish

UNKNOWN_LEVEL: Final = -100.0
"""The level of a voice that nobody has measured: any other is louder."""


# --- the session and its connections ---


@dataclass(frozen=True, slots=True)
class SessionOpened:
    settings: Settings
    tenant: TenantId = DEFAULT_TENANT
    user: UserId = UserId("")
    """Who opened it."""


@dataclass(frozen=True, slots=True)
class SessionRecovered:
    """The log was read again after its owner ended: what was left open must be closed."""

    open_texts: Mapping[ItemId, str] = field(default_factory=dict)
    """Text of the items that were still open, as far as it was stored."""

    waiting_texts: Mapping[ItemId, str] = field(default_factory=dict)
    """Words of the turns that wait, and of steers whose end is open; one whose words were removed is left out."""

    wishes: Mapping[ItemId, Wish] = field(default_factory=dict)
    """What is wanted for the answers for which they wait, where that is anything."""


@dataclass(frozen=True, slots=True)
class VoiceJoined:
    """The connection of the stamp carries sound from now on, or with other wishes than before."""

    revocable: bool
    """True when a pause can be taken back: the gateway holds the sound, or the client is extended."""

    answers: bool = True
    """An ended turn is answered without being asked (Realtime ``create_response``)."""

    interrupts: bool = True
    """A voice over an answer may cut it (Realtime ``interrupt_response``)."""


@dataclass(frozen=True, slots=True)
class LegLeft:
    """The connection of the stamp is gone. Its playouts have been reported cleared before."""

    goodbye: bool = False
    """True when its client said that it goes, so that nobody waits for it to come back."""


# --- commands of clients ---


@dataclass(frozen=True, slots=True)
class ItemSubmitted:
    """A client adds a message, or what came of a tool. ``previous`` is None for the end, ``""`` for the root."""

    role: Role
    text: str
    item_id: ItemId | None = None
    previous: str | None = None
    kind: ItemKind = "message"
    call_id: str = ""
    name: str = ""
    images: tuple[str, ...] = ()
    """As ``data:`` or ``https:`` addresses."""


@dataclass(frozen=True, slots=True)
class ItemDeletionRequested:
    item_id: ItemId


@dataclass(frozen=True, slots=True)
class ItemTruncationRequested:
    """A client says how much of an answer it played: a claim, never more than our own clock says."""

    item_id: ItemId
    audio_end_ms: int
    located: tuple[int, int] | None = None
    """Code points, and ms of the answer's sound, that this holds; None when no leg of this client spoke it."""


@dataclass(frozen=True, slots=True)
class SettingsSubmitted:
    """The shared part of the session, already merged."""

    settings: Settings


@dataclass(frozen=True, slots=True)
class ResponseRequested:
    on_active: OnActive | None = None
    """None stands for what the session's settings say."""

    wish: Wish = field(default_factory=Wish)
    text_only: bool = False
    words: str | None = None
    """A message of the user that joins the conversation with it; None when it stands there already."""

    item_id: ItemId | None = None
    """The id that message shall have; None for any."""

    debounce_ms: int | None = None
    """None stands for what the session's settings say."""
    replaces: ItemId | None = None
    """The answer that is to be given again; the new one stands beside it."""

    aside: bool = False
    """True for an answer that does not join the conversation, beside whatever runs (``conversation: "none"``)."""


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """Stop the named response, or all that generate or sound. By button or ``response.cancel``."""

    response_id: ResponseId | None = None
    command: str = ""
    """Stop what this command (the ``event_id`` of a ``response.create``) asked for, whether or not it has an id yet."""

    own: bool = False
    """Stop only what this device asked for."""

    strict: bool = True
    """Refuse it when there is nothing to stop: what stock clients expect."""


@dataclass(frozen=True, slots=True)
class OutputClearRequested:
    """``output_audio_buffer.clear``: silence what sounds; harmless when nothing does."""


@dataclass(frozen=True, slots=True)
class PauseRequested:
    """``output_audio_buffer.pause``: hold the answer, wherever it sounds, until somebody lets it go on."""


@dataclass(frozen=True, slots=True)
class ResumeRequested:
    """``output_audio_buffer.resume``: let go of that; harmless when nothing is held."""


# --- a voice leg's ears; times are milliseconds on that microphone's clock ---


@dataclass(frozen=True, slots=True)
class SpeechSuspected:
    onset_ms: int


@dataclass(frozen=True, slots=True)
class SpeechDismissed:
    """It was nothing; the leg has let its playout go on by itself."""


@dataclass(frozen=True, slots=True)
class SpeechConfirmed:
    onset_ms: int
    prefix_ms: int
    """How much sound before the onset belongs to the turn (``prefix_padding_ms``)."""

    level_db: float = UNKNOWN_LEVEL
    """How loud it is at that microphone (dB of full scale), to tell which of two devices the speaker is nearer to."""


@dataclass(frozen=True, slots=True)
class SpeechSustained:
    """The voice has gone on for as long as only an interruption does."""


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The voice fell silent for a moment; the turn may still go on."""


@dataclass(frozen=True, slots=True)
class SpeechHeard:
    """What a voice that goes on seems to say so far."""

    text: str


@dataclass(frozen=True, slots=True)
class SpeechJudged:
    """What a short utterance seems to say; ``""`` when no word is in it."""

    text: str


@dataclass(frozen=True, slots=True)
class TalkPressed:
    """Push to talk: the user takes the floor by hand. The turn ends as any other, by ``TurnEnded`` or discarded."""

    at_ms: int
    preroll_ms: int
    """How much sound from before the press belongs to the turn."""


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The user has finished (or was manually committed)."""

    audio_start_ms: int
    audio_end_ms: int


@dataclass(frozen=True, slots=True)
class IdleTimedOut:
    """Nobody has spoken for as long as the client allows since the last answer was played (``idle_timeout_ms``)."""

    audio_start_ms: int
    audio_end_ms: int


@dataclass(frozen=True, slots=True)
class TurnDiscarded:
    """The turn's sound was removed before it ended: the client cleared it, or changed how turns are detected."""


@dataclass(frozen=True, slots=True)
class TurnTranscribed:
    item_id: ItemId
    text: str


@dataclass(frozen=True, slots=True)
class TurnTranscriptionFailed:
    item_id: ItemId
    failure: Failure
    audible: bool = False
    """True when the model can hear the turn itself, so that it is answered all the same."""


# --- a voice leg's loudspeaker ---


@dataclass(frozen=True, slots=True)
class PlayoutStarted:
    generation: Generation


@dataclass(frozen=True, slots=True)
class PlayoutStopped:
    """All of its sound was heard."""

    generation: Generation
    heard_ms: int
    heard_chars: int | None = None
    """Where the sound ended in the item's text when its engine failed; None when all of the text was spoken."""


@dataclass(frozen=True, slots=True)
class PlayoutCleared:
    """It was cut off, here."""

    generation: Generation
    heard_chars: int
    heard_ms: int
    started: bool


# --- time ---


@dataclass(frozen=True, slots=True)
class DeadlineReached:
    """A deadline of :meth:`gateway.core.session.Session.next_deadline` may have passed."""


Input: TypeAlias = (
    SessionOpened
    | SessionRecovered
    | VoiceJoined
    | LegLeft
    | ItemSubmitted
    | ItemDeletionRequested
    | ItemRedactionRequested
    | ItemTruncationRequested
    | SettingsSubmitted
    | ResponseRequested
    | CancelRequested
    | QueueEditRequested
    | QueueReorderRequested
    | QueueWithdrawalRequested
    | SteerRequested
    | OutputClearRequested
    | PauseRequested
    | ResumeRequested
    | EditSubmitted
    | CorrectionSubmitted
    | BranchRequested
    | ReactionRequested
    | ReactionWithdrawn
    | SpeechSuspected
    | SpeechDismissed
    | SpeechConfirmed
    | SpeechSustained
    | SpeechEnded
    | SpeechHeard
    | SpeechJudged
    | TurnHeard
    | TalkPressed
    | TurnEnded
    | TurnDiscarded
    | IdleTimedOut
    | TurnTranscribed
    | TurnTranscriptionFailed
    | PlayoutStarted
    | PlayoutStopped
    | PlayoutCleared
    | PlayoutHandedOver
    | FloorClaimRequested
    | FloorReleaseRequested
    | ContextOutgrown
    | ContextResetRequested
    | DeadlineReached
    | OfModel
    | OfPresence
)
