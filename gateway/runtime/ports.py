"""What the runtime needs from the rooms above it, as protocols. Nothing here does anything."""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Protocol

from gateway.core import state
from gateway.core.events import BranchSelected, Event, Fact
from gateway.core.ids import DEFAULT_TENANT, Generation, ItemId, ResponseId, SessionId
from gateway.core.inputs import PlayoutCleared
from gateway.runtime.models import (
    STEERED as STEERED,
    Conversation as Conversation,
    Ended as Ended,
    Message as Message,
    Piece as Piece,
    Reasoning as Reasoning,
    Sound as Sound,
    Steered as Steered,
    SteerMode as SteerMode,
    ToolCall as ToolCall,
    ToolRun as ToolRun,
)


class Agent(Protocol):
    """A model, or code that stands for one."""

    name: str
    """What a person should read: ``offline``, ``openai_chat gpt-4o-mini``."""

    steer: SteerMode
    """How a running answer can be steered; ``instruction`` when nothing better is offered."""

    speaks: bool
    """Its answers have their own sound (:class:`Sound`): no speech engine is to speak their text."""

    hears: bool
    """It wants the sound of what was said to it (:attr:`Conversation.sounds`)."""

    def reply(self, conversation: Conversation) -> AsyncGenerator[Piece, None]:
        """Answer, piece by piece: text, calls of tools, what it cost.

        The one task that iterates owns the stream: cancelling it must stop the model, down to its
        network connection. Only after a cancellation that says :data:`STEERED` a model that steers natively may wait a
        moment, to go on in the reply that follows. Raises :class:`gateway.errors.AgentError`.
        """
        ...

    async def aclose(self) -> None:
        """Let go of connections. Calling it twice is harmless."""
        ...


@dataclass(frozen=True, slots=True)
class Stored:
    """A fact with its place in the session's log."""

    seq: int
    """Gap-free from 1 in each session."""

    wall: float
    """When it was appended, seconds since the epoch."""

    fact: Fact


@dataclass(frozen=True, slots=True)
class Loaded:
    """A session as the store knows it: what a snapshot holds, and the log after it."""

    epoch: str
    """Identifies this incarnation of the log: a cursor ``(epoch, seq)`` of another one is void."""

    log: tuple[Stored, ...]
    """Oldest first; the whole log where there is no snapshot."""

    open_texts: Mapping[ItemId, str]
    """Text of items that were still being generated, as far as it was saved."""

    snapshot: state.Conversation | None = None
    """What the log up to ``snapshot_seq`` folds into. It is the caller's."""

    snapshot_seq: int = 0

    @property
    def seq(self) -> int:
        """The log's last seq."""
        return self.snapshot_seq + len(self.log)


@dataclass(frozen=True, slots=True)
class Content:
    """The words of an item: what was said or heard, and the unheard rest of a cut answer."""

    text: str
    unheard: str = ""


NO_WORDS: Final[Mapping[ItemId, Content]] = MappingProxyType({})


def entering(facts: Iterable[Fact]) -> list[ItemId]:
    """The messages that enter the active path again by these facts: their words stand elsewhere."""
    return [entered.item_id for fact in facts if isinstance(fact, BranchSelected) for entered in fact.entered]


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """What is known of a session without reading its log."""

    session: SessionId
    number: int
    """Grows with each new session of the store: the cursor of :meth:`Store.sessions`."""

    tenant: str
    """Whose it is."""

    epoch: str
    seq: int
    """The log's last seq."""

    created: float
    """When its first facts were appended, seconds since the epoch; 0 while there are none."""

    used: float
    """When its last facts were appended, seconds since the epoch; 0 while there are none."""

    size: int
    """Bytes of its facts and words, without what the engine needs around them."""

    metadata: Mapping[str, str]
    """That of its settings."""


class Store(Protocol):
    """The log. Every call may raise :class:`gateway.errors.StoreError`."""

    async def create(self, session: SessionId, epoch: str, *, tenant: str = DEFAULT_TENANT) -> None:
        """Begin an empty log. Raises ``store_conflict`` when the session exists."""
        ...

    async def append(self, session: SessionId, expected_seq: int, facts: Sequence[Fact], wall: float) -> int:
        """Append all of *facts* or nothing, after *expected_seq*; return the last seq.

        Durable when it returns. Words that a fact makes void (of a redacted or deleted item, of former
        settings) are removed for good in the same step.
        Raises ``store_conflict`` when the log does not end at *expected_seq*.
        """
        ...

    def save_open(self, session: SessionId, item: ItemId, text: str) -> None:
        """Remember an unfinished item's text so far, soon and without waiting. Never raises."""
        ...

    def snapshot_due(self, session: SessionId) -> bool:
        """Has so much been appended since the last snapshot that another one is worth its while? Never raises."""
        ...

    def save_snapshot(self, session: SessionId, seq: int, conversation: state.Conversation) -> None:
        """Remember what the log up to *seq* folds into. Taken now, written soon. Never raises.

        A snapshot only saves time: one that is lost or cannot be read is as good as none.
        """
        ...

    async def load(self, session: SessionId) -> Loaded | None:
        """The last snapshot and the log after it; None when there is no such session."""
        ...

    async def read(self, session: SessionId, after_seq: int, limit: int = 1000) -> tuple[Stored, ...]:
        """Up to *limit* facts after *after_seq*, oldest first."""
        ...

    async def read_before(self, session: SessionId, before_seq: int, limit: int = 1000) -> tuple[Stored, ...]:
        """Up to *limit* facts right before *before_seq*, oldest first."""
        ...

    async def contents(self, session: SessionId, items: Sequence[ItemId]) -> dict[ItemId, Content]:
        """The latest words of these items; those whose content is missing are left out."""
        ...

    async def redact(self, session: SessionId, item: ItemId) -> None:
        """Remove an item's words for good, from every table and from the file.

        A running session is asked by ``ItemRedactionRequested`` instead, so that all its devices learn of it.
        """
        ...

    async def info(self, session: SessionId) -> SessionInfo | None:
        """What is known of a session; None when there is none."""
        ...

    async def sessions(
        self,
        metadata: Mapping[str, str] | None = None,
        *,
        tenant: str = DEFAULT_TENANT,
        before: int | None = None,
        limit: int = 20,
    ) -> tuple[SessionInfo, ...]:
        """Up to *limit* sessions of a tenant, newest first: those with all of *metadata*, older than number *before*.

        The last one's ``number`` is the cursor of the next page; an empty page is the end.
        """
        ...

    async def least_used(self, before: float, limit: int = 100) -> tuple[SessionInfo, ...]:
        """Up to *limit* sessions of any tenant that have facts, but none since *before*, longest unused first."""
        ...

    async def size(self) -> int:
        """Bytes of all sessions, each as in :class:`SessionInfo`."""
        ...

    async def remove(self, session: SessionId) -> bool:
        """Remove a session and all its words for good; False when there is none. Its id stays unknown."""
        ...

    async def compact(self) -> None:
        """Give the room of removed sessions back, where that is worth its while. Appends may wait for it."""
        ...

    async def aclose(self) -> None:
        """Write what is queued and close. Calling it twice is harmless."""
        ...


class VoicePort(Protocol):
    """One voice leg as the session uses it. No call waits; what follows is posted back as inputs."""

    def begin(
        self,
        generation: Generation,
        response_id: ResponseId,
        item_id: ItemId,
        heard_chars: int = 0,
        heard_ms: int = 0,
        *,
        own_sound: bool = False,
    ) -> None:
        """An answer is about to be spoken; it sounds after those that were begun before.

        It goes on where it was handed over: what is said to have been heard counts these code points and ms too.
        With *own_sound* its sound is given by :meth:`sound`, and its text only says what that says.
        """
        ...

    def speak(self, generation: Generation, text: str) -> None:
        """Speak more of an answer's text."""
        ...

    def sound(self, generation: Generation, pcm: bytes) -> None:
        """Let more of an answer's own sound be heard, as in :class:`Sound`."""
        ...

    def finish(self, generation: Generation, *, whole: bool = True) -> None:
        """No more of that answer comes. Not *whole*: its own sound may end before its text does."""
        ...

    def flush(self, generation: Generation) -> PlayoutCleared | None:
        """Silence that answer now and tell where it stood; None when it is not here (any more)."""
        ...

    def hand_over(self, generation: Generation, finish_ms: int) -> None:
        """Silence that answer, for another leg goes on with it: answer with ``PlayoutHandedOver``, or with its end.

        A word that ends within *finish_ms* is finished first.
        """
        ...

    def release(self) -> None:
        """Let go of the reflex's pause."""
        ...

    def pause(self) -> None:
        """Hold the loudspeaker by button, until :meth:`resume`. Twice is once."""
        ...

    def resume(self) -> None:
        """Let go of the button's pause; harmless when there is none."""
        ...

    def drop_utterance(self) -> None:
        """The sound of the current turn was no turn: forget it."""
        ...

    def judge(self) -> None:
        """Answer with ``SpeechJudged`` for the sound of the current turn."""
        ...

    def transcribe(self, item_id: ItemId) -> None:
        """Answer with ``TurnTranscribed`` or ``TurnTranscriptionFailed`` for the turn that has ended."""
        ...

    def sound_of(self, item_id: ItemId) -> bytes | None:
        """The sound of a turn, as in :attr:`Conversation.sounds`; None when it is not at hand (any more)."""
        ...


@dataclass(frozen=True, slots=True)
class Published:
    """An event on its way to the connections of a session."""

    event: Event
    seq: int | None
    """Place in the log of a fact; None for a signal."""

    words: Mapping[ItemId, Content] = field(default_factory=dict)
    """Those of messages that it brings back, if it does."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a command."""

    command: str
    """The client's ``event_id``, ``""`` when it gave none."""

    seq: int
    """The log's last seq when it was applied."""

    duplicate: bool
    without_effect: bool = False
    """True when there was nothing for it to do."""


class Subscriber(Protocol):
    """A connection of a session. Calls never wait; what cannot be taken closes the connection."""

    def publish(self, batch: Sequence[Published]) -> None:
        """Take events in the order in which they were decided."""
        ...

    def accept(self, verdict: Verdict) -> None:
        """A command of this connection was applied. Refusals come as ``CommandRejected``."""
        ...

    def end(self, code: str) -> None:
        """The session ends here: ``shutdown`` or ``internal_error``."""
        ...
