"""Answers follow the floor: from one loudspeaker to another, at the word.

After each input :func:`settle` compares who speaks each answer with who has the floor. Where they differ the old
loudspeaker is told to let go. It does so at the word, and says where; the new one speaks on from there, and a word
that was broken is spoken again whole. Nothing is cut by that: text, and what was heard, stay those of the item.

An answer whose loudspeaker is lost waits as long as the floor is kept. If nobody is there then to speak it, it goes on
in writing, and was heard as far as it had sounded.
"""

from gateway.core import effects as fx, events as ev, heard, inputs as inp
from gateway.core.handover import go_on, grant, present, reached, spoken
from gateway.core.ids import LegId
from gateway.core.state import Response
from gateway.core.step import Step


def settle(step: Step) -> None:
    """Every answer that is spoken is spoken by the holder of the floor, or waits for one."""
    for response in [it for it in spoken(step) if it.generation not in step.moment.cuts]:
        here = present(step)
        if response.leg is not None and response.leg not in here and response.item_id is None:
            step.fact(ev.PlayoutMoved(response.response_id, None))  # it was to be spoken by a device that is gone
        holder = step.conversation.floor.leg
        if holder in here:
            _follow(step, response, holder)
        elif response.left is not None and step.moment.handover.kept_until is None:
            _without_holder(step, response, here)


def _follow(step: Step, response: Response, holder: LegId) -> None:
    if response.leg == holder or response.generation in step.moment.handover.moves:
        return
    if response.leg is None or response.item_id is None:
        go_on(step, response, holder)
        return
    finish_ms = 0 if step.conversation.floor.reason == "spoke" else step.policy.finish_word_ms
    step.moment.handover.moves[response.generation] = step.stamp.mono + step.policy.flush_within
    step.stop(fx.HandOverPlayout(response.leg, response.generation, finish_ms, response.moves))


def _without_holder(step: Step, response: Response, here: list[LegId]) -> None:
    """Nobody has the floor, and this answer waits to sound."""
    if not here:
        heard.lost(step, response)
        return
    if len(here) > 1:
        grant(step, here[-1], "answer")
    go_on(step, response, here[-1])


def handed_over(step: Step, input: inp.PlayoutHandedOver) -> None:
    """A loudspeaker has let go of an answer."""
    response = step.state.by_generation(input.generation)
    if response is None or response.leg is None or response.item_id is None or heard.elsewhere(step, response):
        return
    if input.generation in step.moment.cuts:
        heard.cleared(step, inp.PlayoutCleared(input.generation, input.heard_chars, input.heard_ms, input.started))
        return
    if step.moment.handover.moves.pop(input.generation, None) is None:
        return
    chars, ms = reached(step, response, input)
    if not response.generating and not step.moment.texts[response.item_id][chars or response.heard_chars :].strip():
        heard.stopped(step, inp.PlayoutStopped(input.generation, ms or response.heard_ms))
        return
    holder = step.conversation.floor.leg
    go_on(step, response, holder if holder in present(step) else None, chars, ms)


def deadline(step: Step) -> None:
    """A loudspeaker has not said in time where it let go."""
    for generation in [it for it, due in step.moment.handover.moves.items() if step.stamp.mono >= due]:
        handed_over(step, inp.PlayoutHandedOver(generation, 0, 0, started=False))
