"""Putting a turn into the queue, and taking it out without an answer. ``queueing`` has the rest."""

from collections.abc import Iterable

from gateway.core import events as ev, inputs as inp
from gateway.core.ids import DeviceId, ItemId
from gateway.core.queue import Queued
from gateway.core.step import Step
from gateway.core.values import Waiting, Wish


def full(step: Step, how: Waiting, text: str = "") -> bool:
    """True while no other turn may wait in this way with *text*."""
    replaced = {queued.item_id for queued in _replaced(step, how)}
    texts = [it for item_id, it in step.moment.waiting_texts.items() if item_id not in replaced]
    return len(texts) >= step.policy.queue_length or too_long(step, [*texts, text])


def too_long(step: Step, texts: Iterable[str]) -> bool:
    """Are these more words than may wait?"""
    return sum(map(len, texts)) > step.policy.queue_chars


def enqueue(
    step: Step, how: Waiting, wanted: inp.ResponseRequested, about: ItemId | None = None, device: DeviceId | None = None
) -> None:
    """Let a turn wait; refused when too many do. *about* is a spoken message that waits to be answered.

    It comes from *device*, or else from that of the input.
    """
    if full(step, how, wanted.words or ""):
        step.reject("queue_full", "As much waits as may wait: withdraw something, or wait.")
        return
    for queued in _replaced(step, how):
        withdraw(step, queued, "superseded")
    wait_s = _patience_s(step, wanted.debounce_ms) if how == "debounce" else None
    item_id = wanted.item_id or ItemId(step.mint("item"))
    stamp, text = step.stamp, wanted.words or ""
    fact = ev.TurnQueued(
        item_id,
        text,
        how,
        wanted.words is not None,
        about,
        stamp.device if device is None else device,
        stamp.leg,
        stamp.command,
        wanted.wish,
        wanted.text_only,
        None if wait_s is None else stamp.wall + wait_s,
    )
    step.fact(fact)
    step.moment.hushed = False
    step.moment.waiting_texts[item_id] = text
    if wanted.wish != Wish():
        step.moment.wishes[item_id] = wanted.wish
    if wait_s is not None:
        step.moment.not_before[item_id] = stamp.mono + wait_s


def _replaced(step: Step, how: Waiting) -> list[Queued]:
    return [it for it in step.conversation.queue if how == "latest" or how == it.how == "debounce"]


def _patience_s(step: Step, wanted_ms: int | None) -> float:
    return (step.conversation.settings.debounce_ms if wanted_ms is None else wanted_ms) / 1000


def withdraw(step: Step, queued: Queued, reason: str) -> None:
    """Let a turn wait no longer."""
    item_id = queued.item_id
    steer = step.moment.steers.pop(item_id, None)
    if steer is not None:  # before the withdrawal, with which the words leave the store
        step.fact(ev.SteerFailed(item_id, steer.response_id, reason, steer.text))
    step.fact(ev.QueueWithdrawn(item_id, reason))
    forget(step, item_id)


def forget(step: Step, item_id: ItemId) -> None:
    """It waits no longer, for whatever reason."""
    step.moment.waiting_texts.pop(item_id, None)
    step.moment.wishes.pop(item_id, None)
    step.moment.not_before.pop(item_id, None)
