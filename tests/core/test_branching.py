"""Editing, answering again, and going back: siblings in a tree, of which one path is the conversation."""

import pytest

from gateway.core import effects as fx, events as ev, inputs as inp
from gateway.core.branching import MOST_SIBLINGS
from gateway.core.ids import ItemId
from gateway.core.values import Failure, Settings
from tests.core.script import (
    ASK,
    BROKEN,
    CHAT,
    G1,
    G2,
    PHONE,
    Talk,
    answering,
    cleared,
    cut_by_voice,
    kinds,
    none,
    only,
    turn,
    typed,
)
from tests.core.test_steering import rejection

QUESTION, ANSWER = ItemId("item_0001"), ItemId("item_0003")
"""What is typed and answered in a talk without a voice that begins with ``answering``."""

ENTERED = ItemId("new")
EDIT = inp.EditSubmitted(QUESTION, "Spell, please.", ENTERED)
AGAIN = inp.ResponseRequested(replaces=ANSWER)


def answered() -> Talk:
    """A question was typed, and its answer has been read."""
    talk = Talk(voices=())
    talk.tell(*answering(1.0, sounding=False))
    assert talk.path == [QUESTION, ANSWER]
    return talk


def heard() -> Talk:
    """A question was typed, and its answer sounds."""
    talk = Talk()
    talk.tell(*answering(1.0))
    return talk


def switches(talk: Talk) -> list[tuple[list[str], list[str]]]:
    """What left the path and what entered it, of each switch so far."""
    return [(list(it.left), [one.item_id for one in it.entered]) for it in talk.all(ev.BranchSelected)]


# edit


def test_an_edited_message_stands_beside_the_one_before_and_is_the_active_one() -> None:
    talk = answered()
    outcome = talk.tell((2.0, EDIT, CHAT))
    assert kinds(outcome.events) == [ev.ItemAdded, ev.BranchSelected, ev.SiblingsChanged]
    added = only(outcome.facts, ev.ItemAdded)
    assert (added.item_id, added.parent, added.role, added.text, added.device, added.aside) == (
        "new",
        None,
        "user",
        "Spell, please.",
        "chat device",
        True,
    )
    assert switches(talk) == [([QUESTION, ANSWER], ["new"])]
    assert talk.last(ev.SiblingsChanged).choices == (("new", (QUESTION, "new")),)
    assert talk.path == ["new"]
    assert none(outcome.starting, fx.Generate)


def test_an_edited_message_is_answered_when_that_is_asked() -> None:
    talk = answered()
    outcome = talk.tell((2.0, inp.EditSubmitted(QUESTION, "Spell, please.", ENTERED, answer=True)))
    assert only(outcome.starting, fx.Generate).generation == G2
    talk.tell((2.1, inp.TextGenerated(G2, "A, b, c.")), (2.2, inp.GenerationFinished(G2)))
    assert talk.path[0] == "new"
    assert len(talk.path) == 2


def test_an_edited_message_gets_an_id_where_its_client_gives_none() -> None:
    talk = answered()
    talk.tell((2.0, inp.EditSubmitted(QUESTION, "Spell, please.")))
    assert talk.path == ["item_0005"]


def test_an_edit_in_mid_conversation_keeps_what_was_before_it() -> None:
    talk = answered()
    talk.tell((2.0, inp.ItemSubmitted("user", "And then?", ItemId("then"))))
    talk.tell((3.0, inp.EditSubmitted(ItemId("then"), "And now?", ENTERED)))
    assert talk.path == [QUESTION, ANSWER, "new"]
    assert switches(talk) == [(["then"], ["new"])]


def test_an_edit_while_an_answer_sounds_waits_until_it_has_said_where_it_stood() -> None:
    talk = heard()
    question = talk.path[0]
    outcome = talk.tell((2.0, inp.EditSubmitted(question, "Spell.", ENTERED, answer=True)))
    assert kinds(outcome.stopping) == [fx.FlushPlayout]
    assert outcome.accepted
    assert kinds(outcome.facts) == [ev.ItemAdded]
    assert talk.path[0] == question
    outcome = talk.tell((2.1, cleared(G1, "One two")))
    facts = kinds(outcome.facts)
    assert facts == [ev.PlayoutCleared, ev.ItemTruncated, ev.BranchSelected, ev.ResponseStarted]
    assert talk.path == ["new"]
    assert talk.all(fx.Recite) == []


def test_a_response_that_is_asked_for_after_an_edit_answers_the_edited_message() -> None:
    talk = heard()
    talk.tell((2.0, inp.EditSubmitted(talk.path[0], "Spell.", ENTERED)), (2.0, ASK))
    outcome = talk.tell((2.1, cleared(G1, "One two")))
    assert kinds(outcome.facts)[-2:] == [ev.BranchSelected, ev.ResponseStarted]


def test_an_edit_while_a_turn_has_no_words_yet_waits_for_them_and_does_not_answer_that_turn() -> None:
    talk = answered()
    talk.tell((2.0, inp.VoiceJoined(revocable=True), PHONE), *turn(3.0))
    spoken = talk.turn()
    talk.tell((5.0, EDIT, CHAT))
    assert talk.path[-1] == spoken
    outcome = talk.says(5.5, "What about Tuesday?")
    assert kinds(outcome.facts) == [ev.ItemTranscribed, ev.BranchSelected]
    assert talk.path == ["new"]
    assert talk.session.state.moment.pending is None


def test_of_two_edits_that_wait_the_later_one_counts_and_both_are_kept() -> None:
    talk = heard()
    question = talk.path[0]
    talk.tell(
        (2.0, inp.EditSubmitted(question, "a", ItemId("a"))), (2.0, inp.EditSubmitted(question, "b", ItemId("b")))
    )
    talk.tell((2.1, cleared(G1, "One")))
    assert talk.path == ["b"]
    assert dict(talk.last(ev.SiblingsChanged).choices) == {"b": (question, "a", "b")}


def test_what_is_typed_while_an_edit_waits_follows_the_edited_message() -> None:
    talk = heard()
    talk.tell((2.0, inp.EditSubmitted(talk.path[0], "Spell.", ENTERED)))
    talk.tell((2.0, inp.ItemSubmitted("user", "Slowly.", ItemId("slowly"))), (2.0, ASK))
    outcome = talk.tell((2.1, cleared(G1, "One")))
    assert talk.path == ["new", "slowly"]
    assert kinds(outcome.facts)[-2:] == [ev.BranchSelected, ev.ResponseStarted]


@pytest.mark.parametrize("item_id", [ANSWER, "unknown"])
def test_only_a_message_of_a_user_can_be_edited(item_id: str) -> None:
    talk = answered()
    talk.tell((2.0, inp.EditSubmitted(ItemId(item_id), "Mine.")))
    assert rejection(talk) == "item_update_invalid_item_id"


def test_a_message_beside_the_active_path_cannot_be_edited() -> None:
    talk = answered()
    talk.tell((2.0, EDIT), (3.0, inp.EditSubmitted(QUESTION, "Mine.")))
    assert rejection(talk) == "item_update_invalid_item_id"


def test_an_edited_message_cannot_take_the_id_of_another() -> None:
    talk = answered()
    talk.tell((2.0, inp.EditSubmitted(QUESTION, "Mine.", ANSWER)))
    assert rejection(talk) == "item_create_duplicate_item_id"


def test_a_message_has_so_many_siblings_and_no_more() -> None:
    talk = answered()
    for number in range(MOST_SIBLINGS):
        talk.tell((2.0, inp.EditSubmitted(talk.path[0], "Again.", ItemId(f"n{number}"))))
    assert rejection(talk) == "too_many_siblings"
    assert len(talk.session.state.conversation.tree.siblings(talk.path[0])) == MOST_SIBLINGS


# regenerate


def test_an_answer_that_is_given_again_stands_beside_the_one_before() -> None:
    talk = answered()
    outcome = talk.tell((2.0, AGAIN))
    assert kinds(outcome.facts) == [ev.BranchSelected, ev.ResponseStarted]
    assert only(outcome.facts, ev.ResponseStarted).replaces == ANSWER
    assert switches(talk) == [([ANSWER], [])]
    talk.tell((2.1, inp.TextGenerated(G2, "Six.")), (2.2, inp.GenerationFinished(G2)))
    assert talk.path[0] == QUESTION
    assert dict(talk.last(ev.SiblingsChanged).choices) == {talk.path[1]: (ANSWER, talk.path[1])}


def test_what_followed_an_answer_leaves_with_it() -> None:
    talk = answered()
    talk.tell((2.0, inp.ItemSubmitted("user", "And then?", ItemId("then"))), (3.0, AGAIN))
    assert switches(talk) == [([ANSWER, "then"], [])]


def test_an_answer_that_runs_is_cut_and_given_again() -> None:
    talk = heard()
    question, answer = talk.path
    outcome = talk.tell((2.0, inp.ResponseRequested(replaces=answer)))
    assert kinds(outcome.stopping) == [fx.FlushPlayout]
    outcome = talk.tell((2.1, cleared(G1, "One two")))
    facts = kinds(outcome.facts)
    assert facts == [ev.PlayoutCleared, ev.ItemTruncated, ev.BranchSelected, ev.ResponseStarted]
    assert talk.path == [question]


@pytest.mark.parametrize("end", [inp.GenerationFailed(G2, Failure("model_failed", "It broke.")), inp.CancelRequested()])
def test_the_answer_before_comes_back_when_nothing_comes_of_the_new_one(end: inp.Input) -> None:
    talk = answered()
    talk.tell((2.0, inp.ItemSubmitted("user", "And then?", ItemId("then"))), (3.0, AGAIN), (3.1, end))
    assert switches(talk) == [([ANSWER, "then"], []), ([], [ANSWER, "then"])]
    assert talk.path == [QUESTION, ANSWER, "then"]


def test_an_answer_of_which_nothing_was_heard_makes_room_for_the_one_before() -> None:
    talk = answered()
    talk.tell((2.0, inp.VoiceJoined(revocable=True), PHONE), (2.0, AGAIN))
    talk.tell((2.1, inp.TextGenerated(G2, "Six.")), (2.2, inp.CancelRequested()))
    talk.tell((2.3, cleared(G2, started=False)))
    assert talk.path == [QUESTION, ANSWER]


def test_the_answer_before_comes_back_when_the_process_ended_meanwhile() -> None:
    talk = answered()
    talk.tell((2.0, AGAIN))
    after = talk.reboot()
    after.tell((3.0, inp.SessionRecovered()))
    assert after.path == [QUESTION, ANSWER]


def test_the_answer_before_stays_away_once_somebody_goes_on_without_it() -> None:
    talk = answered()
    talk.tell((2.0, AGAIN), (2.1, typed("Never mind.")), (2.2, inp.GenerationFailed(G2, BROKEN)))
    assert ANSWER not in talk.path


@pytest.mark.parametrize("item_id", [QUESTION, "unknown"])
def test_only_an_answer_can_be_given_again(item_id: str) -> None:
    talk = answered()
    talk.tell((2.0, inp.ResponseRequested(replaces=ItemId(item_id))))
    assert rejection(talk) == "replaces_invalid_item_id"


# going back


def test_the_path_goes_back_to_where_a_branch_was_left() -> None:
    talk = answered()
    talk.tell((2.0, EDIT), (3.0, inp.BranchRequested(QUESTION)))
    assert switches(talk)[-1] == (["new"], [QUESTION, ANSWER])
    assert talk.path == [QUESTION, ANSWER]
    assert dict(talk.last(ev.SiblingsChanged).choices) == {QUESTION: (QUESTION, "new")}


def test_what_enters_the_path_is_told_as_it_stands() -> None:
    talk = heard()
    question, answer = talk.path
    talk.tell((2.0, inp.CancelRequested()), (2.1, cleared(G1, "One two")))
    talk.tell((3.0, inp.EditSubmitted(question, "Spell.", ENTERED)), (4.0, inp.BranchRequested(answer)))
    told = talk.last(ev.BranchSelected).entered
    assert [(it.item_id, it.parent, it.role, it.status) for it in told] == [
        (question, None, "user", "completed"),
        (answer, question, "assistant", "completed"),
    ]
    assert (told[1].truncated, told[1].seen, told[1].spoken) == (True, len("One two three four five."), True)


def test_a_message_without_its_words_keeps_its_place_on_its_branch() -> None:
    talk = answered()
    talk.tell((2.0, EDIT), (3.0, inp.ItemRedactionRequested(ANSWER)), (4.0, inp.BranchRequested(QUESTION)))
    assert [(it.item_id, it.redacted) for it in talk.last(ev.BranchSelected).entered] == [
        (QUESTION, False),
        (ANSWER, True),
    ]


def test_to_go_where_the_conversation_is_changes_nothing() -> None:
    talk = heard()
    outcome = talk.tell((2.0, inp.BranchRequested(talk.path[0])))
    assert outcome.accepted
    assert (outcome.facts, outcome.stopping) == ((), ())


def switching() -> Talk:
    """The question is about to be asked otherwise, and answered, once the loudspeaker has said where it stood."""
    talk = heard()
    talk.tell((2.0, inp.EditSubmitted(talk.path[0], "Spell, please.", ENTERED, answer=True)))
    return talk


def test_to_stay_where_the_conversation_is_takes_back_what_was_to_be_answered_elsewhere() -> None:
    talk = switching()
    talk.tell((2.1, inp.BranchRequested(talk.path[-1])), (2.2, cleared(G1, "One")))
    assert switches(talk) == []
    assert len([fact for fact in talk.log if isinstance(fact, ev.ResponseStarted)]) == 1


def test_to_stay_takes_back_nothing_that_was_asked_by_voice() -> None:
    talk = cut_by_voice(heard=None)
    question, answer, spoken = talk.path
    talk.tell((3.3, inp.EditSubmitted(question, "Spell, please.", ENTERED)))
    talk.says(3.4, "What about Tuesday?")
    talk.tell((3.5, inp.BranchRequested(answer)))
    outcome = talk.tell((3.6, cleared(G1, "One")))
    assert only(outcome.facts, ev.ResponseStarted).answers == spoken


def test_a_session_may_refuse_to_stay_where_that_takes_back_an_answer() -> None:
    talk = switching()
    talk.tell((2.1, inp.SettingsSubmitted(Settings(on_edit="reject"))), (2.2, inp.BranchRequested(talk.path[-1])))
    assert rejection(talk) == "conversation_already_has_active_response"


def test_nobody_goes_to_what_is_not_there() -> None:
    talk = answered()
    talk.tell((2.0, inp.BranchRequested(ItemId("unknown"))))
    assert rejection(talk) == "branch_select_invalid_item_id"


def test_a_branch_that_is_being_gone_to_cannot_be_deleted() -> None:
    talk = heard()
    talk.tell((2.0, inp.EditSubmitted(talk.path[0], "Spell.", ENTERED)), (2.0, inp.ItemDeletionRequested(ENTERED)))
    assert rejection(talk) == "item_in_use"


# a session that does not want its answers interrupted


@pytest.mark.parametrize("command", ["edit", "again", "back"])
def test_a_session_may_refuse_to_interrupt_an_answer(command: str) -> None:
    talk = heard()
    question, answer = talk.path
    talk.tell((1.5, inp.ItemSubmitted("user", "Hm.", ItemId("hm"))), (2.0, inp.CancelRequested()))
    talk.tell((2.1, cleared(G1, "One two")), (2.2, inp.EditSubmitted(ItemId("hm"), "Hum.", ItemId("hum"))), (2.3, ASK))
    talk.tell((2.4, inp.SettingsSubmitted(Settings(on_edit="reject"))))
    commands: dict[str, inp.Input] = {
        "edit": inp.EditSubmitted(question, "Spell."),
        "again": inp.ResponseRequested(replaces=answer),
        "back": inp.BranchRequested(ItemId("hm")),
    }
    talk.tell((3.0, commands[command]))
    assert rejection(talk) == "conversation_already_has_active_response"
    talk.tell((3.1, inp.GenerationFailed(G2, BROKEN)), (3.2, commands[command]))
    assert talk.told[-1].outcome.accepted


# what is beside the path


def test_what_is_beside_the_path_is_removed_without_anybody_seeing_it_go() -> None:
    talk = answered()
    talk.tell((2.0, EDIT), (3.0, inp.ItemDeletionRequested(ANSWER)))
    assert talk.last(ev.ItemRemoved) == ev.ItemRemoved(ANSWER, "deleted", aside=True)


def test_a_message_cannot_follow_one_beside_the_path() -> None:
    talk = answered()
    talk.tell((2.0, EDIT), (3.0, inp.ItemSubmitted("user", "b", previous=ANSWER)))
    assert rejection(talk) == "previous_item_not_found"


def test_what_is_beside_the_path_is_not_shortened() -> None:
    talk = answered()
    talk.tell((2.0, EDIT), (3.0, inp.ItemTruncationRequested(ANSWER, 0)))
    assert rejection(talk) == "item_truncate_invalid_item_id"
