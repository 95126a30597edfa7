"""What steers a running answer."""

from dataclasses import dataclass

from gateway.core.ids import ItemId, ResponseId
from gateway.core.values import SteerWhen


@dataclass(frozen=True, slots=True)
class SteerRequested:
    """A client gives a running answer another direction."""

    text: str
    response_id: ResponseId | None = None
    """None stands for the one that runs."""

    when: SteerWhen = "now"
    item_id: ItemId | None = None
