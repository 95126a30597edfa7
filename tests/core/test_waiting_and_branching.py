"""What waits and what steers, while the conversation goes on from another message."""

from gateway.core import effects as fx, events as ev, inputs as inp
from gateway.core.ids import ItemId
from gateway.core.values import Settings, Wish
from tests.core.script import CHAT, CONFIRMED, G1, G2, cleared, kinds, only, turn
from tests.core.test_branching import ANSWER, ENTERED, QUESTION, answered, heard, switches
from tests.core.test_queueing import busy, queued, voices, wants


def test_what_waits_is_taken_on_the_branch_to_which_the_conversation_goes() -> None:
    talk = heard()
    talk.tell((2.0, wants("queue", "And six?", "six"), CHAT))
    outcome = talk.tell((2.1, inp.EditSubmitted(talk.path[0], "Spell.", ENTERED)))
    assert queued(talk) == ["six"]
    assert fx.Generate not in kinds(outcome.starting)
    outcome = talk.tell((2.2, cleared(G1, "One")))
    assert kinds(outcome.facts)[-4:] == [ev.BranchSelected, ev.QueueTaken, ev.ItemAdded, ev.ResponseStarted]
    assert talk.path == ["new", "six"]


def test_an_answer_beside_another_begins_after_the_switch_that_waits() -> None:
    talk = heard()
    talk.tell((2.0, inp.EditSubmitted(talk.path[0], "Spell.", ENTERED)), (2.0, wants("concurrent", "Now.", "now")))
    outcome = talk.tell((2.1, cleared(G1, "One")))
    assert kinds(outcome.facts)[-2:] == [ev.BranchSelected, ev.ResponseStarted]
    assert talk.path == ["new", "now"]
    assert only(outcome.facts, ev.ResponseStarted).answers == "now"


def test_an_answer_is_given_again_whatever_the_session_does_with_other_requests() -> None:
    talk = answered()
    talk.tell((2.0, inp.SettingsSubmitted(Settings(on_active_text="queue"))))
    talk.tell((2.1, wants("interrupt", "Go on.", "on")))
    outcome = talk.tell((2.2, inp.ResponseRequested(replaces=ANSWER)))
    assert switches(talk) == [([ANSWER, "on"], [])]
    assert only(outcome.facts, ev.ResponseStarted).replaces == ANSWER
    assert queued(talk) == []


def test_an_answer_that_is_given_again_is_steered_in_the_place_where_it_stands() -> None:
    talk = answered()
    talk.tell((2.0, inp.ResponseRequested(replaces=ANSWER)), (2.1, inp.TextGenerated(G2, "A b")))
    first = talk.path[-1]
    talk.tell((2.2, inp.SteerRequested("In French.", None, "now", ItemId("steer"))))
    talk.tell((2.3, inp.DeadlineReached()))
    generation = talk.last(ev.ResponseSteered).generation
    talk.tell((2.4, inp.TextGenerated(generation, "C")), (2.5, inp.GenerationFinished(generation)))
    assert talk.path[:3] == [QUESTION, first, "steer"]
    assert talk.session.state.conversation.tree.siblings(first) == (ANSWER, first)


def test_a_spoken_message_that_waits_to_be_answered_does_so_no_longer_once_its_branch_is_left() -> None:
    talk = voices("queue")
    talk.tell(*turn(2.0))
    talk.says(4.0, "What about Tuesday?")
    assert len(queued(talk)) == 1
    talk.tell((5.0, inp.EditSubmitted(talk.path[0], "Spell.", ENTERED)))
    outcome = talk.tell((5.1, cleared(G1, "One")))
    assert only(outcome.facts, ev.QueueWithdrawn).reason == "superseded"
    assert (talk.path, queued(talk)) == (["new"], [])
    assert fx.Generate not in kinds(outcome.starting)


def test_a_spoken_message_whose_words_are_removed_is_not_answered_any_more() -> None:
    talk = voices("queue")
    talk.tell(*turn(2.0))
    talk.says(4.0, "What about Tuesday?")
    outcome = talk.tell((5.0, inp.ItemRedactionRequested(talk.path[-1])))
    assert kinds(outcome.facts) == [ev.QueueWithdrawn, ev.ItemRedacted]
    assert queued(talk) == []


def test_who_has_an_answer_given_again_ends_the_wish_for_silence() -> None:
    talk = busy()
    talk.tell((2.0, wants("queue", "And six?", "six")), (2.1, wants("interrupt", "Stop.")), (2.2, cleared(G1, "One")))
    assert queued(talk) == ["six"]
    answer = next(it for it in talk.path if talk.session.state.conversation.tree.nodes[it].role == "assistant")
    talk.tell((3.0, inp.ResponseRequested(replaces=answer)), (3.1, inp.TextGenerated(G2, "A.")))
    talk.tell((3.2, inp.GenerationFinished(G2)), (3.3, inp.PlayoutStarted(G2)), (3.4, inp.PlayoutStopped(G2, 100)))
    assert queued(talk) == []


def test_what_is_wanted_for_an_answer_waits_with_its_turn_and_outlives_the_process() -> None:
    talk = busy()
    wanted = inp.ResponseRequested("queue", Wish("In French.", {"a": "b"}), words="And six?", item_id=ItemId("six"))
    talk.tell((2.0, wanted))
    after = talk.reboot()
    recovered = inp.SessionRecovered({}, {ItemId("six"): "And six?"}, {ItemId("six"): Wish("In French.", {"a": "b"})})
    outcome = after.tell((9.0, recovered))
    assert only(outcome.starting, fx.Generate).wish.instructions == "In French."
    assert only(outcome.facts, ev.ResponseStarted).metadata == {"a": "b"}
    assert after.session.state.moment.wishes == {}


def test_a_withdrawn_steer_is_given_back_before_its_words_leave_the_store() -> None:
    talk = busy(finished=False)
    talk.tell(
        (2.0, inp.SteerRequested("In French.", None, "next_step", ItemId("late"))), (2.1, inp.GenerationFinished(G1))
    )
    assert queued(talk) == ["late"]
    outcome = talk.tell((2.2, inp.QueueWithdrawalRequested(ItemId("late"))))
    assert kinds(outcome.facts) == [ev.SteerFailed, ev.QueueWithdrawn]


def test_what_waits_and_joins_other_messages_of_its_place_is_told_with_them() -> None:
    talk = heard()
    question = talk.path[0]
    talk.tell((2.0, inp.EditSubmitted(question, "Spell.", ENTERED)), (2.1, cleared(G1, "One")), (3.0, CONFIRMED))
    talk.tell((3.1, wants("queue", "And six?", "six"), CHAT), (3.2, inp.ItemDeletionRequested(ENTERED)))
    outcome = talk.tell((3.3, inp.TurnDiscarded()))
    assert talk.path == ["six"]
    assert only(outcome.events, ev.SiblingsChanged).choices == (("six", (question, "six")),)
