"""Cutting an answer, and keeping what was heard of it.

A cut has two halves. First everything stops: the model's stream, and the loudspeaker if one speaks
the answer. Then the loudspeaker says where it stood, and only then is the cut written down: the
item keeps the words that were heard, the rest stays beside it as ``unheard``. An answer that was
only written was seen as far as it was published, so both halves fall together. A new answer that
waits for the cut starts after the last one has settled, so that its context is the truth.
"""

from collections.abc import Iterable
from dataclasses import replace

from gateway.core import answering, effects as fx, events as ev, inputs as inp
from gateway.core.ids import ItemId, LegId
from gateway.core.state import Cut, Pending, Response, Unheard
from gateway.core.step import Step
from gateway.core.values import CutReason


def cut(step: Step, responses: Iterable[Response], reason: CutReason, turn: ItemId | None = None) -> None:
    """Stop these responses for good. *turn* is the voice turn that does it, if one does."""
    stopped = list(responses)
    step.moment.cuts.update({response.generation: Cut(reason, turn) for response in stopped})
    for response in stopped:
        if response.generating:
            step.stop(fx.CancelGeneration(response.generation))
        if response.leg is not None and response.item_id is not None:
            step.stop(fx.FlushPlayout(response.leg, response.generation))
        else:
            shown = len(_text(step, response)) if response.leg is None else 0
            _settle(step, response, shown, 0, started=response.leg is None)


def cleared(step: Step, input: inp.PlayoutCleared) -> None:
    """The loudspeaker says where it stood when it was silenced."""
    response = step.state.by_generation(input.generation)
    if response is None or response.leg is None:
        return
    if input.generation in step.moment.cuts:
        if response.sounding and not input.started:  # its leg has forgotten it, so it was heard to its end
            _settle(step, response, len(_text(step, response)), input.heard_ms, started=True)
        else:
            _settle(step, response, input.heard_chars, input.heard_ms, started=input.started)
    else:  # its leg was lost: a disconnect is not a cancel, the answer goes on in writing
        step.fact(ev.PlayoutCleared(response.response_id, response.leg))
        step.forget_text(response)


def started(step: Step, input: inp.PlayoutStarted) -> None:
    """The first sample of an answer left for the listener."""
    response = step.state.by_generation(input.generation)
    if response is None or response.leg is None or response.item_id is None or response.sounding:
        return
    step.fact(ev.PlayoutStarted(response.response_id, response.leg))


def stopped(step: Step, input: inp.PlayoutStopped) -> None:
    """All of an answer was heard."""
    response = step.state.by_generation(input.generation)
    if response is None or response.leg is None or response.generating:
        return
    if input.generation in step.moment.cuts:
        _settle(step, response, len(_text(step, response)), input.heard_ms, started=True)
        return
    step.fact(ev.PlayoutStopped(response.response_id, response.leg))
    step.forget_text(response)


def truncation_requested(step: Step, input: inp.ItemTruncationRequested) -> None:
    """A client says how much it played. It can shorten nothing that is over, and lengthen nothing at all."""
    node = step.conversation.tree.nodes.get(input.item_id)
    if node is None or node.role != "assistant":
        step.reject("item_truncate_invalid_item_id", "There is no answer with this id.", "item_id")
        return
    alive = [r for r in step.state.alive() if r.item_id == input.item_id]
    cut(step, alive, "client_cancelled")
    step.signal(ev.TruncationKept(step.stamp.leg, input.item_id, input.audio_end_ms))


def _text(step: Step, response: Response) -> str:
    return step.moment.texts.get(response.item_id, "") if response.item_id is not None else ""


def _settle(step: Step, response: Response, heard_chars: int, heard_ms: int, *, started: bool) -> None:
    """Write the second half of a cut."""
    done = step.moment.cuts.pop(response.generation)
    text = _text(step, response)
    generating, item_id = response.generating, response.item_id
    if response.leg is not None and item_id is not None:
        step.fact(ev.PlayoutCleared(response.response_id, response.leg))
    if generating:
        if item_id is not None:
            step.fact(ev.ItemCompleted(item_id, response.response_id, "incomplete", text))
        step.fact(ev.ResponseEnded(response.response_id, response.generation, "cancelled", item_id, reason=done.reason))
    heard = text[: max(0, heard_chars)] if started else ""
    if item_id is not None:
        if not started:
            step.fact(ev.ItemRemoved(item_id, "unheard"))
        elif heard != text:
            step.fact(ev.ItemTruncated(item_id, heard, text[len(heard) :], heard_ms))
    step.forget_text(response)
    if done.turn is not None:
        rest = text[len(heard) :]
        ask_again = generating and not (heard and rest.strip())
        _keep(step, Unheard(item_id, rest, done.turn, response.generation, ask_again))
        if done.nothing_said_on is not None:
            speak_the_rest(step, done.turn, done.nothing_said_on)
    answering.start_pending(step)


def _keep(step: Step, rest: Unheard) -> None:
    kept = step.moment.unheard
    if kept is None or rest.rank > kept.rank:
        step.moment.unheard = rest


def speak_the_rest(step: Step, turn: ItemId, leg: LegId) -> None:
    """Nothing was said in *turn*: what it cut goes on where it was cut, unless another answer waits by now."""
    unsettled = [cut for cut in step.moment.cuts.values() if cut.turn == turn]
    for cut in unsettled:
        cut.nothing_said_on = leg
    rest = step.moment.unheard
    if unsettled or rest is None or rest.turn != turn:
        return
    step.moment.unheard = None
    anything, _ = rest.rank
    if anything and step.policy.after_empty_cut == "continue" and step.moment.pending is None:
        asked_by = replace(step.stamp, leg=leg)
        step.moment.pending = Pending(asked_by, spoken=True, rest=None if rest.ask_again else rest)
