"""The floor and what moves with it, as data: which device is live, and since when."""

from dataclasses import dataclass, field
from typing import Final

from gateway.core.events.floor import FloorChanged, FloorReason
from gateway.core.ids import DeviceId, FloorGeneration, Generation, LegId

FIRST: Final = FloorGeneration(0)
"""Before anybody had it."""


@dataclass(frozen=True, slots=True)
class Floor:
    """The durable part, folded from the log."""

    generation: FloorGeneration = FIRST
    device: DeviceId = DeviceId("")
    leg: LegId | None = None
    """None while nobody has it."""

    reason: FloorReason | None = None
    """None before anybody had it."""


def evolve_floor(fact: FloorChanged) -> Floor:
    """The floor after a change."""
    return Floor(fact.generation, fact.device, fact.leg, fact.reason)


@dataclass(slots=True)
class Handover:
    """The transient part."""

    kept_until: float | None = None
    """When the floor of a device that is gone is free (monotonic); None while its holder is here, or nobody is."""

    safe_until: float = 0.0
    """Until then no other voice takes the floor (monotonic)."""

    taken_from: LegId | None = None
    """Who had the floor before the last voice took it."""

    moves: dict[Generation, float] = field(default_factory=dict)
    """Answers that their loudspeaker is giving away → when it must have said where (monotonic)."""
