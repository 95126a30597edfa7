"""Who is to have the floor, and what a loudspeaker tells that gives an answer away."""

from dataclasses import dataclass

from gateway.core.ids import Generation


@dataclass(frozen=True, slots=True)
class FloorClaimRequested:
    """``floor.claim``: the voice leg of the stamp wants to be the one that is live."""


@dataclass(frozen=True, slots=True)
class FloorReleaseRequested:
    """``floor.release``: it does not want to be it any longer; harmless when it is not."""


@dataclass(frozen=True, slots=True)
class PlayoutHandedOver:
    """A loudspeaker has let go of an answer that goes on elsewhere, here in the item."""

    generation: Generation
    heard_chars: int
    heard_ms: int
    started: bool
    """False when none of it sounded there."""
