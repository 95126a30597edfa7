"""Who may speak: every row of the table in ``gateway/core/floor.py``, and what the rows leave open."""

import pytest

from gateway.core import effects as fx, events as ev, inputs as inp
from gateway.core.state import Hearing
from gateway.core.values import Settings
from tests.core.script import (
    ASK,
    CHAT,
    CONFIRMED,
    DISMISSED,
    ENDED,
    G1,
    G2,
    PHONE,
    STOCK,
    SUSPECTED,
    SUSTAINED,
    TABLET,
    TURN_ENDED,
    Talk,
    answering,
    being_judged,
    cleared,
    in_doubt,
    judged,
    kinds,
    later,
    none,
    only,
    speaking,
    typed,
)

# quiet → suspected


def test_a_suspicion_pauses_the_answer_and_nothing_more() -> None:
    talk = speaking()
    outcome = talk.tell((2.0, SUSPECTED))
    response = talk.last(ev.ResponseStarted).response_id
    assert outcome.events == (ev.SpeechSuspected(PHONE, 1000), ev.PlayoutPaused(PHONE, response))
    assert (outcome.facts, outcome.stopping, outcome.starting) == ((), (), ())
    assert talk.hearing() is Hearing.SUSPECTED


def test_a_suspicion_in_silence_pauses_nothing() -> None:
    talk = Talk()
    assert talk.tell((1.0, SUSPECTED)).events == (ev.SpeechSuspected(PHONE, 1000),)


def test_a_suspicion_pauses_only_what_its_own_leg_plays() -> None:
    talk = Talk(voices=(PHONE, TABLET))
    talk.tell(*answering(1.0))
    assert none(talk.tell((2.0, SUSPECTED, TABLET)).events, ev.PlayoutPaused)


def test_a_second_suspicion_changes_nothing() -> None:
    talk = speaking()
    talk.tell((2.0, SUSPECTED))
    deadline = talk.session.next_deadline()
    assert talk.tell((2.1, SUSPECTED)).events == ()
    assert talk.session.next_deadline() == deadline


# suspected → quiet


def test_a_cough_resumes_playout() -> None:
    talk = speaking()
    talk.tell((2.0, SUSPECTED))
    outcome = talk.tell((2.2, DISMISSED))
    response = talk.last(ev.ResponseStarted).response_id
    assert outcome.events == (ev.SpeechDismissed(PHONE), ev.PlayoutResumed(PHONE, response))
    assert (outcome.facts, outcome.stopping, outcome.starting) == ((), (), ())
    assert talk.hearing() is Hearing.QUIET
    assert talk.voice().deadline is None


def test_a_dismissal_in_silence_resumes_nothing() -> None:
    talk = Talk()
    talk.tell((1.0, SUSPECTED))
    assert talk.tell((1.2, DISMISSED)).events == (ev.SpeechDismissed(PHONE),)


@pytest.mark.parametrize("story", [Talk, speaking, in_doubt, being_judged])
def test_a_dismissal_of_what_is_not_suspected_says_nothing(story: type[Talk]) -> None:
    talk = story()
    before = talk.hearing()
    assert talk.tell((3.0, DISMISSED)).events == ()
    assert talk.hearing() is before


# confirmed, nothing sounds


@pytest.mark.parametrize("suspected", [True, False])
def test_a_voice_in_silence_is_announced_from_its_onset_on(suspected: bool) -> None:
    talk = Talk()
    if suspected:
        talk.tell((1.0, SUSPECTED))
    outcome = talk.tell((1.1, CONFIRMED))
    started = only(outcome.events, ev.SpeechStarted)
    assert (started.leg, started.audio_start_ms) == (PHONE, 700)
    assert talk.voice().turn == started.item_id
    assert talk.hearing() is Hearing.QUIET
    assert talk.voice().deadline is None


def test_the_padding_before_a_voice_does_not_reach_before_the_microphone() -> None:
    talk = Talk()
    outcome = talk.tell((1.0, inp.SpeechConfirmed(onset_ms=120, prefix_ms=300)))
    assert only(outcome.events, ev.SpeechStarted).audio_start_ms == 0


def test_a_turn_is_announced_once_however_often_its_voice_pauses() -> None:
    talk = Talk()
    talk.tell((1.0, SUSPECTED), (1.1, CONFIRMED), (1.8, SUSTAINED), (2.0, ENDED), (2.2, SUSPECTED), (2.3, CONFIRMED))
    assert len(talk.all(ev.SpeechStarted)) == 1


def test_a_voice_while_thinking_cancels_the_answer_and_keeps_no_item_of_it() -> None:
    talk = Talk()
    talk.tell((1.0, typed("Count.")), (1.0, ASK), (1.2, SUSPECTED))
    outcome = talk.tell((1.3, CONFIRMED))
    assert outcome.stopping == (fx.CancelGeneration(G1), fx.ReleasePlayout(PHONE))
    ended = only(outcome.facts, ev.ResponseEnded)
    assert (ended.status, ended.reason, ended.item_id) == ("cancelled", "turn_detected", None)
    assert len(talk.path) == 1


def test_a_voice_before_the_first_sample_takes_the_answer_back() -> None:
    talk = Talk()
    talk.tell(*answering(1.0, sounding=False), (1.2, SUSPECTED))
    outcome = talk.tell((1.3, CONFIRMED))
    assert outcome.stopping == (fx.FlushPlayout(PHONE, G1), fx.ReleasePlayout(PHONE))
    outcome = talk.tell((1.3, cleared(G1, started=False)))
    assert kinds(outcome.facts) == [ev.PlayoutCleared, ev.ItemRemoved]
    assert only(outcome.facts, ev.ItemRemoved).reason == "unheard"
    assert len(talk.path) == 1


def test_a_voice_cuts_an_answer_that_is_only_written() -> None:
    talk = Talk()
    talk.tell((1.0, typed("Count.")), (1.0, inp.ResponseRequested(text_only=True)), (1.1, inp.TextGenerated(G1, "One")))
    outcome = talk.tell((1.3, CONFIRMED))
    assert outcome.stopping == (fx.CancelGeneration(G1), fx.ReleasePlayout(PHONE))
    assert only(outcome.facts, ev.ItemCompleted).text == "One"


# confirmed over an answer


@pytest.mark.parametrize("suspected", [True, False])
def test_a_confirmed_voice_keeps_the_answer_silent_and_cuts_nothing_yet(suspected: bool) -> None:
    talk = speaking()
    if suspected:
        talk.tell((2.0, SUSPECTED))
    outcome = talk.tell((2.1, CONFIRMED))
    assert outcome.events == (ev.SpeechConfirmed(PHONE),)
    assert (outcome.stopping, outcome.starting) == ((), ())
    assert talk.hearing() is Hearing.CONFIRMED


def test_the_model_runs_on_unheard_while_a_voice_is_confirmed() -> None:
    talk = Talk()
    talk.tell(*answering(1.0, finished=False), (2.0, SUSPECTED), (2.1, CONFIRMED))
    outcome = talk.tell((2.2, inp.TextGenerated(G1, " Six.")))
    assert only(outcome.starting, fx.Speak).text == " Six."


def test_a_client_that_flushes_its_own_buffer_is_cut_at_once() -> None:
    talk = Talk(voices=(STOCK,))
    talk.tell(*later(answering(1.0), STOCK), (2.0, SUSPECTED, STOCK))
    outcome = talk.tell((2.1, CONFIRMED, STOCK))
    assert fx.FlushPlayout(STOCK, G1) in outcome.stopping
    assert only(outcome.events, ev.SpeechStarted).leg == STOCK


def test_a_voice_on_one_device_is_weighed_against_the_answer_on_another() -> None:
    talk = Talk(voices=(PHONE, TABLET))
    talk.tell(*answering(1.0), (2.0, SUSPECTED, TABLET), (2.1, CONFIRMED, TABLET))
    assert talk.hearing(TABLET) is Hearing.CONFIRMED
    outcome = talk.tell((2.7, SUSTAINED, TABLET))
    assert fx.FlushPlayout(PHONE, G1) in outcome.stopping


def test_a_voice_in_a_turn_that_was_announced_has_the_floor_already() -> None:
    talk = Talk()
    talk.tell((1.0, CONFIRMED), *later(answering(1.2), CHAT))
    outcome = talk.tell((1.5, CONFIRMED))
    assert fx.FlushPlayout(PHONE, G1) in outcome.stopping
    assert len(talk.all(ev.SpeechStarted)) == 1


# a client that wants no interruptions


def uninterrupted(*, answers: bool = True) -> Talk:
    """The answer is being heard by a client that wants no interruptions."""
    talk = speaking()
    talk.tell((1.5, inp.VoiceJoined(revocable=True, answers=answers, interrupts=False)))
    return talk


def test_a_voice_does_not_interrupt_where_its_client_does_not_want_that() -> None:
    talk = uninterrupted()
    assert talk.tell((2.0, SUSPECTED)).events == (ev.SpeechSuspected(PHONE, 1000),)
    outcome = talk.tell((2.1, CONFIRMED))
    assert kinds(outcome.events) == [ev.SpeechStarted]
    assert outcome.stopping == (fx.ReleasePlayout(PHONE),)
    assert talk.hearing() is Hearing.QUIET
    outcome = talk.tell((2.8, SUSTAINED), (3.0, ENDED), (3.3, TURN_ENDED))
    assert outcome.stopping == ()
    assert talk.says(3.5, "Stop.").stopping == ()


def test_a_cough_pauses_nothing_where_its_client_wants_no_interruptions() -> None:
    talk = uninterrupted()
    talk.tell((2.0, SUSPECTED), (2.2, DISMISSED))
    assert none(talk.events, ev.PlayoutPaused)
    assert none(talk.events, ev.PlayoutResumed)


def test_words_that_may_not_interrupt_are_answered_only_in_silence() -> None:
    talk = uninterrupted()
    talk.tell((2.1, CONFIRMED), (2.8, TURN_ENDED))
    assert talk.says(3.0, "And letters?").starting == ()
    talk.tell((3.5, inp.PlayoutStopped(G1, 2500)), (4.1, CONFIRMED), (4.8, TURN_ENDED))
    assert kinds(talk.says(5.0, "And letters?").starting) == [fx.Generate]


# confirmed, judged → cut


@pytest.mark.parametrize("last", [SUSTAINED, inp.SpeechConfirmed(onset_ms=2700, prefix_ms=300)])
@pytest.mark.parametrize("story", [in_doubt, being_judged])
def test_a_voice_that_goes_on_cuts_the_answer(story: type[Talk], last: inp.Input) -> None:
    talk = story()
    outcome = talk.tell((2.8, last))
    assert outcome.stopping == (fx.FlushPlayout(PHONE, G1), fx.ReleasePlayout(PHONE))
    assert only(outcome.events, ev.SpeechStarted).audio_start_ms == 700
    assert outcome.facts == ()  # where it fell is not known yet
    assert talk.hearing() is Hearing.QUIET
    assert talk.voice().deadline is None


@pytest.mark.parametrize("edge", [SUSTAINED, ENDED, judged("stop")])
@pytest.mark.parametrize("before", [(), (SUSPECTED,)])
def test_edges_of_a_voice_that_was_not_confirmed_change_nothing(before: tuple[inp.Input, ...], edge: inp.Input) -> None:
    talk = speaking()
    talk.tell(*[(2.0, input) for input in before], (2.0, ASK))
    hearing = talk.hearing()
    outcome = talk.tell((2.1, edge))
    assert (outcome.events, outcome.stopping, outcome.starting) == ((), (), ())
    assert talk.hearing() is hearing


def test_a_turn_that_ends_while_confirmed_is_a_turn() -> None:
    talk = in_doubt()
    outcome = talk.tell((2.5, TURN_ENDED))
    assert fx.FlushPlayout(PHONE, G1) in outcome.stopping
    assert kinds(outcome.events) == [ev.SpeechStarted, ev.SpeechStopped, ev.InputCommitted, ev.ItemAdded]
    assert only(outcome.starting, fx.TranscribeTurn).item_id == talk.turn()


# confirmed → judged


def test_a_short_utterance_is_judged_at_its_end() -> None:
    talk = in_doubt()
    outcome = talk.tell((2.4, ENDED))
    assert outcome.starting == (fx.JudgeUtterance(PHONE),)
    assert (outcome.events, outcome.stopping) == ((), ())
    assert talk.hearing() is Hearing.JUDGED


def test_a_turn_that_ends_while_it_is_judged_waits_for_the_judgement() -> None:
    talk = being_judged()
    outcome = talk.tell((2.7, TURN_ENDED))
    assert (outcome.events, outcome.starting) == ((), ())
    assert talk.hearing() is Hearing.JUDGED


# judged → quiet


@pytest.mark.parametrize("words", ["mm hm", "Yeah, yeah.", "", "  ", "..."])
def test_a_backchannel_lets_the_answer_go_on_and_never_becomes_a_turn(words: str) -> None:
    talk = being_judged()
    outcome = talk.tell((2.6, judged(words)))
    assert outcome.stopping == (fx.DropUtterance(PHONE), fx.ReleasePlayout(PHONE))
    response = talk.last(ev.ResponseStarted).response_id
    assert outcome.events == (ev.SpeechDismissed(PHONE), ev.PlayoutResumed(PHONE, response))
    assert talk.hearing() is Hearing.QUIET
    assert talk.session.next_deadline() is None


def test_a_backchannel_whose_turn_has_ended_is_not_committed() -> None:
    talk = being_judged()
    talk.tell((2.6, TURN_ENDED), (2.7, judged("uh huh")), (2.8, inp.PlayoutStopped(G1, 4000)))
    assert none(talk.events, ev.InputCommitted)
    assert talk.voice().ended is None


def test_other_words_cut_the_answer_and_commit_the_turn_that_has_ended() -> None:
    talk = being_judged()
    talk.tell((2.7, TURN_ENDED))
    outcome = talk.tell((2.8, judged("what about Tuesday")))
    assert outcome.stopping == (fx.FlushPlayout(PHONE, G1), fx.ReleasePlayout(PHONE))
    assert only(outcome.events, ev.SpeechStopped).audio_end_ms == 2500
    assert outcome.starting == (fx.TranscribeTurn(PHONE, talk.turn()),)


def test_other_words_cut_the_answer_while_the_turn_goes_on() -> None:
    talk = being_judged()
    outcome = talk.tell((2.6, judged("what about")))
    assert fx.FlushPlayout(PHONE, G1) in outcome.stopping
    assert none(outcome.events, ev.InputCommitted)
    assert talk.voice().turn == only(outcome.events, ev.SpeechStarted).item_id


# judged, and another voice begins


def test_an_answer_is_not_released_into_a_voice_that_has_just_begun() -> None:
    talk = being_judged()
    talk.tell((2.5, inp.SpeechSuspected(2450)))
    outcome = talk.tell((2.6, judged("yeah")))
    assert outcome.stopping == (fx.DropUtterance(PHONE),)
    assert only(outcome.events, ev.SpeechSuspected).onset_ms == 2450
    assert talk.hearing() is Hearing.SUSPECTED
    assert talk.session.next_deadline() == 2.6 + 2.5


def test_a_voice_that_proves_to_be_nothing_while_another_is_judged_holds_nothing() -> None:
    talk = being_judged()
    talk.tell((2.5, SUSPECTED), (2.55, DISMISSED))
    assert fx.ReleasePlayout(PHONE) in talk.tell((2.6, judged("yeah"))).stopping
    assert talk.hearing() is Hearing.QUIET


def test_a_suspicion_during_one_judgement_is_forgotten_by_the_next() -> None:
    talk = being_judged()
    talk.tell((2.5, SUSPECTED), (2.6, SUSTAINED), (2.6, cleared(G1, "One")), (3.0, TURN_ENDED))
    talk.says(3.1, "More.")
    talk.tell((3.2, inp.TextGenerated(G2, "Six.")), (3.3, inp.PlayoutStarted(G2)))
    talk.tell((4.0, CONFIRMED), (4.2, ENDED), (4.3, judged("yeah")))
    assert talk.hearing() is Hearing.QUIET


def test_a_new_voice_ends_the_judgement_of_a_turn_that_is_over_and_begins_another() -> None:
    talk = being_judged()
    talk.tell((2.7, TURN_ENDED))
    outcome = talk.tell((2.8, inp.SpeechConfirmed(onset_ms=2700, prefix_ms=100)))
    first, second = [event for event in outcome.events if isinstance(event, ev.SpeechStarted)]
    assert talk.path[-1] == first.item_id
    assert talk.voice().turn == second.item_id
    assert (first.audio_start_ms, second.audio_start_ms) == (700, 2600)


# words, while the voice goes on


@pytest.mark.parametrize("story", [in_doubt, being_judged])
def test_a_stop_word_cuts_before_the_voice_is_sustained(story: type[Talk]) -> None:
    talk = story()
    outcome = talk.tell((2.45, inp.SpeechHeard("Stop")))
    assert outcome.stopping == (fx.FlushPlayout(PHONE, G1), fx.ReleasePlayout(PHONE))
    assert not none(outcome.events, ev.SpeechStarted)


@pytest.mark.parametrize("text", ["", "yeah", "stop at", "what about"])
def test_other_words_so_far_decide_nothing(text: str) -> None:
    talk = in_doubt()
    outcome = talk.tell((2.45, inp.SpeechHeard(text)))
    assert (outcome.events, outcome.stopping, outcome.starting) == ((), (), ())
    assert talk.hearing() is Hearing.CONFIRMED


def test_words_are_not_listened_to_where_nobody_is_in_doubt() -> None:
    talk = speaking()
    talk.tell((2.0, SUSPECTED))
    assert talk.tell((2.1, inp.SpeechHeard("stop"))).stopping == ()


def test_the_lists_of_the_session_count() -> None:
    talk = in_doubt()
    talk.tell((2.2, inp.SettingsSubmitted(Settings(language="de", stop_words=("banane",), backchannels=("roger",)))))
    assert talk.tell((2.3, inp.SpeechHeard("stopp"))).stopping == ()
    assert fx.FlushPlayout(PHONE, G1) in talk.tell((2.4, inp.SpeechHeard("Banane!"))).stopping


# push to talk


PRESSED = inp.TalkPressed(at_ms=2000, preroll_ms=400)


@pytest.mark.parametrize("story", [speaking, in_doubt, being_judged])
def test_a_pressed_button_cuts_the_answer_at_once(story: type[Talk]) -> None:
    talk = story()
    outcome = talk.tell((2.5, PRESSED))
    assert outcome.stopping == (fx.FlushPlayout(PHONE, G1), fx.ReleasePlayout(PHONE))
    assert only(outcome.events, ev.SpeechStarted).audio_start_ms == (1600 if story is speaking else 700)


def test_a_press_in_silence_begins_a_turn_that_the_release_commits() -> None:
    talk = Talk()
    talk.tell((1.0, PRESSED))
    outcome = talk.tell((3.0, TURN_ENDED))
    assert kinds(outcome.events) == [ev.SpeechStopped, ev.InputCommitted, ev.ItemAdded]
    assert kinds(talk.says(3.2, "Hello.").starting) == [fx.Generate]


def test_a_press_with_nothing_said_is_no_turn_and_what_it_cut_goes_on() -> None:
    talk = speaking()
    talk.tell((2.0, PRESSED), (2.0, cleared(G1, "One two")))
    outcome = talk.tell((2.6, inp.TurnDiscarded()))
    assert none(talk.log, ev.ItemTranscribed)
    assert only(outcome.starting, fx.Recite).text == "three four five."


def test_a_press_cuts_nothing_where_its_client_wants_no_interruptions() -> None:
    talk = uninterrupted()
    assert talk.tell((2.0, PRESSED)).stopping == (fx.ReleasePlayout(PHONE),)
    assert talk.voice().turn is not None


def test_a_press_after_a_turn_that_is_still_judged_begins_another() -> None:
    talk = being_judged()
    talk.tell((2.7, TURN_ENDED))
    outcome = talk.tell((2.8, PRESSED))
    assert kinds([event for event in outcome.events if isinstance(event, ev.SpeechStarted)]) == [ev.SpeechStarted] * 2
    assert talk.voice().turn is not None


# nobody speaks


IDLE = inp.IdleTimedOut(audio_start_ms=9000, audio_end_ms=14000)


def test_a_silence_that_is_too_long_becomes_a_turn_and_is_answered() -> None:
    talk = speaking()
    talk.tell((4.0, inp.PlayoutStopped(G1, 2500)))
    outcome = talk.tell((9.0, IDLE))
    assert kinds(outcome.events) == [
        ev.TimeoutTriggered,
        ev.InputCommitted,
        ev.ItemAdded,
        ev.ItemTranscribed,
        ev.ResponseStarted,
    ]
    assert kinds(outcome.starting) == [fx.Generate]
    assert only(outcome.events, ev.TimeoutTriggered).audio_end_ms == 14000


@pytest.mark.parametrize("before", [[], [(2.0, SUSPECTED)], [(2.0, CONFIRMED)]])
def test_nobody_is_idle_while_somebody_speaks(before: list[tuple[float, inp.Input]]) -> None:
    talk = speaking()
    talk.tell(*before, (2.1, inp.TextGenerated(G1, "")))
    outcome = talk.tell((9.0, IDLE))
    assert (outcome.events, outcome.starting) == ((), ())
