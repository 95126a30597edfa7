"""Doubts that are never decided, discarded, or decided by somebody else: nobody stays mute over them."""

import pytest

from gateway.core import effects as fx, events as ev, inputs as inp
from gateway.core.policy import Policy
from gateway.core.state import Hearing
from tests.core.script import (
    ASK,
    CANCEL,
    CHAT,
    CLEAR,
    CONFIRMED,
    DEADLINE,
    G1,
    G2,
    INTERRUPT,
    LEFT,
    PHONE,
    SUSPECTED,
    SUSTAINED,
    TABLET,
    TURN_ENDED,
    Talk,
    answering,
    being_judged,
    cleared,
    in_doubt,
    kinds,
    later,
    none,
    only,
    speaking,
    typed,
)

# deadlines


def test_a_suspicion_that_is_never_decided_is_released() -> None:
    talk = speaking()
    talk.tell((2.0, SUSPECTED))
    assert talk.session.next_deadline() == 4.5
    assert talk.tell((4.4, DEADLINE)).events == ()
    outcome = talk.tell((4.5, DEADLINE))
    assert outcome.stopping == (fx.ReleasePlayout(PHONE),)
    assert kinds(outcome.events) == [ev.SpeechDismissed, ev.PlayoutResumed]
    assert talk.hearing() is Hearing.QUIET


@pytest.mark.parametrize(("story", "due"), [(in_doubt, 4.1), (being_judged, 4.4)])
def test_a_doubt_that_is_never_decided_cuts(story: type[Talk], due: float) -> None:
    talk = story()
    assert talk.session.next_deadline() == due
    assert talk.tell((due - 0.01, DEADLINE)).stopping == ()
    assert fx.FlushPlayout(PHONE, G1) in talk.tell((due, DEADLINE)).stopping
    assert talk.voice().deadline is None


def test_a_judgement_that_never_comes_commits_the_turn_that_has_ended() -> None:
    talk = being_judged()
    talk.tell((2.7, TURN_ENDED))
    assert not none(talk.tell((4.4, DEADLINE)).events, ev.InputCommitted)


def test_the_nearest_deadline_is_the_one_that_counts() -> None:
    talk = Talk(voices=(PHONE, TABLET))
    talk.tell(*answering(1.0), (2.0, SUSPECTED), (2.2, CONFIRMED, TABLET), (2.3, CONFIRMED))
    assert talk.session.next_deadline() == 4.2


def test_a_session_may_be_more_patient() -> None:
    talk = Talk(Policy(judge_within=3.0))
    talk.tell(*answering(1.0), (2.0, CONFIRMED))
    assert talk.session.next_deadline() == 5.0


# a pause never outlasts its reason


def test_a_cut_lets_go_of_a_pause_that_has_no_answer_left() -> None:
    talk = speaking()
    talk.tell((2.0, SUSPECTED), (2.0, inp.PlayoutStopped(G1, 4000)))
    assert talk.tell((2.1, CONFIRMED)).stopping == (fx.ReleasePlayout(PHONE),)


def test_silence_comes_before_the_release() -> None:
    talk = in_doubt()
    assert kinds(talk.tell((2.7, SUSTAINED)).stopping) == [fx.FlushPlayout, fx.ReleasePlayout]


# sound that is discarded


def test_a_doubt_whose_sound_is_discarded_is_dismissed() -> None:
    talk = being_judged()
    talk.tell((2.5, TURN_ENDED))
    outcome = talk.tell((2.6, inp.TurnDiscarded()))
    assert outcome.stopping == (fx.ReleasePlayout(PHONE),)
    assert kinds(outcome.events) == [ev.SpeechDismissed, ev.PlayoutResumed]
    assert (talk.hearing(), talk.voice().ended) == (Hearing.QUIET, None)


def test_an_announced_turn_whose_sound_is_discarded_is_over_and_what_it_cut_goes_on() -> None:
    talk = in_doubt()
    talk.tell((2.7, SUSTAINED), (2.7, cleared(G1, "One two")))
    outcome = talk.tell((3.0, inp.TurnDiscarded()))
    assert only(outcome.events, ev.SpeechStopped).audio_end_ms == 700  # a voice that began also ends
    assert (talk.voice().turn, talk.session.state.moment.over_answers) == (None, {})
    assert only(outcome.starting, fx.Recite).text == "three four five."


def test_sound_that_belongs_to_no_turn_may_be_discarded() -> None:
    talk = speaking()
    outcome = talk.tell((2.0, inp.TurnDiscarded()))
    assert (outcome.events, outcome.stopping, outcome.starting) == ((), (), ())


# a command decides a doubt


@pytest.mark.parametrize("command", [CANCEL, CLEAR, INTERRUPT])
def test_a_voice_over_an_answer_that_a_command_cuts_is_an_ordinary_turn(command: inp.Input) -> None:
    talk = in_doubt()
    outcome = talk.tell((2.2, command))
    assert outcome.stopping == (fx.FlushPlayout(PHONE, G1), fx.ReleasePlayout(PHONE))
    assert only(outcome.events, ev.SpeechStarted).leg == PHONE
    assert talk.hearing() is Hearing.QUIET


def test_a_turn_that_has_ended_is_committed_when_a_command_cuts_the_answer() -> None:
    talk = being_judged()
    talk.tell((2.7, TURN_ENDED))
    outcome = talk.tell((2.8, CANCEL))
    assert not none(outcome.events, ev.InputCommitted)
    assert not none(outcome.starting, fx.TranscribeTurn)


def test_a_doubt_outlives_a_command_that_leaves_the_answer_sounding() -> None:
    talk = speaking()
    talk.tell((1.5, ASK), (2.0, CONFIRMED))
    second = talk.last(ev.ResponseStarted).response_id
    talk.tell((2.1, inp.CancelRequested(second)))
    assert talk.hearing() is Hearing.CONFIRMED
    assert none(talk.events, ev.SpeechStarted)


def test_a_voice_over_an_answer_that_a_command_cuts_silences_the_next_one_as_well() -> None:
    talk = speaking()
    talk.tell((1.5, ASK), (1.6, inp.TextGenerated(G2, "Again.")), (2.0, CONFIRMED))
    first = talk.all(ev.ResponseStarted)[0].response_id
    outcome = talk.tell((2.1, inp.CancelRequested(first)))
    assert fx.FlushPlayout(PHONE, G2) in outcome.stopping
    assert none(talk.tell((2.1, cleared(G1, "One")), (2.1, cleared(G2, started=False))).starting, fx.Generate)


def test_a_suspicion_is_not_a_turn_when_a_command_cuts_the_answer() -> None:
    talk = speaking()
    talk.tell((2.0, SUSPECTED), (2.1, CANCEL))
    assert talk.hearing() is Hearing.SUSPECTED


# legs


def test_ears_of_a_leg_without_sound_are_not_listened_to() -> None:
    talk = speaking()
    outcome = talk.tell((2.0, CONFIRMED, CHAT))
    assert (outcome.events, outcome.stopping, outcome.starting) == ((), (), ())


def test_a_leg_that_joins_twice_goes_on_as_it_was() -> None:
    talk = in_doubt()
    talk.tell((2.2, inp.VoiceJoined(revocable=False)))
    assert talk.hearing() is Hearing.CONFIRMED
    assert talk.session.next_deadline() == 4.1


def test_a_leg_that_leaves_takes_its_doubt_with_it() -> None:
    talk = in_doubt()
    talk.tell((2.2, cleared(G1, "One")), (2.2, LEFT))
    assert talk.session.next_deadline() == 7.2  # that of the floor, which is kept for the device
    assert talk.tell((2.3, SUSTAINED)).events == ()


def test_a_leg_that_leaves_in_mid_turn_does_not_leave_the_answer_cut() -> None:
    talk = Talk(voices=(TABLET, PHONE))
    talk.tell(*later(answering(1.0), TABLET), (2.0, CONFIRMED), (2.7, SUSTAINED))
    talk.tell((2.7, cleared(G1, "One two"), TABLET))
    outcome = talk.tell((3.0, LEFT))
    assert only(outcome.starting, fx.Recite).text == "three four five."
    talk.tell((3.0, inp.TextGenerated(G2, "three four five.")), (3.0, inp.GenerationFinished(G2)))
    assert none(talk.tell((7.9, DEADLINE)).starting, fx.Speak)
    assert only(talk.tell((8.0, DEADLINE)).starting, fx.Speak) == fx.Speak(TABLET, G2, "three four five.", 2)


# who never answers


def test_a_loudspeaker_that_never_says_where_it_stood_holds_up_nobody() -> None:
    talk = speaking()
    talk.tell((2.0, typed("And letters?")), (2.0, INTERRUPT))
    assert talk.session.next_deadline() == 2.0 + 2.0
    assert talk.tell((3.9, DEADLINE)).facts == ()
    assert not none(talk.tell((4.0, DEADLINE)).starting, fx.Generate)
    assert talk.tell((4.1, cleared(G1, "One"))).events == ()  # too late


def test_an_announced_turn_that_never_ends_is_over_and_what_it_cut_goes_on() -> None:
    talk = in_doubt()
    talk.tell((2.7, SUSTAINED), (2.7, cleared(G1, "One two")))
    assert talk.session.next_deadline() == 2.7 + 65
    outcome = talk.tell((67.7, DEADLINE))
    assert outcome.stopping == (fx.DropUtterance(PHONE),)
    assert only(outcome.starting, fx.Recite).text == "three four five."
    assert talk.session.next_deadline() is None
