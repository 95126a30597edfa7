"""Every accepted steer ends in exactly one receipt: consumed by a model call, or failed with its words given back."""

from dataclasses import replace

from gateway.core import events as ev, inputs as inp, waiting
from gateway.core.ids import Generation, ItemId, ResponseId
from gateway.core.state import Response
from gateway.core.steer import Steer
from gateway.core.step import Step
from gateway.core.values import Failure


def of(step: Step, response_id: ResponseId) -> dict[ItemId, Steer]:
    """The steers of an answer whose end is open, in the order in which they came, but for those it is too late for."""
    late = _kept(step)
    steers = step.moment.steers.items()
    return {item_id: steer for item_id, steer in steers if steer.response_id == response_id and item_id not in late}


def _kept(step: Step) -> set[ItemId]:
    """Those that wait for an answer after the one that they were for."""
    pending = step.moment.pending
    return {it.item_id for it in step.conversation.queue} | set(pending.consumes if pending is not None else ())


def asked(step: Step, item_id: ItemId, generation: Generation, response_id: ResponseId) -> None:
    """A model call is about to contain it."""
    steer = step.moment.steers[item_id]
    step.moment.steers[item_id] = replace(steer, generation=generation, response_id=response_id)


def consume(step: Step, response: Response) -> None:
    """The first token of a model call has come: what the call contained joins the conversation before its answer."""
    for item_id, steer in of(step, response.response_id).items():
        if steer.generation != response.generation:
            continue
        tree = step.conversation.tree
        if item_id not in tree.nodes:
            added = ev.ItemAdded(item_id, tree.tip, "user", "completed", steer.text, device=steer.device)
            step.fact(replace(added, response_id=response.response_id))
        del step.moment.steers[item_id]
        step.fact(ev.SteerConsumed(item_id, response.response_id))


def ended(step: Step, response_id: ResponseId, failure: Failure | None) -> None:
    """The answer is over: what no call contained waits for the next, or fails, as the policy says."""
    for item_id, steer in of(step, response_id).items():
        if failure is not None:
            fail(step, item_id, failure.code)
        elif steer.generation is not None or step.policy.after_missed_steer == "fail":
            fail(step, item_id, "answer_ended")
        elif waiting.full(step, "queue", steer.text):
            fail(step, item_id, "queue_full")
        else:
            missed = inp.ResponseRequested(words=steer.text, item_id=item_id)
            waiting.enqueue(step, "queue", missed, device=steer.device)


def fail(step: Step, item_id: ItemId, code: str) -> None:
    """Give its words back."""
    steer = step.moment.steers.pop(item_id)
    step.fact(ev.SteerFailed(item_id, steer.response_id, code, steer.text))


def recovered(step: Step, input: inp.SessionRecovered) -> None:
    """The process ended: what waits in the queue goes on waiting, all else has failed."""
    waits = {it.item_id for it in step.conversation.queue}
    for item_id, response_id in list(step.conversation.steers.items()):
        text = input.waiting_texts.get(item_id, "")
        step.moment.steers[item_id] = Steer(text, response_id, "next_step", step.stamp.device)
        if item_id not in waits:
            fail(step, item_id, "node_lost")


def settle(step: Step) -> None:
    """Whatever ended the answer that a steer was for: nobody is left without a receipt."""
    moment, living = step.moment, step.conversation.responses
    kept = _kept(step)
    for item_id, steer in list(moment.steers.items()):
        response = living.get(steer.response_id)
        if item_id not in kept and (response is None or not response.generating):
            fail(step, item_id, "cancelled")
    for response_id in [it for it in moment.steering if it not in living or not living[it].generating]:
        del moment.steering[response_id]
    for response_id in [it for it in moment.wanted if it not in living]:
        del moment.wanted[response_id]
    for response_id in [it for it in moment.thoughts if it not in living]:
        del moment.thoughts[response_id]
