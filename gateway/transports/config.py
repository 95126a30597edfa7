"""What belongs to one connection of a session, and what its client may change of that and of the session."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType, json

from gateway.core.policy import normalised
from gateway.core.values import Context, Settings
from gateway.errors import ProtocolViolation
from gateway.protocol import configuration, realtime as rt
from gateway.protocol.policies import ContextChanges, OnActiveChanges
from gateway.transports import items
from gateway.transports.names import Names
from gateway.transports.sound import SoundFormat, format_of
from media.hearing.endpoint import TurnOptions

MIN_IDLE_MS: Final = 5_000
MAX_IDLE_MS: Final = 30_000
"""What Realtime takes for ``idle_timeout_ms``: shorter is no idleness, longer is a conversation that has ended."""

SLOWEST: Final = 0.25
FASTEST: Final = 1.5
"""What Realtime takes for ``speed``."""

NOTED: Final = ("tracing", "prompt", "include", "truncation", "reasoning", "parallel_tool_calls")
"""What a client may set, is shown again, and changes nothing here, but for a limit of tokens. Null clears it."""

TurnDetection: TypeAlias = rt.TurnDetection | rt.SemanticTurnDetection


@dataclass(frozen=True, slots=True)
class ConnectionConfig:
    """The connection's part of a Realtime session object."""

    modalities: tuple[str, ...]
    turn_detection: TurnDetection | None = field(default_factory=rt.TurnDetection)
    transcription: rt.Transcription | None | UnsetType = UNSET
    """UNSET while the client has said nothing; None when it wants no words of its user's."""

    noise_reduction: rt.NoiseReduction | None = None
    input_format: SoundFormat = "audio/pcm"
    output_format: SoundFormat = "audio/pcm"
    speed: float = 1.0
    kind: Literal["realtime", "transcription"] = "realtime"
    """A connection for transcription asks for no answers, and is given none."""

    noted: Mapping[str, Any] = field(default_factory=dict)

    @property
    def turns(self) -> TurnOptions | None:
        """Turn detection as the voice leg takes it; None when the client commits by hand."""
        match self.turn_detection:
            case None:
                return None
            case rt.SemanticTurnDetection(eagerness=eagerness):
                return TurnOptions(eagerness=eagerness)
            case vad:
                return TurnOptions(
                    vad.threshold,
                    vad.prefix_padding_ms,
                    vad.silence_duration_ms,
                    idle_timeout_ms=vad.idle_timeout_ms if self.converses else None,
                )

    @property
    def converses(self) -> bool:
        """False for a connection that only wants its speech in words."""
        return self.kind == "realtime"

    @property
    def hearing(self) -> tuple[object, ...]:
        """What its ears do, and what the session does with what they hear."""
        return self.turn_detection, self.kind

    @property
    def interruptible(self) -> bool:
        """A voice over an answer may cut it (``interrupt_response``)."""
        return self.converses and (self.turn_detection is None or self.turn_detection.interrupt_response)

    @property
    def answers_turns(self) -> bool:
        """An ended turn is answered without being asked (``create_response``); manual turns never are."""
        return self.converses and self.turn_detection is not None and self.turn_detection.create_response


def updated(config: ConnectionConfig, changes: rt.SessionChanges) -> ConnectionConfig:
    """*config* with what a ``session.update`` changes of it. Raises ``ProtocolViolation``."""
    if changes.type is not UNSET:
        config = replace(config, kind=changes.type)
    if changes.output_modalities is not UNSET:
        if len(changes.output_modalities) != 1:
            raise ProtocolViolation("invalid_value", 'Either ["audio"] or ["text"].', param="session.output_modalities")
        config = replace(config, modalities=tuple(changes.output_modalities))
    noted = {name: given for name in NOTED if (given := getattr(changes, name)) is not UNSET}
    if noted:
        known = {**config.noted, **{name: configuration.shown(given) for name, given in noted.items()}}
        config = replace(config, noted={name: given for name, given in known.items() if given is not None})
    audio = changes.audio
    if audio is UNSET:
        return config
    if audio.output is not UNSET:
        config = _with_output(config, audio.output)
    return config if audio.input is UNSET else _with_input(config, audio.input)


def of_the_connection(changes: rt.SessionChanges) -> Iterator[str]:
    """The paths of what *changes* touches that is the connection's own."""
    if changes.type == "transcription":
        yield "session.type"
    for name in ("output_modalities", *NOTED):
        if getattr(changes, name) is not UNSET:
            yield f"session.{name}"
    if changes.audio is UNSET:
        return
    if changes.audio.input is not UNSET:
        yield "session.audio.input"
    output = changes.audio.output
    for name in ("format", "speed"):
        if output is not UNSET and getattr(output, name) is not UNSET:
            yield f"session.audio.output.{name}"


def _with_output(config: ConnectionConfig, output: rt.AudioOutputUpdate) -> ConnectionConfig:
    if output.format is not UNSET:
        config = replace(config, output_format=format_of(output.format, "session.audio.output.format"))
    if output.speed is not UNSET:
        if not SLOWEST <= output.speed <= FASTEST:
            message = f"From {SLOWEST} to {FASTEST}."
            raise ProtocolViolation("invalid_value", message, param="session.audio.output.speed")
        config = replace(config, speed=output.speed)
    return config


def _with_input(config: ConnectionConfig, input: rt.AudioInputUpdate) -> ConnectionConfig:
    if input.format is not UNSET:
        config = replace(config, input_format=format_of(input.format, "session.audio.input.format"))
    if input.transcription is not UNSET:
        known = None if config.transcription is UNSET else config.transcription
        wanted = input.transcription and configuration.merged(known, input.transcription)
        config = replace(config, transcription=wanted)
    if input.noise_reduction is not UNSET:
        quieter = input.noise_reduction and configuration.merged(config.noise_reduction, input.noise_reduction)
        config = replace(config, noise_reduction=quieter)
    if input.turn_detection is not UNSET:
        config = replace(config, turn_detection=_merged(config.turn_detection, input.turn_detection))
    return config


def _merged(known: TurnDetection | None, changes: rt.TurnDetectionUpdate | None) -> TurnDetection | None:
    """Present fields change, but another type begins anew with its defaults; null means manual turns."""
    if changes is None:
        return None
    if known is None or (changes.type is not UNSET and changes.type != known.type):
        known = rt.SemanticTurnDetection() if changes.type == "semantic_vad" else rt.TurnDetection()
    # A field of the other type is unknown to this one, and what is unknown is ignored.
    mine = [name for name in changes.__struct_fields__ if name in known.__struct_fields__ and name != "type"]
    fields = {name: value for name in mine if (value := getattr(changes, name)) is not UNSET}
    merged = msgspec.structs.replace(known, **fields)
    if isinstance(merged, rt.TurnDetection):
        _check_timer(merged)
    return merged


def _check_timer(merged: rt.TurnDetection) -> None:
    where = "session.audio.input.turn_detection"
    if not 0 <= merged.threshold <= 1:
        raise ProtocolViolation("invalid_value", "A threshold lies between 0 and 1.", param=f"{where}.threshold")
    for name in ("prefix_padding_ms", "silence_duration_ms"):
        if not 0 <= getattr(merged, name) <= 10_000:
            raise ProtocolViolation("invalid_value", "0 to 10000 milliseconds.", param=f"{where}.{name}")
    idle_ms = merged.idle_timeout_ms
    if idle_ms is not None and not MIN_IDLE_MS <= idle_ms <= MAX_IDLE_MS:
        message = f"{MIN_IDLE_MS} to {MAX_IDLE_MS} milliseconds, or null."
        raise ProtocolViolation("invalid_value", message, param=f"{where}.idle_timeout_ms")


def shared(settings: Settings, changes: rt.SessionChanges, names: Names) -> Settings:
    """*settings* with what a ``session.update`` changes of the part that all connections share; null clears."""
    if changes.model and settings.model in ("", names.models.default):
        settings = replace(settings, model=names.models.next(settings.model, changes.model))
    if changes.instructions is not UNSET:
        settings = replace(settings, instructions=changes.instructions or "")
    if changes.tools is not UNSET:
        settings = replace(settings, tools=items.tools_of(changes.tools or [], "session.tools"))
    if changes.tool_choice is not UNSET:
        choice, forced = items.choice_of(changes.tool_choice)
        settings = replace(settings, tool_choice=choice or "auto", forced_tool=forced)
    if changes.max_output_tokens is not UNSET:
        settings = replace(settings, max_output_tokens=items.limit_of(changes.max_output_tokens or "inf"))
    if (most := configuration.most_tokens(changes.truncation)) is not None:
        settings = replace(settings, context=Context("window", most))
    if changes.audio is not UNSET and changes.audio.output is not UNSET:
        given = changes.audio.output.voice
        voice = str(given.get("id", "")) if isinstance(given, dict) else given
        if voice is not UNSET:
            settings = replace(settings, voice=names.voices.next(settings.voice, voice or names.voices.default))
    return settings if changes.bargein is UNSET else _with_own(settings, changes.bargein)


def _with_own(settings: Settings, changes: rt.OwnChanges) -> Settings:
    if changes.language is not UNSET:
        settings = replace(settings, language=changes.language)
    if changes.stop_words is not UNSET:
        settings = replace(settings, stop_words=_listed(changes.stop_words, "stop_words"))
    if changes.backchannels is not UNSET:
        settings = replace(settings, backchannels=_listed(changes.backchannels, "backchannels"))
    if changes.on_edit is not UNSET:
        settings = replace(settings, on_edit=changes.on_edit)
    if changes.context is not UNSET:
        settings = replace(settings, context=_context(settings.context, changes.context))
    if changes.metadata is not UNSET:
        settings = replace(settings, metadata=changes.metadata or {})
    return settings if changes.on_active is UNSET else _with_policies(settings, changes.on_active)


def _context(known: Context, changes: ContextChanges | None) -> Context:
    if changes is None:
        return Context()
    policy = known.policy if changes.policy is UNSET else changes.policy
    return Context(policy, known.max_tokens if changes.max_tokens is UNSET else changes.max_tokens)


def _with_policies(settings: Settings, changes: OnActiveChanges | None) -> Settings:
    if changes is None:
        plain = Settings()
        changes = OnActiveChanges(plain.on_active_voice, plain.on_active_text, plain.debounce_ms)
    if changes.voice is not UNSET:
        settings = replace(settings, on_active_voice=changes.voice)
    if changes.text is not UNSET:
        settings = replace(settings, on_active_text=changes.text)
    return settings if changes.debounce_ms is UNSET else replace(settings, debounce_ms=changes.debounce_ms)


def tools(settings: Settings) -> list[rt.FunctionTool]:
    """The tools that the model may ask for, as effective."""
    return [
        rt.FunctionTool(it.name, description=it.description, parameters=json.decode(it.parameters))
        for it in settings.tools
    ]


def on_active(settings: Settings) -> dict[str, Any]:
    """What new input does while an answer is running, as effective."""
    voice, text, debounce_ms = settings.on_active_voice, settings.on_active_text, settings.debounce_ms
    return {"voice": voice, "text": text, "debounce_ms": debounce_ms}


def _listed(given: list[str] | None, name: str) -> tuple[str, ...] | None:
    """Utterances as they are compared. Raises ``ProtocolViolation`` for one that holds no word."""
    if given is None:
        return None
    words = tuple(dict.fromkeys(normalised(text) for text in given))
    if "" in words:
        raise ProtocolViolation("invalid_value", "An utterance has at least one word.", param=f"session.bargein.{name}")
    return words
