"""Turns that wait until the answer has ended sounding: durable, bounded, and open to every device."""

import pytest

from gateway.core import effects as fx, events as ev, inputs as inp
from gateway.core.ids import ItemId
from gateway.core.policy import Policy
from gateway.core.values import OnActive, Settings
from tests.core.script import (
    ASK,
    CANCEL,
    CHAT,
    CONFIRMED,
    DEADLINE,
    G1,
    G2,
    INTERRUPT,
    PHONE,
    TABLET,
    TURN_ENDED,
    WALL,
    Talk,
    answering,
    cleared,
    kinds,
    none,
    only,
    typed,
)
from tests.core.test_steering import rejection


def wants(how: OnActive, words: str | None = None, item_id: str | None = None) -> inp.ResponseRequested:
    """A request that may have to wait."""
    return inp.ResponseRequested(how, words=words, item_id=ItemId(item_id) if item_id else None)


def busy(*, policy: Policy | None = None, finished: bool = True) -> Talk:
    """An answer is being heard."""
    talk = Talk(policy, voices=(PHONE, TABLET))
    talk.tell(*answering(1.0, finished=finished))
    return talk


def queued(talk: Talk) -> list[str]:
    """The ids of what waits, in order."""
    return [it.item_id for it in talk.session.state.conversation.queue]


def over(talk: Talk, at: float) -> None:
    """The answer that is heard has been heard to its end, and the next one too."""
    response = talk.session.state.alive()[-1]
    talk.tell((at, inp.TextGenerated(response.generation, "Well.")), (at, inp.GenerationFinished(response.generation)))
    talk.tell((at, inp.PlayoutStarted(response.generation)), (at, inp.PlayoutStopped(response.generation, 100)))


def voices(how: OnActive, **settings: object) -> Talk:
    """A session in which a voice does this to the answer that is heard."""
    talk = Talk(voices=(PHONE, TABLET))
    talk.tell((0.0, inp.SettingsSubmitted(Settings(on_active_voice=how, **settings))))  # type: ignore[arg-type]
    talk.tell(*answering(1.0))
    return talk


# taking turns


@pytest.mark.parametrize("finished", [False, True])
def test_what_is_queued_waits_until_the_answer_has_ended_sounding(finished: bool) -> None:
    talk = busy(finished=finished)
    outcome = talk.tell((2.0, wants("queue", "And letters?", "mine")))
    assert kinds(outcome.facts) == [ev.TurnQueued]
    assert (outcome.stopping, outcome.starting) == ((), ())
    if not finished:
        assert none(talk.tell((2.1, inp.GenerationFinished(G1))).starting, fx.Generate)
    assert "mine" not in talk.path
    outcome = talk.tell((3.0, inp.PlayoutStopped(G1, 2000)))
    assert kinds(outcome.facts) == [ev.PlayoutStopped, ev.QueueTaken, ev.ItemAdded, ev.ResponseStarted]
    assert only(outcome.facts, ev.ItemAdded).text == "And letters?"
    assert talk.path[-1] == "mine"
    assert queued(talk) == []


def test_what_is_queued_over_nothing_is_answered_at_once() -> None:
    talk = Talk()
    outcome = talk.tell((1.0, wants("queue", "Hello.")))
    assert kinds(outcome.facts) == [ev.ItemAdded, ev.ResponseStarted]


def test_each_is_answered_in_its_turn() -> None:
    talk = busy()
    talk.tell((2.0, wants("queue", "a", "a")), (2.1, wants("queue", "b", "b"), CHAT))
    talk.tell((3.0, inp.PlayoutStopped(G1, 2000)))
    assert queued(talk) == ["b"]
    assert talk.path[-1] == "a"
    over(talk, 4.0)
    assert queued(talk) == []
    assert talk.path[-1] == "b"
    assert talk.last(ev.ItemAdded).device == "chat device"
    assert (
        talk.last(ev.ResponseStarted).command
        == f"event {[it.input for it in talk.told].index(wants('queue', 'b', 'b'))}"
    )


def test_only_the_wish_to_be_answered_may_wait() -> None:
    talk = busy()
    talk.tell((2.0, typed("And letters?")), (2.0, wants("queue")))
    before = talk.path
    assert kinds(talk.tell((3.0, inp.PlayoutStopped(G1, 2000))).starting) == [fx.Generate]
    assert talk.path == before


def test_what_is_merged_is_answered_together() -> None:
    talk = busy()
    talk.tell(*((2.0, wants("merge", word, word)) for word in "abc"), (2.1, wants("queue", "d", "d")))
    talk.tell((3.0, inp.PlayoutStopped(G1, 2000)))
    assert talk.path[-3:] == ["a", "b", "c"]
    assert len(talk.all(fx.Generate)) == 2
    assert queued(talk) == ["d"]


def test_the_latest_takes_the_place_of_all_that_waits() -> None:
    talk = busy()
    talk.tell((2.0, wants("queue", "a", "a")), (2.1, wants("queue", "b", "b")), (2.2, wants("latest", "c", "c")))
    assert queued(talk) == ["c"]
    assert [(it.item_id, it.reason) for it in talk.all(ev.QueueWithdrawn)] == [("a", "superseded"), ("b", "superseded")]


def test_what_is_debounced_waits_until_nothing_new_has_come_for_a_while() -> None:
    talk = busy()
    talk.tell((2.0, wants("debounce", "a", "a")), (2.4, wants("debounce", "a b", "b")))
    assert queued(talk) == ["b"]
    assert talk.last(ev.TurnQueued).not_before == WALL + 2.9
    talk.tell((2.5, inp.PlayoutStopped(G1, 2000)))
    assert queued(talk) == ["b"]
    assert talk.session.next_deadline() == 2.9
    assert kinds(talk.tell((2.9, DEADLINE)).starting) == [fx.Generate]
    assert talk.session.next_deadline() is None


def test_what_is_debounced_leaves_what_is_queued_alone() -> None:
    talk = busy()
    talk.tell((2.0, wants("queue", "a", "a")), (2.1, inp.ResponseRequested("debounce", words="b", debounce_ms=100)))
    talk.tell((2.1, wants("debounce", "c", "c")))
    assert queued(talk) == ["a", "c"]


def test_what_waits_lets_a_voice_finish() -> None:
    talk = busy()
    talk.tell((2.0, wants("queue", "a", "a")), (2.5, CONFIRMED, TABLET), (2.6, CANCEL), (2.6, cleared(G1, "One")))
    assert queued(talk) == ["a"]
    talk.tell((3.5, TURN_ENDED, TABLET))
    assert queued(talk) == ["a"]
    talk.tell((3.7, inp.TurnTranscribed(talk.turn(), "No, wait for it.")))
    assert talk.path[-1] == talk.turn()
    over(talk, 4.0)
    assert talk.path[-1] == "a"


# what cancels, and what silences


def test_a_cancel_ends_the_answer_and_not_the_one_that_waits() -> None:
    talk = busy()
    talk.tell((2.0, wants("queue", "a", "a")), (2.1, CANCEL))
    assert kinds(talk.tell((2.1, cleared(G1, "One"))).starting) == [fx.Generate]
    assert talk.path[-1] == "a"


@pytest.mark.parametrize("how", ["interrupt", "queue", "concurrent"])
def test_a_stop_word_silences_whatever_new_input_does_otherwise_and_what_waits_does_not_break_it(how: OnActive) -> None:
    talk = busy()
    talk.tell((2.0, wants("queue", "a", "a")), (2.1, wants(how, "Stop!")))
    assert talk.tell((2.1, cleared(G1, "One"))).starting == ()
    assert queued(talk) == ["a"]
    talk.tell((5.0, wants("queue", "b", "b")))
    assert talk.path[-1] == "a"
    assert queued(talk) == ["b"]


def test_a_spoken_stop_word_holds_what_waits_until_somebody_asks_for_something() -> None:
    talk = busy()
    talk.tell((2.0, wants("queue", "a", "a")), (2.1, CONFIRMED), (2.2, inp.SpeechHeard("Stop.")))
    talk.tell((2.2, cleared(G1, "One")), (2.6, TURN_ENDED))
    assert talk.says(2.8, "Stop.").starting == ()
    assert queued(talk) == ["a"]
    talk.tell((9.0, ASK))
    over(talk, 9.5)
    assert talk.path[-1] == "a"


# what any device may do to it


def test_any_device_may_edit_what_waits() -> None:
    talk = busy()
    talk.tell((2.0, wants("queue", "a", "mine")))
    outcome = talk.tell((2.1, inp.QueueEditRequested(ItemId("mine"), "b"), CHAT))
    assert outcome.facts == (ev.QueueEdited(ItemId("mine"), "b", talk.last(ev.QueueEdited).device),)
    assert talk.last(ev.QueueEdited).device == "chat device"
    talk.tell((3.0, inp.PlayoutStopped(G1, 2000)))
    assert talk.last(ev.ItemAdded).text == "b"


def test_any_device_may_reorder_what_waits() -> None:
    talk = busy()
    talk.tell(*((2.0, wants("queue", word, word)) for word in "abc"))
    order = tuple(ItemId(word) for word in "cab")
    assert talk.tell((2.1, inp.QueueReorderRequested(order), CHAT)).facts == (ev.QueueReordered(order),)
    assert queued(talk) == ["c", "a", "b"]
    assert talk.tell((2.2, inp.QueueReorderRequested(order))).facts == ()


@pytest.mark.parametrize("order", ["ab", "abcd", "abb", ""])
def test_an_order_that_does_not_name_what_waits_is_refused(order: str) -> None:
    talk = busy()
    talk.tell(*((2.0, wants("queue", word, word)) for word in "abc"))
    talk.tell((2.1, inp.QueueReorderRequested(tuple(ItemId(word) for word in order))))
    assert rejection(talk) == "queue_changed"


def test_any_device_may_withdraw_what_waits_once() -> None:
    talk = busy()
    talk.tell((2.0, wants("queue", "a", "mine")))
    withdrawal = inp.QueueWithdrawalRequested(ItemId("mine"))
    assert talk.tell((2.1, withdrawal, CHAT)).facts == (ev.QueueWithdrawn(ItemId("mine"), "withdrawn"),)
    talk.tell((2.2, withdrawal, TABLET))
    assert rejection(talk) == "queue_item_not_found"
    assert talk.tell((3.0, inp.PlayoutStopped(G1, 2000))).starting == ()


def test_a_wish_without_words_cannot_be_edited() -> None:
    talk = busy()
    talk.tell((2.0, wants("queue")))
    talk.tell((2.1, inp.QueueEditRequested(talk.last(ev.TurnQueued).item_id, "b")))
    assert rejection(talk) == "queue_item_not_editable"


def test_what_was_taken_can_be_changed_no_more() -> None:
    talk = busy()
    talk.tell((2.0, wants("queue", "a", "mine")), (3.0, inp.PlayoutStopped(G1, 2000)))
    talk.tell((3.1, inp.QueueEditRequested(ItemId("mine"), "b")))
    assert rejection(talk) == "queue_item_not_found"


def test_the_queue_is_bounded_and_says_so() -> None:
    talk = busy(policy=Policy(queue_length=2))
    talk.tell(*((2.0, wants("queue", word, word)) for word in "abc"))
    assert rejection(talk) == "queue_full"
    assert talk.tell((2.1, wants("latest", "d", "d"))).accepted
    assert queued(talk) == ["d"]


@pytest.mark.parametrize("how", ["reject", "interrupt", "queue"])
def test_what_waits_keeps_its_id_to_itself(how: OnActive) -> None:
    talk = busy()
    talk.tell((2.0, wants("queue", "a", "mine")), (2.1, wants(how, "b", "mine")))
    assert rejection(talk) == "item_create_duplicate_item_id"
    talk.tell((2.2, inp.ItemSubmitted("user", "c", ItemId("mine"))))
    assert rejection(talk) == "item_create_duplicate_item_id"


# by voice


def test_a_voice_that_is_queued_silences_nothing_and_is_answered_afterwards() -> None:
    talk = voices("queue")
    talk.tell((2.0, CONFIRMED), (2.9, TURN_ENDED))
    assert none(talk.stopping, fx.FlushPlayout)
    assert talk.says(3.0, "And letters?").starting == ()
    assert talk.last(ev.TurnQueued).about == talk.turn()
    assert kinds(talk.tell((4.0, inp.PlayoutStopped(G1, 2000))).starting) == [fx.Generate]


def test_a_voice_that_is_queued_may_still_say_stop() -> None:
    talk = voices("queue")
    talk.tell((2.0, CONFIRMED), (2.9, TURN_ENDED))
    assert talk.says(3.0, "Stop.").stopping == (fx.FlushPlayout(PHONE, G1),)
    assert talk.tell((3.0, cleared(G1, "One"))).starting == ()


def test_a_voice_that_is_to_be_rejected_is_not_answered_over_an_answer() -> None:
    talk = voices("reject")
    talk.tell((2.0, CONFIRMED), (2.9, TURN_ENDED))
    assert talk.says(3.0, "And letters?").starting == ()
    assert talk.tell((4.0, inp.PlayoutStopped(G1, 2000))).starting == ()


def test_a_voice_may_be_answered_beside() -> None:
    talk = voices("concurrent")
    talk.tell((2.0, CONFIRMED), (2.9, TURN_ENDED))
    assert kinds(talk.says(3.0, "And letters?").starting) == [fx.Generate]
    assert talk.last(ev.ResponseStarted).leg is None


def test_a_voice_may_roll_back() -> None:
    talk = voices("rollback")
    before = talk.path
    talk.tell((2.0, CONFIRMED), (2.1, inp.SpeechSustained()), (2.1, cleared(G1, "One")), (2.9, TURN_ENDED))
    assert kinds(talk.says(3.0, "Letters, please.").starting) == [fx.Generate]
    assert talk.path == [talk.turn()]
    assert [it.item_id for it in talk.all(ev.ItemRemoved)] == before[::-1]


def test_a_full_queue_answers_a_voice_with_what_waits() -> None:
    talk = Talk(Policy(queue_length=1))
    talk.tell(
        (0.0, inp.SettingsSubmitted(Settings(on_active_voice="queue"))), *answering(1.0), (1.5, wants("queue", "a"))
    )
    talk.tell((2.0, CONFIRMED), (2.9, TURN_ENDED))
    outcome = talk.says(3.0, "And letters?")
    assert outcome.accepted
    assert kinds(talk.tell((4.0, inp.PlayoutStopped(G1, 2000))).starting) == [fx.Generate]


def test_a_spoken_message_that_is_deleted_waits_no_longer() -> None:
    talk = voices("queue")
    talk.tell((2.0, CONFIRMED), (2.9, TURN_ENDED))
    talk.says(3.0, "And letters?")
    talk.tell((3.1, inp.ItemDeletionRequested(talk.turn())))
    assert talk.tell((4.0, inp.PlayoutStopped(G1, 2000))).starting == ()


# beside, and back


def test_a_second_answer_runs_beside_the_first_and_only_one_holds_the_loudspeaker() -> None:
    talk = busy(finished=False)
    outcome = talk.tell((2.0, wants("concurrent", "And letters?")))
    assert only(outcome.facts, ev.ResponseStarted).leg is None
    assert [it.generation for it in talk.session.state.alive()] == [G1, G2]
    talk.tell(
        (2.1, inp.TextGenerated(G2, "A.")), (2.2, inp.TextGenerated(G1, "Six.")), (2.3, inp.GenerationFinished(G2))
    )
    assert talk.last(ev.ResponseEnded).generation == G2


def test_rolling_back_takes_the_turn_and_its_answer_off_the_path() -> None:
    talk = busy(finished=False)
    kept = talk.tell((0.0 + 1.5, inp.ItemSubmitted("system", "Be kind.", previous="")))
    system = only(kept.facts, ev.ItemAdded).item_id
    talk.tell((2.0, wants("rollback", "Letters, please.", "mine")))
    outcome = talk.tell((2.01, cleared(G1, "One")))
    assert [it.reason for it in outcome.facts if isinstance(it, ev.ItemRemoved)] == ["rolled_back"] * 2
    assert none(outcome.facts, ev.ItemTruncated)
    assert only(outcome.facts, ev.ResponseEnded).status == "cancelled"
    assert talk.path == [system, "mine"]
    assert kinds(outcome.starting) == [fx.Generate]


def test_rolling_back_an_answer_without_words_takes_its_turn_off_the_path() -> None:
    talk = Talk()
    talk.tell((1.0, typed("Count.")), (1.0, ASK), (1.1, typed("Letters.")))
    letters = talk.path[-1]
    assert kinds(talk.tell((1.1, wants("rollback"))).starting) == [fx.Generate]
    assert talk.path == [letters]


# the process ends


def test_what_waits_survives_the_process() -> None:
    talk = busy()
    talk.tell((2.0, wants("queue", "a", "a")), (2.1, inp.ResponseRequested("debounce", words="b", item_id=ItemId("b"))))
    after = talk.reboot()
    assert queued(after) == ["a", "b"]
    words = {ItemId("a"): "a", ItemId("b"): "b"}
    outcome = after.tell((2.2, inp.SessionRecovered({}, words), CHAT))
    assert kinds(outcome.starting) == [fx.Generate]
    assert after.path[-1] == "a"
    assert queued(after) == ["b"]
    assert after.session.next_deadline() == pytest.approx(2.6)


def test_what_lost_its_words_waits_no_longer() -> None:
    talk = busy()
    talk.tell((2.0, wants("queue", "a", "a")))
    after = talk.reboot()
    assert only(after.tell((2.2, inp.SessionRecovered())).facts, ev.QueueWithdrawn).item_id == "a"


def test_the_session_says_what_new_text_does_and_a_command_may_say_otherwise() -> None:
    talk = Talk()
    talk.tell((0.0, inp.SettingsSubmitted(Settings(on_active_text="queue"))), *answering(1.0))
    assert kinds(talk.tell((2.0, ASK)).facts) == [ev.TurnQueued]
    assert talk.tell((2.1, INTERRUPT)).stopping == (fx.FlushPlayout(PHONE, G1),)


def test_what_waited_only_because_somebody_wanted_silence_goes_on_waiting() -> None:
    talk = busy()
    talk.tell((2.0, wants("queue", "a", "a")), (2.1, wants("interrupt", "Stop!")), (2.1, cleared(G1, "One")))
    after = talk.reboot()
    assert after.tell((3.0, inp.SessionRecovered({}, {ItemId("a"): "a"}), CHAT)).starting == ()
    after.tell((4.0, ASK, CHAT), (4.1, inp.TextGenerated(G2, "x")), (4.2, inp.GenerationFinished(G2)))
    assert kinds(after.tell((8.1, inp.DeadlineReached())).starting) == [fx.Generate]  # nobody came back to hear it
    assert after.path[-1] == "a"


def test_the_words_that_wait_are_bounded_as_well() -> None:
    talk = busy(policy=Policy(queue_chars=10))
    talk.tell((2.0, wants("queue", "12345", "a")), (2.1, wants("queue", "123456", "b")))
    assert rejection(talk) == "queue_full"
    talk.tell((2.2, inp.QueueEditRequested(ItemId("a"), "12345678901")))
    assert rejection(talk) == "queue_full"
    assert talk.tell((2.3, wants("latest", "1234567890", "c"))).accepted
    talk.tell((2.4, inp.QueueEditRequested(ItemId("c"), "0987654321")))
    assert queued(talk) == ["c"]
