"""The responses that generate or sound, as the log tells them."""

from dataclasses import dataclass

from gateway.core import events as ev
from gateway.core.ids import DeviceId, Generation, ItemId, LegId, ResponseId


@dataclass(slots=True)
class Response:
    """A response that generates, sounds, or both. Forgotten when it does neither."""

    response_id: ResponseId
    generation: Generation
    leg: LegId | None
    """The voice leg that speaks it; None when it is only written (or its leg was lost)."""

    continues: ItemId | None
    began: Generation
    """Its first generation: the calls of a steered answer are numbered anew."""

    item_id: ItemId | None = None
    """Its message; None until its first text."""

    generating: bool = True
    sounding: bool = False
    """Between ``PlayoutStarted`` and its end."""

    left: LegId | None = None
    """The voice leg that spoke it, while it waits for another one to go on."""

    moves: int = 0
    """How often it was handed from one loudspeaker to another."""

    sounded: bool = False
    """Some of its item sounded on a former one."""

    heard_chars: int = 0
    heard_ms: int = 0
    """How much of its item was heard by then."""

    device: DeviceId = DeviceId("")
    command: str = ""
    """Who asked for it, and by which command (its ``event_id``)."""

    answers: ItemId | None = None
    """The last message before it: the end of the user's turn that it answers."""

    lost_at: tuple[int, int] | None = None
    """Code points and milliseconds that were heard when the leg that spoke it was lost; it goes on in writing."""

    replaces: ItemId | None = None
    """The answer beside which it stands."""

    @property
    def mouth(self) -> LegId | None:
        """The voice leg that speaks it, or did last and may be followed by another; None when it is only written."""
        return self.leg or self.left


Playout = ev.PlayoutStarted | ev.PlayoutMoved | ev.PlayoutStopped | ev.PlayoutCleared
ResponseFact = ev.ResponseStarted | ev.ResponseEnded | ev.ResponseSteered | Playout


def evolve_response(responses: dict[ResponseId, Response], fact: ResponseFact) -> None:
    """Fold one fact into the responses that live."""
    if isinstance(fact, ev.ResponseStarted):
        responses[fact.response_id] = Response(
            fact.response_id,
            fact.generation,
            fact.leg,
            fact.continues,
            fact.generation,
            device=fact.device,
            command=fact.command,
            answers=fact.answers,
            replaces=fact.replaces,
        )
        return
    response = responses[fact.response_id]
    match fact:
        case ev.ResponseEnded():
            response.generating = False
            if response.item_id is None:
                response.leg = response.left = None  # it said nothing, so no playout of it will ever end
        case ev.ResponseSteered():
            _go_on(response, fact)
        case ev.PlayoutStarted():
            response.sounding = True
        case ev.PlayoutMoved():
            _move(response, fact)
        case ev.PlayoutStopped() | ev.PlayoutCleared():
            response.sounding = False
            response.leg = response.left = None
            if isinstance(fact, ev.PlayoutCleared) and fact.heard_chars is not None:
                response.lost_at = (fact.heard_chars, fact.heard_ms)
    if not response.generating and response.mouth is None:
        del responses[fact.response_id]


def _go_on(response: Response, fact: ev.ResponseSteered) -> None:
    """In another item, of which nothing was heard so far."""
    response.generation = fact.generation
    response.leg, response.left, response.item_id, response.lost_at = fact.leg, None, None, None
    response.moves, response.sounded, response.heard_chars, response.heard_ms = 0, False, 0, 0


def _move(response: Response, fact: ev.PlayoutMoved) -> None:
    response.sounding = False
    response.left = response.mouth if fact.leg is None else None
    response.leg = fact.leg
    response.moves += 1
    if fact.heard_chars is not None:
        response.sounded = True
        response.heard_chars, response.heard_ms = fact.heard_chars, fact.heard_ms
