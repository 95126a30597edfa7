"""Which device is live (the floor), and how an answer is put into its hands.

A device that is alone needs no floor: it is live. As soon as there are two, one of them has it: it speaks the answers,
and whoever claims it, by button or by voice, gets the running answer too. A *claim* is one fact;
:mod:`.following` then makes every spoken answer follow.

======================  ==========================================================================
the floor               goes to
======================  ==========================================================================
claimed by button       whoever pressed it, at once
claimed by voice        whoever spoke, unless it was won less than ``floor_stays`` ago, or its holder
                        is gone and may come back
held by a lost device   the same device, if it is back within ``floor_kept``; then nobody
released, or nobody's   whoever claims it next, by voice too; if an answer waits to sound, the voice
                        leg that joined last (an answer that was just asked for: the one that asked)
======================  ==========================================================================
"""

from gateway.core import effects as fx, events as ev, inputs as inp
from gateway.core.ids import DeviceId, FloorGeneration, ItemId, LegId
from gateway.core.state import Response, Voice
from gateway.core.step import Step

# --- who has it ---


def requested(step: Step, input: inp.FloorClaimRequested | inp.FloorReleaseRequested) -> None:
    """A button was pressed on a voice leg: it always wins. Whoever has the floor, or has it not, may say so again."""
    leg, has_it = step.stamp.leg, step.conversation.floor.leg == step.stamp.leg
    if leg not in present(step):
        step.reject("floor_no_voice", "Only a connection that carries sound can have the floor.")
    elif isinstance(input, inp.FloorClaimRequested):
        if not has_it:
            grant(step, leg, "claimed")
    elif has_it:
        _give_up(step, leg)


def _give_up(step: Step, leg: LegId) -> None:
    """An answer that sounds there goes on elsewhere, if anybody else can speak it."""
    others = [it for it in present(step) if it != leg]
    if others and spoken(step):
        grant(step, others[-1], "answer")
    else:
        _free(step, "released")


def pressed(step: Step, leg: LegId) -> None:
    """A key was pressed to talk there, which is a button."""
    if step.conversation.floor.leg != leg and len(present(step)) > 1:
        grant(step, leg, "claimed")


def spoke(step: Step, leg: LegId) -> None:
    """A voice was confirmed there: it takes the floor, unless that was won or lost only now."""
    known, moment = step.conversation.floor, step.moment.handover
    if known.leg == leg or len(present(step)) < 2:
        return
    if known.leg is not None and (moment.kept_until is not None or step.stamp.mono < moment.safe_until):
        return
    moment.taken_from = known.leg
    grant(step, leg, "spoke")


def loudspeaker(step: Step, asked_by: LegId) -> LegId | None:
    """The voice leg that speaks a new answer; None when nobody can hear, and nobody is waited for.

    It may be gone, and expected back.
    """
    holder = step.conversation.floor.leg
    if holder is not None:
        return holder
    here = present(step)
    leg = asked_by if asked_by in here else here[-1] if here else None
    if leg is not None and len(here) > 1:
        grant(step, leg, "answer")
    return leg


def joined(step: Step, leg: LegId) -> None:
    """A voice leg is here. A device that comes back has what it had; one that was alone is told to be live."""
    known = step.conversation.floor
    step.moment.voices[leg].leaving = False
    here = present(step)
    if known.leg == leg:
        step.moment.handover.kept_until = None
    elif known.leg is not None and known.device == step.stamp.device and known.leg not in here:
        grant(step, leg, "returned")
    elif known.leg is None and len(here) == 2:
        grant(step, next(it for it in here if it != leg), "joined")


def left(step: Step, leg: LegId, voice: Voice, *, goodbye: bool = False) -> None:
    """A voice leg is gone, or about to go. Without a *goodbye* what it had is kept for its device a while."""
    known, moment = step.conversation.floor, step.moment.handover
    waits = any(response.left == leg for response in spoken(step))
    if known.leg is None and waits and not present(step):
        _change(step, leg, voice, "joined")
    elif known.leg != leg:
        return
    again = next((it for it in present(step) if step.moment.voices[it].device == voice.device), None)
    if again is not None:
        grant(step, again, "returned")
    elif goodbye:
        _free(step, "released")
    elif moment.kept_until is None:
        moment.kept_until = step.stamp.mono + step.policy.floor_kept


def recovered(step: Step) -> None:
    """The process has ended, and another one goes on: the device that had the floor may come back."""
    leg = step.conversation.floor.leg
    if leg is not None and leg not in present(step):
        step.moment.handover.kept_until = step.stamp.mono + step.policy.floor_kept


def deadline(step: Step) -> None:
    """A device has not come back in time."""
    due = step.moment.handover.kept_until
    if due is not None and step.stamp.mono >= due:
        _free(step, "dropped")


def grant(step: Step, leg: LegId, reason: ev.FloorReason) -> None:
    """Give the floor to a voice leg that is here."""
    _change(step, leg, step.moment.voices[leg], reason)
    step.moment.handover.kept_until = None
    if reason in ("claimed", "spoke"):
        step.moment.handover.safe_until = step.stamp.mono + step.policy.floor_stays


def _change(step: Step, leg: LegId, voice: Voice, reason: ev.FloorReason) -> None:
    step.fact(ev.FloorChanged(_next(step), voice.device, leg, reason))


def _free(step: Step, reason: ev.FloorReason) -> None:
    step.fact(ev.FloorChanged(_next(step), DeviceId(""), None, reason))
    step.moment.handover.kept_until = None


def _next(step: Step) -> FloorGeneration:
    return FloorGeneration(step.conversation.floor.generation + 1)


def present(step: Step) -> list[LegId]:
    """The voice legs that are here, in the order in which they joined."""
    return [leg for leg, voice in step.moment.voices.items() if not voice.leaving]


# --- what moves with it ---


def interrupted(step: Step, response: Response, input: inp.PlayoutCleared) -> None:
    """The leg that spoke an answer is about to go: it waits for another one. A disconnect is not a cancel."""
    assert response.leg is not None
    leg, voice = response.leg, step.moment.voices.get(response.leg)
    step.moment.handover.moves.pop(response.generation, None)
    chars, ms = reached(step, response, input)
    go_on(step, response, None, chars, ms)
    if voice is not None and not voice.leaving:
        voice.leaving = True
        left(step, leg, voice)


def reached(
    step: Step, response: Response, input: inp.PlayoutHandedOver | inp.PlayoutCleared
) -> tuple[int | None, int]:
    """How far the item was heard; None when no more of it than before."""
    if not input.started or response.item_id is None:
        return None, 0
    text = step.moment.texts.get(response.item_id, "")
    return min(max(response.heard_chars, input.heard_chars), len(text)), max(response.heard_ms, input.heard_ms)


def go_on(step: Step, response: Response, leg: LegId | None, chars: int | None = None, ms: int = 0) -> None:
    """Let another leg speak the rest of an answer, or let it wait for one; *chars* as :class:`PlayoutMoved` has it."""
    step.fact(ev.PlayoutMoved(response.response_id, leg, chars, ms))
    if leg is not None and response.item_id is not None:
        begin(step, response, leg, response.item_id)


def begin(step: Step, response: Response, leg: LegId, item_id: ItemId) -> None:
    """Let *leg* speak what was not heard of an answer, as far as it is known, and what follows."""
    generation, moves = response.generation, response.moves
    base = (response.heard_chars, response.heard_ms)
    step.start(fx.BeginSpeech(leg, generation, response.response_id, item_id, *base, moves))
    rest = step.moment.texts.get(item_id, "")[response.heard_chars :]
    if rest:
        step.start(fx.Speak(leg, generation, rest, moves))
    if not response.generating:
        step.start(fx.FinishSpeech(leg, generation, moves))


def spoken(step: Step) -> list[Response]:
    """The answers that live and are spoken, or wait to be."""
    return [response for response in step.state.alive() if response.mouth is not None]
