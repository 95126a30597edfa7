"""Words that steer an answer, until a model call has contained them."""

from dataclasses import dataclass

from gateway.core import events as ev
from gateway.core.ids import DeviceId, Generation, ItemId, ResponseId
from gateway.core.values import SteerWhen


@dataclass(frozen=True, slots=True)
class Steer:
    """One that was accepted and is neither consumed nor has failed."""

    text: str
    response_id: ResponseId
    """The answer that it was accepted for."""

    when: SteerWhen
    device: DeviceId
    generation: Generation | None = None
    """The model call that contains it; None while it waits for one."""


SteerFact = ev.SteerAccepted | ev.SteerConsumed | ev.SteerFailed


def evolve_steers(steers: dict[ItemId, ResponseId], fact: SteerFact) -> None:
    """Fold one fact into the steers whose end is open."""
    if isinstance(fact, ev.SteerAccepted):
        steers[fact.item_id] = fact.response_id
    else:
        del steers[fact.item_id]
