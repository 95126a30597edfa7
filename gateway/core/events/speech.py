"""What a microphone's leg hears, and what its loudspeaker does about it: told to whoever listens now."""

from dataclasses import dataclass

from gateway.core.ids import ItemId, LegId, ResponseId


@dataclass(frozen=True, slots=True)
class SpeechSuspected:
    leg: LegId
    onset_ms: int


@dataclass(frozen=True, slots=True)
class SpeechConfirmed:
    leg: LegId


@dataclass(frozen=True, slots=True)
class SpeechDismissed:
    leg: LegId


@dataclass(frozen=True, slots=True)
class PlayoutPaused:
    leg: LegId
    response_id: ResponseId


@dataclass(frozen=True, slots=True)
class PlayoutResumed:
    leg: LegId
    response_id: ResponseId


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Announced to every client: the user has the floor. ``audio_start_ms`` points back to the onset."""

    leg: LegId
    item_id: ItemId
    audio_start_ms: int


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    leg: LegId
    item_id: ItemId
    audio_end_ms: int


@dataclass(frozen=True, slots=True)
class InputCommitted:
    leg: LegId
    item_id: ItemId
    previous: ItemId | None


@dataclass(frozen=True, slots=True)
class TimeoutTriggered:
    """Nobody spoke for the idle timeout: the silence becomes a turn, which is answered."""

    leg: LegId
    item_id: ItemId
    audio_start_ms: int
    audio_end_ms: int
