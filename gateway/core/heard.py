"""Cutting an answer, and keeping what was heard of it.

A cut has two halves. First everything stops: the model's stream, and the loudspeaker if one speaks
the answer. Then the loudspeaker says where it stood, and only then is the cut written down: the
item keeps the words that were heard, the rest stays beside it as ``unheard``. An answer that was
only written was seen as far as it was published, so both halves fall together. A new answer that
waits for the cut starts after the last one has settled, so that its context is the truth.

An answer whose leg is lost, or whose speech engine fails, was not cut, but what was heard of it ends
there all the same; the rest was only shown. A device may say that it played less than our own clock
says, of an answer that is being cut or was lately; never that it played more.
"""

from collections.abc import Iterable
from dataclasses import replace

from gateway.core import answering, effects as fx, events as ev, handover, inputs as inp
from gateway.core.ids import Generation, ItemId, LegId
from gateway.core.policy import ASK_WHAT_WAS_SAID
from gateway.core.removing import roll_back
from gateway.core.state import Claim, Cut, Pending, Response, Said, Unheard
from gateway.core.step import Step
from gateway.core.truncating import device_of, limited, remember, truncate
from gateway.core.values import CutReason, Wish


def cut(
    step: Step,
    responses: Iterable[Response],
    reason: CutReason,
    turn: ItemId | None = None,
    claim: Claim | None = None,
    *,
    rolls_back: bool = False,
    steers: bool = False,
) -> None:
    """Stop these responses for good, or with *steers* only their model calls and what sounds of them.

    *turn* is the voice turn that does it, if one does.
    """
    stopped = list(responses)
    due = step.stamp.mono + step.policy.flush_within
    for response in stopped:
        step.moment.cuts[response.generation] = Cut(
            reason, turn, due, claim=claim, rolls_back=rolls_back, steers=steers
        )
    for response in stopped:
        step.moment.handover.moves.pop(response.generation, None)
        step.moment.calls.pop(response.response_id, None)
        if response.generating:
            step.stop(fx.CancelGeneration(response.generation, steers))
        if response.leg is not None and response.item_id is not None:
            step.stop(fx.FlushPlayout(response.leg, response.generation))
        elif response.left is not None:
            _settle(step, response, response.heard_chars, response.heard_ms, started=False)
        else:
            reached = response.lost_at or (len(_text(step, response)) if response.leg is None else 0, 0)
            _settle(step, response, *reached, started=response.leg is None)


def cleared(step: Step, input: inp.PlayoutCleared) -> None:
    """The loudspeaker says where it stood when it was silenced."""
    response = step.state.by_generation(input.generation)
    if response is None or response.leg is None or elsewhere(step, response):
        return
    if input.generation in step.moment.cuts:
        if response.sounding and not input.started:  # its leg has forgotten it, so it was heard to its end
            _settle(step, response, len(_text(step, response)), input.heard_ms, started=True)
        else:
            _settle(step, response, input.heard_chars, input.heard_ms, started=input.started)
    else:
        handover.interrupted(step, response, input)


def elsewhere(step: Step, response: Response) -> bool:
    """Has the leg that reports lost this answer to another one?"""
    return response.moves > 0 and step.stamp.leg not in ("", response.leg)


def lost(step: Step, response: Response) -> None:
    """Nobody speaks an answer any more: it goes on in writing, and was heard as far as it had sounded."""
    assert response.left is not None
    text, item_id = _text(step, response), response.item_id
    reached = response.heard_chars if response.sounded else None
    step.fact(ev.PlayoutCleared(response.response_id, response.left, reached, response.heard_ms))
    if reached is not None and item_id is not None and not response.generating:
        truncate(step, item_id, text, reached, response.heard_ms, "leg_lost")
    step.forget_text(response)


def started(step: Step, input: inp.PlayoutStarted) -> None:
    """The first sample of an answer left for the listener."""
    response = step.state.by_generation(input.generation)
    if response is None or response.leg is None or response.item_id is None or response.sounding:
        return
    if elsewhere(step, response):
        return
    step.fact(ev.PlayoutStarted(response.response_id, response.leg))


def stopped(step: Step, input: inp.PlayoutStopped) -> None:
    """All of an answer was heard, or all of which its engine could make sound."""
    response = step.state.by_generation(input.generation)
    if response is None or response.leg is None or response.generating or elsewhere(step, response):
        return
    step.moment.handover.moves.pop(input.generation, None)
    text, item_id = _text(step, response), response.item_id
    reached = len(text) if input.heard_chars is None else input.heard_chars
    if input.generation in step.moment.cuts:
        _settle(step, response, reached, input.heard_ms, started=True)
        return
    device = device_of(step, response.leg)
    step.fact(ev.PlayoutStopped(response.response_id, response.leg))
    if item_id is not None:
        truncate(step, item_id, text, reached, input.heard_ms, "speech_failed")
        remember(step, item_id, Said(text, reached, input.heard_ms, device))
    step.forget_text(response)


def truncation_requested(step: Step, input: inp.ItemTruncationRequested) -> None:
    """A client says how much it played: it can shorten what was heard, and lengthen nothing."""
    item_id = input.item_id
    node = step.conversation.tree.nodes.get(item_id)
    if node is None or node.role != "assistant" or not step.conversation.tree.active(item_id):
        step.reject("item_truncate_invalid_item_id", "There is no answer with this id on the active path.", "item_id")
        return
    alive = [r for r in step.state.alive() if r.item_id == item_id]
    said = step.moment.said.get(item_id)
    spoke = said.device if said is not None else next((device_of(step, r.leg) for r in alive), "")
    claim = Claim(step.stamp.leg, input.audio_end_ms, input.located, spoke == step.stamp.device)
    if alive:
        cut(step, alive, "client_cancelled", claim=claim)
    elif said is None or not _shorten(step, item_id, said, claim):
        _keep_truncation(step, item_id, claim, said)


def _shorten(step: Step, item_id: ItemId, said: Said, claim: Claim) -> bool:
    """An answer that is over was played less far than we thought. False when the claim says nothing new."""
    reached, heard_ms = limited(claim, said.text, said.heard_chars, said.heard_ms)
    if reached >= said.heard_chars or not truncate(step, item_id, said.text, reached, heard_ms):
        return False
    remember(step, item_id, replace(said, heard_chars=reached, heard_ms=heard_ms))
    rest = step.moment.unheard
    if rest is not None and rest.item_id == item_id:
        step.moment.unheard = replace(rest, text=said.text[reached:])
    return True


def _keep_truncation(step: Step, item_id: ItemId, claim: Claim, said: Said | None) -> None:
    """Nothing follows from a claim: answer it with what holds."""
    holds = claim.audio_end_ms
    if said is not None:
        holds = min(holds, said.heard_ms) if claim.counts else said.heard_ms
    step.signal(ev.TruncationKept(claim.leg, item_id, holds))


def _text(step: Step, response: Response) -> str:
    return step.moment.texts.get(response.item_id, "") if response.item_id is not None else ""


def _settle(step: Step, response: Response, heard_chars: int, heard_ms: int, *, started: bool) -> None:
    """The second half of a cut: its last leg says how far the item was heard, and whether it sounded there."""
    if not started and response.sounded:
        heard_chars, heard_ms, started = response.heard_chars, response.heard_ms, True
    if step.moment.cuts[response.generation].steers:
        _begin_next_part(step, response, heard_chars, heard_ms, started=started)
    else:
        _write(step, response, heard_chars, heard_ms, started=started)


def _write(step: Step, response: Response, heard_chars: int, heard_ms: int, *, started: bool) -> None:
    done = step.moment.cuts.pop(response.generation)
    text = _text(step, response)
    generating, item_id = response.generating, response.item_id
    spoken_on = device_of(step, response.mouth)
    if response.mouth is not None and item_id is not None:
        step.fact(ev.PlayoutCleared(response.response_id, response.mouth))
    if generating:
        if item_id is not None:
            step.fact(ev.ItemCompleted(item_id, response.response_id, "incomplete", text))
        step.fact(ev.ResponseEnded(response.response_id, response.generation, "cancelled", item_id, reason=done.reason))
    heard_chars, heard_ms = limited(done.claim, text, min(max(0, heard_chars), len(text)), heard_ms)
    heard = text[:heard_chars] if started else ""
    if done.rolls_back:
        roll_back(step, item_id, response.answers)
    elif item_id is not None:
        _keep_heard(step, item_id, Said(text, heard_chars, heard_ms, spoken_on), done.claim, started=started)
    step.forget_text(response)
    if done.turn is not None:
        rest = text[len(heard) :]
        ask_again = generating and not (heard and rest.strip())
        _keep(step, Unheard(item_id, rest, done.turn, response.generation, response.answers, ask_again))
        if done.nothing_said_on is not None:
            speak_the_rest(step, done.turn, done.nothing_said_on)
    answering.start_pending(step)


def _begin_next_part(step: Step, response: Response, heard_chars: int, heard_ms: int, *, started: bool) -> None:
    """The answer goes on in another item, from what was heard (or shown) of this one."""
    del step.moment.cuts[response.generation]
    response_id, item_id, leg = response.response_id, response.item_id, response.mouth
    text = _text(step, response)
    if item_id is not None:
        if leg is not None:
            step.fact(ev.PlayoutCleared(response_id, leg))
        step.fact(ev.ItemCompleted(item_id, response_id, "incomplete", text))
        reached = min(max(0, heard_chars), len(text))
        _keep_heard(step, item_id, Said(text, reached, heard_ms, device_of(step, leg)), None, started=started)
        step.moment.texts.pop(item_id, None)
    goes_on = Generation(step.conversation.generation + 1)
    speaks_on = handover.loudspeaker(step, leg) if leg is not None else None
    step.fact(ev.ResponseSteered(response_id, goes_on, speaks_on))
    step.moment.steering[response_id] = step.stamp.mono + step.policy.gather_within
    answering.start_pending(step)


def _keep_heard(step: Step, item_id: ItemId, said: Said, claim: Claim | None, *, started: bool) -> None:
    if not started:
        step.fact(ev.ItemRemoved(item_id, "unheard"))
        return
    if not truncate(step, item_id, said.text, said.heard_chars, said.heard_ms) and claim is not None:
        _keep_truncation(step, item_id, claim, said)
    if said.device:
        remember(step, item_id, said)


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
    after = step.policy.after_empty_cut
    if not anything or after == "silent" or step.moment.pending is not None:
        return
    asked_by = replace(step.stamp, leg=leg)
    if after == "ask":
        asking = f"{step.conversation.settings.instructions}\n{ASK_WHAT_WAS_SAID}".strip()
        step.moment.pending = Pending(asked_by, Wish(asking), spoken=True)
    else:
        step.moment.pending = Pending(asked_by, spoken=True, rest=None if rest.ask_again else rest)
