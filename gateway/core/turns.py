"""The user's turn by voice: committed, put into words, and answered (or found to be no turn)."""

from dataclasses import replace

from gateway.core import answering, effects as fx, events as ev, heard, inputs as inp
from gateway.core.ids import Generation, ItemId, LegId
from gateway.core.policy import has_words, is_stop_word
from gateway.core.state import Pending, Voice
from gateway.core.step import Step


def commit(step: Step, leg: LegId, voice: Voice, audio_end_ms: int) -> None:
    """The user has finished a spoken turn: it becomes an item, and its words are asked for."""
    item_id = voice.turn or ItemId(step.mint("item"))
    if voice.turn is not None:
        step.signal(ev.SpeechStopped(leg, item_id, audio_end_ms))
    elif step.state.alive():  # committed by hand, so it was neither announced nor has it cut anything
        step.moment.over_answers[item_id] = step.conversation.generation
    voice.turn = None
    voice.ended = None
    tip = step.conversation.tree.tip
    step.signal(ev.InputCommitted(leg, item_id, tip))
    step.fact(ev.ItemAdded(item_id, tip, "user", "completed", spoken=True, device=voice.device))
    step.moment.transcribing[item_id] = (leg, step.stamp.mono + step.policy.transcribe_within)
    step.start(fx.TranscribeTurn(leg, item_id))


def transcribed(step: Step, input: inp.TurnTranscribed) -> None:
    """The words of a spoken turn are known: none means that it was no turn."""
    leg = _awaited(step, input.item_id)
    if leg is None:
        return
    over = step.moment.over_answers.pop(input.item_id, None)
    if not has_words(input.text):
        step.fact(ev.ItemRemoved(input.item_id, "not_speech"))
        heard.speak_the_rest(step, input.item_id, leg)
    else:
        step.fact(ev.ItemTranscribed(input.item_id, input.text))
        _take_words(step, input, leg, over)
    answering.start_pending(step)


def transcription_failed(step: Step, input: inp.TurnTranscriptionFailed) -> None:
    """Nobody is left hanging: an answer that was cut for nothing goes on."""
    leg = _awaited(step, input.item_id)
    if leg is None:
        return
    step.moment.over_answers.pop(input.item_id, None)
    step.fact(ev.ItemTranscriptionFailed(input.item_id, input.failure))
    heard.speak_the_rest(step, input.item_id, leg)
    answering.start_pending(step)


def discarded(step: Step, leg: LegId, turn: ItemId, audio_end_ms: int) -> None:
    """A turn that was announced never becomes an item: its sound or its leg is gone."""
    step.signal(ev.SpeechStopped(leg, turn, audio_end_ms))
    step.moment.over_answers.pop(turn, None)
    heard.speak_the_rest(step, turn, leg)
    answering.start_pending(step)


def _awaited(step: Step, item_id: ItemId) -> LegId | None:
    """The leg of a turn whose words are awaited, which they no longer are; None when they were not."""
    leg, _ = step.moment.transcribing.pop(item_id, (None, 0.0))
    return leg


def _take_words(step: Step, input: inp.TurnTranscribed, leg: LegId, over: Generation | None) -> None:
    """Answer them, or fall silent. An answer that a client asked for and that awaits them is the answer to them."""
    step.moment.last_typed = ""
    step.moment.unheard = None
    pending = step.moment.pending
    if pending is not None and not pending.spoken:
        return
    over_answer = over is not None or pending is not None
    if over_answer and is_stop_word(input.text, step.conversation.settings.language):
        step.moment.pending = None
        heard.cut(step, [r for r in step.state.alive() if r.generation <= (over or 0)], "turn_detected")
    elif _answers(step, leg):
        step.moment.pending = Pending(replace(step.stamp, leg=leg), spoken=True)
        heard.cut(step, step.state.alive(), "turn_detected")
    elif pending is not None and pending.rest is not None:
        step.moment.pending = None


def _answers(step: Step, leg: LegId) -> bool:
    """Is a turn of this leg answered by itself? Not where its client says no, nor into an answer it may not cut."""
    voice = step.moment.voices.get(leg)
    if voice is None:
        return True
    return voice.answers and (voice.interrupts or not step.state.alive())
