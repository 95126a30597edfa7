"""The user's turn by voice: committed, put into words, and answered (or found to be no turn)."""

from dataclasses import replace
from typing import Final, get_args

from gateway.core import answering, effects as fx, events as ev, heard, inputs as inp, redirecting, waiting
from gateway.core.ids import Generation, ItemId, LegId, ResponseId
from gateway.core.policy import has_words
from gateway.core.removing import roll_back
from gateway.core.state import Awaited, Pending, Unheard, Voice
from gateway.core.step import Step
from gateway.core.values import Waiting

WAITING: Final[tuple[Waiting, ...]] = get_args(Waiting)


def commit(step: Step, leg: LegId, voice: Voice, audio_start_ms: int, audio_end_ms: int) -> None:
    """The user has finished a spoken turn: it becomes an item, and its words are asked for."""
    item_id = voice.turn or ItemId(step.mint("item"))
    if voice.turn is not None:
        step.signal(ev.SpeechStopped(leg, item_id, audio_end_ms))
    elif step.state.alive():  # committed by hand, so it was neither announced nor has it cut anything
        step.moment.over_answers[item_id] = step.conversation.generation
    goes_on = item_id in step.moment.over_answers and voice.turn is not None and not voice.said_words
    pressed = voice.pressed
    over(voice)
    voice.ended = None
    tip = step.conversation.tree.tip
    step.signal(ev.InputCommitted(leg, item_id, tip))
    step.fact(ev.ItemAdded(item_id, tip, "user", "completed", spoken=True, device=voice.device, user=voice.user))
    now, policy = step.stamp.mono, step.policy
    step.moment.transcribing[item_id] = Awaited(
        leg,
        now + policy.transcribe_within,
        now + policy.go_on_within if goes_on else None,
        pressed,
        audio_ms=max(0, audio_end_ms - audio_start_ms),
    )
    step.start(fx.TranscribeTurn(leg, item_id))


def over(voice: Voice) -> None:
    """The announced turn is no longer being spoken."""
    voice.turn = None
    voice.turn_due = None
    voice.said_words = False
    voice.pressed = False


def nothing_said(step: Step, item_id: ItemId, awaited: Awaited) -> None:
    """No words have come in time: what the turn cut goes on. Words that come after all still make it a turn."""
    awaited.go_on = None
    awaited.waited_for = False
    heard.speak_the_rest(step, item_id, awaited.leg)
    answering.start_pending(step)
    step.moment.over_answers[item_id] = step.conversation.generation  # a late stop word silences the rest too


def idle(step: Step, leg: LegId, input: inp.IdleTimedOut) -> None:
    """Nobody has said anything for long: the silence is a turn, and is answered (Realtime ``idle_timeout_ms``)."""
    moment = step.moment
    if moment.pending is not None or moment.transcribing or step.conversation.responses:
        return
    item_id, tip = ItemId(step.mint("item")), step.conversation.tree.tip
    step.signal(ev.TimeoutTriggered(leg, item_id, input.audio_start_ms, input.audio_end_ms))
    step.signal(ev.InputCommitted(leg, item_id, tip))
    device, user = step.stamp.device, step.stamp.user
    step.fact(ev.ItemAdded(item_id, tip, "user", "completed", spoken=True, device=device, user=user))
    step.fact(ev.ItemTranscribed(item_id, ""))
    moment.pending = Pending(replace(step.stamp, leg=leg), spoken=True)
    answering.start_pending(step)


def worded(step: Step, input: inp.TurnTranscribed | inp.TurnTranscriptionFailed) -> None:
    """A turn tells what it says, or cannot."""
    if isinstance(input, inp.TurnTranscribed):
        transcribed(step, input)
    else:
        transcription_failed(step, input)


def transcribed(step: Step, input: inp.TurnTranscribed) -> None:
    """The words of a spoken turn are known: none means that it was no turn."""
    awaited = step.moment.transcribing.pop(input.item_id, None)
    if awaited is None:
        return
    over = step.moment.over_answers.pop(input.item_id, None)
    if not has_words(input.text):
        step.fact(ev.ItemRemoved(input.item_id, "not_speech"))
        heard.speak_the_rest(step, input.item_id, awaited.leg)
    else:
        step.fact(ev.ItemTranscribed(input.item_id, input.text, awaited.audio_ms))
        _take_words(step, input, awaited, over)
    answering.start_pending(step)


def transcription_failed(step: Step, input: inp.TurnTranscriptionFailed) -> None:
    """Nobody is left hanging: a turn that the model can hear is answered, else what was cut for nothing goes on."""
    awaited = step.moment.transcribing.pop(input.item_id, None)
    if awaited is None:
        return
    over = step.moment.over_answers.pop(input.item_id, None)
    step.fact(ev.ItemTranscriptionFailed(input.item_id, input.failure))
    if input.audible:
        _take_words(step, inp.TurnTranscribed(input.item_id, ""), awaited, over)
    else:
        heard.speak_the_rest(step, input.item_id, awaited.leg)
    answering.start_pending(step)


def discarded(step: Step, leg: LegId, turn: ItemId, audio_end_ms: int) -> None:
    """A turn that was announced never becomes an item: its sound or its leg is gone."""
    step.signal(ev.SpeechStopped(leg, turn, audio_end_ms))
    step.moment.over_answers.pop(turn, None)
    heard.speak_the_rest(step, turn, leg)
    answering.start_pending(step)


def _take_words(step: Step, input: inp.TurnTranscribed, turn: Awaited, over: Generation | None) -> None:
    """Answer them, or fall silent. An answer that a client asked for and that awaits them is the answer to them."""
    step.moment.last_typed = ""
    cut, step.moment.unheard = step.moment.unheard, None
    pending = step.moment.pending
    if pending is not None and not pending.spoken:
        return
    over_answer = over is not None or pending is not None
    if over_answer and step.is_stop_word(input.text):
        step.moment.pending = None
        step.moment.hushed = True
        heard.cut(step, [r for r in step.state.alive() if r.generation <= (over or 0)], "turn_detected")
    elif _wants_answer(step, turn):
        _answer(step, input.item_id, turn, cut)
    elif pending is not None and pending.rest is not None:
        step.moment.pending = None


def _wants_answer(step: Step, turn: Awaited) -> bool:
    """Is this turn answered by itself? Not where its client says no, nor into an answer it may not touch."""
    voice = step.moment.voices.get(turn.leg)
    if voice is None:
        return True
    rejected = not voice.interrupts or step.conversation.settings.on_active_voice == "reject"
    return (voice.answers or turn.pressed) and not (rejected and step.state.alive())


def _part_of(step: Step, cut: Unheard) -> ResponseId | None:
    """The answer that was cut, if anything of it was heard."""
    node = step.conversation.tree.nodes.get(cut.item_id) if cut.item_id is not None else None
    return node.response_id if node is not None else None


def _answer(step: Step, item_id: ItemId, turn: Awaited, cut: Unheard | None) -> None:
    """As the session says what a voice does while an answer is running."""
    stamp, how = replace(step.stamp, leg=turn.leg), step.conversation.settings.on_active_voice
    alive = step.state.alive()
    step.moment.hushed = False
    if how in WAITING and (alive or step.moment.pending is not None or step.conversation.queue):
        if not waiting.full(step, how):  # else what waits is answered with it: its message stands there already
            waiting.enqueue(step, how, inp.ResponseRequested(), about=item_id)
        return
    response = redirecting.aimed(step, None) if how == "steer" else None
    if response is not None:  # a turn that was committed by hand has cut nothing
        redirecting.redirect(step, response, None)
        return
    if how == "rollback" and cut is not None and cut.turn == item_id:
        roll_back(step, cut.item_id, cut.answers)
    steers_on = _part_of(step, cut) if how == "steer" and cut is not None and cut.turn == item_id else None
    beside = how == "concurrent" and bool(alive)
    step.moment.pending = Pending(
        stamp, text_only=beside and any(r.mouth is not None for r in alive), spoken=True, steers_on=steers_on
    )
    if not beside:
        heard.cut(step, alive, "turn_detected", rolls_back=how == "rollback")
