"""Small values that inputs, facts and effects share."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from typing import Literal

Role = Literal["user", "assistant", "system", "tool"]
"""Who a message is of. ``tool``: no message, but the call of a tool, or what came of one."""

ItemKind = Literal["message", "function_call", "function_call_output"]
ItemStatus = Literal["in_progress", "completed", "incomplete"]
ResponseStatus = Literal["completed", "cancelled", "failed", "incomplete"]

TruncationReason = Literal["interrupted", "leg_lost", "speech_failed"]
"""Why an answer was not heard to its end: it was cut, the device that spoke it is gone, or its engine failed."""

CutReason = Literal["turn_detected", "client_cancelled", "node_lost"]
"""Why an answer ended early: by voice, by a client's command (or typed words), by the end of its process."""

Waiting = Literal["queue", "merge", "latest", "debounce"]
"""How a turn waits for the running answer: in a row, together with those before it, in their place, or in the place of
those before it and until nothing new has come for a while."""

Immediate = Literal["reject", "interrupt", "steer", "concurrent", "rollback"]

SteerWhen = Literal["now", "next_step"]
"""When words steer an answer: as its next token comes, or with the next step of a tool loop."""

OnActive = Immediate | Waiting
"""What new input does while an answer is running."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong, for a person and for a program. Never holds user text or model output."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a model may ask for, and that a client runs."""

    name: str
    description: str = ""
    parameters: str = "{}"
    """The JSON Schema of its arguments, as JSON text."""


ToolChoice = Literal["auto", "none", "required"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that one answer cost. What a model does not tell is 0."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    input_audio_tokens: int = 0
    input_image_tokens: int = 0
    output_audio_tokens: int = 0
    reasoning_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        mine, yours = astuple(self), astuple(other)
        return Usage(*(a + b for a, b in zip(mine, yours, strict=True)))


Shortfall = Literal["max_output_tokens", "content_filter"]
"""Why a model ended its answer before it was complete."""


@dataclass(frozen=True, slots=True)
class Given:
    """A message that one answer alone is to take for a part of the conversation; or the id of one that is in it."""

    role: Role = "user"
    text: str = ""
    kind: ItemKind = "message"
    call_id: str = ""
    name: str = ""
    images: tuple[str, ...] = ()
    refers_to: str = ""
    """The item that is meant, of which nothing else is given then."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client wants for one answer alone, in its own words; None stands for what the session says."""

    instructions: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    tools: tuple[Tool, ...] | None = None
    tool_choice: ToolChoice | None = None
    forced_tool: str = ""
    """The one tool that must be called."""

    max_output_tokens: int | None = None
    """0 for any number."""

    input: tuple[Given, ...] | None = None
    """What the model is given in place of the conversation."""


OnEdit = Literal["interrupt", "reject"]
"""What an edit, a regeneration or a switch of branch does while an answer runs."""


@dataclass(frozen=True, slots=True)
class Version:
    """A correction of a message in its place: which text it is (the first is 1), by whom and when."""

    number: int
    by: str
    wall: float
    """Seconds since the epoch."""


ContextPolicy = Literal["whole", "window", "summarise", "reset"]
"""What of a long conversation a model is given: all of it; the newest part; that, after a summary of the rest; or what
came since it was last begun anew."""


@dataclass(frozen=True, slots=True)
class Context:
    """How much of the conversation a model is given."""

    policy: ContextPolicy = "whole"
    max_tokens: int = 8000
    """An estimate, at four characters each; of no meaning for ``whole``."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The part of a session that all its connections share."""

    model: str = ""
    instructions: str = ""
    voice: str = ""
    language: str = "en"
    stop_words: tuple[str, ...] | None = None
    """Utterances that ask for silence; None stands for the list of the language."""

    backchannels: tuple[str, ...] | None = None
    """Utterances that only say that somebody listens; None stands for the list of the language."""

    on_active_voice: OnActive = "interrupt"
    """What a voice does while an answer is running."""

    on_active_text: OnActive = "reject"
    """What a ``response.create`` does then that does not say."""

    debounce_ms: int = 500
    """How long nothing new must have come for what is debounced."""

    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = "auto"
    forced_tool: str = ""
    """The one tool that must be called, where ``tool_choice`` is ``required``; ``""`` for any."""

    max_output_tokens: int = 0
    """Of each answer; 0 for any number."""

    on_edit: OnEdit = "interrupt"
    context: Context = field(default_factory=Context)
    metadata: Mapping[str, str] = field(default_factory=dict)
    """What the conversation is about, in its clients' own terms."""
