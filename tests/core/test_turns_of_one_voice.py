"""Turns that follow each other closely: one answer to all of it, and none into a voice."""

import pytest

from gateway.core import effects as fx, events as ev, inputs as inp
from tests.core.script import (
    CONFIRMED,
    ENDED,
    G1,
    G2,
    LEFT,
    NOT_ASKED,
    PHONE,
    SUSPECTED,
    SUSTAINED,
    TABLET,
    TURN_ENDED,
    Talk,
    cleared,
    cut_by_voice,
    failed,
    judged,
    kinds,
    none,
    only,
    turn,
)

# one voice, two turns


def test_an_answer_does_not_begin_while_its_speaker_goes_on() -> None:
    talk = Talk()
    talk.tell(*turn(1.0), (2.35, SUSPECTED), (2.4, CONFIRMED))
    assert talk.says(2.5, "What time").starting == ()
    talk.tell((3.5, TURN_ENDED))
    assert kinds(talk.says(3.7, "is it?").starting) == [fx.Generate]
    assert len(talk.all(ev.ResponseStarted)) == 1


@pytest.mark.parametrize("failing", [False, True])
def test_a_turn_is_answered_when_what_followed_it_was_no_turn(failing: bool) -> None:
    talk = Talk()
    talk.tell(*turn(1.0), (2.4, CONFIRMED))
    talk.says(2.5, "What time is it?")
    talk.tell((3.5, TURN_ENDED))
    outcome = talk.tell((3.7, failed(talk.turn()) if failing else inp.TurnTranscribed(talk.turn(), "")))
    assert kinds(outcome.starting) == [fx.Generate]


def test_a_turn_is_answered_when_its_speaker_leaves_in_the_next_one() -> None:
    talk = Talk()
    talk.tell(*turn(1.0), (2.4, CONFIRMED))
    talk.says(2.5, "What time is it?")
    assert kinds(talk.tell((3.0, LEFT)).starting) == [fx.Generate]


def test_a_stop_word_takes_back_a_question_that_was_not_answered_yet() -> None:
    talk = Talk()
    talk.tell(*turn(1.0), (2.4, CONFIRMED))
    talk.says(2.5, "What time is it?")
    talk.tell((3.5, TURN_ENDED))
    assert talk.says(3.7, "Never mind. Stop.").starting != ()
    talk = Talk()
    talk.tell(*turn(1.0), (2.4, CONFIRMED))
    talk.says(2.5, "What time is it?")
    talk.tell((3.5, TURN_ENDED))
    assert talk.says(3.7, "Stop.").starting == ()


def test_what_was_cut_does_not_go_on_into_a_voice() -> None:
    talk = cut_by_voice()
    talk.tell((3.3, CONFIRMED))
    assert talk.says(3.5, "").starting == ()
    talk.tell((4.0, TURN_ENDED))
    assert only(talk.says(4.2, "").starting, fx.Recite).text == "three four five."


def test_an_answer_waits_until_every_turn_has_its_words() -> None:
    talk = Talk(voices=(PHONE, TABLET))
    talk.tell(*turn(1.0))
    mine = talk.turn()
    talk.tell((2.3, TURN_ENDED, TABLET))
    assert talk.tell((2.5, inp.TurnTranscribed(mine, "What time is it?"))).starting == ()
    assert kinds(talk.says(2.6, "And the date?").starting) == [fx.Generate]


def test_a_turn_is_answered_even_if_another_client_asks_for_answers_itself() -> None:
    talk = Talk(voices=(PHONE, TABLET))
    talk.tell((0.5, inp.VoiceJoined(revocable=True, answers=False), TABLET), *turn(1.0))
    mine = talk.turn()
    talk.tell((2.3, TURN_ENDED, TABLET), (2.5, inp.TurnTranscribed(mine, "What time is it?")))
    assert only(talk.says(2.6, "Hello.").facts, ev.ResponseStarted).leg == PHONE


def test_what_was_cut_does_not_go_on_after_words_that_are_not_answered_by_themselves() -> None:
    talk = cut_by_voice()
    talk.tell((3.2, NOT_ASKED), (3.3, CONFIRMED))
    talk.says(3.5, "")
    talk.tell((4.0, TURN_ENDED))
    assert talk.says(4.2, "And letters?").starting == ()


def test_a_new_answer_takes_the_place_of_one_that_another_voice_got() -> None:
    talk = Talk()
    talk.tell(*turn(1.0))
    talk.says(2.5, "What time is it?")
    talk.tell((2.6, inp.TextGenerated(G1, "Noon.")), (2.7, inp.PlayoutStarted(G1)), (3.0, CONFIRMED), (3.1, ENDED))
    talk.tell((3.2, judged("and the date")), (3.2, cleared(G1, "Noon.")), (3.6, TURN_ENDED))
    outcome = talk.says(3.8, "And the date?")
    assert only(outcome.starting, fx.Generate).generation == G2
    assert none(talk.starting, fx.Recite)


def test_what_is_said_while_the_answer_is_thought_about_joins_the_turn_and_there_is_one_answer() -> None:
    talk = Talk()
    talk.tell(*turn(1.0))
    assert kinds(talk.says(2.5, "What time is it").starting) == [fx.Generate]
    talk.tell((2.6, SUSPECTED), (2.7, CONFIRMED), (3.5, SUSTAINED), (3.7, ENDED), (4.0, TURN_ENDED))
    assert kinds(talk.says(4.2, "in Berlin?").starting) == [fx.Generate]
    (given_up,) = talk.all(ev.ResponseEnded)
    assert (given_up.status, given_up.item_id) == ("cancelled", None)
    roles = [node.role for node in talk.session.state.conversation.tree.path()]
    assert roles == ["user", "user"]  # nothing of the answer that was given up stands between them
