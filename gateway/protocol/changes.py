"""What a ``session.update`` may change: Realtime's fields as far as they mean something here, and ours."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from gateway.protocol.configuration import (
    AudioFormat,
    Include,
    NoiseReduction,
    Prompt,
    Reasoning,
    RetentionRatio,
    Tracing,
    Transcription,
)
from gateway.protocol.objects import Eagerness
from gateway.protocol.policies import ContextChanges, OnActiveChanges

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
"""What a client counts: no more than JSON numbers hold exactly everywhere (RFC 8259 section 6)."""


class TurnDetectionUpdate(msgspec.Struct):
    type: Literal["server_vad", "semantic_vad"] | UnsetType = UNSET
    threshold: float | UnsetType = UNSET
    prefix_padding_ms: Count | UnsetType = UNSET
    silence_duration_ms: Count | UnsetType = UNSET
    create_response: bool | UnsetType = UNSET
    interrupt_response: bool | UnsetType = UNSET
    idle_timeout_ms: Count | None | UnsetType = UNSET
    eagerness: Eagerness | UnsetType = UNSET


class AudioInputUpdate(msgspec.Struct):
    format: AudioFormat | UnsetType = UNSET
    turn_detection: TurnDetectionUpdate | None | UnsetType = UNSET
    transcription: Transcription | None | UnsetType = UNSET
    noise_reduction: NoiseReduction | None | UnsetType = UNSET


class AudioOutputUpdate(msgspec.Struct):
    format: AudioFormat | UnsetType = UNSET
    voice: str | dict[str, Any] | None | UnsetType = UNSET
    speed: float | UnsetType = UNSET


class AudioUpdate(msgspec.Struct):
    input: AudioInputUpdate | UnsetType = UNSET
    output: AudioOutputUpdate | UnsetType = UNSET


Utterances = Annotated[list[Annotated[str, msgspec.Meta(max_length=64)]], msgspec.Meta(max_length=200)]
"""Short utterances: longer ones are neither a stop word nor a backchannel, and more than these are no list."""


Metadata = Annotated[
    dict[Annotated[str, msgspec.Meta(min_length=1, max_length=64)], Annotated[str, msgspec.Meta(max_length=512)]],
    msgspec.Meta(max_length=16),
]
"""As OpenAI bounds it."""


class FunctionTool(msgspec.Struct):
    """A function that the model may ask for. Its client runs it."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$(?!\n)")]
    type: Literal["function"] = "function"
    description: str | None = None
    parameters: dict[str, Any] | None = None


class NamedTool(msgspec.Struct):
    name: str
    type: Literal["function"] = "function"


ToolChoice = Literal["auto", "none", "required"] | NamedTool
MaxTokens = Annotated[float, msgspec.Meta(ge=1, le=2**31 - 1, multiple_of=1)] | Literal["inf"]
"""A whole number, which JSON may write as 8.0."""


class OwnChanges(msgspec.Struct):
    """Ours, of the session: its language (ISO 639-1), and its own lists; null brings back those of the language."""

    language: Annotated[str, msgspec.Meta(pattern=r"^[a-z]{2}$(?!\n)")] | UnsetType = UNSET
    stop_words: Utterances | None | UnsetType = UNSET
    backchannels: Utterances | None | UnsetType = UNSET
    on_active: OnActiveChanges | None | UnsetType = UNSET
    on_edit: Literal["interrupt", "reject"] | UnsetType = UNSET
    """What an edit, a regeneration or a switch of branch does while an answer runs."""

    context: ContextChanges | None | UnsetType = UNSET
    metadata: Metadata | None | UnsetType = UNSET
    """What the conversation is about; takes the place of all of what was there, null empties it."""


class SessionChanges(msgspec.Struct):
    """The fields of a ``session.update`` that mean something here; unknown ones are ignored."""

    type: Literal["realtime", "transcription"] | UnsetType = UNSET
    model: str | None | UnsetType = UNSET
    """Counts until the session has one that the gateway knows: Realtime's models are for the whole of a session."""

    instructions: str | None | UnsetType = UNSET
    output_modalities: list[Literal["audio", "text"]] | UnsetType = UNSET
    audio: AudioUpdate | UnsetType = UNSET
    tools: list[FunctionTool] | None | UnsetType = UNSET
    tool_choice: ToolChoice | None | UnsetType = UNSET
    max_output_tokens: MaxTokens | None | UnsetType = UNSET
    tracing: Literal["auto"] | Tracing | None | UnsetType = UNSET
    prompt: Prompt | None | UnsetType = UNSET
    include: list[Include] | None | UnsetType = UNSET
    truncation: Literal["auto", "disabled"] | RetentionRatio | None | UnsetType = UNSET
    reasoning: Reasoning | None | UnsetType = UNSET
    parallel_tool_calls: bool | None | UnsetType = UNSET
    bargein: OwnChanges | UnsetType = UNSET
