"""A client asks for an answer, and says what that does to one that is running."""

from gateway.core import (
    answering,
    branching,
    events as ev,
    floor,
    heard,
    inputs as inp,
    queueing,
    redirecting,
    switching,
    waiting,
)
from gateway.core.ids import ItemId
from gateway.core.state import Pending
from gateway.core.step import Step
from gateway.core.values import Waiting


def response_requested(step: Step, input: inp.ResponseRequested) -> None:
    """Answer, as the command or else the session says what new input does while an answer is running."""
    if input.replaces is not None:
        branching.regeneration_requested(step, input, input.replaces)
        return
    if input.item_id is not None and step.knows(input.item_id):
        step.reject("item_create_duplicate_item_id", "An item with this id exists already.", "input.id")
        return
    how = input.on_active or step.conversation.settings.on_active_text
    silence = how != "reject" and _wants_silence(step, input)
    match how:
        case "interrupt" | "rollback":
            _interrupt(step, input, silence=silence, rolls_back=how == "rollback")
        case _ if silence:
            _interrupt(step, input, silence=True)
        case "reject":
            _answer_unless_active(step, input)
        case "steer":
            _steer(step, input)
        case "concurrent":
            _answer_beside(step, input)
        case "queue" | "merge" | "latest" | "debounce":
            _answer_or_wait(step, input, how)
    if not step.rejected:
        step.moment.last_typed = ""
        step.moment.hushed = silence


def _answer_unless_active(step: Step, input: inp.ResponseRequested) -> None:
    if step.moment.pending is not None or any(r.generating for r in step.state.alive()):
        step.reject(
            "conversation_already_has_active_response",
            "An answer is being generated. Wait for response.done, or cancel it.",
        )
        return
    _answer(step, input)


def _answer(step: Step, input: inp.ResponseRequested, *, text_only: bool = False) -> None:
    _add_words(step, input)
    step.moment.pending = Pending(step.stamp, input.wish, input.text_only or text_only)
    answering.start_pending(step)


def _answer_or_wait(step: Step, input: inp.ResponseRequested, how: Waiting) -> None:
    if queueing.waits(step) or step.conversation.queue:
        waiting.enqueue(step, how, input)
    else:
        _answer(step, input)


def _steer(step: Step, input: inp.ResponseRequested) -> None:
    """Give the running answer another direction; a message that stands in the conversation already does it too."""
    response = redirecting.aimed(step, None)
    if response is None and step.moment.pending is None:
        _answer(step, input)
    elif response is None:
        _add_words(step, input)  # the answer that is about to begin is the answer to them
    elif input.words is None:
        redirecting.redirect(step, response, None)
    else:
        redirecting.steer_requested(step, inp.SteerRequested(input.words, response.response_id, "now", input.item_id))


def _answer_beside(step: Step, input: inp.ResponseRequested) -> None:
    """A second answer; only one holds the loudspeaker."""
    if step.moment.pending is not None:
        _add_words(step, input)  # the answer that is about to begin is the answer to them
    else:
        _answer(step, input, text_only=any(r.mouth is not None for r in step.state.alive()))


def _interrupt(step: Step, input: inp.ResponseRequested, *, silence: bool, rolls_back: bool = False) -> None:
    """Cut what generates or sounds, and answer then; a stop word wants no answer."""
    alive = step.state.alive()
    _add_words(step, input)
    step.moment.pending = None
    heard.cut(step, alive, "client_cancelled", rolls_back=rolls_back)
    floor.yield_to_voices(step)
    wanted = Pending(step.stamp, input.wish, input.text_only)
    step.moment.pending = None if silence else wanted
    answering.start_pending(step)


def _add_words(step: Step, input: inp.ResponseRequested) -> None:
    if input.words is None:
        return
    item_id = input.item_id or ItemId(step.mint("item"))
    tip = step.conversation.tree.tip
    switching.append(step, ev.ItemAdded(item_id, tip, "user", "completed", input.words, device=step.stamp.device))


def _wants_silence(step: Step, input: inp.ResponseRequested) -> bool:
    """Was a stop word typed while an answer lives, is being cut, or waits?"""
    answers = bool(step.conversation.responses) or step.moment.pending is not None
    return answers and step.is_stop_word(step.moment.last_typed if input.words is None else input.words)
