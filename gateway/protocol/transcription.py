"""What a client is told of the words of its user's speech: as they are spoken, and when a turn is known whole."""

import msgspec

from gateway.core import events as ev
from gateway.protocol.objects import DurationUsage
from gateway.protocol.realtime import ServerEvent


class TranscriptionDelta(ServerEvent, tag="conversation.item.input_audio_transcription.delta"):
    """More of what a turn says that is being spoken. ``completed`` has the whole of it, maybe otherwise."""

    item_id: str
    delta: str
    content_index: int = 0


class TranscriptionCompleted(ServerEvent, tag="conversation.item.input_audio_transcription.completed"):
    item_id: str
    transcript: str
    content_index: int = 0
    usage: DurationUsage = msgspec.field(default_factory=DurationUsage)


class TranscriptionFault(msgspec.Struct):
    """What an ``ErrorDetail`` tells, without its nulls: the JavaScript clients want strings here."""

    type: str
    code: str
    message: str


class TranscriptionFailed(ServerEvent, tag="conversation.item.input_audio_transcription.failed"):
    item_id: str
    error: TranscriptionFault
    content_index: int = 0


def told(event: ev.TurnWorded | ev.ItemTranscribed | ev.ItemTranscriptionFailed) -> ServerEvent:
    """What tells of the words of a turn, or that they could not be had."""
    match event:
        case ev.TurnWorded():
            return TranscriptionDelta(item_id=event.item_id, delta=event.text)
        case ev.ItemTranscribed():
            usage = DurationUsage(event.audio_ms / 1000)
            return TranscriptionCompleted(item_id=event.item_id, transcript=event.text, usage=usage)
        case ev.ItemTranscriptionFailed(failure=failure):
            fault = TranscriptionFault("server_error", failure.code, failure.message)
            return TranscriptionFailed(item_id=event.item_id, error=fault)


def no_words(event: ev.ItemRemoved) -> list[ServerEvent]:
    """What a client that wants nothing but words is told of a turn without any, before it is gone: it awaits them."""
    nothing = TranscriptionCompleted(item_id=event.item_id, transcript="")
    return [nothing] if event.reason == "not_speech" else []
