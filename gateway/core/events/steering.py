"""What becomes of words by which a running answer is steered: accepted, then exactly one of consumed and failed."""

from dataclasses import dataclass

from gateway.core.ids import DeviceId, Generation, ItemId, LegId, ResponseId
from gateway.core.values import SteerWhen


@dataclass(frozen=True, slots=True)
class SteerAccepted:
    item_id: ItemId
    """The id its message will have, once a model call has contained it."""

    response_id: ResponseId
    """The answer that is steered."""

    text: str
    when: SteerWhen
    device: DeviceId = DeviceId("")
    command: str = ""


@dataclass(frozen=True, slots=True)
class SteerConsumed:
    """The first token came of a model call that contained it. Its message stands in the conversation."""

    item_id: ItemId
    response_id: ResponseId


@dataclass(frozen=True, slots=True)
class SteerFailed:
    """No model call answered it. ``text`` gives it back."""

    item_id: ItemId
    response_id: ResponseId
    code: str
    """``answer_ended``, ``cancelled``, ``withdrawn``, ``superseded``, ``queue_full``, ``node_lost``, or why the model
    failed."""

    text: str


@dataclass(frozen=True, slots=True)
class ResponseSteered:
    """Its model call ended at a token boundary, and another goes on with it, under a generation of its own."""

    response_id: ResponseId
    generation: Generation
    leg: LegId | None
    """The voice leg that speaks the rest; None when it is only written."""


# a signal


@dataclass(frozen=True, slots=True)
class SteerPending:
    """It waits for the next model call (of a tool loop: the next step)."""

    item_id: ItemId
    response_id: ResponseId
    when: SteerWhen
