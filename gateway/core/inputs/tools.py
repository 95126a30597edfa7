"""Tools, as the model asks for them, and as an agent runs them by itself."""

from dataclasses import dataclass

from gateway.core.ids import Generation


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
