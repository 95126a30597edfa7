"""The objects of OpenAI Realtime (GA) that events carry: items, responses, sessions. ``realtime`` offers them too."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from gateway.protocol.configuration import Include, Prompt, Reasoning, RetentionRatio, Tracing


class Content(msgspec.Struct, omit_defaults=True):
    """A part of an item. Of a picture only that it is there: a frame has no room for it.

    ``input_audio`` always carries the ``transcript`` key, null until it is known."""

    type: Literal["input_text", "input_audio", "input_image", "output_text", "output_audio"]
    text: str | UnsetType = UNSET
    transcript: str | None | UnsetType = UNSET


class Siblings(msgspec.Struct):
    """Which of the messages at its place in the tree this is: ``ids[index]``, oldest first."""

    index: int
    count: int
    ids: list[str]


class Version(msgspec.Struct):
    """Which text of a message this is (the first is 1), who gave it, and when (whole seconds since the epoch)."""

    number: int
    by: str
    at: int


class Reaction(msgspec.Struct):
    """How many gave it; ``by`` names the first of them."""

    reaction: str
    count: int
    by: list[str]


class Item(msgspec.Struct):
    """A message; or a tool's call, or what came of one, which have neither role nor content.

    ``heard_text``, ``unheard_text`` and ``seen_text`` are ours: set on an answer that was cut."""

    id: str
    status: Literal["completed", "incomplete", "in_progress"]
    role: Literal["user", "assistant", "system"] | UnsetType = UNSET
    content: list[Content] | UnsetType = UNSET
    object: Literal["realtime.item"] = "realtime.item"
    type: Literal["message", "function_call", "function_call_output"] = "message"
    call_id: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    arguments: str | UnsetType = UNSET
    output: str | UnsetType = UNSET
    heard_text: str | UnsetType = UNSET
    unheard_text: str | UnsetType = UNSET
    seen_text: str | UnsetType = UNSET
    """What of ``unheard_text`` had been shown as text."""

    device: str | UnsetType = UNSET
    siblings: Siblings | UnsetType = UNSET
    """Ours, where there are any."""

    version: Version | UnsetType = UNSET
    """Ours: set on a message that was corrected."""

    reactions: list[Reaction] | UnsetType = UNSET
    """Ours, where there are any."""

    redacted: bool | UnsetType = UNSET
    """Ours: True where its words were removed for good."""


class Part(msgspec.Struct):
    """A content part as ``response.content_part.*`` names it (other names than in items)."""

    type: Literal["audio", "text"]
    text: str | UnsetType = UNSET
    transcript: str | UnsetType = UNSET


class ErrorDetail(msgspec.Struct):
    """What went wrong. ``code`` is stable; ``event_id`` is that of the client event at fault."""

    type: str
    code: str
    message: str
    param: str | None = None
    event_id: str | None = None


class InputTokens(msgspec.Struct):
    text_tokens: int = 0
    audio_tokens: int = 0
    image_tokens: int = 0
    cached_tokens: int = 0


class OutputTokens(msgspec.Struct):
    text_tokens: int = 0
    audio_tokens: int = 0


class Usage(msgspec.Struct):
    """Token counts; zero where the model behind the gateway does not tell."""

    total_tokens: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    input_token_details: InputTokens = msgspec.field(default_factory=InputTokens)
    output_token_details: OutputTokens = msgspec.field(default_factory=OutputTokens)


class DurationUsage(msgspec.Struct):
    """What a transcription cost."""

    seconds: float = 0.0
    type: Literal["duration"] = "duration"


class StatusDetails(msgspec.Struct, omit_defaults=True):
    type: Literal["completed", "cancelled", "failed", "incomplete"]
    reason: Literal["turn_detected", "client_cancelled", "max_output_tokens", "content_filter"] | UnsetType = UNSET
    error: ErrorDetail | UnsetType = UNSET


InProgress = Literal["in_progress"]


class Response(msgspec.Struct):
    id: str
    status: Literal["in_progress", "completed", "cancelled", "failed", "incomplete"]
    output: list[Item]
    output_modalities: list[str]
    metadata: dict[str, str] | None = None
    status_details: StatusDetails | None = None
    usage: Usage | None = None
    conversation_id: str | UnsetType = UNSET
    max_output_tokens: int | Literal["inf"] = "inf"
    object: Literal["realtime.response"] = "realtime.response"
    continues: str | UnsetType = UNSET
    """Ours: the id of the cut answer of which this one speaks the unheard rest."""

    replaces: str | UnsetType = UNSET
    """Ours: the id of the answer beside which this one stands."""


class TurnDetection(msgspec.Struct):
    """``server_vad`` with its defaults: a timer of silence ends a turn."""

    type: Literal["server_vad"] = "server_vad"
    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500
    create_response: bool = True
    interrupt_response: bool = True
    idle_timeout_ms: int | None = None


Eagerness = Literal["low", "medium", "high", "auto"]


class SemanticTurnDetection(msgspec.Struct):
    """``semantic_vad`` with its defaults: how long a silence must last depends on what was said before it."""

    type: Literal["semantic_vad"] = "semantic_vad"
    eagerness: Eagerness = "auto"
    create_response: bool = True
    interrupt_response: bool = True


class Session(msgspec.Struct, tag_field="type", tag="realtime"):
    """The effective configuration, every key present but those that mean something for some models alone."""

    id: str
    model: str
    instructions: str
    output_modalities: list[str]
    audio: dict[str, Any]
    object: Literal["realtime.session"] = "realtime.session"
    tools: list[Any] = msgspec.field(default_factory=list)
    tool_choice: Literal["auto", "none", "required"] = "auto"
    """Where one function must be called, ``required``: some stock clients end at the object that names it."""

    max_output_tokens: int | Literal["inf"] = "inf"
    truncation: Literal["auto", "disabled"] | RetentionRatio = "auto"
    tracing: Literal["auto"] | Tracing | None = None
    prompt: Prompt | None = None
    include: list[Include] | None = None
    reasoning: Reasoning | UnsetType = UNSET
    parallel_tool_calls: bool | UnsetType = UNSET
    expires_at: int | UnsetType = UNSET
    """When the gateway ends the connection, seconds since the epoch; left out where it does not."""

    bargein: dict[str, Any] | UnsetType = UNSET
    """Ours: who answers and who speaks, the device's id, and the cursor to resume from."""


class TranscriptionSession(msgspec.Struct, tag_field="type", tag="transcription"):
    """The same of a connection that wants its speech in words, and no answers."""

    id: str
    audio: dict[str, Any]
    object: Literal["realtime.transcription_session"] = "realtime.transcription_session"
    include: list[Include] | None = None
    expires_at: int | UnsetType = UNSET
    bargein: dict[str, Any] | UnsetType = UNSET


AnySession = Session | TranscriptionSession
