"""Turns that wait until the running answer has ended *sounding*: durable, and open to every device.

They are taken one after another, each when nothing is generated, heard or said any more; those that came by ``merge``
go together with the one before them, and are answered at once. Somebody who wanted silence gets it: what waits goes
on waiting until somebody asks for something again.
"""

from dataclasses import replace

from gateway.core import answering, events as ev, inputs as inp, waiting
from gateway.core.ids import ItemId
from gateway.core.inputs import Stamp
from gateway.core.queue import Queued
from gateway.core.state import Pending
from gateway.core.step import Step
from gateway.core.values import Wish


def waits(step: Step) -> bool:
    """True while what is queued has to wait: somebody is heard, or about to be."""
    moment = step.moment
    said = any(voice.turn is not None or voice.deadline is not None for voice in moment.voices.values())
    busy = step.state.alive() or moment.cuts or moment.pending or moment.switch
    return bool(busy or step.state.waits_for_words() or said)


def edit_requested(step: Step, input: inp.QueueEditRequested) -> None:
    """Replace the words of a turn that waits."""
    item_id = input.item_id
    queued = _find(step, item_id)
    if queued is None:
        return
    if not queued.adds:
        step.reject("queue_item_not_editable", "What waits there has no words of its own.", "item_id")
        return
    if waiting.too_long(step, ({**step.moment.waiting_texts, item_id: input.text}).values()):
        step.reject("queue_full", "As much waits as may wait: withdraw something, or wait.", "text")
        return
    step.fact(ev.QueueEdited(item_id, input.text, step.stamp.device))
    step.moment.waiting_texts[item_id] = input.text
    if item_id in step.moment.steers:
        step.moment.steers[item_id] = replace(step.moment.steers[item_id], text=input.text)


def reorder_requested(step: Step, input: inp.QueueReorderRequested) -> None:
    """Let everything that waits do so in another order; refused when that is not what waits by now."""
    known = [queued.item_id for queued in step.conversation.queue]
    if sorted(input.order) != sorted(known):
        step.reject("queue_changed", "The order must name everything that waits, once.", "order")
    elif list(input.order) != known:
        step.fact(ev.QueueReordered(input.order))


def withdrawal_requested(step: Step, input: inp.QueueWithdrawalRequested) -> None:
    """A turn shall not be answered after all."""
    queued = _find(step, input.item_id)
    if queued is not None:
        waiting.withdraw(step, queued, "withdrawn")


def _find(step: Step, item_id: ItemId) -> Queued | None:
    found = next((queued for queued in step.conversation.queue if queued.item_id == item_id), None)
    if found is None:
        step.reject("queue_item_not_found", "Nothing with this id waits (any more).", "item_id")
    return found


def recovered(step: Step, input: inp.SessionRecovered) -> None:
    """Go on waiting in another process; what lost its words is withdrawn."""
    stamp, moment = step.stamp, step.moment
    for queued in list(step.conversation.queue):
        if queued.adds and queued.item_id not in input.waiting_texts:
            waiting.withdraw(step, queued, "withdrawn")
            continue
        moment.waiting_texts[queued.item_id] = input.waiting_texts.get(queued.item_id, "")
        if queued.item_id in input.wishes:
            moment.wishes[queued.item_id] = input.wishes[queued.item_id]
        if queued.not_before is not None and queued.not_before > stamp.wall:
            moment.not_before[queued.item_id] = stamp.mono + queued.not_before - stamp.wall
    moment.hushed = _waited_for_nothing(step)


def _waited_for_nothing(step: Step) -> bool:
    """Nothing ran when the process ended, so it was a wish for silence that the queue respected."""
    conversation = step.conversation
    debounced = any(queued.not_before is not None for queued in conversation.queue)
    wordless = any(node.awaits_words for node in conversation.tree.nodes.values())
    return not (conversation.responses or debounced or wordless)


def deadline(step: Step) -> None:
    """What is debounced has waited long enough."""
    for item_id in [it for it, when in step.moment.not_before.items() if step.stamp.mono >= when]:
        del step.moment.not_before[item_id]


def settle(step: Step) -> None:
    """Take what is next, if its time has come."""
    queue = step.conversation.queue
    if not queue or step.moment.hushed or queue[0].item_id in step.moment.not_before or waits(step):
        return
    taken = _next(queue)
    last = taken[-1]
    wish = step.moment.wishes.get(last.item_id, Wish())
    for queued in taken:
        _take(step, queued)
    stamp = Stamp(step.stamp.mono, step.stamp.wall, step.stamp.seed, last.device, last.leg, last.command)
    step.moment.pending = Pending(stamp, wish, last.text_only, consumes=_steers(step, taken))
    answering.start_pending(step)


def _next(queue: list[Queued]) -> list[Queued]:
    """The first that waits, and those behind it that want to be answered with it."""
    merged = 1
    while merged < len(queue) and queue[merged].how == "merge":
        merged += 1
    return queue[:merged]


def _steers(step: Step, taken: list[Queued]) -> tuple[ItemId, ...]:
    """Those among them that once were to steer an answer, and came too late for it."""
    return tuple(queued.item_id for queued in taken if queued.item_id in step.moment.steers)


def _take(step: Step, queued: Queued) -> None:
    item_id = queued.item_id
    text = step.moment.waiting_texts[item_id]
    step.fact(ev.QueueTaken(item_id))
    if queued.adds:
        tip = step.conversation.tree.tip
        step.fact(ev.ItemAdded(item_id, tip, "user", "completed", text, device=queued.device))
    waiting.forget(step, item_id)
