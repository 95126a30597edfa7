"""Which device is live, and answers that go on on another one."""

from dataclasses import dataclass
from typing import Literal

from gateway.core.ids import DeviceId, FloorGeneration, LegId, ResponseId

FloorReason = Literal["joined", "claimed", "spoke", "returned", "answer", "released", "dropped"]
"""Why the floor changed: its holder was alone when another voice joined, or was lost in mid-answer (``joined``),
pressed a button, spoke, came back in time, or was there when an answer waited to sound; or it is free, since its
holder gave it up, or stayed away."""


@dataclass(frozen=True, slots=True)
class FloorChanged:
    """Whose loudspeaker and microphone are live."""

    generation: FloorGeneration
    """Grows by one with each change: whoever knows a later one ignores an earlier one."""

    device: DeviceId
    """``""`` when nobody's."""

    leg: LegId | None
    reason: FloorReason


@dataclass(frozen=True, slots=True)
class PlayoutMoved:
    """An answer goes on elsewhere from here: nothing of it is cut."""

    response_id: ResponseId
    leg: LegId | None
    """The voice leg that speaks the rest; None while it waits for one."""

    heard_chars: int | None = None
    """How much of the item was heard by then; None when nothing more than before was."""

    heard_ms: int = 0
