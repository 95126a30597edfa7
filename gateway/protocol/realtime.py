"""OpenAI Realtime (GA): its objects, client events and server events, as msgspec structs.

Shapes follow the API reference of platform.openai.com ("Realtime") as its Python package describes
it. Where a stock client is stricter than the reference, the stricter reading holds: keys are left
out rather than null, milliseconds are integers, every content part has its text or transcript.
"""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import UNSET, UnsetType

from gateway.protocol.changes import (
    AudioInputUpdate as AudioInputUpdate,
    AudioOutputUpdate as AudioOutputUpdate,
    AudioUpdate as AudioUpdate,
    Count as Count,
    FunctionTool as FunctionTool,
    MaxTokens as MaxTokens,
    Metadata as Metadata,
    NamedTool as NamedTool,
    OwnChanges as OwnChanges,
    SessionChanges as SessionChanges,
    ToolChoice as ToolChoice,
    TurnDetectionUpdate as TurnDetectionUpdate,
    Utterances as Utterances,
)
from gateway.protocol.configuration import (
    AudioFormat as AudioFormat,
    NoiseReduction as NoiseReduction,
    Transcription as Transcription,
)
from gateway.protocol.objects import (
    AnySession as AnySession,
    Content as Content,
    DurationUsage as DurationUsage,
    Eagerness as Eagerness,
    ErrorDetail as ErrorDetail,
    InProgress as InProgress,
    InputTokens as InputTokens,
    Item as Item,
    OutputTokens as OutputTokens,
    Part as Part,
    Reaction as Reaction,
    Response as Response,
    SemanticTurnDetection as SemanticTurnDetection,
    Session as Session,
    Siblings as Siblings,
    StatusDetails as StatusDetails,
    TranscriptionSession as TranscriptionSession,
    TurnDetection as TurnDetection,
    Usage as Usage,
    Version as Version,
)
from gateway.protocol.policies import DebounceMs, OnActive

ID = r"^[A-Za-z0-9_.:-]{0,128}$(?!\n)"
"""What a client may call a message. Written so that it means the same to Python and to ECMA 262, as OpenAPI wants."""

# --- server events ---


class ServerEvent(msgspec.Struct, tag_field="type", kw_only=True):
    """What all server events carry; the last three are ours, on events that stand in the log."""

    event_id: str = ""
    seq: int | UnsetType = UNSET
    prev_seq: int | UnsetType = UNSET
    epoch: str | UnsetType = UNSET
    replay: bool | UnsetType = UNSET
    """Ours: True when the event is told again after a resume."""

    extension: ClassVar[bool] = False
    """True for events that only extended clients may see."""


def encode(event: ServerEvent) -> str:
    """An event as JSON text."""
    return msgspec.json.encode(event).decode()


class Error(ServerEvent, tag="error"):
    error: ErrorDetail


class SessionCreated(ServerEvent, tag="session.created"):
    session: AnySession


class SessionUpdated(ServerEvent, tag="session.updated"):
    session: AnySession


class ItemAdded(ServerEvent, tag="conversation.item.added"):
    item: Item
    previous_item_id: str | None = None


class ItemDone(ServerEvent, tag="conversation.item.done"):
    item: Item
    previous_item_id: str | None = None


class ItemRetrieved(ServerEvent, tag="conversation.item.retrieved"):
    item: Item


class ItemDeleted(ServerEvent, tag="conversation.item.deleted"):
    item_id: str
    reason: str | UnsetType = UNSET
    """Ours: ``branch_left`` when the item only left the active path, else why it is gone."""


class ItemTruncated(ServerEvent, tag="conversation.item.truncated"):
    item_id: str
    audio_end_ms: int
    content_index: int = 0
    heard_text: str | UnsetType = UNSET
    unheard_text: str | UnsetType = UNSET
    seen_text: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET


class SpeechStarted(ServerEvent, tag="input_audio_buffer.speech_started"):
    item_id: str
    audio_start_ms: int


class SpeechStopped(ServerEvent, tag="input_audio_buffer.speech_stopped"):
    item_id: str
    audio_end_ms: int


class InputCommitted(ServerEvent, tag="input_audio_buffer.committed"):
    item_id: str
    previous_item_id: str | None = None


class TimeoutTriggered(ServerEvent, tag="input_audio_buffer.timeout_triggered"):
    item_id: str
    audio_start_ms: int
    audio_end_ms: int


class InputCleared(ServerEvent, tag="input_audio_buffer.cleared"):
    pass


class OutputStarted(ServerEvent, tag="output_audio_buffer.started"):
    response_id: str


class OutputStopped(ServerEvent, tag="output_audio_buffer.stopped"):
    response_id: str


class OutputCleared(ServerEvent, tag="output_audio_buffer.cleared"):
    """``moved`` when nothing was cut: the answer goes on on another device."""

    response_id: str
    moved: bool | UnsetType = UNSET


class ResponseCreated(ServerEvent, tag="response.created"):
    response: Response


class ResponseDone(ServerEvent, tag="response.done"):
    response: Response


class OutputItemAdded(ServerEvent, tag="response.output_item.added"):
    response_id: str
    item: Item
    output_index: int = 0


class OutputItemDone(ServerEvent, tag="response.output_item.done"):
    response_id: str
    item: Item
    output_index: int = 0


class PartEvent(ServerEvent, kw_only=True):
    """The four ids that place a piece of an answer."""

    response_id: str
    item_id: str
    output_index: int = 0
    content_index: int = 0


class PartAdded(PartEvent, tag="response.content_part.added"):
    part: Part


class PartDone(PartEvent, tag="response.content_part.done"):
    part: Part


class TextDelta(PartEvent, tag="response.output_text.delta"):
    delta: str
    offset: int


class TextDone(PartEvent, tag="response.output_text.done"):
    text: str


class TranscriptDelta(PartEvent, tag="response.output_audio_transcript.delta"):
    delta: str
    offset: int


class TranscriptDone(PartEvent, tag="response.output_audio_transcript.done"):
    transcript: str


class AudioDelta(PartEvent, tag="response.output_audio.delta"):
    """PCM16 24 kHz, base64."""

    delta: str


class AudioDone(PartEvent, tag="response.output_audio.done"):
    pass


class CallEvent(ServerEvent, kw_only=True):
    """The ids that place the call of a tool."""

    response_id: str
    item_id: str
    call_id: str
    output_index: int = 0


class ArgumentsDelta(CallEvent, tag="response.function_call_arguments.delta"):
    delta: str


class ArgumentsDone(CallEvent, tag="response.function_call_arguments.done"):
    arguments: str
    name: str


# --- client events ---


class ClientEvent(msgspec.Struct, tag_field="type", kw_only=True):
    """What all client events may carry. ``event_id`` correlates; ``idempotency_key`` (ours) deduplicates."""

    event_id: str = ""
    idempotency_key: str = ""


class SessionUpdate(ClientEvent, tag="session.update"):
    session: SessionChanges


class AudioAppend(ClientEvent, tag="input_audio_buffer.append"):
    audio: str


class AudioCommit(ClientEvent, tag="input_audio_buffer.commit"):
    pass


class AudioClear(ClientEvent, tag="input_audio_buffer.clear"):
    pass


class OutputClear(ClientEvent, tag="output_audio_buffer.clear"):
    pass


class InputPart(msgspec.Struct):
    """A part of a message. Of sound only its transcript is taken."""

    type: Literal["input_text", "output_text", "text", "input_audio", "output_audio", "audio", "input_image"]
    text: str | None = None
    transcript: str | None = None
    image_url: Annotated[str, msgspec.Meta(pattern=r"^(data:image/(png|jpeg|webp|gif);base64,|https://)")] | None = None


ItemName = Annotated[str, msgspec.Meta(pattern=ID)]
"""Of characters that leave others for names that the log gives to what is no item."""


class InputItem(msgspec.Struct):
    """A message, whose content is taken as text; the call of a tool; what came of one; or, as the input of one answer,
    the id of an item of the conversation."""

    role: Literal["user", "assistant", "system"] | None = None
    content: list[InputPart] | None = None
    type: Literal["message", "function_call", "function_call_output", "item_reference"] = "message"
    id: ItemName | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: str | None = None


class UserItem(msgspec.Struct):
    """A message of the user, which is to be answered."""

    role: Literal["user"]
    content: list[InputPart]
    type: Literal["message"] = "message"
    id: ItemName | None = None


class ItemCreate(ClientEvent, tag="conversation.item.create"):
    item: InputItem
    previous_item_id: str | None = None


class ItemRetrieve(ClientEvent, tag="conversation.item.retrieve"):
    item_id: str


class ItemTruncate(ClientEvent, tag="conversation.item.truncate"):
    item_id: str
    audio_end_ms: Count
    content_index: Count = 0


class ItemDelete(ClientEvent, tag="conversation.item.delete"):
    item_id: str


class ResponseOptions(msgspec.Struct):
    """For this response alone; what is null or left out is the session's."""

    instructions: str | None = None
    output_modalities: list[Literal["audio", "text"]] | None = None
    metadata: Metadata | None = None
    conversation: Literal["auto", "none"] | None = None
    """``none``: an answer in writing that does not join the conversation."""

    input: list[InputItem] | None = None
    """What the model is given in place of the conversation."""

    tools: list[FunctionTool] | None = None
    tool_choice: ToolChoice | None = None
    max_output_tokens: MaxTokens | None = None


class ResponseCreate(ClientEvent, tag="response.create"):
    """``on_active`` is ours: what to do while an answer is running; the session's own choice when left out.

    So is ``replaces``: the answer to give again, to which ``on_active``, ``input`` and ``debounce_ms`` do not apply.
    """

    response: ResponseOptions | UnsetType = UNSET
    on_active: OnActive | UnsetType = UNSET
    input: str | UserItem | UnsetType = UNSET
    """Ours: the user's message that is to be answered, which waits with the command if that does."""

    debounce_ms: DebounceMs | UnsetType = UNSET
    replaces: str | None = None


class ResponseCancel(ClientEvent, tag="response.cancel"):
    """What is not named is ours, and says which answer is meant. At most one of the four."""

    response_id: str | None = None
    command_id: str | None = None
    """The answer that the ``response.create`` with this ``event_id`` asked for, whether or not it has an id yet."""

    own: bool = False
    """What this device asked for."""

    all: bool = False
    """Whatever generates or sounds: the same as naming nothing."""
