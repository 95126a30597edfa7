"""The session object of a connection, as effective: what ``session.created`` and ``session.updated`` tell."""

from typing import Any, Final

import msgspec
from msgspec import UNSET

from gateway.core.values import Settings
from gateway.protocol import realtime as rt
from gateway.transports import config as conf, sound
from gateway.transports.config import ConnectionConfig

USUAL_VOICE: Final = "alloy"
"""What a stock client is told where nobody has named a voice: it wants a name that it knows."""

_OF_TRANSCRIPTION: Final = ("type", "threshold", "prefix_padding_ms", "silence_duration_ms", "eagerness")
"""What turn detection means where nothing is answered."""


def session(session_id: str, settings: Settings, config: ConnectionConfig, recognizer: str | None) -> rt.AnySession:
    """What holds for a connection of a session. *recognizer*: what puts its speech into words; None for nothing."""
    if not config.converses:
        include = config.noted.get("include")
        return rt.TranscriptionSession(session_id, {"input": _input(config, recognizer)}, include=include)
    audio = {
        "input": _input(config, recognizer),
        "output": {
            "format": sound.shown(config.output_format),
            "voice": settings.voice or USUAL_VOICE,
            "speed": config.speed,
        },
    }
    modalities = list(config.modalities)
    return rt.Session(
        session_id,
        settings.model,
        settings.instructions,
        modalities,
        audio,
        tools=conf.tools(settings),
        tool_choice=settings.tool_choice,
        max_output_tokens=settings.max_output_tokens or "inf",
        **config.noted,
    )


def _input(config: ConnectionConfig, recognizer: str | None) -> dict[str, Any]:
    detection = msgspec.to_builtins(config.turn_detection)
    if detection is not None and not config.converses:
        detection = {name: value for name, value in detection.items() if name in _OF_TRANSCRIPTION}
    return {
        "format": sound.shown(config.input_format),
        "transcription": _transcription(config, recognizer),
        "noise_reduction": msgspec.to_builtins(config.noise_reduction),
        "turn_detection": detection,
    }


def _transcription(config: ConnectionConfig, recognizer: str | None) -> dict[str, Any] | None:
    """Words are told unless a client wants none, so that is what is shown: by whom, where the client named nobody."""
    if config.transcription is None or (config.transcription is UNSET and recognizer is None):
        return None
    wanted = {} if config.transcription is UNSET else msgspec.to_builtins(config.transcription)
    return {**({"model": recognizer} if recognizer is not None else {}), **wanted}
