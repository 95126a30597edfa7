"""A running answer is steered: its model call ends at a token boundary, and another one goes on with it.

The part that was heard (or shown) stays as one item of the answer, the words that steer it follow as another, and the
rest as a third. Steers that come before the next call was made are in it together. An answer whose generation is over
and that is only heard has said its ``response.done``: it is cut, and its successor goes on from what was heard.
"""

from dataclasses import replace

from gateway.core import answering, effects as fx, events as ev, heard, inputs as inp, receipts
from gateway.core.ids import ItemId, ResponseId
from gateway.core.state import Pending, Response
from gateway.core.steer import Steer
from gateway.core.step import Step
from gateway.core.values import Wish


def steer_requested(step: Step, input: inp.SteerRequested) -> None:
    """Take words that steer the answer that runs, or the one that is named; refused when it does not run (any more)."""
    if input.item_id is not None and step.knows(input.item_id):
        step.reject("item_create_duplicate_item_id", "An item with this id exists already.", "input.id")
        return
    response, pending = aimed(step, input.response_id), step.moment.pending
    if response is not None:
        target = response.response_id
    elif pending is not None and pending.steers_on is not None and input.response_id in (None, pending.steers_on):
        target = pending.steers_on  # its successor is about to begin
    else:
        step.reject("steer_not_active", "There is no answer to steer (any more).", "previous_response_id")
        return
    item_id = input.item_id or ItemId(step.mint("item"))
    _accept(step, item_id, target, input)
    if response is None:
        _succeed(step, target, item_id)
    elif input.when == "now":
        redirect(step, response, item_id)
    elif not response.generating:
        receipts.ended(step, target, None)


def aimed(step: Step, response_id: ResponseId | None) -> Response | None:
    """The answer that is meant, while it is generated or heard: the newest that is generated, else the newest."""
    alive = [it for it in step.state.alive() if response_id in (None, it.response_id)]
    return next((it for it in reversed(alive) if it.generating), alive[-1] if alive else None)


def _accept(step: Step, item_id: ItemId, response_id: ResponseId, input: inp.SteerRequested) -> None:
    stamp = step.stamp
    step.fact(ev.SteerAccepted(item_id, response_id, input.text, input.when, stamp.device, stamp.command))
    step.moment.steers[item_id] = Steer(input.text, response_id, input.when, stamp.device)
    step.signal(ev.SteerPending(item_id, response_id, input.when))


def redirect(step: Step, response: Response, item_id: ItemId | None) -> None:
    """End this model call here, and have another go on. *item_id* is the steer; None when it is a message already."""
    moment = step.moment
    if not response.generating:
        _succeed(step, response.response_id, item_id)
        heard.cut(step, [response], "client_cancelled")
        answering.start_pending(step)
    elif response.response_id not in moment.steering and response.generation not in moment.cuts:
        heard.cut(step, [response], "client_cancelled", steers=True)


def _succeed(step: Step, response_id: ResponseId, item_id: ItemId | None) -> None:
    """The answer that begins next goes on with this one."""
    pending = step.moment.pending or Pending(step.stamp)
    consumes = pending.consumes if item_id is None else (*pending.consumes, item_id)
    step.moment.pending = replace(pending, steers_on=response_id, consumes=consumes, rest=None)


def deadline(step: Step) -> None:
    """What came within a moment is in one call, for which it is time now."""
    steering = step.moment.steering
    for response_id, due in steering.items():
        if due is not None and step.stamp.mono >= due:
            steering[response_id] = None


def settle(step: Step) -> None:
    """Make the calls for which it is time, once their context is the truth."""
    if step.moment.cuts or step.state.waits_for_words():
        return
    for response_id in [it for it, due in step.moment.steering.items() if due is None]:
        del step.moment.steering[response_id]
        _ask(step, step.conversation.responses[response_id])


def _ask(step: Step, response: Response) -> None:
    response_id, generation = response.response_id, response.generation
    for item_id in receipts.of(step, response_id):
        receipts.asked(step, item_id, generation, response_id)
    steers = tuple(fx.Steering(it.text, it.device) for it in receipts.of(step, response_id).values())
    wish = step.moment.wanted.get(response_id, Wish())
    step.start(fx.Generate(response_id, generation, wish, response_id, steers))
