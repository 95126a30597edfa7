"""A button holds the answer, and lets it go on: a holder of its own, which the reflex never releases.

A button holds every loudspeaker of the session, whichever device it was pressed on. What it holds is the answer that
lives: when that is over, however it ends, the button holds nothing any more, so that the next answer can be heard.
"""

from gateway.core import effects as fx, events as ev, floor, heard
from gateway.core.state import Hearing, Response
from gateway.core.step import Step


def pause_requested(step: Step) -> None:
    """Hold what is spoken, or is about to be. A second time changes nothing: the pause is as old as its beginning."""
    if not _spoken(step):
        step.reject("output_pause_not_active", "There is no spoken answer to pause.")
        return
    if step.moment.paused_until is not None:
        return
    for leg, voice in step.moment.voices.items():
        response = step.sounding_on(leg)
        if response is not None and voice.hearing is Hearing.QUIET:
            step.signal(ev.PlayoutPaused(leg, response))
        step.stop(fx.PausePlayout(leg))
    step.moment.paused_until = step.stamp.mono + step.policy.pause_within


def resume_requested(step: Step) -> None:
    """Let the answer go on; harmless when no button holds it."""
    if step.moment.paused_until is not None:
        _let_go(step)


def joined(step: Step) -> None:
    """A loudspeaker that joins a paused session is paused as well."""
    if step.moment.paused_until is not None:
        step.stop(fx.PausePlayout(step.stamp.leg))


def deadline(step: Step) -> None:
    """A pause that is too old becomes a cut where the answer stood: whoever pressed the button has gone."""
    due = step.moment.paused_until
    if due is not None and step.stamp.mono >= due:
        heard.cut(step, _spoken(step), "client_cancelled")
        floor.yield_to_voices(step)


def settle(step: Step) -> None:
    """Nothing is left that the button could hold."""
    if step.moment.paused_until is not None and not _spoken(step):
        _let_go(step)


def _let_go(step: Step) -> None:
    step.moment.paused_until = None
    for leg, voice in step.moment.voices.items():
        step.stop(fx.ResumePlayout(leg))
        response = step.sounding_on(leg)
        if response is not None and voice.hearing is Hearing.QUIET:
            step.signal(ev.PlayoutResumed(leg, response))


def _spoken(step: Step) -> list[Response]:
    return [response for response in step.state.alive() if response.mouth is not None]
