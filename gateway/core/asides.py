"""Answers beside the conversation: asked for, given in writing, and remembered by nobody.

They run beside whatever else does, disturb nothing and are disturbed by nothing: only a cancel that
names one ends it early. Realtime calls it ``conversation: "none"``.
"""

from typing import Final

from gateway.core import effects as fx, events as ev, inputs as inp
from gateway.core.aside import Aside
from gateway.core.ids import Generation, ItemId, ResponseId
from gateway.core.step import Step
from gateway.core.values import CutReason, Failure, ResponseStatus

MOST: Final = 8
"""That may run at once: each is a call of a model."""


def requested(step: Step, input: inp.ResponseRequested) -> None:
    """Ask for one; refused while too many run."""
    if len(step.conversation.asides) >= MOST:
        step.reject("too_many_responses", f"At most {MOST} answers beside the conversation run at once.")
        return
    generation = Generation(step.conversation.generation + 1)
    response_id, stamp = ResponseId(step.mint("resp")), step.stamp
    step.fact(ev.AsideStarted(response_id, generation, input.wish.metadata, stamp.device, stamp.command))
    step.start(fx.Generate(response_id, generation, input.wish))


def of(step: Step, generation: Generation) -> Aside | None:
    """The one with that generation; None when there is none (any more)."""
    return next((it for it in step.conversation.asides.values() if it.generation == generation), None)


def went_on(step: Step, aside: Aside, input: inp.OfModel) -> None:
    """The model said more, asked for a tool, or came to its end."""
    match input:
        case inp.TextGenerated():
            _appended(step, aside, input.text)
        case inp.ToolCalled():
            step.moment.calls.setdefault(aside.response_id, []).append(input)
        case inp.GenerationFinished():
            _finished(step, aside, input)
        case inp.GenerationFailed():
            _end(step, aside, "failed", failure=input.failure)
        case inp.GenerationBegan() | inp.SoundBegan() | inp.ToolRan() | inp.Reasoned():
            pass  # nothing of that is a part of its text


def cancel(step: Step, asides: list[Aside]) -> None:
    """Stop these."""
    for aside in asides:
        step.stop(fx.CancelGeneration(aside.generation))
        _end(step, aside, "cancelled", reason="client_cancelled")


def recovered(step: Step, failure: Failure) -> None:
    """Close those that the end of the process left open."""
    for aside in list(step.conversation.asides.values()):
        _end(step, aside, "failed", failure=failure)


def _appended(step: Step, aside: Aside, text: str) -> None:
    before = step.moment.aside_texts.get(aside.response_id, "")
    step.moment.aside_texts[aside.response_id] = before + text
    step.signal(ev.AsideAppended(aside.response_id, aside.item_id, len(before), text))


def _finished(step: Step, aside: Aside, input: inp.GenerationFinished) -> None:
    for call in step.moment.calls.get(aside.response_id, ()):
        item_id = ItemId(step.mint("item"))
        step.fact(ev.AsideCalled(aside.response_id, item_id, call.call_id, call.name, call.arguments))
    text = step.moment.aside_texts.get(aside.response_id, "")
    status: ResponseStatus = "incomplete" if input.shortfall else "completed"
    step.fact(
        ev.AsideEnded(aside.response_id, aside.item_id, status, text, usage=input.usage, shortfall=input.shortfall)
    )
    _forget(step, aside)


def _end(
    step: Step,
    aside: Aside,
    status: ResponseStatus,
    reason: CutReason | None = None,
    failure: Failure | None = None,
) -> None:
    text = step.moment.aside_texts.get(aside.response_id, "")
    step.fact(ev.AsideEnded(aside.response_id, aside.item_id, status, text, reason, failure))
    _forget(step, aside)


def _forget(step: Step, aside: Aside) -> None:
    step.moment.aside_texts.pop(aside.response_id, None)
    step.moment.calls.pop(aside.response_id, None)
