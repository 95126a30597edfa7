"""Who may speak: suspected → confirmed → cut, or dismissed.

A suspicion only pauses the answer, and the leg does that by itself before the session hears of it.
Confirmed, the answer stays silent while its model runs on. It is cut when the voice is sustained, or
when a short utterance, judged at its end, is more than a backchannel. Where a cut cannot be taken
back (a stock client that flushes its own buffer), or where nothing has sounded yet, a confirmed
voice cuts at once.

======================  =========================  ===========================================
hearing                 what happens               what follows
======================  =========================  ===========================================
quiet                   suspected                  suspected (the leg has paused its playout)
suspected               dismissed                  quiet (the leg has let it go on)
quiet, suspected        confirmed, nothing sounds  quiet; the turn is announced, answers are cut
quiet, suspected        confirmed, where voices    quiet; the turn is announced, nothing is cut
                        are not to cut
quiet, suspected        confirmed in a turn that   quiet; cut: its speaker has the floor already
                        was announced
quiet, suspected        confirmed over an answer   confirmed
confirmed, judged       sustained, or confirmed    quiet; cut
confirmed, judged       a stop word so far         quiet; cut
confirmed               ended                      judged (its words are asked for)
judged                  suspected                  judged (remembered until that is dismissed)
judged                  backchannel, or no word    quiet; the playout is released. A suspicion that
                                                   was remembered holds it: suspected
judged                  any other words            quiet; cut
confirmed, judged       its sound is discarded     quiet; the playout is released
any                     a button pressed to talk   quiet; the turn is announced, answers are cut
any doubt               its deadline               suspected: released; else: cut
any but a key's         a nearer device hears it   quiet; what it heard is dropped (:mod:`.room`)
======================  =========================  ===========================================

A cut lets go of the reflex's pause as well: it may outlast the answer it was for.
"""

from typing import Final

from gateway.core import dictation, effects as fx, events as ev, handover, heard, inputs as inp, room, turns
from gateway.core.ids import ItemId, LegId, ResponseId
from gateway.core.policy import has_words
from gateway.core.state import Hearing, Voice
from gateway.core.step import Step
from gateway.core.values import Failure

IN_DOUBT: Final = (Hearing.CONFIRMED, Hearing.JUDGED)

NET: Final = 0.5
"""Seconds after which the session lets go of a suspicion that the leg should have decided itself."""

TOO_LATE: Final = Failure("transcription_timeout", "The words of this turn did not arrive in time.")

Edge = (
    inp.SpeechSuspected
    | inp.SpeechDismissed
    | inp.SpeechConfirmed
    | inp.SpeechSustained
    | inp.SpeechEnded
    | inp.SpeechHeard
    | inp.SpeechJudged
    | inp.TurnHeard
    | inp.TalkPressed
    | inp.TurnEnded
    | inp.TurnDiscarded
    | inp.IdleTimedOut
)


def heard_voice(step: Step, input: Edge) -> None:
    """A voice leg's ears report."""
    leg, voice = step.stamp.leg, step.voice
    if voice is None or room.outvoiced(step, leg, voice, input):
        return
    match input:
        case inp.SpeechSuspected():
            _suspected(step, leg, voice, input)
        case inp.SpeechDismissed():
            _dismissed(step, leg, voice)
        case inp.SpeechConfirmed():
            _confirmed(step, leg, voice, input)
        case inp.SpeechSustained() if voice.hearing in IN_DOUBT:
            _interrupt(step, leg, voice)
        case inp.SpeechEnded() if voice.hearing is Hearing.CONFIRMED:
            _ended(step, leg, voice)
        case inp.SpeechHeard():
            _heard_so_far(step, leg, voice, input)
        case inp.SpeechJudged() if voice.hearing is Hearing.JUDGED:
            _judged(step, leg, voice, input)
        case _:
            _of_a_turn(step, leg, voice, input)


def _of_a_turn(step: Step, leg: LegId, voice: Voice, input: Edge) -> None:
    match input:
        case inp.TalkPressed():
            _pressed(step, leg, voice, input)
        case inp.TurnEnded():
            _turn_ended(step, leg, voice, input)
        case inp.TurnDiscarded():
            _turn_discarded(step, leg, voice)
        case inp.TurnHeard():
            dictation.heard(step, leg, voice, input)
        case inp.IdleTimedOut() if voice.hearing is Hearing.QUIET and voice.turn is None:
            turns.idle(step, leg, input)


def _suspected(step: Step, leg: LegId, voice: Voice, input: inp.SpeechSuspected) -> None:
    if voice.hearing is Hearing.JUDGED:
        voice.next_onset_ms = input.onset_ms
    if voice.hearing is not Hearing.QUIET:
        return
    voice.hearing = Hearing.SUSPECTED
    voice.deadline = step.stamp.mono + step.policy.judge_within + NET
    step.signal(ev.SpeechSuspected(leg, input.onset_ms))
    if (response := _reflex_holds(step, leg, voice)) is not None:
        step.signal(ev.PlayoutPaused(leg, response))


def _dismissed(step: Step, leg: LegId, voice: Voice) -> None:
    voice.next_onset_ms = None
    if voice.hearing is Hearing.SUSPECTED:
        _dismiss(step, leg, voice)


def _confirmed(step: Step, leg: LegId, voice: Voice, input: inp.SpeechConfirmed) -> None:
    other = room.rival(step, leg, voice)
    if other is not None and not room.nearer(step, leg, other):
        _yield(step, leg, other)
        return
    if other is not None:
        room.take_over(step, leg, other)
        _yield(step, other, leg)
    if voice.ended is not None:  # what is being judged has ended its turn, so that this voice begins another
        _interrupt(step, leg, voice)
    again = voice.hearing in IN_DOUBT
    if not again:
        voice.audio_start_ms = max(0, input.onset_ms - input.prefix_ms)
    handover.spoke(step, leg)
    sounding = any(r.sounding for r in step.state.alive())
    if not step.voice_cuts(voice):
        _announce_beside(step, leg, voice)
        return
    if again or voice.turn is not None or not voice.revocable or not sounding:
        _interrupt(step, leg, voice)
        return
    voice.hearing = Hearing.CONFIRMED
    voice.deadline = step.stamp.mono + step.policy.judge_within
    step.signal(ev.SpeechConfirmed(leg))


def _ended(step: Step, leg: LegId, voice: Voice) -> None:
    voice.hearing = Hearing.JUDGED
    voice.deadline = step.stamp.mono + step.policy.judge_within
    step.start(fx.JudgeUtterance(leg))


def _heard_so_far(step: Step, leg: LegId, voice: Voice, input: inp.SpeechHeard) -> None:
    """A word settles what sound cannot. A backchannel does not: what begins with one may be more."""
    in_doubt = voice.hearing in IN_DOUBT
    if not (in_doubt or voice.turn is not None) or not has_words(input.text):
        return
    voice.said_words = voice.said_words or not step.is_backchannel(input.text)
    if in_doubt and step.is_stop_word(input.text):
        _interrupt(step, leg, voice)


def _judged(step: Step, leg: LegId, voice: Voice, input: inp.SpeechJudged) -> None:
    if not has_words(input.text) or step.is_backchannel(input.text):
        next_onset_ms = voice.next_onset_ms
        step.stop(fx.DropUtterance(leg))
        if next_onset_ms is None:
            step.stop(fx.ReleasePlayout(leg))
        _dismiss(step, leg, voice)
        if next_onset_ms is not None:
            _suspected(step, leg, voice, inp.SpeechSuspected(next_onset_ms))
    else:
        voice.said_words = True
        _interrupt(step, leg, voice)


def _pressed(step: Step, leg: LegId, voice: Voice, input: inp.TalkPressed) -> None:
    """A hand needs no proof. Where its client wants no interruptions it takes the floor and cuts nothing."""
    if voice.ended is not None:  # what is being judged has ended its turn, so that the press begins another
        _interrupt(step, leg, voice)
    handover.pressed(step, leg)
    if voice.hearing not in IN_DOUBT and voice.turn is None:
        voice.audio_start_ms = max(0, input.at_ms - input.preroll_ms)
    if step.voice_cuts(voice):
        _interrupt(step, leg, voice)
    else:
        _announce_beside(step, leg, voice)
    voice.pressed = True


def _yield(step: Step, leg: LegId, to: LegId) -> None:
    """Another device has the utterance that this one hears too."""
    voice = step.moment.voices[leg]
    voice.yielded_to = to
    step.stop(fx.DropUtterance(leg))
    step.stop(fx.ReleasePlayout(leg))
    if voice.hearing is not Hearing.QUIET:
        _dismiss(step, leg, voice)
    if voice.turn is not None:
        _discard(step, leg, voice, voice.turn)


def _discard(step: Step, leg: LegId, voice: Voice, turn: ItemId) -> None:
    turns.over(voice)
    turns.discarded(step, leg, turn, voice.audio_start_ms)


def _turn_ended(step: Step, leg: LegId, voice: Voice, input: inp.TurnEnded) -> None:
    if voice.hearing is Hearing.JUDGED:
        voice.ended = input.audio_end_ms
        return
    if voice.hearing is Hearing.CONFIRMED:
        _interrupt(step, leg, voice)
    turns.commit(step, leg, voice, input.audio_start_ms, input.audio_end_ms)


def _turn_discarded(step: Step, leg: LegId, voice: Voice) -> None:
    if voice.hearing in IN_DOUBT:
        step.stop(fx.ReleasePlayout(leg))
        _dismiss(step, leg, voice)
    elif voice.turn is not None:
        _discard(step, leg, voice, voice.turn)


def _dismiss(step: Step, leg: LegId, voice: Voice) -> None:
    _decided(voice)
    voice.ended = None
    voice.said_words = False
    step.signal(ev.SpeechDismissed(leg))
    if (response := _reflex_holds(step, leg, voice)) is not None:
        step.signal(ev.PlayoutResumed(leg, response))


def _reflex_holds(step: Step, leg: LegId, voice: Voice) -> ResponseId | None:
    """The response that the reflex alone silences, or lets go on; None when there is none, or a button holds it too."""
    held = not step.voice_cuts(voice) or step.moment.paused_until is not None
    return None if held else step.sounding_on(leg)


def _interrupt(step: Step, leg: LegId, voice: Voice) -> None:
    """The user has the floor: announce it, and cut whatever answers."""
    alive = step.state.alive()
    over_answer = bool(alive) or voice.hearing in IN_DOUBT
    turn = _announce(step, leg, voice)
    if over_answer:
        step.moment.over_answers[turn] = step.conversation.generation
    heard.cut(step, alive, "turn_detected", turn)
    step.stop(fx.ReleasePlayout(leg))
    if voice.ended is not None:
        turns.commit(step, leg, voice, voice.audio_start_ms, voice.ended)


def _announce_beside(step: Step, leg: LegId, voice: Voice) -> None:
    """The user speaks, and what answers goes on. Where voices may be heard at all, "stop" still silences it."""
    alive = bool(step.state.alive())
    turn = _announce(step, leg, voice)
    if alive and voice.interrupts:
        step.moment.over_answers[turn] = step.conversation.generation
    step.stop(fx.ReleasePlayout(leg))


def _announce(step: Step, leg: LegId, voice: Voice) -> ItemId:
    """Tell every client that the user speaks, once a turn."""
    _decided(voice)
    handover.spoke(step, leg)
    if voice.turn is None:
        voice.turn = ItemId(step.mint("item"))
        voice.turn_due = step.stamp.mono + step.policy.turn_within
        step.signal(ev.SpeechStarted(leg, voice.turn, voice.audio_start_ms))
    return voice.turn


def _decided(voice: Voice) -> None:
    voice.hearing = Hearing.QUIET
    voice.deadline = None
    voice.next_onset_ms = None


def yield_to_voices(step: Step) -> None:
    """A command has cut the answer that somebody spoke over: their voice is an ordinary turn now."""
    if any(r.sounding for r in step.state.alive()):
        return
    for leg, voice in step.moment.voices.items():
        if voice.hearing in IN_DOUBT:
            _interrupt(step, leg, voice)


def deadline(step: Step) -> None:
    """Decide what nobody else has decided in time."""
    now = step.stamp.mono
    for leg, voice in step.moment.voices.items():
        if voice.deadline is not None and now >= voice.deadline:
            _decide(step, leg, voice)
        if voice.turn_due is not None and now >= voice.turn_due:  # its leg has stopped listening
            step.stop(fx.DropUtterance(leg))
            _turn_discarded(step, leg, voice)
    for generation in [generation for generation, cut in step.moment.cuts.items() if now >= cut.due]:
        heard.cleared(step, inp.PlayoutCleared(generation, 0, 0, started=False))
    for item_id, awaited in list(step.moment.transcribing.items()):
        if now >= awaited.due:
            turns.transcription_failed(step, inp.TurnTranscriptionFailed(item_id, TOO_LATE))
        elif awaited.go_on is not None and now >= awaited.go_on:
            turns.nothing_said(step, item_id, awaited)


def _decide(step: Step, leg: LegId, voice: Voice) -> None:
    if voice.hearing is Hearing.SUSPECTED:
        step.stop(fx.ReleasePlayout(leg))
        _dismiss(step, leg, voice)
    else:
        _interrupt(step, leg, voice)
