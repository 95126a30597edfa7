"""A button holds the answer. It is a holder of its own: the reflex neither sets it nor releases it."""

import pytest

from gateway.core import effects as fx, events as ev, inputs as inp
from gateway.core.policy import Policy
from tests.core.script import (
    CANCEL,
    CHAT,
    CONFIRMED,
    DEADLINE,
    DISMISSED,
    G1,
    G2,
    INTERRUPT,
    PHONE,
    SUSPECTED,
    SUSTAINED,
    TABLET,
    Talk,
    answering,
    cleared,
    kinds,
    none,
    only,
    speaking,
    typed,
)

PAUSE = inp.PauseRequested()
RESUME = inp.ResumeRequested()


def paused() -> Talk:
    """The answer sounds, and a button holds it."""
    talk = speaking()
    talk.tell((2.0, PAUSE, CHAT))
    return talk


def test_a_button_on_any_device_holds_and_releases_the_answer() -> None:
    talk = speaking()
    outcome = talk.tell((2.0, PAUSE, CHAT))
    assert outcome.stopping == (fx.PausePlayout(PHONE),)
    assert kinds(outcome.events) == [ev.PlayoutPaused]
    outcome = talk.tell((30.0, RESUME, TABLET))
    assert outcome.stopping == (fx.ResumePlayout(PHONE),)
    assert kinds(outcome.events) == [ev.PlayoutResumed]
    assert talk.session.next_deadline() is None


def test_repeats_change_nothing() -> None:
    talk = paused()
    again = talk.tell((50.0, PAUSE))
    assert (again.accepted, again.events, again.stopping) == (True, (), ())
    assert talk.session.next_deadline() == 62.0  # the pause is as old as its beginning
    talk.tell((51.0, RESUME))
    again = talk.tell((52.0, RESUME))
    assert (again.accepted, again.events, again.stopping) == (True, (), ())


def test_there_must_be_an_answer_to_pause() -> None:
    talk = Talk()
    outcome = talk.tell((1.0, PAUSE))
    assert only(outcome.events, ev.CommandRejected).failure.code == "output_pause_not_active"


def test_the_reflex_never_releases_a_button() -> None:
    talk = paused()
    talk.tell((3.0, SUSPECTED), (3.2, DISMISSED))
    assert none(talk.stopping, fx.ResumePlayout)
    assert none(talk.events, ev.PlayoutResumed)
    assert len(talk.all(ev.PlayoutPaused)) == 1
    assert talk.session.next_deadline() == 62.0


def test_a_button_that_lets_go_does_not_release_the_reflex() -> None:
    talk = paused()
    talk.tell((3.0, SUSPECTED))
    outcome = talk.tell((3.1, RESUME))
    assert outcome.stopping == (fx.ResumePlayout(PHONE),)
    assert outcome.events == ()  # it stays silent: the reflex holds it
    assert kinds(talk.tell((3.2, DISMISSED)).events) == [ev.SpeechDismissed, ev.PlayoutResumed]


def test_a_button_pressed_in_a_doubt_is_not_announced_twice() -> None:
    talk = speaking()
    talk.tell((2.0, SUSPECTED))
    assert talk.tell((2.1, PAUSE)).events == ()


def test_a_pause_older_than_a_minute_becomes_a_cut_where_the_answer_stood() -> None:
    talk = paused()
    assert talk.tell((61.9, DEADLINE)).stopping == ()
    outcome = talk.tell((62.0, DEADLINE))
    assert outcome.stopping == (fx.FlushPlayout(PHONE, G1), fx.ResumePlayout(PHONE))
    outcome = talk.tell((62.0, cleared(G1, "One two")))
    assert only(outcome.facts, ev.ItemTruncated).text == "One two"
    assert outcome.starting == ()
    assert talk.session.next_deadline() is None


def test_a_session_may_be_paused_for_longer() -> None:
    talk = Talk(Policy(pause_within=600.0))
    talk.tell(*answering(1.0), (2.0, PAUSE))
    assert talk.session.next_deadline() == 602.0


def test_a_pause_before_the_first_sample_latches() -> None:
    talk = Talk()
    talk.tell(*answering(1.0, finished=False, sounding=False))
    assert talk.tell((1.1, PAUSE)).stopping == (fx.PausePlayout(PHONE),)
    assert none(talk.events, ev.PlayoutPaused)  # nothing sounds yet


@pytest.mark.parametrize("command", [CANCEL, inp.OutputClearRequested()])
def test_a_cut_ends_the_pause_of_what_it_cut(command: inp.Input) -> None:
    outcome = paused().tell((3.0, command))
    assert outcome.stopping == (fx.FlushPlayout(PHONE, G1), fx.ResumePlayout(PHONE))


def test_a_voice_over_a_paused_answer_cuts_it_and_the_next_one_is_heard() -> None:
    talk = paused()
    talk.tell((3.0, SUSPECTED), (3.1, CONFIRMED))
    assert fx.ResumePlayout(PHONE) in talk.tell((3.7, SUSTAINED)).stopping


def test_typed_words_over_a_paused_answer_are_answered_aloud() -> None:
    talk = paused()
    talk.tell((3.0, typed("And letters?")))
    assert fx.ResumePlayout(PHONE) in talk.tell((3.0, INTERRUPT)).stopping
    talk.tell((3.0, cleared(G1, "One")), (3.1, inp.TextGenerated(G2, "A.")))
    assert only(talk.all(fx.BeginSpeech)[-1:], fx.BeginSpeech).generation == G2


def test_a_loudspeaker_that_joins_a_paused_session_is_paused() -> None:
    talk = paused()
    assert talk.tell((3.0, inp.VoiceJoined(revocable=True), TABLET)).stopping == (fx.PausePlayout(TABLET),)
    assert set(talk.tell((4.0, RESUME)).stopping) == {fx.ResumePlayout(PHONE), fx.ResumePlayout(TABLET)}
