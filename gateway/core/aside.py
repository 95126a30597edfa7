"""The answers beside the conversation that are being generated, as the log tells them."""

from dataclasses import dataclass

from gateway.core import events as ev
from gateway.core.ids import DeviceId, Generation, ItemId, ResponseId, derive


@dataclass(frozen=True, slots=True)
class Aside:
    """See :class:`gateway.core.events.AsideStarted` for its fields."""

    response_id: ResponseId
    generation: Generation
    device: DeviceId
    command: str

    @property
    def item_id(self) -> ItemId:
        """Of its message, which stands in no tree: it need not be kept, as it follows from that of the answer."""
        return ItemId(derive("item", self.response_id))


AsideFact = ev.AsideStarted | ev.AsideCalled | ev.AsideEnded


def evolve_asides(asides: dict[ResponseId, Aside], fact: AsideFact) -> None:
    """Fold one fact into those that live."""
    match fact:
        case ev.AsideStarted():
            asides[fact.response_id] = Aside(fact.response_id, fact.generation, fact.device, fact.command)
        case ev.AsideEnded():
            del asides[fact.response_id]
        case ev.AsideCalled():
            pass
