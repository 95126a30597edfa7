"""An answer begins, grows and ends. Generation only: what is heard of it is ``heard``'s affair."""

from gateway.core import effects as fx, events as ev, handover, inputs as inp, receipts, switching, tools
from gateway.core.ids import Generation, ItemId, ResponseId
from gateway.core.state import Pending, Response
from gateway.core.step import Step
from gateway.core.truncating import truncate
from gateway.core.values import ItemStatus, ResponseStatus


def start_pending(step: Step) -> None:
    """Start the answer that waits, once its context is the truth.

    Until then a cut has still to say where it fell, a turn what it says, or its voice goes on. A switch of branch
    that waits as well goes first.
    """
    switching.perform(step)
    if step.moment.switch is not None:
        return
    wanted = step.moment.pending
    if wanted is None or step.moment.cuts or step.state.waits_for_words():
        return
    if wanted.spoken and step.turn_on(wanted.stamp.leg) is not None:
        return
    step.moment.pending = None
    step.moment.unheard = None  # whatever begins now takes its place
    _begin(step, wanted)


def _begin(step: Step, wanted: Pending) -> None:
    rest = wanted.rest
    if rest is None:
        response_id, generation = _open(step, wanted, None)
        step.moment.wanted[response_id] = wanted.wish
        steers = _steers(step, wanted, response_id, generation)
        step.start(fx.Generate(response_id, generation, wanted.wish, wanted.steers_on, steers))
    else:
        response_id, generation = _open(step, wanted, rest.item_id)
        step.start(fx.Recite(response_id, generation, rest.text.lstrip(), rest.generation))


def _steers(step: Step, wanted: Pending, response_id: ResponseId, generation: Generation) -> tuple[fx.Steering, ...]:
    """The words that steer it and do not stand in the conversation yet."""
    for item_id in wanted.consumes:
        receipts.asked(step, item_id, generation, response_id)
    nodes, steers = step.conversation.tree.nodes, step.moment.steers
    new = [steers[item_id] for item_id in wanted.consumes if item_id not in nodes]
    return tuple(fx.Steering(steer.text, steer.device) for steer in new)


def began(step: Step, input: inp.GenerationBegan) -> None:
    """The model has begun, though perhaps with what was heard before."""
    response = _generating(step, input.generation)
    if response is not None:
        receipts.consume(step, response)


def _open(step: Step, wanted: Pending, continues: ItemId | None) -> tuple[ResponseId, Generation]:
    generation = Generation(step.conversation.generation + 1)
    response_id = ResponseId(step.mint("resp"))
    leg = None if wanted.text_only else handover.loudspeaker(step, wanted.stamp.leg)
    stamp, tip = wanted.stamp, step.conversation.tree.tip
    step.fact(
        ev.ResponseStarted(
            response_id,
            generation,
            leg,
            continues,
            wanted.wish.metadata,
            stamp.device,
            stamp.command,
            answers=tip,
            replaces=wanted.replaces,
        )
    )
    return response_id, generation


def generated(step: Step, input: inp.TextGenerated) -> None:
    """More text of an answer. What comes after its cut is dropped here."""
    response = _generating(step, input.generation)
    if response is None or not input.text:
        return
    item_id = response.item_id or _open_item(step, response)
    before = step.moment.texts.get(item_id, "")
    step.moment.texts[item_id] = before + input.text
    step.signal(ev.TextAppended(response.response_id, item_id, len(before), input.text))
    if response.leg is not None:
        step.start(fx.Speak(response.leg, response.generation, input.text, response.moves))


def sound_began(step: Step, input: inp.SoundBegan) -> None:
    """An answer is to be heard, whose words may come later: its item begins, and its loudspeaker."""
    response = _generating(step, input.generation)
    if response is not None and response.item_id is None and response.mouth is not None:
        step.moment.texts[_open_item(step, response)] = ""


def _open_item(step: Step, response: Response) -> ItemId:
    receipts.consume(step, response)
    item_id = ItemId(step.mint("item"))
    parent = step.conversation.tree.tip
    spoken = response.mouth is not None
    step.fact(
        ev.ItemAdded(item_id, parent, "assistant", "in_progress", spoken=spoken, response_id=response.response_id)
    )
    if response.leg is not None:
        handover.begin(step, response, response.leg, item_id)
    return item_id


def finished(step: Step, input: inp.GenerationFinished | inp.GenerationFailed) -> None:
    """The model has no more to say, or cannot go on: what it said stays, and is spoken to its end."""
    response = _generating(step, input.generation)
    if response is None:
        return
    failure = input.failure if isinstance(input, inp.GenerationFailed) else None
    shortfall = input.shortfall if isinstance(input, inp.GenerationFinished) else None
    usage = input.usage if isinstance(input, inp.GenerationFinished) else None
    leg, item_id = response.leg, response.item_id
    if item_id is not None:
        whole: ItemStatus = "completed" if failure is None and shortfall is None else "incomplete"
        text = step.moment.texts.get(item_id, "")
        step.fact(ev.ItemCompleted(item_id, response.response_id, whole, text, fell_short=whole == "incomplete"))
        if leg is not None:
            step.start(fx.FinishSpeech(leg, response.generation, response.moves))
    calls = step.moment.calls.pop(response.response_id, [])
    if failure is None:
        tools.begin(step, response.response_id, calls)
    status: ResponseStatus = "failed" if failure is not None else "completed" if shortfall is None else "incomplete"
    step.fact(
        ev.ResponseEnded(
            response.response_id,
            response.generation,
            status,
            item_id,
            failure=failure,
            usage=usage,
            shortfall=shortfall,
        )
    )
    if step.conversation.settings.context.policy in ("summarise", "reset"):
        step.start(fx.ShortenContext())
    receipts.ended(step, response.response_id, failure)
    if response.lost_at is not None and item_id is not None:
        truncate(step, item_id, step.moment.texts.get(item_id, ""), *response.lost_at, "leg_lost")
    step.forget_text(response)


def went_on(step: Step, input: inp.ToolCalled | inp.ToolRan | inp.Reasoned) -> None:
    """The model did something else than speak."""
    response = _generating(step, input.generation)
    if response is None:
        return
    match input:
        case inp.ToolCalled():
            receipts.consume(step, response)
            step.moment.calls.setdefault(response.response_id, []).append(input)
        case inp.ToolRan():
            receipts.consume(step, response)
            tools.ran(step, input)
        case inp.Reasoned():
            told = step.moment.thoughts.get(response.response_id, 0)
            step.signal(ev.ReasoningAppended(response.response_id, told, input.text))
            step.moment.thoughts[response.response_id] = told + len(input.text)


def _generating(step: Step, generation: Generation) -> Response | None:
    response = step.state.by_generation(generation)
    if response is None or not response.generating or generation in step.moment.cuts:
        return None
    return response
