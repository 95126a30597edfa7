"""What belongs to one connection of a session: modalities, turn detection, and how it echoes them."""

from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from msgspec import UNSET

from gateway.core.values import Settings
from gateway.errors import ProtocolViolation
from gateway.protocol import realtime as rt
from media.endpoint import TurnOptions

PCM: dict[str, Any] = {"type": "audio/pcm", "rate": 24_000}


@dataclass(frozen=True, slots=True)
class ConnectionConfig:
    """The connection's part of a Realtime session object."""

    modalities: tuple[str, ...]
    turn_detection: rt.TurnDetection | None = field(default_factory=rt.TurnDetection)
    transcription: dict[str, Any] | None = None
    noise_reduction: dict[str, Any] | None = None

    @property
    def turns(self) -> TurnOptions | None:
        """Turn detection as the voice leg takes it; None when the client commits by hand."""
        vad = self.turn_detection
        if vad is None:
            return None
        return TurnOptions(vad.threshold, vad.prefix_padding_ms, vad.silence_duration_ms)

    @property
    def interruptible(self) -> bool:
        """A voice over an answer may cut it (``interrupt_response``)."""
        return self.turn_detection is None or self.turn_detection.interrupt_response

    @property
    def answers_turns(self) -> bool:
        """An ended turn is answered without being asked (``create_response``); manual turns never are."""
        return self.turn_detection is not None and self.turn_detection.create_response

    def audio(self, voice: str) -> dict[str, Any]:
        """The ``audio`` object, as effective."""
        return {
            "input": {
                "format": PCM,
                "transcription": self.transcription,
                "noise_reduction": self.noise_reduction,
                "turn_detection": msgspec.to_builtins(self.turn_detection),
            },
            "output": {"format": PCM, "voice": voice or "alloy", "speed": 1.0},
        }


def updated(config: ConnectionConfig, changes: rt.SessionChanges) -> ConnectionConfig:
    """*config* with what a ``session.update`` changes of it. Raises ``ProtocolViolation``."""
    if changes.output_modalities is not UNSET:
        if len(changes.output_modalities) != 1:
            raise ProtocolViolation("invalid_value", 'Either ["audio"] or ["text"].', param="session.output_modalities")
        config = replace(config, modalities=tuple(changes.output_modalities))
    audio = changes.audio
    if audio is UNSET:
        return config
    if audio.output is not UNSET:
        _check_format(audio.output.format, "session.audio.output.format")
    return config if audio.input is UNSET else _with_input(config, audio.input)


def _with_input(config: ConnectionConfig, input: rt.AudioInputUpdate) -> ConnectionConfig:
    _check_format(input.format, "session.audio.input.format")
    if input.transcription is not UNSET:
        config = replace(config, transcription=input.transcription)
    if input.noise_reduction is not UNSET:
        config = replace(config, noise_reduction=input.noise_reduction)
    if input.turn_detection is not UNSET:
        config = replace(config, turn_detection=_merged(config.turn_detection, input.turn_detection))
    return config


def _merged(known: rt.TurnDetection | None, changes: rt.TurnDetectionUpdate | None) -> rt.TurnDetection | None:
    """Present fields change, but another type begins anew with its defaults; null means manual turns."""
    if changes is None:
        return None
    if known is None or (changes.type is not UNSET and changes.type != known.type):
        known = rt.TurnDetection()
    fields = {name: value for name in changes.__struct_fields__ if (value := getattr(changes, name)) is not UNSET}
    merged = msgspec.structs.replace(known, **fields)
    where = "session.audio.input.turn_detection"
    if not 0 <= merged.threshold <= 1:
        raise ProtocolViolation("invalid_value", "A threshold lies between 0 and 1.", param=f"{where}.threshold")
    for name in ("prefix_padding_ms", "silence_duration_ms"):
        if not 0 <= getattr(merged, name) <= 10_000:
            raise ProtocolViolation("invalid_value", "0 to 10000 milliseconds.", param=f"{where}.{name}")
    return merged


def _check_format(given: rt.AudioFormat | Any, where: str) -> None:
    if given is not UNSET and (given.type != "audio/pcm" or given.rate != 24_000):
        raise ProtocolViolation("unsupported_format", "Only audio/pcm at 24000 Hz is served so far.", param=where)


def shared(settings: Settings, changes: rt.SessionChanges) -> Settings:
    """*settings* with what a ``session.update`` changes of the part that all connections share; null clears."""
    if changes.instructions is not UNSET:
        settings = replace(settings, instructions=changes.instructions or "")
    if changes.audio is not UNSET and changes.audio.output is not UNSET:
        voice = changes.audio.output.voice
        if isinstance(voice, dict):
            settings = replace(settings, voice=str(voice.get("id", "")))
        elif voice is not UNSET:
            settings = replace(settings, voice=voice or "")
    return settings
