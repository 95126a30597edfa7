"""What a model does, each under the generation of its answer."""

from dataclasses import dataclass
from typing import TypeAlias

from gateway.core.ids import Generation
from gateway.core.values import Failure, Shortfall, Usage


@dataclass(frozen=True, slots=True)
class GenerationBegan:
    """The first token of a model call has come, though none of it may be new to the listener."""

    generation: Generation


@dataclass(frozen=True, slots=True)
class SoundBegan:
    """The first sound of an answer has come, perhaps before its first word. The sound itself never comes here."""

    generation: Generation


@dataclass(frozen=True, slots=True)
class TextGenerated:
    generation: Generation
    text: str


@dataclass(frozen=True, slots=True)
class GenerationFinished:
    generation: Generation
    usage: Usage | None = None
    """None where the model does not tell."""

    shortfall: Shortfall | None = None
    """Why the answer is not complete, where it is not."""


@dataclass(frozen=True, slots=True)
class GenerationFailed:
    generation: Generation
    failure: Failure


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """The model asks for a tool, which a client is to run once the answer has ended."""

    generation: Generation
    call_id: str
    name: str
    arguments: str
    """As JSON text."""


@dataclass(frozen=True, slots=True)
class ToolRan:
    """The agent ran a tool by itself."""

    generation: Generation
    call_id: str
    name: str
    arguments: str
    output: str


@dataclass(frozen=True, slots=True)
class Reasoned:
    """What the model thinks, before or while it answers."""

    generation: Generation
    text: str


OfModel: TypeAlias = (
    GenerationBegan
    | SoundBegan
    | TextGenerated
    | ToolCalled
    | ToolRan
    | Reasoned
    | GenerationFinished
    | GenerationFailed
)
