"""The user's turn by voice: put into words, answered once, or found to be no turn."""

import pytest

from gateway.core import effects as fx, events as ev, inputs as inp
from gateway.core.ids import ItemId
from gateway.core.policy import ASK_WHAT_WAS_SAID, Policy
from gateway.core.values import Wish
from tests.core.script import (
    ANSWER,
    ASK,
    CANCEL,
    CHAT,
    CONFIRMED,
    DEADLINE,
    ENDED,
    G1,
    G2,
    INTERRUPT,
    LEFT,
    NOT_ASKED,
    PHONE,
    SUSPECTED,
    SUSTAINED,
    TABLET,
    TURN_ENDED,
    Talk,
    answering,
    cleared,
    cut_by_voice,
    failed,
    kinds,
    none,
    only,
    turn,
    typed,
)

# a turn in silence


def test_a_spoken_turn_is_announced_committed_put_into_words_and_answered() -> None:
    talk = Talk()
    outcome = talk.tell(*turn(1.0))
    announced = talk.last(ev.SpeechStarted).item_id
    assert outcome.events == (
        ev.SpeechStopped(PHONE, announced, 2500),
        ev.InputCommitted(PHONE, announced, None),
        talk.last(ev.ItemAdded),
    )
    assert outcome.starting == (fx.TranscribeTurn(PHONE, announced),)
    added = talk.last(ev.ItemAdded)
    assert (added.item_id, added.role, added.status, added.spoken) == (announced, "user", "completed", True)
    assert added.device == "phone device"
    outcome = talk.says(2.5, "What time is it?")
    assert kinds(outcome.events) == [ev.ItemTranscribed, ev.ResponseStarted]
    assert only(outcome.facts, ev.ItemTranscribed).text == "What time is it?"
    assert only(outcome.facts, ev.ResponseStarted).leg == PHONE
    assert kinds(outcome.starting) == [fx.Generate]


def test_a_turn_follows_what_was_said_before() -> None:
    talk = Talk()
    talk.tell((0.5, typed("Hello.")), *turn(1.0))
    assert talk.last(ev.InputCommitted).previous == talk.path[0]
    assert talk.path[1] == talk.turn()


@pytest.mark.parametrize("words", ["", "   ", "..."])
def test_a_turn_without_words_in_silence_is_no_turn(words: str) -> None:
    talk = Talk()
    talk.tell(*turn(1.0))
    outcome = talk.says(2.5, words)
    assert kinds(outcome.facts) == [ev.ItemRemoved]
    assert only(outcome.facts, ev.ItemRemoved).reason == "not_speech"
    assert outcome.starting == ()
    assert talk.path == []


def test_a_stop_word_in_silence_is_a_turn_like_any_other() -> None:
    talk = Talk()
    talk.tell(*turn(1.0))
    assert kinds(talk.says(2.5, "Stop").starting) == [fx.Generate]


def test_words_arrive_once() -> None:
    talk = Talk()
    talk.tell(*turn(1.0))
    talk.says(2.5, "Hello.")
    assert talk.says(2.6, "Hello again.").events == ()
    assert talk.tell((2.7, failed(talk.turn()))).events == ()
    assert talk.tell((2.8, inp.TurnTranscribed(ItemId("unknown"), "Hello."))).events == ()


def test_a_session_may_leave_answering_to_its_client() -> None:
    talk = Talk()
    talk.tell((0.1, NOT_ASKED), *turn(1.0))
    assert kinds(talk.says(2.5, "Hello.").events) == [ev.ItemTranscribed]


def test_a_client_may_ask_for_answers_itself() -> None:
    talk = Talk()
    talk.tell((0.5, inp.VoiceJoined(revocable=True, answers=False)), *turn(1.0))
    assert kinds(talk.says(2.5, "Hello.").events) == [ev.ItemTranscribed]
    assert kinds(talk.tell((2.6, ASK)).starting) == [fx.Generate]


def test_a_turn_is_answered_on_the_leg_it_was_spoken_on() -> None:
    talk = Talk(voices=(PHONE, TABLET))
    talk.tell(*turn(1.0))
    outcome = talk.tell((2.5, inp.TurnTranscribed(talk.turn(), "Hello."), TABLET))
    assert only(outcome.facts, ev.ResponseStarted).leg == PHONE


def test_a_turn_whose_leg_has_left_is_answered_where_somebody_can_hear() -> None:
    talk = Talk(voices=(PHONE, TABLET))
    talk.tell(*turn(1.0), (2.4, LEFT))
    talk.says(2.5, "Hello.")
    talk.tell((2.6, inp.TextGenerated(G1, "Hello!")), (2.6, inp.GenerationFinished(G1)))
    assert only(talk.tell((7.4, DEADLINE)).starting, fx.BeginSpeech).leg == TABLET


# a turn by hand


def test_a_turn_that_is_committed_by_hand_was_not_announced() -> None:
    talk = Talk()
    outcome = talk.tell((1.0, TURN_ENDED))
    assert kinds(outcome.events) == [ev.InputCommitted, ev.ItemAdded]
    assert none(talk.events, ev.SpeechStarted)


def test_an_answer_that_is_asked_for_by_hand_waits_for_the_words_of_the_turn() -> None:
    talk = Talk()
    talk.tell((1.0, TURN_ENDED))
    asked = talk.tell((1.0, inp.ResponseRequested(wish=Wish("In French."))))
    assert asked.accepted
    assert asked.starting == ()
    outcome = talk.says(1.4, "What time is it?")
    assert only(outcome.starting, fx.Generate).wish.instructions == "In French."
    assert kinds(outcome.facts) == [ev.ItemTranscribed, ev.ResponseStarted]


@pytest.mark.parametrize("words", ["", "Stop."])
def test_an_answer_that_is_asked_for_by_hand_is_given_whatever_the_words_are(words: str) -> None:
    talk = Talk()
    talk.tell((0.1, NOT_ASKED), *answering(0.5), (1.0, TURN_ENDED), (1.0, ASK))
    assert kinds(talk.says(1.4, words).starting) == [fx.Generate]


def test_an_answer_that_is_asked_for_by_hand_is_given_when_the_words_cannot_be_had() -> None:
    talk = Talk()
    talk.tell((1.0, TURN_ENDED), (1.0, ASK))
    assert kinds(talk.tell((1.4, failed(talk.turn()))).starting) == [fx.Generate]


def test_an_answer_that_waits_for_words_can_be_cancelled() -> None:
    talk = Talk()
    talk.tell((0.1, NOT_ASKED), (1.0, TURN_ENDED), (1.0, ASK))
    assert talk.tell((1.1, CANCEL)).accepted
    assert talk.says(1.4, "Hello.").starting == ()


def test_an_answer_that_waits_for_words_is_an_active_one() -> None:
    talk = Talk()
    talk.tell((1.0, TURN_ENDED), (1.0, ASK))
    outcome = talk.tell((1.1, ASK))
    assert only(outcome.events, ev.CommandRejected).failure.code == "conversation_already_has_active_response"


def test_words_by_hand_over_an_answer_cut_it() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (2.0, TURN_ENDED))
    outcome = talk.says(2.3, "And letters?")
    assert outcome.stopping == (fx.FlushPlayout(PHONE, G1),)
    assert kinds(talk.tell((2.3, cleared(G1, "One"))).starting) == [fx.Generate]


def test_a_stop_word_by_hand_over_an_answer_silences_it() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (2.0, TURN_ENDED))
    assert talk.says(2.3, "Stop.").stopping == (fx.FlushPlayout(PHONE, G1),)
    assert talk.tell((2.3, cleared(G1, "One"))).starting == ()


# stop words


def test_a_stop_word_cuts_and_wants_no_answer() -> None:
    talk = cut_by_voice()
    outcome = talk.says(3.5, "Stop!")
    assert kinds(outcome.events) == [ev.ItemTranscribed]
    assert outcome.starting == ()
    assert none(talk.starting, fx.Recite)


def test_a_stop_word_wants_no_answer_even_before_the_loudspeaker_has_said_where_it_stood() -> None:
    talk = cut_by_voice(heard=None)
    talk.says(3.5, "Stop!")
    assert talk.tell((3.6, cleared(G1, "One two"))).starting == ()


def test_a_stop_word_while_thinking_wants_no_answer() -> None:
    talk = Talk()
    talk.tell((0.5, typed("Count.")), (0.5, ASK), *turn(1.0))
    assert talk.says(2.5, "wait").starting == ()


def test_a_stop_word_beside_a_button_wants_no_answer() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (2.0, CONFIRMED), (2.1, CANCEL), (2.1, cleared(G1, "One")), (3.0, TURN_ENDED))
    assert talk.says(3.2, "Stop.").starting == ()


def test_a_stop_word_silences_nothing_that_began_after_it() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (2.0, CONFIRMED), (2.7, SUSTAINED), (2.7, cleared(G1, "One")))
    talk.tell((2.8, typed("And letters?")), (2.8, INTERRUPT), (3.2, TURN_ENDED))
    outcome = talk.says(3.5, "Stop!")
    assert (outcome.stopping, outcome.starting) == ((), ())
    assert [response.generation for response in talk.session.state.alive()] == [G2]


def test_a_stop_word_withdraws_nothing_that_was_typed_after_it() -> None:
    talk = cut_by_voice()
    talk.tell((3.3, typed("And letters?")), (3.3, INTERRUPT))
    assert only(talk.says(3.5, "Stop!").starting, fx.Generate).generation == G2


def test_more_words_after_a_stop_word_are_answered() -> None:
    talk = cut_by_voice()
    talk.says(3.5, "Wait.")
    talk.tell(*turn(4.0))
    assert kinds(talk.says(5.5, "What comes after five?").starting) == [fx.Generate]


def test_a_request_that_begins_with_a_stop_word_is_answered() -> None:
    assert kinds(cut_by_voice().says(3.5, "Stop at three.").starting) == [fx.Generate]


# a cut with nothing said after it


@pytest.mark.parametrize("failing", [False, True])
def test_a_cut_for_nothing_goes_on_from_the_word_after_the_last_one_heard(failing: bool) -> None:
    talk = cut_by_voice()
    cut = talk.last(ev.ItemTruncated)
    outcome = talk.tell((3.5, failed(talk.turn()) if failing else inp.TurnTranscribed(talk.turn(), "")))
    assert outcome.starting == (fx.Recite(talk.last(ev.ResponseStarted).response_id, G2, "three four five.", G1),)
    assert f"{cut.text} {talk.last(fx.Recite).text}" == ANSWER
    started = only(outcome.facts, ev.ResponseStarted)
    assert (started.continues, started.leg) == (cut.item_id, PHONE)
    assert (talk.turn() in talk.path) is failing  # its sound may have been a turn


def test_what_is_recited_is_cut_and_goes_on_like_any_answer() -> None:
    talk = cut_by_voice()
    talk.says(3.5, "")
    talk.tell((3.5, inp.TextGenerated(G2, "three four five.")), (3.5, inp.GenerationFinished(G2)))
    talk.tell((3.6, inp.PlayoutStarted(G2)), (4.0, CONFIRMED), (4.7, SUSTAINED), (4.7, cleared(G2, "three")))
    talk.tell((5.2, TURN_ENDED))
    assert only(talk.says(5.5, "").starting, fx.Recite).text == "four five."


def test_words_that_never_come_count_as_none() -> None:
    talk = Talk()
    talk.tell(*turn(1.0))
    assert talk.session.next_deadline() == 2.3 + 15
    assert talk.tell((17.2, DEADLINE)).facts == ()
    outcome = talk.tell((17.3, DEADLINE, CHAT))
    assert only(outcome.facts, ev.ItemTranscriptionFailed).failure.code == "transcription_timeout"
    assert talk.session.next_deadline() is None


def test_without_a_word_within_two_seconds_what_was_cut_goes_on() -> None:
    talk = cut_by_voice(voices=(PHONE, TABLET))
    assert talk.session.next_deadline() == 3.2 + 2
    assert talk.tell((5.1, DEADLINE)).starting == ()
    outcome = talk.tell((5.2, DEADLINE, CHAT))
    assert kinds(outcome.starting) == [fx.Recite]
    assert only(outcome.facts, ev.ResponseStarted).leg == PHONE
    assert talk.session.next_deadline() == 3.2 + 15


def gone_on() -> Talk:
    """No word came in time, so that the rest is being spoken; the transcript is still on its way."""
    talk = cut_by_voice()
    talk.tell((5.2, DEADLINE), (5.2, inp.TextGenerated(G2, "three four five.")), (5.2, inp.GenerationFinished(G2)))
    talk.tell((5.3, inp.PlayoutStarted(G2)))
    return talk


def test_words_that_come_after_all_cut_the_rest_and_are_answered() -> None:
    talk = gone_on()
    outcome = talk.says(6.0, "And letters?")
    assert outcome.stopping == (fx.FlushPlayout(PHONE, G2),)
    assert kinds(talk.tell((6.0, cleared(G2, "three"))).starting) == [fx.Generate]


def test_a_stop_word_that_comes_after_all_silences_the_rest() -> None:
    talk = gone_on()
    assert talk.says(6.0, "Stop.").stopping == (fx.FlushPlayout(PHONE, G2),)
    assert talk.tell((6.0, cleared(G2, "three"))).starting == ()


def test_no_words_after_all_change_nothing() -> None:
    talk = gone_on()
    outcome = talk.says(6.0, "")
    assert kinds(outcome.facts) == [ev.ItemRemoved]
    assert (outcome.stopping, outcome.starting) == ((), ())


@pytest.mark.parametrize("sign", [inp.SpeechHeard("what about"), ENDED])
def test_a_turn_that_is_known_to_hold_words_is_waited_for(sign: inp.Input) -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (2.0, CONFIRMED), (2.4, sign))
    if sign is ENDED:
        talk.tell((2.5, inp.SpeechJudged("what about")))
    talk.tell((2.7, SUSTAINED), (2.71, cleared(G1, "One two")), (3.2, TURN_ENDED))
    assert talk.session.next_deadline() == 3.2 + 15


def test_a_backchannel_so_far_is_no_word_yet() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (2.0, CONFIRMED), (2.4, inp.SpeechHeard("yeah")), (2.7, SUSTAINED))
    talk.tell((2.71, cleared(G1, "One two")), (3.2, TURN_ENDED))
    assert talk.session.next_deadline() == 3.2 + 2


def test_a_session_may_ask_what_was_meant() -> None:
    talk = cut_by_voice(Policy(after_empty_cut="ask"))
    outcome = talk.says(3.5, "")
    assert only(outcome.facts, ev.ResponseStarted).continues is None
    instructions = only(outcome.starting, fx.Generate).wish.instructions
    assert instructions == f"Be brief.\n{ASK_WHAT_WAS_SAID}"


def test_a_session_that_may_ask_does_not_ask_about_an_answer_that_was_heard_whole() -> None:
    assert cut_by_voice(Policy(after_empty_cut="ask"), heard=ANSWER).says(3.5, "").starting == ()


def test_a_cut_for_nothing_goes_on_even_if_that_is_known_before_the_cut_has_settled() -> None:
    talk = cut_by_voice(heard=None)
    assert talk.says(3.5, "").starting == ()
    assert only(talk.tell((3.6, cleared(G1, "One two"))).starting, fx.Recite).text == "three four five."


def test_of_two_answers_that_were_cut_for_nothing_one_goes_on() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (1.5, ASK), (1.6, inp.TextGenerated(G2, "Again.")), (1.6, inp.GenerationFinished(G2)))
    talk.tell((2.0, CONFIRMED), (2.7, SUSTAINED), (3.2, TURN_ENDED))
    talk.says(3.5, "")
    assert talk.tell((3.6, cleared(G1, "One two"))).starting == ()
    assert only(talk.tell((3.6, cleared(G2, started=False))).starting, fx.Recite).text == "Again."


@pytest.mark.parametrize("heard", ["One two", ANSWER])
def test_of_two_answers_that_were_cut_for_nothing_the_newer_question_is_asked_again(heard: str) -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (1.5, ASK), (2.0, CONFIRMED), (2.7, SUSTAINED), (2.7, cleared(G1, heard)))
    talk.tell((3.2, TURN_ENDED))
    assert kinds(talk.says(3.5, "").starting) == [fx.Generate]


def test_the_question_is_asked_again_if_the_model_was_stopped_before_a_word_was_heard() -> None:
    talk = Talk()
    talk.tell((0.5, typed("Count.")), (0.5, inp.ResponseRequested()), *turn(1.0))
    outcome = talk.says(2.5, "")
    assert kinds(outcome.starting) == [fx.Generate]
    assert only(outcome.facts, ev.ResponseStarted).continues is None


def test_the_question_is_asked_again_if_the_model_was_stopped_and_all_it_had_said_was_heard() -> None:
    talk = cut_by_voice(finished=False, heard=ANSWER)
    assert kinds(talk.says(3.5, "").starting) == [fx.Generate]


def test_an_answer_of_which_nothing_was_heard_is_recited_whole() -> None:
    talk = Talk()
    talk.tell(*answering(0.5, sounding=False), (1.0, SUSPECTED), (1.1, CONFIRMED), (1.1, cleared(G1, started=False)))
    talk.tell((1.6, TURN_ENDED))
    assert only(talk.says(1.8, "").starting, fx.Recite).text == ANSWER


def test_an_answer_that_was_heard_whole_does_not_go_on() -> None:
    assert cut_by_voice(heard=ANSWER).says(3.5, "").starting == ()


def test_a_session_may_stay_silent_after_a_cut_for_nothing() -> None:
    assert cut_by_voice(Policy(after_empty_cut="silent")).says(3.5, "").starting == ()


def test_a_cut_by_command_does_not_go_on() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (2.0, CONFIRMED), (2.1, CANCEL), (2.1, cleared(G1, "One")), (3.0, TURN_ENDED))
    assert talk.says(3.2, "").starting == ()


def test_a_turn_that_cut_nothing_brings_nothing_back() -> None:
    talk = cut_by_voice()
    first = talk.turn()
    talk.tell((3.3, TURN_ENDED))
    assert talk.says(3.4, "").starting == ()
    assert only(talk.tell((3.5, inp.TurnTranscribed(first, ""))).starting, fx.Recite).text == "three four five."


def test_another_voice_that_says_nothing_brings_nothing_back_while_a_turn_goes_on() -> None:
    talk = Talk(voices=(PHONE, TABLET))
    talk.tell(*answering(1.0), (2.0, CONFIRMED), (2.7, SUSTAINED), (2.7, cleared(G1, "One two")))
    talk.tell((2.8, TURN_ENDED, TABLET))
    assert talk.says(3.0, "").starting == ()
    talk.tell((3.2, TURN_ENDED))
    assert kinds(talk.says(3.4, "").starting) == [fx.Recite]


def test_what_a_voice_cut_goes_on_even_if_a_command_cut_something_else() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (1.5, ASK), (1.6, inp.TextGenerated(G2, "Again.")))
    talk.tell((2.0, inp.CancelRequested(talk.last(ev.ResponseStarted).response_id)), (2.0, CONFIRMED), (2.7, SUSTAINED))
    talk.tell((2.8, cleared(G1, "One two")), (2.8, cleared(G2, started=False)), (3.2, TURN_ENDED))
    assert only(talk.says(3.4, "").starting, fx.Recite).text == "three four five."


def test_what_was_cut_does_not_go_on_over_a_newer_answer() -> None:
    talk = Talk(voices=(PHONE, TABLET))
    talk.tell(*answering(1.0), (2.1, CONFIRMED), (2.7, SUSTAINED), (2.7, cleared(G1, "One")))
    talk.tell((2.8, typed("And letters?")), (2.8, ASK), (2.9, inp.TextGenerated(G2, "A.")), (3.2, TURN_ENDED))
    assert talk.says(3.5, "").starting == ()


def test_what_was_cut_does_not_go_on_while_a_newer_answer_waits() -> None:
    talk = cut_by_voice()
    talk.tell((3.3, typed("And letters?")), (3.3, ASK))
    assert kinds(talk.says(3.5, "").starting) == [fx.Generate]
