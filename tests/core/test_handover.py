"""Who has the floor, and answers that follow it at the word."""

import pytest

from gateway.core import effects as fx, events as ev, inputs as inp
from gateway.core.ids import DeviceId, FloorGeneration, LegId
from tests.core.script import (
    ANSWER,
    ASK,
    CANCEL,
    CHAT,
    CLAIM,
    CONFIRMED,
    DEADLINE,
    G1,
    LEFT,
    PHONE,
    RELEASE,
    STOCK,
    SUSPECTED,
    SUSTAINED,
    TABLET,
    TURN_ENDED,
    VOICE_JOINED,
    Talk,
    answering,
    cleared,
    handed_over,
    judged,
    kinds,
    none,
    only,
    typed,
)

BOTH = (PHONE, TABLET)


def holder(talk: Talk) -> LegId | None:
    return talk.session.state.conversation.floor.leg


def two(*, finished: bool = True, sounding: bool = True) -> Talk:
    """The phone speaks, the tablet listens; the last claim is long ago."""
    talk = Talk(voices=BOTH)
    talk.tell(*answering(1.0, finished=finished, sounding=sounding))
    return talk


def moved() -> Talk:
    """The tablet has claimed the floor after "One", and speaks on."""
    talk = two()
    talk.tell((2.0, CLAIM, TABLET), (2.0, handed_over(G1, "One")), (2.1, inp.PlayoutStarted(G1), TABLET))
    return talk


# who has it


def test_a_device_that_is_alone_needs_no_floor() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (4.0, inp.PlayoutStopped(G1, 900)))
    assert none(talk.log, ev.FloorChanged)


def test_whoever_was_alone_is_live_when_a_second_voice_joins() -> None:
    talk = Talk()
    outcome = talk.tell((0.5, VOICE_JOINED, TABLET))
    assert only(outcome.facts, ev.FloorChanged) == ev.FloorChanged(
        FloorGeneration(1), DeviceId("phone device"), PHONE, "joined"
    )
    assert talk.tell((0.6, VOICE_JOINED, STOCK)).facts == ()


def test_a_claim_is_one_fact_and_answers_sound_on_its_leg() -> None:
    talk = Talk(voices=BOTH)
    assert only(talk.tell((1.0, CLAIM, TABLET)).facts, ev.FloorChanged).generation == 2
    assert talk.tell((1.1, CLAIM, TABLET)).facts == ()
    assert only(talk.tell((1.2, ASK)).facts, ev.ResponseStarted).leg == TABLET


def test_two_claims_at_once_have_one_winner() -> None:
    talk = two()
    talk.tell((2.0, CLAIM, TABLET), (2.0, CLAIM), (2.0, CLAIM, TABLET), (2.0, handed_over(G1, "One")))
    assert holder(talk) == TABLET
    assert [effect.leg for effect in talk.all(fx.HandOverPlayout)] == [PHONE]
    assert talk.last(fx.Speak).leg == TABLET


@pytest.mark.parametrize("command", [CLAIM, RELEASE])
def test_only_a_voice_leg_can_have_the_floor(command: inp.Input) -> None:
    talk = two()
    outcome = talk.tell((2.0, command, CHAT))
    assert only(outcome.events, ev.CommandRejected).failure.code == "floor_no_voice"
    assert holder(talk) == PHONE


def test_who_gives_the_floor_up_without_an_answer_leaves_it_to_whoever_wants_it() -> None:
    talk = Talk(voices=BOTH)
    assert only(talk.tell((1.0, RELEASE)).facts, ev.FloorChanged).reason == "released"
    assert talk.tell((1.0, RELEASE)).facts == ()
    talk.tell((1.1, CONFIRMED, TABLET))
    assert holder(talk) == TABLET


def test_who_gives_the_floor_up_in_mid_answer_leaves_it_to_the_leg_that_joined_last() -> None:
    talk = Talk(voices=(PHONE, STOCK, TABLET))
    talk.tell(*answering(1.0), (2.0, RELEASE), (2.0, handed_over(G1, "One")))
    assert holder(talk) == TABLET
    assert talk.last(fx.Speak).leg == TABLET


# by voice


def test_a_confirmed_voice_takes_the_floor_with_its_pre_roll() -> None:
    talk = two()
    talk.tell((2.0, SUSPECTED, TABLET))
    assert holder(talk) == PHONE
    outcome = talk.tell((2.1, CONFIRMED, TABLET))
    assert only(outcome.facts, ev.FloorChanged).reason == "spoke"
    assert only(outcome.stopping, fx.HandOverPlayout).finish_ms == 0  # silence first
    talk.tell((2.1, handed_over(G1, "One")), (2.7, SUSTAINED, TABLET), (2.7, cleared(G1, started=False), TABLET))
    assert talk.last(ev.SpeechStarted).audio_start_ms == 1000 - 300
    assert (talk.last(ev.ItemTruncated).text, talk.last(ev.ItemTruncated).heard_ms) == ("One", 700)
    talk.tell((3.2, TURN_ENDED, TABLET))
    assert talk.last(fx.TranscribeTurn).leg == TABLET


def test_a_backchannel_takes_the_answer_along_and_it_goes_on_there() -> None:
    talk = two()
    talk.tell((2.0, SUSPECTED, TABLET), (2.1, CONFIRMED, TABLET), (2.1, handed_over(G1, "One")))
    talk.tell((2.4, inp.SpeechEnded(), TABLET), (2.5, judged("Yeah."), TABLET))
    assert talk.last(fx.ReleasePlayout).leg == TABLET
    assert talk.last(fx.Speak).text == " two three four five."
    assert none(talk.log, ev.ItemTruncated)


def test_the_floor_stays_two_seconds_with_a_winner_but_not_against_a_button() -> None:
    talk = two()
    talk.tell((2.0, CLAIM, TABLET), (3.9, CONFIRMED))
    assert holder(talk) == TABLET
    talk.tell((4.0, SUSTAINED))  # the voice goes on, and its turn is announced
    assert holder(talk) == PHONE
    talk.tell((4.1, CLAIM, TABLET))
    assert holder(talk) == TABLET


# at the word


def test_an_answer_goes_on_from_the_word_after_the_last_one_heard() -> None:
    talk = two()
    outcome = talk.tell((2.0, CLAIM, TABLET))
    response = next(iter(talk.session.state.conversation.responses.values()))
    assert outcome.stopping == (fx.HandOverPlayout(PHONE, G1, 250),)
    assert outcome.starting == ()
    outcome = talk.tell((2.2, handed_over(G1, "One two", heard_ms=900)))
    assert outcome.facts == (ev.PlayoutMoved(response.response_id, TABLET, 7, 900),)
    assert response.item_id is not None
    assert outcome.starting == (
        fx.BeginSpeech(TABLET, G1, response.response_id, response.item_id, 7, 900, 1),
        fx.Speak(TABLET, G1, " three four five.", 1),
        fx.FinishSpeech(TABLET, G1, 1),
    )


def test_what_was_heard_is_that_of_the_item_wherever_it_is_cut() -> None:
    talk = moved()
    talk.tell((3.0, CANCEL), (3.0, cleared(G1, "One two three", heard_ms=1500), TABLET))
    truncated = talk.last(ev.ItemTruncated)
    assert (truncated.text, truncated.unheard, truncated.heard_ms) == ("One two three", " four five.", 1500)
    assert (truncated.seen, len(talk.all(ev.ResponseEnded))) == (len(ANSWER), 1)


def test_an_answer_that_is_cut_before_its_first_sample_there_was_heard_as_far_as_before() -> None:
    talk = two()
    talk.tell((2.0, CLAIM, TABLET), (2.0, handed_over(G1, "One", heard_ms=300)))
    talk.tell((2.1, CANCEL), (2.1, cleared(G1, started=False, heard_ms=0), TABLET))
    assert (talk.last(ev.ItemTruncated).text, talk.last(ev.ItemTruncated).heard_ms) == ("One", 300)


def test_an_answer_that_is_finished_elsewhere_was_heard_whole() -> None:
    talk = moved()
    talk.tell((4.0, inp.PlayoutStopped(G1, 2500), TABLET))
    assert kinds(talk.log)[-4:] == [ev.FloorChanged, ev.PlayoutMoved, ev.PlayoutStarted, ev.PlayoutStopped]
    assert talk.session.state.conversation.responses == {}


def test_an_answer_that_ends_while_it_is_given_away_is_over() -> None:
    talk = two()
    talk.tell((2.0, CLAIM, TABLET), (2.2, inp.PlayoutStopped(G1, 2500)))
    assert none(talk.log, ev.PlayoutMoved)
    assert talk.session.next_deadline() is None
    talk = two()
    talk.tell((2.0, CLAIM, TABLET), (2.2, handed_over(G1, ANSWER)))
    assert talk.last(ev.PlayoutStopped).leg == PHONE


def test_an_answer_can_move_twice() -> None:
    talk = moved()
    talk.tell((3.0, CLAIM), (3.0, handed_over(G1, "One two three", heard_ms=1500), TABLET))
    assert talk.last(fx.BeginSpeech).leg == PHONE
    assert talk.last(fx.Speak) == fx.Speak(PHONE, G1, " four five.", 2)
    # A leg that has lost it has no more to say about it.
    assert talk.tell((3.1, inp.PlayoutStopped(G1, 2500), TABLET)).facts == ()
    assert talk.tell((3.1, inp.PlayoutStarted(G1), TABLET)).facts == ()


def test_an_answer_that_is_claimed_back_while_it_is_given_away_goes_on_where_it_was() -> None:
    talk = two()
    talk.tell((2.0, CLAIM, TABLET), (2.1, CLAIM), (2.2, handed_over(G1, "One")))
    assert talk.last(fx.Speak) == fx.Speak(PHONE, G1, " two three four five.", 1)


def test_an_answer_moves_while_it_is_generated() -> None:
    talk = two(finished=False)
    talk.tell((2.0, CLAIM, TABLET), (2.0, inp.TextGenerated(G1, " Six")))
    assert talk.last(fx.Speak) == fx.Speak(PHONE, G1, " Six")  # until it has let go
    talk.tell((2.1, handed_over(G1, "One two three four five.")))
    assert talk.last(fx.Speak) == fx.Speak(TABLET, G1, " Six", 1)
    assert none(talk.starting, fx.FinishSpeech)
    talk.tell((2.2, inp.TextGenerated(G1, " seven.")), (2.3, inp.GenerationFinished(G1)))
    assert talk.all(fx.Speak)[-1] == fx.Speak(TABLET, G1, " seven.", 1)
    assert talk.last(fx.FinishSpeech) == fx.FinishSpeech(TABLET, G1, 1)


def test_an_answer_moves_before_its_first_sample_and_before_its_first_word() -> None:
    talk = two(sounding=False)
    talk.tell((2.0, CLAIM, TABLET), (2.0, handed_over(G1, started=False)))
    assert talk.last(fx.Speak) == fx.Speak(TABLET, G1, ANSWER, 1)
    talk = Talk(voices=BOTH)
    talk.tell((1.0, typed("Count.")), (1.0, ASK))
    assert none(talk.tell((2.0, CLAIM, TABLET)).stopping, fx.HandOverPlayout)
    assert only(talk.tell((2.1, inp.TextGenerated(G1, "One"))).starting, fx.Speak) == fx.Speak(TABLET, G1, "One", 1)


def test_an_answer_that_is_paused_moves_and_stays_paused() -> None:
    talk = two()
    talk.tell((2.0, inp.PauseRequested()), (2.1, CLAIM, TABLET), (2.1, handed_over(G1, "One")))
    assert {effect.leg for effect in talk.all(fx.PausePlayout)} == set(BOTH)
    assert none(talk.stopping, fx.ResumePlayout)
    talk.tell((3.0, inp.ResumeRequested()))
    assert {effect.leg for effect in talk.all(fx.ResumePlayout)} == set(BOTH)


def test_a_loudspeaker_that_never_lets_go_holds_up_nobody() -> None:
    talk = two()
    talk.tell((2.0, CLAIM, TABLET), (4.0, DEADLINE))
    assert talk.last(fx.Speak).leg == TABLET


def test_a_written_answer_follows_nobody() -> None:
    talk = Talk(voices=BOTH)
    talk.tell((1.0, inp.ResponseRequested(text_only=True)), (1.0, inp.TextGenerated(G1, "One.")))
    assert kinds(talk.tell((2.0, CLAIM, TABLET)).facts) == [ev.FloorChanged]


# a device that is gone


def test_an_answer_waits_for_its_device_and_goes_on_there() -> None:
    talk = two()
    talk.tell((2.0, cleared(G1, "One two")), (2.0, LEFT))
    assert talk.session.next_deadline() == 7.0
    assert none(talk.starting[3:], fx.Speak)
    talk.now = 6.9
    again = LegId("phone again")
    stamp = inp.Stamp(6.9, 0, "again", DeviceId("phone device"), again)
    outcome = talk.session.handle(VOICE_JOINED, stamp)
    assert only(outcome.facts, ev.FloorChanged).reason == "returned"
    assert only(outcome.starting, fx.Speak) == fx.Speak(again, G1, " three four five.", 2)
    assert talk.session.next_deadline() is None


def test_a_floor_that_was_kept_in_vain_goes_to_the_leg_that_joined_last_if_an_answer_waits() -> None:
    talk = Talk(voices=(PHONE, STOCK, TABLET))
    talk.tell(*answering(1.0), (2.0, cleared(G1, "One two")), (2.0, LEFT), (6.9, DEADLINE))
    assert holder(talk) == PHONE
    outcome = talk.tell((7.0, DEADLINE))
    assert [fact.reason for fact in outcome.facts if isinstance(fact, ev.FloorChanged)] == ["dropped", "answer"]
    assert only(outcome.starting, fx.Speak) == fx.Speak(TABLET, G1, " three four five.", 2)


def test_a_floor_that_was_kept_in_vain_goes_to_the_next_who_speaks() -> None:
    talk = Talk(voices=BOTH)
    talk.tell((2.0, LEFT), (3.0, CONFIRMED, TABLET), (3.8, TURN_ENDED, TABLET))
    assert holder(talk) == PHONE
    talk.tell((7.0, DEADLINE))
    assert holder(talk) is None
    talk.tell((7.1, VOICE_JOINED, STOCK), (8.0, CONFIRMED, STOCK))
    assert holder(talk) == STOCK


def test_a_button_takes_the_floor_of_a_device_that_is_gone_with_its_answer() -> None:
    talk = two()
    talk.tell((2.0, cleared(G1, "One two")), (2.0, LEFT))
    assert only(talk.tell((2.1, CLAIM, TABLET)).starting, fx.Speak) == fx.Speak(TABLET, G1, " three four five.", 2)
    assert talk.session.next_deadline() is None


def test_nobody_waits_for_a_device_that_said_goodbye() -> None:
    talk = two()
    talk.tell((2.0, cleared(G1, "One two")), (2.0, inp.LegLeft(goodbye=True)))
    assert talk.last(fx.Speak) == fx.Speak(TABLET, G1, " three four five.", 2)
    talk = Talk()
    talk.tell(*answering(1.0), (2.0, cleared(G1, "One two")), (2.0, inp.LegLeft(goodbye=True)))
    assert talk.last(ev.ItemTruncated).reason == "leg_lost"
    assert talk.session.next_deadline() is None


def test_a_key_that_is_pressed_to_talk_takes_the_floor() -> None:
    talk = two()
    talk.tell((2.0, CLAIM, TABLET), (2.1, inp.TalkPressed(2000, 400)))
    assert holder(talk) == PHONE


def test_an_answer_that_moves_to_a_leg_that_leaves_at_once_waits_for_it() -> None:
    talk = two()
    talk.tell((2.0, CLAIM, TABLET), (2.0, handed_over(G1, "One two")), (2.0, LEFT, TABLET), (7.0, DEADLINE))
    assert talk.last(fx.Speak) == fx.Speak(PHONE, G1, " three four five.", 3)


def test_a_leg_that_leaves_while_it_lets_go_says_where_it_stood() -> None:
    talk = two()
    talk.tell((2.0, CLAIM, TABLET), (2.1, cleared(G1, "One two")), (2.1, LEFT))
    assert talk.last(fx.Speak) == fx.Speak(TABLET, G1, " three four five.", 2)
    assert talk.session.next_deadline() is None


def test_an_answer_that_waits_can_be_cut_and_was_heard_as_far_as_it_sounded() -> None:
    talk = two(finished=False)
    talk.tell((2.0, cleared(G1, "One two")), (2.0, LEFT), (3.0, CANCEL, CHAT))
    assert (talk.last(ev.ItemTruncated).text, talk.last(ev.ItemTruncated).heard_ms) == ("One two", 700)
    assert talk.session.state.conversation.responses == {}


def test_an_answer_that_waits_grows_and_ends_meanwhile() -> None:
    talk = two(finished=False)
    talk.tell((2.0, cleared(G1, "One two")), (2.0, LEFT))
    outcome = talk.tell((2.1, inp.TextGenerated(G1, " Six.")), (2.2, inp.GenerationFinished(G1)))
    assert outcome.starting == ()
    assert talk.tell((7.0, DEADLINE)).starting[1:] == (
        fx.Speak(TABLET, G1, " three four five. Six.", 2),
        fx.FinishSpeech(TABLET, G1, 2),
    )


def test_a_new_answer_waits_for_the_device_that_has_the_floor() -> None:
    talk = Talk(voices=BOTH)
    talk.tell((1.0, LEFT), (2.0, ASK, TABLET), (2.1, inp.TextGenerated(G1, "One.")))
    assert none(talk.starting, fx.Speak)
    talk.tell((3.0, VOICE_JOINED))
    assert talk.last(fx.Speak) == fx.Speak(PHONE, G1, "One.", 2)


def test_the_floor_survives_the_process_for_a_while() -> None:
    talk = moved()
    after = talk.reboot()
    after.tell((4.0, inp.SessionRecovered()))
    assert holder(after) == TABLET
    assert after.session.next_deadline() == 9.0
    after.tell((9.0, DEADLINE))
    assert holder(after) is None


def test_devices_of_other_rooms_hear_of_it_in_the_same_order() -> None:
    """Cleared on the old leg before it is started on the new one, and one end of the response."""
    talk = moved()
    playout = [fact for fact in talk.log if isinstance(fact, ev.PlayoutStarted | ev.PlayoutMoved)]
    assert [(type(fact), fact.leg) for fact in playout] == [
        (ev.PlayoutStarted, PHONE),
        (ev.PlayoutMoved, TABLET),
        (ev.PlayoutStarted, TABLET),
    ]
    assert len(talk.all(ev.ResponseEnded)) == 1
