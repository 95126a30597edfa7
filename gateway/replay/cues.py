"""When the next step plays, and when a replay is over. Pure: the story so far in, a time out."""

from bisect import bisect_left
from collections.abc import Sequence

from gateway.replay.steps import SPEAKING, Step
from gateway.replay.story import Played, Story


def due_ms(step: Step, story: Story, settle_ms: float) -> float | None:
    """When *step*, the next one, is to play: a time past or to come, None while that is not known.

    The answer holds until something else happens.
    """
    if story.ready_ms is None:
        return None
    before = story.played[-1] if story.played else Played(step, 0.0, ended_ms=story.ready_ms)
    if before.ended_ms is None:
        return None
    if step.event is None:
        return before.ended_ms if not story.played else rest_ms(story, settle_ms)
    seen_ms = _speaking_ms(story, before) if step.event == SPEAKING else _event_ms(story, before, step.event)
    return None if seen_ms is None else max(seen_ms + step.after_ms, before.ended_ms)


def rest_ms(story: Story, settle_ms: float) -> float | None:
    """When the last step has been dealt with; None while it plays or something goes on.

    That is when the answer to what was said in it (to the latest turn, if it became several) has come to its end, or
    after *settle_ms* in which nothing happened.
    """
    last = story.played[-1] if story.played else None
    if last is None or last.ended_ms is None or story.pending() is not None:
        return None
    quiet_ms = max(last.ended_ms, story.changed_ms)
    turn_ms = _event_ms(story, last, "input_audio_buffer.committed", newest=True)
    answered = turn_ms is not None and any(
        it.came_to_its_end and it.created_ms >= turn_ms for it in story.answers.values()
    )
    return quiet_ms if answered else quiet_ms + settle_ms


def over_ms(story: Story, settle_ms: float, listen_ms: float | None) -> float | None:
    """When a replay that has played all its steps is over: at :func:`rest_ms`, or earlier while an answer sounds on.

    That is when all answers are made, and *listen_ms* of sound have been heard since the last step and since the
    last of them began to sound. None for *listen_ms* listens to the end.
    """
    rest = rest_ms(story, settle_ms)
    last = story.played[-1] if story.played else None
    if rest is not None or listen_ms is None or last is None or last.ended_ms is None or story.listening:
        return rest
    running = [it for it in story.answers.values() if not it.ended]
    done = [it.done_ms for it in running if it.done_ms is not None]
    sounding = [it.started_ms for it in running if it.started_ms is not None]
    if not len(done) == len(sounding) == len(running):
        return None
    return max(*done, max(last.ended_ms, *sounding) + listen_ms)


def waiting_for(step: Step | None, story: Story) -> str:
    """What a replay that plays *step* next (None: that has played them all) is waiting for, for people to read."""
    if story.ready_ms is None:
        return "the session to be ready"
    if story.played and story.played[-1].ended_ms is None:
        return f"{story.played[-1].step.path.name} to be played"
    if step is not None and step.event is not None:
        what = "the answer to be heard" if step.event == SPEAKING else step.event
        return f"{what}, to play {step.path.name}"
    return story.pending() or "nothing more to happen"


def _event_ms(story: Story, before: Played, event: str, *, newest: bool = False) -> float | None:
    seen = reversed(story.seen) if newest else story.seen
    return next((it.t_ms for it in seen if it.type == event and it.t_ms >= before.began_ms), None)


def _speaking_ms(story: Story, before: Played) -> float | None:
    """When an answer became audible that began after *before* did; or when one was that outlasts *before*."""
    began = (it.started_ms for it in story.answers.values() if it.started_ms is not None)
    first = min((t for t in began if t >= before.began_ms), default=None)
    heard = [_first(story.audible_ms, t) for t in (first, before.ended_ms) if t is not None]
    return min((t for t in heard if t is not None), default=None)


def _first(ascending: Sequence[float], t_ms: float) -> float | None:
    at = bisect_left(ascending, t_ms)
    return ascending[at] if at < len(ascending) else None
