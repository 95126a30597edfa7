"""What clients ask for: taken, or refused with a reason, and applied once."""

import pytest

from gateway.core import effects as fx, events as ev, inputs as inp
from gateway.core.ids import ItemId, ResponseId
from gateway.core.state import Hearing
from gateway.core.values import Wish
from tests.core.script import (
    ASK,
    CANCEL,
    CHAT,
    CONFIRMED,
    G1,
    G2,
    INTERRUPT,
    PHONE,
    RELEASE,
    SUSTAINED,
    TABLET,
    TURN_ENDED,
    Talk,
    answering,
    cleared,
    kinds,
    none,
    only,
    typed,
)


def rejection(talk: Talk) -> str:
    """Why the last command was refused; it must have had no other consequence."""
    outcome = talk.told[-1].outcome
    assert not outcome.accepted
    assert (outcome.facts, outcome.stopping, outcome.starting) == ((), (), ())
    rejected = only(outcome.events, ev.CommandRejected)
    assert rejected.leg == talk.told[-1].leg
    assert rejected.command == f"event {len(talk.told) - 1}"
    return rejected.failure.code


# messages


def test_messages_follow_each_other() -> None:
    talk = Talk()
    first = only(talk.tell((1.0, typed("Hello."), CHAT)).facts, ev.ItemAdded)
    assert (first.role, first.status, first.text, first.spoken) == ("user", "completed", "Hello.", False)
    assert (first.parent, first.before, first.device) == (None, None, "chat device")
    second = only(talk.tell((1.1, inp.ItemSubmitted("system", "Be kind."))).facts, ev.ItemAdded)
    assert (second.role, second.parent) == ("system", first.item_id)
    assert talk.path == [first.item_id, second.item_id]


def test_a_message_keeps_the_id_its_client_gave_it() -> None:
    talk = Talk()
    talk.tell((1.0, inp.ItemSubmitted("user", "Hello.", ItemId("mine"))))
    assert talk.path == ["mine"]


def test_a_message_joins_after_the_one_it_names() -> None:
    talk = Talk()
    for name in ("a", "b", "c"):
        talk.tell((1.0, inp.ItemSubmitted("user", name, ItemId(name))))
    talk.tell((1.1, inp.ItemSubmitted("user", "…", ItemId("a2"), previous="a")))
    talk.tell((1.2, inp.ItemSubmitted("user", "…", ItemId("root"), previous="")))
    talk.tell((1.3, inp.ItemSubmitted("user", "…", ItemId("end"), previous="c")))
    assert talk.path == ["root", "a", "a2", "b", "c", "end"]
    assert [fact.before for fact in talk.log if isinstance(fact, ev.ItemAdded)][3:] == ["b", "a", None]


def test_a_message_at_the_root_of_an_empty_conversation_begins_it() -> None:
    talk = Talk()
    talk.tell((1.0, inp.ItemSubmitted("user", "Hello.", ItemId("a"), previous="")))
    assert talk.path == ["a"]


def test_a_message_cannot_take_the_id_of_another() -> None:
    talk = Talk()
    talk.tell((1.0, inp.ItemSubmitted("user", "a", ItemId("a"))), (1.1, inp.ItemSubmitted("user", "b", ItemId("a"))))
    assert rejection(talk) == "item_create_duplicate_item_id"


def test_a_message_cannot_take_the_id_of_a_turn_that_is_being_spoken() -> None:
    talk = Talk()
    talk.tell((1.0, CONFIRMED))
    announced = talk.last(ev.SpeechStarted).item_id
    talk.tell((1.1, inp.ItemSubmitted("user", "Mine!", announced)))
    assert rejection(talk) == "item_create_duplicate_item_id"
    talk.tell((1.5, TURN_ENDED))
    assert talk.path == [announced]


@pytest.mark.parametrize("item_id", ["unknown", "b"])
def test_a_message_cannot_follow_what_is_not_there(item_id: str) -> None:
    talk = Talk()
    talk.tell((1.0, inp.ItemSubmitted("user", "b", ItemId("b"), previous=item_id)))
    assert rejection(talk) == "previous_item_not_found"


# deletion


def test_what_followed_a_deleted_message_follows_the_one_before() -> None:
    talk = Talk()
    for name in ("a", "b", "c"):
        talk.tell((1.0, inp.ItemSubmitted("user", name, ItemId(name))))
    outcome = talk.tell((1.1, inp.ItemDeletionRequested(ItemId("b"))))
    assert outcome.facts == (ev.ItemRemoved(ItemId("b"), "deleted"),)
    assert talk.path == ["a", "c"]
    talk.tell((1.2, inp.ItemDeletionRequested(ItemId("c"))), (1.3, typed("d")))
    assert talk.path[0] == "a"
    assert len(talk.path) == 2


def test_a_message_that_is_not_there_cannot_be_deleted() -> None:
    talk = Talk()
    talk.tell((1.0, inp.ItemDeletionRequested(ItemId("a"))))
    assert rejection(talk) == "item_delete_invalid_item_id"


def test_an_answer_that_is_being_given_cannot_be_deleted() -> None:
    talk = Talk()
    talk.tell(*answering(1.0))
    answer = talk.path[-1]
    talk.tell((2.0, inp.ItemDeletionRequested(answer)))
    assert rejection(talk) == "item_in_use"
    talk.tell((3.0, inp.PlayoutStopped(G1, 2000)))
    assert talk.tell((3.1, inp.ItemDeletionRequested(answer))).accepted


def test_words_that_were_deleted_are_not_spoken_again() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (2.0, CONFIRMED), (2.7, SUSTAINED), (2.7, cleared(G1, "One")))
    talk.tell((2.8, inp.ItemDeletionRequested(talk.path[-1])), (3.2, TURN_ENDED))
    assert talk.says(3.4, "").starting == ()


def test_words_that_were_deleted_are_not_spoken_again_even_if_they_wait_for_it() -> None:
    talk = Talk(voices=(PHONE, TABLET))
    talk.tell(*answering(1.0), (2.0, CONFIRMED), (2.7, SUSTAINED), (2.7, cleared(G1, "One")))
    answer = talk.path[-1]
    talk.tell((3.0, TURN_ENDED, TABLET), (3.2, TURN_ENDED))
    other, mine = (node for node in talk.path[-2:])
    talk.tell((3.4, inp.TurnTranscribed(mine, "")), (3.5, inp.ItemDeletionRequested(answer)))
    assert talk.tell((3.6, inp.TurnTranscribed(other, ""))).starting == ()


def test_the_words_of_a_deleted_turn_are_not_awaited() -> None:
    talk = Talk()
    talk.tell(*answering(0.5), (1.0, TURN_ENDED), (1.0, ASK))
    assert talk.session.next_deadline() is not None
    outcome = talk.tell((1.1, inp.ItemDeletionRequested(talk.turn())))
    assert talk.session.next_deadline() is None
    assert talk.session.state.moment.over_answers == {}
    assert kinds(outcome.starting) == [fx.Generate]
    assert talk.says(1.4, "Hello.").events == ()


def test_deleting_a_message_leaves_what_was_cut_before_alone() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (2.0, CONFIRMED), (2.7, SUSTAINED), (2.7, cleared(G1, "One")))
    talk.tell((2.8, inp.ItemDeletionRequested(talk.path[0])), (3.2, TURN_ENDED))
    assert kinds(talk.says(3.4, "").starting) == [fx.Recite]


# asking for an answer


def test_an_answer_that_is_asked_for_begins() -> None:
    talk = Talk()
    talk.tell((1.0, typed("Hello.")))
    wish = Wish("In French.", {"topic": "greeting"})
    outcome = talk.tell((1.0, inp.ResponseRequested(wish=wish)))
    started = only(outcome.facts, ev.ResponseStarted)
    assert (started.generation, started.leg, started.continues, started.metadata) == (
        G1,
        PHONE,
        None,
        {"topic": "greeting"},
    )
    assert outcome.starting == (fx.Generate(started.response_id, G1, wish),)


def test_while_nobody_has_the_floor_an_answer_is_spoken_by_the_leg_that_asked_or_the_one_that_joined_last() -> None:
    for asked_by, speaks in ((PHONE, PHONE), (TABLET, TABLET), (CHAT, TABLET)):
        talk = Talk(voices=(PHONE, TABLET))
        talk.tell((0.5, RELEASE))
        assert only(talk.tell((1.0, ASK, asked_by)).facts, ev.ResponseStarted).leg == speaks


def test_an_answer_is_written_when_that_is_asked_for_or_nobody_can_hear() -> None:
    assert only(Talk(voices=()).tell((1.0, ASK)).facts, ev.ResponseStarted).leg is None
    assert only(Talk().tell((1.0, inp.ResponseRequested(text_only=True))).facts, ev.ResponseStarted).leg is None


@pytest.mark.parametrize("begun", [False, True])
def test_an_answer_is_refused_while_another_is_generated(begun: bool) -> None:
    talk = Talk()
    talk.tell((1.0, ASK))
    if begun:
        talk.tell((1.1, inp.TextGenerated(G1, "One")))
    talk.tell((1.2, ASK))
    assert rejection(talk) == "conversation_already_has_active_response"


def test_an_answer_may_be_asked_for_while_the_last_one_only_sounds() -> None:
    talk = Talk()
    talk.tell(*answering(1.0))
    outcome = talk.tell((2.0, ASK))
    assert only(outcome.starting, fx.Generate).generation == G2
    assert outcome.stopping == ()
    talk.tell((2.1, inp.TextGenerated(G2, "Six.")), (3.0, inp.PlayoutStopped(G1, 2000)), (3.0, inp.PlayoutStarted(G2)))
    assert [response.generation for response in talk.session.state.alive()] == [G2]


def test_an_answer_may_be_asked_for_while_the_last_one_is_being_cut() -> None:
    talk = Talk()
    talk.tell(*answering(1.0, finished=False), (2.0, CANCEL))
    assert talk.tell((2.0, ASK)).starting == ()
    talk.tell((2.0, ASK))
    assert rejection(talk) == "conversation_already_has_active_response"
    assert kinds(talk.tell((2.01, cleared(G1, "One"))).starting) == [fx.Generate]


def test_typed_words_interrupt() -> None:
    talk = Talk()
    talk.tell(*answering(1.0, finished=False), (2.0, typed("No, letters.")))
    stop = talk.tell((2.0, INTERRUPT))
    assert stop.stopping == (fx.CancelGeneration(G1), fx.FlushPlayout(PHONE, G1))
    assert stop.starting == ()
    outcome = talk.tell((2.01, cleared(G1, "One")))
    assert only(outcome.facts, ev.ResponseEnded).reason == "client_cancelled"
    assert kinds(outcome.starting) == [fx.Generate]


def test_an_interruption_of_silence_is_an_answer() -> None:
    assert kinds(Talk().tell((1.0, INTERRUPT)).starting) == [fx.Generate]


def test_the_last_of_two_interruptions_is_answered() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (2.0, inp.ResponseRequested("interrupt", Wish("first"))))
    talk.tell((2.0, inp.ResponseRequested("interrupt", Wish("second"))))
    assert only(talk.tell((2.01, cleared(G1, "One"))).starting, fx.Generate).wish.instructions == "second"


# a typed stop word


def test_a_typed_stop_word_cuts_and_wants_no_answer() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (2.0, typed("Stop!")))
    outcome = talk.tell((2.0, INTERRUPT))
    assert outcome.accepted
    assert outcome.stopping == (fx.FlushPlayout(PHONE, G1),)
    assert talk.tell((2.01, cleared(G1, "One"))).starting == ()


def test_a_typed_stop_word_withdraws_an_answer_that_waits_for_a_cut() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (2.0, typed("And letters?")), (2.0, INTERRUPT), (2.0, typed("Stop!")), (2.0, INTERRUPT))
    assert talk.tell((2.01, cleared(G1, "One"))).starting == ()


def test_a_typed_stop_word_withdraws_an_answer_that_waits_for_words() -> None:
    talk = Talk()
    talk.tell((1.0, TURN_ENDED), (1.0, ASK), (1.1, typed("Stop!")), (1.1, INTERRUPT))
    assert talk.session.state.moment.pending is None


def test_a_typed_stop_word_in_silence_is_a_message_like_any_other() -> None:
    talk = Talk()
    assert kinds(talk.tell((1.0, typed("Stop!")), (1.0, INTERRUPT)).starting) == [fx.Generate]


@pytest.mark.parametrize("between", ["typed", "spoken"])
def test_a_typed_stop_word_stops_only_once(between: str) -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (2.0, typed("Stop!")), (2.0, INTERRUPT), (2.01, cleared(G1, "One")))
    if between == "typed":
        talk.tell((3.0, ASK))
    else:
        talk.tell((3.0, TURN_ENDED))
        talk.says(3.2, "Go on.")
    talk.tell((3.3, inp.TextGenerated(G2, "Two.")))
    talk.tell((3.4, INTERRUPT))
    assert kinds(talk.tell((3.5, cleared(G2, started=False))).starting) == [fx.Generate]


def test_a_stop_word_that_was_typed_before_a_spoken_question_is_forgotten() -> None:
    talk = Talk()
    talk.tell((1.0, typed("Stop!")), (1.5, TURN_ENDED))
    talk.says(1.7, "Count.")
    talk.tell((1.8, inp.TextGenerated(G1, "One.")), (1.9, INTERRUPT))
    assert kinds(talk.tell((2.0, cleared(G1, started=False))).starting) == [fx.Generate]


def test_a_typed_stop_word_outlives_a_command_that_is_refused() -> None:
    talk = Talk()
    talk.tell(*answering(1.0, finished=False), (2.0, typed("Stop!")), (2.0, ASK))
    assert rejection(talk) == "conversation_already_has_active_response"
    talk.tell((2.1, INTERRUPT))
    assert talk.tell((2.1, cleared(G1, "One"))).starting == ()


def test_what_a_system_message_says_stops_nothing() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (2.0, inp.ItemSubmitted("system", "Stop!")), (2.0, INTERRUPT))
    assert kinds(talk.tell((2.01, cleared(G1, "One"))).starting) == [fx.Generate]


# cancelling


def test_cancel_before_the_first_token_ends_the_response_at_once() -> None:
    talk = Talk()
    talk.tell((1.0, ASK))
    outcome = talk.tell((1.1, CANCEL))
    assert outcome.stopping == (fx.CancelGeneration(G1),)
    ended = only(outcome.facts, ev.ResponseEnded)
    assert (ended.status, ended.reason, ended.item_id) == ("cancelled", "client_cancelled", None)
    assert talk.session.state.conversation.responses == {}
    assert none(talk.events, ev.PlayoutCleared)


@pytest.mark.parametrize("settled", [False, True])
def test_cancel_twice_is_harmless(settled: bool) -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (2.0, CANCEL))
    if settled:
        talk.tell((2.01, cleared(G1, "One")))
    talk.tell((2.1, CANCEL))
    assert rejection(talk) == "response_cancel_not_active"


def test_cancel_of_a_response_that_is_not_there_stops_nothing() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (2.0, inp.CancelRequested(ResponseId("unknown"))))
    assert rejection(talk) == "response_cancel_not_active"


def test_cancel_of_one_response_leaves_the_other_alone() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (2.0, ASK))
    first, second = [fact.response_id for fact in talk.log if isinstance(fact, ev.ResponseStarted)]
    assert talk.tell((2.1, inp.CancelRequested(second))).stopping == (fx.CancelGeneration(G2),)
    assert talk.tell((2.2, inp.CancelRequested(first))).stopping == (fx.FlushPlayout(PHONE, G1),)


def test_cancel_withdraws_an_answer_that_has_no_id_yet() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (2.0, INTERRUPT))
    assert talk.tell((2.0, CANCEL)).accepted
    assert talk.tell((2.01, cleared(G1, "One"))).starting == ()


def test_cancel_of_a_named_response_does_not_withdraw_the_answer_that_follows_it() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (2.0, INTERRUPT))
    talk.tell((2.0, inp.CancelRequested(talk.last(ev.ResponseStarted).response_id)))
    assert rejection(talk) == "response_cancel_not_active"
    assert kinds(talk.tell((2.01, cleared(G1, "One"))).starting) == [fx.Generate]


def test_cancel_of_one_of_two_leaves_the_answer_that_waits() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (1.5, ASK), (1.6, inp.TextGenerated(G2, "Six.")), (1.7, inp.GenerationFinished(G2)))
    first, second = [fact.response_id for fact in talk.log if isinstance(fact, ev.ResponseStarted)]
    talk.tell((2.0, inp.CancelRequested(first)), (2.0, ASK), (2.0, inp.CancelRequested(second)))
    talk.tell((2.01, cleared(G1, "One")))
    assert kinds(talk.tell((2.01, cleared(G2, started=False))).starting) == [fx.Generate]


def test_any_device_may_cancel() -> None:
    talk = Talk()
    talk.tell(*answering(1.0))
    assert talk.tell((2.0, CANCEL, CHAT)).stopping == (fx.FlushPlayout(PHONE, G1),)
    assert talk.hearing() is Hearing.QUIET


# scopes


def quiet(**fields: object) -> inp.CancelRequested:
    """A cancel that is accepted even when there is nothing to stop."""
    return inp.CancelRequested(strict=False, **fields)  # type: ignore[arg-type]


def receipt(talk: Talk) -> tuple[bool, bool, bool]:
    """Of the last command: was it accepted, did it repeat another one, was there nothing to do?"""
    outcome = talk.told[-1].outcome
    return outcome.accepted, outcome.duplicate, outcome.without_effect


def test_a_device_may_cancel_only_what_it_asked_for() -> None:
    talk = Talk(voices=(PHONE, TABLET))
    talk.tell((1.0, ASK), (1.1, inp.ResponseRequested("concurrent"), TABLET))
    assert talk.tell((2.0, quiet(own=True), TABLET)).stopping == (fx.CancelGeneration(G2),)
    talk.tell((2.1, quiet(own=True), CHAT))
    assert receipt(talk) == (True, False, True)
    assert talk.tell((2.2, quiet(own=True), PHONE)).stopping == (fx.CancelGeneration(G1),)


def test_cancel_by_the_command_that_asked_reaches_an_answer_that_runs() -> None:
    talk = Talk()
    talk.tell((1.0, ASK))
    asked = talk.last(ev.ResponseStarted).command
    assert asked == f"event {len(talk.told) - 1}"
    assert talk.tell((1.1, quiet(command=asked), CHAT)).stopping == (fx.CancelGeneration(G1),)


def test_cancel_by_the_command_that_asked_reaches_an_answer_that_has_no_id_yet() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (2.0, INTERRUPT))
    assert talk.tell((2.0, quiet(command=f"event {len(talk.told) - 1}"), TABLET)).accepted
    assert talk.tell((2.01, cleared(G1, "One"))).starting == ()


def test_cancel_by_the_command_that_asked_reaches_what_waits() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (2.0, inp.ResponseRequested("queue", words="a")))
    outcome = talk.tell((2.1, quiet(command=f"event {len(talk.told) - 1}"), TABLET))
    assert only(outcome.facts, ev.QueueWithdrawn).reason == "cancelled"
    assert talk.tell((3.0, inp.PlayoutStopped(G1, 2000))).starting == ()


def test_cancel_of_another_command_stops_nothing() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (2.0, quiet(command="another")))
    assert receipt(talk) == (True, False, True)
    assert len(talk.session.state.alive()) == 1


@pytest.mark.parametrize("settled", [False, True])
def test_of_two_devices_that_cancel_one_aborts_and_the_other_repeats_it(settled: bool) -> None:
    talk = Talk()
    talk.tell(*answering(1.0, finished=False))
    response_id = talk.last(ev.ResponseStarted).response_id
    talk.tell((2.0, quiet(response_id=response_id), TABLET))
    if settled:
        talk.tell((2.01, cleared(G1, "One")))
    outcome = talk.tell((2.1, quiet(response_id=response_id), CHAT))
    assert receipt(talk) == (True, True, False)
    assert outcome.events == ()
    assert talk.all(fx.CancelGeneration) == [fx.CancelGeneration(G1)]


def test_a_late_cancel_of_everything_has_nothing_to_do() -> None:
    talk = Talk()
    talk.tell((1.0, quiet()))
    assert receipt(talk) == (True, False, True)
