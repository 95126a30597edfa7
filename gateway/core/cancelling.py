"""A client wants silence: of one answer, of its own device's, or of all.

A cancel is for what runs or is about to begin, never for what comes after it: what waits in the queue is withdrawn only
by name. Sent again, or by another device as well, it finds nothing left to do, which is no fault of anybody's.
"""

from typing import Final

from gateway.core import asides, floor, heard, inputs as inp, waiting
from gateway.core.aside import Aside
from gateway.core.queue import Queued
from gateway.core.state import Pending, Response
from gateway.core.step import Step

_REMEMBERED: Final = 16
"""Cancelled responses whose repeated cancel is told apart from one for which there never was anything."""


def cancel_requested(step: Step, input: inp.CancelRequested) -> None:
    """Stop the answers that are meant, or that were about to begin."""
    moment, living = step.moment, step.conversation.responses.values()
    meant = [response for response in living if _means(step, input, response)]
    wanted = [response for response in meant if response in step.state.alive()]
    begins = moment.pending is not None and _means_pending(step, input, moment.pending)
    queued = [it for it in step.conversation.queue if input.command and it.command == input.command]
    asides_meant = [it for it in step.conversation.asides.values() if _means_aside(input, it)]
    if not (wanted or begins or queued or asides_meant):
        _nothing(step, input, repeats=bool(meant) or input.response_id in moment.cancelled)
        return
    if begins:
        moment.pending = None
    _withdraw(step, queued)
    asides.cancel(step, asides_meant)
    heard.cut(step, wanted, "client_cancelled")
    stopped = [*(it.response_id for it in wanted), *(it.response_id for it in asides_meant)]
    moment.cancelled = [*moment.cancelled, *stopped][-_REMEMBERED:]
    if asides_meant and not (wanted or begins):
        return
    floor.yield_to_voices(step)


def _nothing(step: Step, input: inp.CancelRequested, *, repeats: bool) -> None:
    if input.strict:
        step.reject("response_cancel_not_active", "Cancellation failed: no active response found.")
    else:
        step.repeated, step.without_effect = repeats, not repeats


def _withdraw(step: Step, queued: list[Queued]) -> None:
    for it in queued:
        waiting.withdraw(step, it, "cancelled")


def _means(step: Step, input: inp.CancelRequested, response: Response) -> bool:
    if input.response_id is not None:
        return response.response_id == input.response_id
    if input.command:
        return response.command == input.command
    return not input.own or response.device == step.stamp.device


def _means_aside(input: inp.CancelRequested, aside: Aside) -> bool:
    """One beside the conversation is stopped by name alone."""
    named = input.response_id is not None and aside.response_id == input.response_id
    return named or (bool(input.command) and aside.command == input.command)


def _means_pending(step: Step, input: inp.CancelRequested, pending: Pending) -> bool:
    """An answer without an id yet is not the one that has the id that was named."""
    if input.response_id is not None:
        return False
    if input.command:
        return pending.stamp.command == input.command
    return not input.own or pending.stamp.device == step.stamp.device


def output_clear_requested(step: Step) -> None:
    """Silence what sounds; harmless when nothing does."""
    begun = [r for r in step.state.alive() if r.leg is not None and r.item_id is not None]
    heard.cut(step, begun, "client_cancelled")
    floor.yield_to_voices(step)
