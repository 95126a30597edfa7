"""A running answer is steered: one response goes on, and each steer ends in exactly one receipt."""

import pytest

from gateway.core import effects as fx, events as ev, inputs as inp
from gateway.core.ids import DeviceId, Generation, ItemId, ResponseId
from gateway.core.policy import Policy
from gateway.core.values import Settings, SteerWhen, Wish
from tests.core.script import (
    ANSWER,
    ASK,
    BROKEN,
    CANCEL,
    CHAT,
    CONFIRMED,
    DEADLINE,
    G1,
    G2,
    G3,
    INTERRUPT,
    LEFT,
    PHONE,
    SUSTAINED,
    TURN_ENDED,
    Talk,
    answering,
    cleared,
    kinds,
    none,
    only,
    typed,
)
from tests.core.test_steering import rejection

G4 = Generation(4)


def steer(text: str = "In French.", item_id: str = "mine", *, when: SteerWhen = "now") -> inp.SteerRequested:
    return inp.SteerRequested(text, None, when, ItemId(item_id))


def written(policy: Policy | None = None) -> Talk:
    """An answer is being written."""
    talk = Talk(policy, voices=())
    talk.tell(*answering(1.0, text="One two", finished=False, sounding=False))
    return talk


def spoken(*, finished: bool = False) -> Talk:
    """An answer is being heard."""
    talk = Talk()
    talk.tell(*answering(1.0, finished=finished))
    return talk


def running(talk: Talk) -> ResponseId:
    return talk.last(ev.ResponseStarted).response_id


def failure(talk: Talk) -> tuple[str, str]:
    """Code and words of the one steer that failed."""
    (failed,) = talk.all(ev.SteerFailed)
    return failed.code, failed.text


# now, in writing


def test_the_model_call_ends_and_another_goes_on_with_the_same_answer() -> None:
    talk = written()
    outcome = talk.tell((2.0, steer()))
    assert outcome.stopping == (fx.CancelGeneration(G1, steers=True),)
    assert kinds(outcome.events) == [ev.SteerAccepted, ev.SteerPending, ev.ItemCompleted, ev.ResponseSteered]
    assert outcome.starting == ()
    assert talk.session.next_deadline() == 2.01
    outcome = talk.tell((2.01, DEADLINE))
    steering = (fx.Steering("In French.", DeviceId("phone device")),)
    assert outcome.starting == (fx.Generate(running(talk), G2, Wish(), running(talk), steering),)
    assert talk.session.next_deadline() is None
    assert none(talk.events, ev.ResponseEnded)


def test_the_first_token_of_the_next_call_is_the_receipt() -> None:
    talk = written()
    talk.tell((2.0, steer()), (2.01, DEADLINE))
    assert "mine" not in talk.path
    outcome = talk.tell((2.1, inp.GenerationBegan(G2)))
    added = only(outcome.facts, ev.ItemAdded)
    assert (added.item_id, added.role, added.text, added.response_id) == ("mine", "user", "In French.", running(talk))
    assert only(outcome.facts, ev.SteerConsumed).item_id == "mine"
    talk.tell((2.2, inp.TextGenerated(G2, " trois")), (2.3, inp.GenerationFinished(G2)))
    first, mine, rest = talk.path[1:]
    assert mine == "mine"
    assert [(it.item_id, it.status, it.text) for it in talk.all(ev.ItemCompleted)] == [
        (first, "incomplete", "One two"),
        (rest, "completed", " trois"),
    ]
    assert only(talk.log, ev.ResponseEnded).status == "completed"
    assert len(talk.all(ev.SteerConsumed)) == 1


def test_text_is_a_first_token_as_well() -> None:
    talk = written()
    talk.tell((2.0, steer()), (2.01, DEADLINE))
    assert kinds(talk.tell((2.1, inp.TextGenerated(G2, "x"))).facts) == [ev.ItemAdded, ev.SteerConsumed, ev.ItemAdded]


def test_what_the_old_call_still_says_is_dropped() -> None:
    talk = written()
    talk.tell((2.0, steer()))
    assert talk.tell((2.0, inp.TextGenerated(G1, " three"))).events == ()
    assert talk.tell((2.0, inp.GenerationFinished(G1))).events == ()


def test_several_steers_before_the_next_call_are_in_one_call() -> None:
    talk = written()
    talk.tell((2.0, steer("a", "a")), (2.002, steer("b", "b"), CHAT), (2.004, steer("c", "c")), (2.01, DEADLINE))
    assert [it.text for it in talk.last(fx.Generate).steers] == ["a", "b", "c"]
    assert len(talk.all(fx.Generate)) == 2
    talk.tell((2.1, inp.GenerationBegan(G2)))
    assert [it.item_id for it in talk.all(ev.SteerConsumed)] == ["a", "b", "c"]
    assert talk.path[-3:] == ["a", "b", "c"]


def test_a_steer_before_the_first_token_of_the_next_call_is_in_the_one_after_with_those_before_it() -> None:
    talk = written()
    talk.tell((2.0, steer("a", "a")), (2.01, DEADLINE), (2.1, steer("b", "b")), (2.11, DEADLINE))
    assert talk.stopping[-1] == fx.CancelGeneration(G2, steers=True)
    assert [it.text for it in talk.last(fx.Generate).steers] == ["a", "b"]
    talk.tell((2.2, inp.GenerationBegan(G3)))
    assert [it.item_id for it in talk.all(ev.SteerConsumed)] == ["a", "b"]


def test_an_answer_may_be_steered_again_and_again() -> None:
    talk = written()
    for generation, name in ((G2, "a"), (G3, "b")):
        at = 2.0 + generation
        talk.tell((at, steer(name, name)), (at + 0.01, DEADLINE), (at + 0.1, inp.TextGenerated(generation, name)))
    assert [node.role for node in talk.session.state.conversation.tree.path()] == [
        "user",
        "assistant",
        "user",
        "assistant",
        "user",
        "assistant",
    ]
    assert talk.last(fx.Generate).steers_on == running(talk)


def test_an_answer_without_a_word_yet_has_no_part() -> None:
    talk = Talk()
    talk.tell((1.0, typed("Count.")), (1.0, ASK), (1.1, steer()))
    assert none(talk.events, ev.ItemCompleted)
    talk.tell((1.11, DEADLINE), (1.2, inp.TextGenerated(G2, "Un.")))
    assert len(talk.path) == 3


def test_instructions_for_one_answer_hold_for_its_next_call() -> None:
    talk = Talk(voices=())
    talk.tell((1.0, inp.ResponseRequested(wish=Wish("Be rude."))), (1.1, steer()), (1.11, DEADLINE))
    assert talk.last(fx.Generate).wish.instructions == "Be rude."


# by voice


def test_what_was_not_played_becomes_unheard_and_the_rest_is_spoken_on_the_same_leg() -> None:
    talk = spoken()
    outcome = talk.tell((2.0, steer()))
    assert outcome.stopping == (fx.CancelGeneration(G1, steers=True), fx.FlushPlayout(PHONE, G1))
    outcome = talk.tell((2.001, cleared(G1, "One two")))
    assert kinds(outcome.facts) == [ev.PlayoutCleared, ev.ItemCompleted, ev.ItemTruncated, ev.ResponseSteered]
    assert only(outcome.facts, ev.ItemTruncated).text == "One two"
    talk.tell((2.02, DEADLINE), (2.1, inp.TextGenerated(G2, " trois")))
    assert talk.last(fx.BeginSpeech).leg == PHONE
    assert talk.last(fx.Speak) == fx.Speak(PHONE, G2, " trois")
    talk.tell((2.2, inp.GenerationFinished(G2)), (2.3, inp.PlayoutStarted(G2)), (3.0, inp.PlayoutStopped(G2, 500)))
    assert talk.session.state.conversation.responses == {}
    assert [it.status for it in talk.all(ev.ResponseEnded)] == ["completed"]


def test_a_part_of_which_nothing_was_heard_leaves_the_conversation() -> None:
    talk = Talk()
    talk.tell(*answering(1.0, finished=False, sounding=False), (2.0, steer()), (2.0, cleared(G1, started=False)))
    assert only(talk.log, ev.ItemRemoved).reason == "unheard"


def test_the_next_call_waits_until_the_loudspeaker_has_said_where_it_stood() -> None:
    talk = spoken()
    talk.tell((2.0, steer()))
    assert talk.tell((2.5, DEADLINE)).starting == ()
    talk.tell((2.6, cleared(G1, "One")))
    assert kinds(talk.tell((2.62, DEADLINE)).starting) == [fx.Generate]


def test_an_answer_whose_generation_is_over_has_a_successor_that_goes_on_with_it() -> None:
    talk = spoken(finished=True)
    first = running(talk)
    assert talk.tell((2.0, steer())).stopping == (fx.FlushPlayout(PHONE, G1),)
    outcome = talk.tell((2.001, cleared(G1, "One two")))
    generate = only(outcome.starting, fx.Generate)
    assert (generate.generation, generate.steers_on) == (G2, first)
    assert [it.text for it in generate.steers] == ["In French."]
    assert only(outcome.facts, ev.ItemTruncated).unheard == ANSWER.removeprefix("One two")
    talk.tell((2.1, inp.GenerationBegan(G2)))
    assert only(talk.log, ev.SteerConsumed).response_id == running(talk) != first


def test_a_steer_joins_the_successor_that_is_about_to_begin() -> None:
    talk = spoken(finished=True)
    talk.tell((2.0, steer("a", "a")), (2.0, steer("b", "b"), CHAT), (2.001, cleared(G1, "One two")))
    assert [it.text for it in talk.last(fx.Generate).steers] == ["a", "b"]


def test_the_rest_is_written_when_its_leg_has_left() -> None:
    talk = spoken()
    talk.tell((2.0, steer()), (2.0, LEFT))
    talk.tell((2.02, DEADLINE), (2.1, inp.TextGenerated(G2, "x")), (2.2, inp.GenerationFinished(G2)))
    assert talk.session.state.conversation.responses == {}


def test_a_session_may_let_voices_steer() -> None:
    talk = Talk()
    talk.tell((0.0, inp.SettingsSubmitted(Settings(on_active_voice="steer"))), *answering(1.0))
    first = running(talk)
    talk.tell((2.0, CONFIRMED), (2.7, SUSTAINED), (2.7, cleared(G1, "One two")), (3.2, TURN_ENDED))
    generate = only(talk.says(3.4, "In French.").starting, fx.Generate)
    assert (generate.steers_on, generate.steers) == (first, ())


# with the next step


def test_a_steer_for_the_next_step_leaves_the_call_that_runs_alone() -> None:
    talk = written()
    outcome = talk.tell((2.0, steer(when="next_step")))
    assert kinds(outcome.events) == [ev.SteerAccepted, ev.SteerPending]
    assert outcome.stopping == ()
    assert talk.session.next_deadline() is None


def test_a_steer_whose_answer_ended_first_waits_as_a_turn_of_its_own_and_is_consumed_then() -> None:
    talk = written()
    talk.tell((2.0, steer(when="next_step")))
    outcome = talk.tell((3.0, inp.GenerationFinished(G1)))
    assert kinds(outcome.facts)[-4:] == [ev.TurnQueued, ev.QueueTaken, ev.ItemAdded, ev.ResponseStarted]
    assert only(outcome.facts, ev.TurnQueued).device == "phone device"
    assert none(talk.events, ev.SteerConsumed)
    assert kinds(talk.tell((3.1, inp.TextGenerated(G2, "x"))).facts) == [ev.SteerConsumed, ev.ItemAdded]


def test_a_steer_whose_answer_ended_first_may_fail_instead() -> None:
    talk = written(Policy(after_missed_steer="fail"))
    talk.tell((2.0, steer(when="next_step")), (3.0, inp.GenerationFinished(G1)))
    assert failure(talk) == ("answer_ended", "In French.")
    assert len(talk.all(ev.ResponseStarted)) == 1


@pytest.mark.parametrize("edited", [False, True])
def test_a_missed_steer_that_is_withdrawn_gets_its_words_back(edited: bool) -> None:
    talk = spoken()
    talk.tell((2.0, steer(when="next_step")), (3.0, inp.GenerationFinished(G1)))
    if edited:
        talk.tell((3.1, inp.QueueEditRequested(ItemId("mine"), "In Greek.")))
    talk.tell((3.2, inp.QueueWithdrawalRequested(ItemId("mine")), CHAT))
    assert failure(talk) == ("withdrawn", "In Greek." if edited else "In French.")


def test_a_steer_for_the_next_step_is_in_the_call_of_one_that_does_not_wait_for_it() -> None:
    talk = written()
    talk.tell((2.0, steer("a", "a", when="next_step")), (2.1, steer("b", "b")), (2.11, DEADLINE))
    assert [it.text for it in talk.last(fx.Generate).steers] == ["a", "b"]


def test_a_missed_steer_does_not_overfill_the_queue() -> None:
    talk = Talk(Policy(queue_length=1))
    talk.tell(*answering(1.0, finished=False), (1.5, inp.ResponseRequested("queue", words="a")))
    talk.tell((2.0, steer(when="next_step")), (3.0, inp.GenerationFinished(G1)))
    assert failure(talk) == ("queue_full", "In French.")


# what goes wrong


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("by", [CANCEL, INTERRUPT])
def test_a_cancelled_answer_gives_the_words_back(asked: bool, by: inp.Input) -> None:
    talk = written()
    talk.tell((2.0, steer()))
    if asked:
        talk.tell((2.01, DEADLINE))
    talk.tell((2.1, by))
    assert failure(talk) == ("cancelled", "In French.")
    assert only(talk.log, ev.ResponseEnded).status == "cancelled"
    assert "mine" not in talk.path


def test_a_cancel_while_the_loudspeaker_is_being_silenced_for_a_steer_ends_the_answer() -> None:
    talk = spoken()
    talk.tell((2.0, steer()), (2.0, CANCEL), (2.001, cleared(G1, "One")))
    assert only(talk.log, ev.ResponseEnded).status == "cancelled"
    assert failure(talk) == ("cancelled", "In French.")
    assert talk.session.next_deadline() is None


def test_a_model_that_fails_gives_the_words_back() -> None:
    talk = written()
    talk.tell((2.0, steer()), (2.01, DEADLINE), (2.1, inp.GenerationFailed(G2, BROKEN)))
    assert failure(talk) == ("engine_failed", "In French.")


def test_a_model_that_says_nothing_gives_the_words_back() -> None:
    talk = written()
    talk.tell((2.0, steer()), (2.01, DEADLINE), (2.1, inp.GenerationFinished(G2)))
    assert failure(talk) == ("answer_ended", "In French.")


def test_a_cancelled_successor_gives_the_words_back() -> None:
    talk = spoken(finished=True)
    talk.tell((2.0, steer()), (2.0, CANCEL), (2.001, cleared(G1, "One")))
    assert failure(talk) == ("cancelled", "In French.")
    assert talk.session.state.conversation.responses == {}


@pytest.mark.parametrize("asked", [False, True])
def test_the_end_of_the_process_gives_the_words_back(asked: bool) -> None:
    talk = written()
    talk.tell((2.0, steer()))
    if asked:
        talk.tell((2.01, DEADLINE))
    after = talk.reboot()
    after.tell((3.0, inp.SessionRecovered({}, {ItemId("mine"): "In French."})))
    (failed,) = [it for it in after.log if isinstance(it, ev.SteerFailed)]
    assert (failed.code, failed.text) == ("node_lost", "In French.")
    assert [it.status for it in after.log if isinstance(it, ev.ResponseEnded)] == ["failed"]


def test_a_missed_steer_survives_the_process() -> None:
    talk = spoken()
    talk.tell((2.0, steer(when="next_step")), (3.0, inp.GenerationFinished(G1)))
    after = talk.reboot()
    after.tell((4.0, inp.SessionRecovered({}, {ItemId("mine"): "In French."})))
    after.tell((4.1, inp.TextGenerated(G2, "x")))
    assert only(after.log, ev.SteerConsumed).item_id == "mine"
    assert none(after.log, ev.SteerFailed)


@pytest.mark.parametrize("target", [None, "unknown", "over"])
def test_what_does_not_run_cannot_be_steered(target: str | None) -> None:
    talk = Talk(voices=())
    talk.tell(*answering(1.0, sounding=False))
    response_id = running(talk) if target == "over" else ResponseId(target) if target else None
    talk.tell((2.0, inp.SteerRequested("In French.", response_id)))
    assert rejection(talk) == "steer_not_active"


def test_a_steer_keeps_its_id_to_itself() -> None:
    talk = written()
    talk.tell((2.0, steer("a", "mine")), (2.0, steer("b", "mine")))
    assert rejection(talk) == "item_create_duplicate_item_id"


# as what new input does


def test_new_words_may_steer_by_default() -> None:
    talk = written()
    talk.tell((1.5, inp.SettingsSubmitted(Settings(on_active_text="steer"))))
    assert (
        only(talk.tell((2.0, inp.ResponseRequested(words="In French."))).facts, ev.SteerAccepted).text == "In French."
    )


def test_a_message_that_stands_in_the_conversation_may_steer() -> None:
    talk = written()
    talk.tell((2.0, typed("In French.")), (2.0, inp.ResponseRequested("steer")), (2.01, DEADLINE))
    assert none(talk.events, ev.SteerAccepted)
    assert talk.last(fx.Generate) == fx.Generate(running(talk), G2, Wish(), running(talk))


def test_steering_silence_is_asking() -> None:
    talk = Talk()
    assert kinds(talk.tell((1.0, inp.ResponseRequested("steer", words="Hello."))).facts) == [
        ev.ItemAdded,
        ev.ResponseStarted,
    ]


def test_words_that_come_before_an_answer_begins_are_answered_by_it() -> None:
    talk = spoken(finished=True)
    talk.tell((2.0, INTERRUPT), (2.0, inp.ResponseRequested("steer", words="In French.")), (2.1, cleared(G1, "One")))
    assert len(talk.all(fx.Generate)) == 2
    assert talk.last(ev.ItemAdded).text == "In French."


def test_what_came_too_late_is_queued_once_even_if_more_comes_too_late() -> None:
    talk = spoken()
    talk.tell((2.0, steer("a", "a", when="next_step")), (3.0, inp.GenerationFinished(G1)))
    talk.tell((3.1, steer("b", "b", when="next_step")))
    assert [it.item_id for it in talk.session.state.conversation.queue] == ["a", "b"]


def test_a_second_answer_beside_one_that_is_about_to_begin_is_that_one() -> None:
    talk = spoken(finished=True)
    talk.tell((2.0, steer()), (2.0, inp.ResponseRequested("concurrent", words="And loud.")))
    talk.tell((2.001, cleared(G1, "One two")))
    assert len(talk.all(fx.Generate)) == 2
    assert none(talk.events, ev.SteerFailed)


def test_a_turn_that_was_committed_by_hand_may_steer() -> None:
    talk = Talk()
    talk.tell((0.0, inp.SettingsSubmitted(Settings(on_active_voice="steer"))), *answering(1.0, finished=False))
    talk.tell((2.0, TURN_ENDED))
    assert talk.says(2.2, "In French.").stopping == (fx.CancelGeneration(G1, steers=True), fx.FlushPlayout(PHONE, G1))
    talk.tell((2.21, cleared(G1, "One")))
    assert talk.tell((2.23, DEADLINE)).starting == (fx.Generate(running(talk), G2, Wish(), running(talk)),)


def test_an_answer_that_waits_for_a_steered_one_to_fall_silent_begins_then() -> None:
    talk = spoken()
    talk.tell((2.0, steer()), (2.0, inp.ResponseRequested("concurrent", words="And letters?")))
    outcome = talk.tell((2.001, cleared(G1, "One")))
    assert only(outcome.starting, fx.Generate).generation == G3
    assert talk.last(ev.ResponseStarted).generation == G3
