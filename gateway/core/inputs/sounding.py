"""An answer that carries its own sound."""

from dataclasses import dataclass

from gateway.core.ids import Generation


@dataclass(frozen=True, slots=True)
class SoundBegan:
    """The first sound of an answer has come, perhaps before its first word. The sound itself never comes here."""

    generation: Generation
