"""What an agent is given for one answer, and what it yields."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from gateway.core.values import ItemKind, Role, Shortfall, Tool, ToolChoice, Usage

SteerMode = Literal["native", "prefill", "instruction"]

STEERED: Final = "steered"
"""The message of the cancellation that ends a reply which another one goes on with, by the same response's id."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the conversation, as it was heard; or a tool's call, or what came of one."""

    role: Role
    text: str
    """What was said, typed or, for an interrupted answer, *heard*. A call's arguments, as JSON; a result's output."""

    interrupted: bool = False
    """True for an answer that was cut: ``text`` is the part that was heard (or read)."""

    unheard: str = ""
    """The rest of an interrupted answer: generated, and never heard. Not part of the conversation."""

    broken_off: bool = False
    """True for an interrupted answer that nobody cut: its sound broke off, and ``unheard`` could only be read."""

    device: str = ""
    """Name of the device it came from, ``""`` when unknown."""

    spoken: bool = False
    """True when a user message came by voice."""

    item_id: str = ""
    """Its id in the conversation; ``""`` while it has none."""

    response_id: str = ""
    """The answer that it is of; ``""`` for what is of none."""

    heard_ms: int | None = None
    """Of an interrupted answer that was spoken, how much of its sound was heard; None for any other."""

    kind: ItemKind = "message"
    call_id: str = ""
    """Joins a call and its result."""

    name: str = ""
    """Of the tool that is called."""

    images: tuple[str, ...] = ()
    """Pictures of a user message, as ``data:`` or ``https:`` addresses."""


@dataclass(frozen=True, slots=True)
class Steered:
    """The answer that is to be gone on with, in another direction."""

    mode: SteerMode
    """How: the model does it by itself; its own words stand last, and it goes on with them; or it is told to."""

    since: int
    """Where in the messages it began: what follows is its parts, as they were heard, and what steered it."""

    partial: str
    """All of it so far, as it was heard (or shown)."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """What an agent is given: the active path, oldest first, ending with what must be answered."""

    session_id: str
    response_id: str
    instructions: str
    messages: tuple[Message, ...]
    locale: str = "en"
    steered: Steered | None = None
    """None for an answer that begins."""

    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = "auto"
    forced_tool: str = ""
    """The one tool that must be called, ``""`` for any."""

    max_output_tokens: int | None = None
    """None for any number."""

    beside: bool = False
    """True for an answer that does not join the conversation: nothing of it is to be remembered."""

    given: bool = False
    """True where the messages are what a client gave for this answer alone, and not the session's own path."""

    sounds: Mapping[str, bytes] = field(default_factory=dict)
    """For an agent that hears: by item id, the sound of user messages that came by voice and are still at hand, as
    PCM16 mono 24 kHz, little-endian."""


# --- what an agent yields: text, as plain ``str``, or one of these ---


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model asks for a tool, which a client is to run. The answer ends soon after; the result comes in another."""

    call_id: str
    name: str
    arguments: str
    """As JSON text."""


@dataclass(frozen=True, slots=True)
class ToolRun:
    """A tool that the agent ran by itself: shown, and recorded as a call with its result."""

    call_id: str
    name: str
    arguments: str
    output: str


@dataclass(frozen=True, slots=True)
class Sound:
    """A piece of the answer's own sound, from an agent that ``speaks``: PCM16 mono 24 kHz, little-endian.

    Its words are yielded beside it as text, somewhat before or after.
    """

    pcm: bytes


@dataclass(frozen=True, slots=True)
class Reasoning:
    """What the model thinks before or while it answers: shown to extended clients, never spoken, not remembered."""

    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """Why the answer is not complete, where it is not. Yielded last."""

    shortfall: Shortfall


Piece: TypeAlias = str | ToolCall | ToolRun | Sound | Reasoning | Usage | Ended
""":class:`~gateway.core.values.Usage` may come several times; they are added up."""
