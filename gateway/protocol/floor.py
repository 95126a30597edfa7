"""The floor on the wire: whose loudspeaker and microphone are live."""

from typing import Any, ClassVar

from msgspec import UNSET, UnsetType

from gateway.core import events as ev
from gateway.core.live import Floor
from gateway.protocol.realtime import ClientEvent, ServerEvent


class FloorClaim(ClientEvent, tag="floor.claim"):
    """Let this connection be the one that is heard and listened to. A running answer comes along."""


class FloorRelease(ClientEvent, tag="floor.release"):
    """This connection wants to be it no longer."""


class FloorChanged(ServerEvent, tag="floor.changed"):
    """``generation`` grows: who knows a later one ignores an earlier one. ``leg`` is missing while nobody has it."""

    extension: ClassVar[bool] = True

    device: str | None
    generation: int
    reason: str
    leg: str | UnsetType = UNSET


OfTheFloor = FloorClaim | FloorRelease


def changed(event: ev.FloorChanged) -> FloorChanged:
    """The event by which an extended client learns of it."""
    return FloorChanged(
        device=event.device or None, generation=event.generation, reason=event.reason, leg=event.leg or UNSET
    )


def shown(floor: Floor) -> dict[str, Any]:
    """The floor as a client finds it when it joins: in ``session.bargein``."""
    known: dict[str, Any] = {"device": floor.device or None, "generation": floor.generation}
    return known if floor.leg is None else {**known, "leg": floor.leg}
