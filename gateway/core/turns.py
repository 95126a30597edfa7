"""The user's turn by voice: committed, put into words, and answered (or found to be no turn)."""

from dataclasses import replace

from gateway.core import answering, effects as fx, events as ev, heard, inputs as inp
from gateway.core.ids import Generation, ItemId, LegId
from gateway.core.policy import has_words
from gateway.core.state import Awaited, Pending, Voice
from gateway.core.step import Step


def commit(step: Step, leg: LegId, voice: Voice, audio_end_ms: int) -> None:
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
        leg, now + policy.transcribe_within, now + policy.go_on_within if goes_on else None, pressed
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
        step.fact(ev.ItemTranscribed(input.item_id, input.text))
        _take_words(step, input, awaited, over)
    answering.start_pending(step)


def transcription_failed(step: Step, input: inp.TurnTranscriptionFailed) -> None:
    """Nobody is left hanging: an answer that was cut for nothing goes on."""
    awaited = step.moment.transcribing.pop(input.item_id, None)
    if awaited is None:
        return
    step.moment.over_answers.pop(input.item_id, None)
    step.fact(ev.ItemTranscriptionFailed(input.item_id, input.failure))
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
    step.moment.unheard = None
    pending = step.moment.pending
    if pending is not None and not pending.spoken:
        return
    over_answer = over is not None or pending is not None
    if over_answer and step.is_stop_word(input.text):
        step.moment.pending = None
        heard.cut(step, [r for r in step.state.alive() if r.generation <= (over or 0)], "turn_detected")
    elif _answers(step, turn):
        step.moment.pending = Pending(replace(step.stamp, leg=turn.leg), spoken=True)
        heard.cut(step, step.state.alive(), "turn_detected")
    elif pending is not None and pending.rest is not None:
        step.moment.pending = None


def _answers(step: Step, turn: Awaited) -> bool:
    """Is this turn answered by itself? Not where its client says no, nor into an answer it may not cut."""
    voice = step.moment.voices.get(turn.leg)
    if voice is None:
        return True
    return (voice.answers or turn.pressed) and (voice.interrupts or not step.state.alive())
