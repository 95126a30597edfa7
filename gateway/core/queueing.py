"""Turns that wait until the running answer has ended *sounding*: durable, and open to every device.

They are taken one after another, each when nothing is generated, heard or said any more; those that came by ``merge``
go together with the one before them, and are answered at once. Somebody who wanted silence gets it: what waits goes
on waiting until somebody asks for something again.
"""

from gateway.core import answering, events as ev, inputs as inp
from gateway.core.ids import ItemId
from gateway.core.inputs import Stamp
from gateway.core.queue import Queued
from gateway.core.state import Pending
from gateway.core.step import Step
from gateway.core.values import Waiting


def waits(step: Step) -> bool:
    """True while what is queued has to wait: somebody is heard, or about to be."""
    moment = step.moment
    said = any(voice.turn is not None or voice.deadline is not None for voice in moment.voices.values())
    return bool(step.state.alive() or moment.cuts or moment.pending or step.state.waits_for_words() or said)


def enqueue(step: Step, how: Waiting, wanted: inp.ResponseRequested, about: ItemId | None = None) -> None:
    """Let a turn wait; refused when too many do. *about* is a spoken message that waits to be answered."""
    if full(step, how):
        step.reject("queue_full", f"{step.policy.queue_length} turns wait already: withdraw one, or wait.")
        return
    for waiting in _replaced(step, how):
        withdraw(step, waiting, "superseded")
    wait_s = _patience_s(step, wanted.debounce_ms) if how == "debounce" else None
    item_id = wanted.item_id or ItemId(step.mint("item"))
    stamp, text = step.stamp, wanted.words or ""
    fact = ev.TurnQueued(
        item_id,
        text,
        how,
        wanted.words is not None,
        about,
        stamp.device,
        stamp.leg,
        stamp.command,
        wanted.instructions,
        wanted.text_only,
        wanted.metadata,
        None if wait_s is None else stamp.wall + wait_s,
    )
    step.fact(fact)
    step.moment.hushed = False
    step.moment.waiting_texts[item_id] = text
    if wait_s is not None:
        step.moment.not_before[item_id] = stamp.mono + wait_s


def full(step: Step, how: Waiting) -> bool:
    """True while no other turn may wait in this way."""
    return len(step.conversation.queue) - len(_replaced(step, how)) >= step.policy.queue_length


def _replaced(step: Step, how: Waiting) -> list[Queued]:
    return [it for it in step.conversation.queue if how == "latest" or how == it.how == "debounce"]


def _patience_s(step: Step, wanted_ms: int | None) -> float:
    return (step.conversation.settings.debounce_ms if wanted_ms is None else wanted_ms) / 1000


def edit_requested(step: Step, input: inp.QueueEditRequested) -> None:
    """Replace the words of a turn that waits."""
    waiting = _find(step, input.item_id)
    if waiting is None:
        return
    if not waiting.adds:
        step.reject("queue_item_not_editable", "What waits there has no words of its own.", "item_id")
        return
    step.fact(ev.QueueEdited(input.item_id, input.text, step.stamp.device))
    step.moment.waiting_texts[input.item_id] = input.text


def reorder_requested(step: Step, input: inp.QueueReorderRequested) -> None:
    """Let everything that waits do so in another order; refused when that is not what waits by now."""
    known = [waiting.item_id for waiting in step.conversation.queue]
    if sorted(input.order) != sorted(known):
        step.reject("queue_changed", "The order must name everything that waits, once.", "order")
    elif list(input.order) != known:
        step.fact(ev.QueueReordered(input.order))


def withdrawal_requested(step: Step, input: inp.QueueWithdrawalRequested) -> None:
    """A turn shall not be answered after all."""
    waiting = _find(step, input.item_id)
    if waiting is not None:
        withdraw(step, waiting, "withdrawn")


def _find(step: Step, item_id: ItemId) -> Queued | None:
    found = next((waiting for waiting in step.conversation.queue if waiting.item_id == item_id), None)
    if found is None:
        step.reject("queue_item_not_found", "Nothing with this id waits (any more).", "item_id")
    return found


def withdraw(step: Step, waiting: Queued, reason: str) -> None:
    """Let a turn wait no longer."""
    step.fact(ev.QueueWithdrawn(waiting.item_id, reason))
    _forget(step, waiting.item_id)


def forget_answered(step: Step, about: ItemId) -> None:
    """A spoken message is gone, and with it the wish to have it answered."""
    for waiting in [it for it in step.conversation.queue if it.about == about]:
        withdraw(step, waiting, "withdrawn")


def recovered(step: Step, texts: inp.SessionRecovered) -> None:
    """Go on waiting in another process; what lost its words is withdrawn."""
    stamp = step.stamp
    for waiting in list(step.conversation.queue):
        if waiting.adds and waiting.item_id not in texts.waiting_texts:
            withdraw(step, waiting, "withdrawn")
            continue
        step.moment.waiting_texts[waiting.item_id] = texts.waiting_texts.get(waiting.item_id, "")
        if waiting.not_before is not None and waiting.not_before > stamp.wall:
            step.moment.not_before[waiting.item_id] = stamp.mono + waiting.not_before - stamp.wall


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
    for waiting in taken:
        _take(step, waiting)
    last = taken[-1]
    stamp = Stamp(step.stamp.mono, step.stamp.wall, step.stamp.seed, last.device, last.leg, last.command)
    step.moment.pending = Pending(stamp, last.instructions, last.text_only, last.metadata)
    answering.start_pending(step)


def _next(queue: list[Queued]) -> list[Queued]:
    """The first that waits, and those behind it that want to be answered with it."""
    merged = 1
    while merged < len(queue) and queue[merged].how == "merge":
        merged += 1
    return queue[:merged]


def _take(step: Step, waiting: Queued) -> None:
    text = step.moment.waiting_texts[waiting.item_id]
    step.fact(ev.QueueTaken(waiting.item_id))
    if waiting.adds:
        tip = step.conversation.tree.tip
        step.fact(ev.ItemAdded(waiting.item_id, tip, "user", "completed", text, device=waiting.device))
    _forget(step, waiting.item_id)


def _forget(step: Step, item_id: ItemId) -> None:
    step.moment.waiting_texts.pop(item_id, None)
    step.moment.not_before.pop(item_id, None)
