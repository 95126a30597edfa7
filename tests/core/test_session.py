"""A session as a function: commands once, answers that grow and end, and recovery from the log."""

from dataclasses import replace

import pytest

from gateway.core import effects as fx, events as ev, inputs as inp
from gateway.core.ids import Generation, LegId, SessionId, derive, session_id, shard_of
from gateway.core.session import NODE_LOST, Session
from gateway.core.state import State
from gateway.core.values import Settings
from tests.core.script import (
    ANSWER,
    ASK,
    BROKEN,
    CANCEL,
    CONFIRMED,
    DAY,
    DEADLINE,
    G1,
    G2,
    INTERRUPT,
    PHONE,
    SUSPECTED,
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

# the session itself


def test_a_session_opens_with_its_settings() -> None:
    talk = Talk()
    assert talk.log == [ev.SessionOpened(Settings(instructions="Be brief."))]
    assert talk.session.state.conversation.settings.instructions == "Be brief."


def test_settings_are_changed_only_when_they_differ() -> None:
    talk = Talk()
    changed = Settings(instructions="Be kind.")
    assert talk.tell((1.0, inp.SettingsSubmitted(changed))).facts == (ev.SettingsChanged(changed),)
    assert talk.tell((1.1, inp.SettingsSubmitted(changed))).events == ()
    assert talk.session.state.conversation.settings == changed


def test_a_session_that_nobody_joined_has_nothing_due() -> None:
    assert Session().next_deadline() is None
    assert Talk().tell((9.0, DEADLINE)).events == ()


def test_a_connection_that_leaves_without_sound_changes_nothing() -> None:
    outcome = Talk().tell((1.0, inp.LegLeft(), LegId("chat")))
    assert (outcome.events, outcome.stopping, outcome.starting) == ((), (), ())


# answers


def test_an_answer_grows_and_ends() -> None:
    talk = Talk()
    asked = talk.tell((1.0, typed("Count.")), (1.0, ASK))
    response = only(asked.facts, ev.ResponseStarted).response_id
    first = talk.tell((1.1, inp.TextGenerated(G1, "Ünö")))
    item = only(first.facts, ev.ItemAdded)
    assert (item.role, item.status, item.text, item.response_id) == ("assistant", "in_progress", "", response)
    assert item.parent == talk.path[0]
    assert first.events == (item, ev.TextAppended(response, item.item_id, 0, "Ünö"))
    assert first.starting == (fx.BeginSpeech(PHONE, G1, response, item.item_id), fx.Speak(PHONE, G1, "Ünö"))
    second = talk.tell((1.2, inp.TextGenerated(G1, " dos")))
    assert second.events == (ev.TextAppended(response, item.item_id, 3, " dos"),)
    assert second.starting == (fx.Speak(PHONE, G1, " dos"),)
    last = talk.tell((1.3, inp.GenerationFinished(G1)))
    assert last.facts == (
        ev.ItemCompleted(item.item_id, response, "completed", "Ünö dos"),
        ev.ResponseEnded(response, G1, "completed", item.item_id),
    )
    assert last.starting == (fx.FinishSpeech(PHONE, G1),)
    assert talk.session.state.conversation.tree.nodes[item.item_id].status == "completed"


def test_an_empty_piece_of_text_is_no_text() -> None:
    talk = Talk()
    talk.tell((1.0, ASK))
    assert talk.tell((1.1, inp.TextGenerated(G1, ""))).events == ()


def test_an_answer_may_be_empty() -> None:
    talk = Talk()
    talk.tell((1.0, ASK))
    outcome = talk.tell((1.1, inp.GenerationFinished(G1)))
    ended = only(outcome.facts, ev.ResponseEnded)
    assert (ended.status, ended.item_id, outcome.starting) == ("completed", None, ())
    assert talk.session.state.conversation.responses == {}


@pytest.mark.parametrize("begun", [False, True])
def test_an_answer_whose_model_fails_ends_as_failed_and_keeps_its_words(begun: bool) -> None:
    talk = Talk()
    talk.tell((1.0, ASK))
    if begun:
        talk.tell((1.1, inp.TextGenerated(G1, "One")))
    outcome = talk.tell((1.2, inp.GenerationFailed(G1, BROKEN)))
    ended = only(outcome.facts, ev.ResponseEnded)
    assert (ended.status, ended.failure, ended.reason) == ("failed", BROKEN, None)
    assert [(it.status, it.text) for it in talk.all(ev.ItemCompleted)] == ([("incomplete", "One")] if begun else [])
    assert outcome.starting == ((fx.FinishSpeech(PHONE, G1),) if begun else ())


@pytest.mark.parametrize(
    "late", [inp.TextGenerated(G1, "!"), inp.GenerationFinished(G1), inp.GenerationFailed(G1, BROKEN)]
)
def test_an_answer_ends_once(late: inp.Input) -> None:
    talk = Talk()
    talk.tell(*answering(1.0))
    assert talk.tell((2.0, late)).events == ()


@pytest.mark.parametrize("generation", [0, 2, 99])
def test_what_belongs_to_no_answer_is_dropped(generation: int) -> None:
    talk = Talk()
    talk.tell(*answering(1.0, finished=False))
    outcome = talk.tell((2.0, inp.TextGenerated(Generation(generation), "!")))
    assert (outcome.events, outcome.starting) == ((), ())


def test_each_answer_has_the_next_generation() -> None:
    talk = Talk()
    for at in range(1, 4):
        talk.tell((at, ASK), (at, inp.GenerationFinished(Generation(at))))
    assert [it.generation for it in talk.all(ev.ResponseStarted)] == [1, 2, 3]


def test_ids_of_one_input_differ_and_come_from_its_seed() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (2.0, CONFIRMED), (2.7, SUSTAINED), (2.7, cleared(G1, "One")), (3.2, TURN_ENDED))
    talk.says(3.4, "More.")
    minted = [*talk.path, *[it.response_id for it in talk.all(ev.ResponseStarted)]]
    assert len(set(minted)) == len(minted)
    assert [derive("item", "seed", n) for n in range(3)] == ["item_seed", "item_seed1", "item_seed2"]


# commands once


def test_a_command_with_a_key_is_applied_once() -> None:
    talk = Talk()
    first = talk.command(1.0, typed("Hello."), key="k", digest="d")
    assert kinds(first.facts) == [ev.ItemAdded, ev.CommandApplied]
    again = talk.command(1.1, typed("Hello."), key="k", digest="d")
    assert (again.events, again.accepted, again.duplicate) == ((), True, True)
    assert (first.accepted, first.duplicate) == (True, False)
    assert len(talk.path) == 1


def test_a_key_cannot_be_used_for_another_command() -> None:
    talk = Talk()
    talk.command(1.0, typed("Hello."), key="k", digest="d")
    outcome = talk.command(1.1, CANCEL, key="k", digest="other")
    assert only(outcome.events, ev.CommandRejected).failure.code == "idempotency_conflict"
    assert (outcome.accepted, outcome.duplicate, outcome.facts) == (False, False, ())


def test_a_command_that_was_refused_may_be_tried_again_with_its_key() -> None:
    talk = Talk()
    refused = talk.command(1.0, CANCEL, key="k", digest="d")
    assert (refused.accepted, refused.facts) == (False, ())
    talk.tell(*answering(2.0))
    outcome = talk.command(3.0, CANCEL, key="k", digest="d")
    assert (outcome.accepted, outcome.duplicate) == (True, False)


def test_a_key_is_remembered_for_a_day() -> None:
    talk = Talk()
    talk.command(1.0, typed("Hello."), key="k", digest="d")
    assert talk.command(1.0 + DAY, typed("Hello."), key="k", digest="d").duplicate
    outcome = talk.command(1.1 + DAY, typed("Hello again."), key="k", digest="other")
    assert outcome.accepted
    assert not outcome.duplicate
    assert len(talk.path) == 2


def test_a_key_outlives_the_process() -> None:
    talk = Talk()
    talk.command(1.0, typed("Hello."), key="k", digest="d")
    assert talk.reboot().command(1.1, typed("Hello."), key="k", digest="d").duplicate


def test_keys_of_yesterday_are_forgotten_even_behind_one_that_was_used_again() -> None:
    talk = Talk()
    for name in "abcdef":
        talk.command(1.0, typed(name), key=name, digest=name)
    for name in "abxyz":
        talk.command(2.0 + DAY, typed(name), key=name, digest=name)
    assert set(talk.session.state.conversation.applied) == set("abxyz")


def test_commands_without_a_key_leave_no_trace() -> None:
    talk = Talk()
    talk.tell((1.0, typed("Hello.")), (1.1, typed("Hello.")))
    assert len(talk.path) == 2
    assert talk.session.state.conversation.applied == {}


# the log


def test_the_log_tells_the_conversation_again() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (2.0, CONFIRMED), (2.7, SUSTAINED), (2.7, cleared(G1, "One")), (3.2, TURN_ENDED))
    talk.says(3.4, "And letters?")
    talk.tell((3.5, inp.TextGenerated(G2, "A.")), (3.6, inp.PlayoutStarted(G2)))
    talk.command(3.7, inp.ItemDeletionRequested(talk.path[0]), key="k", digest="d")
    again = Session.replay(talk.log)
    assert again.state.conversation == talk.session.state.conversation
    assert again.state.moment == State().moment


def test_a_log_whose_words_were_removed_tells_the_same_conversation() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (2.0, CANCEL), (2.0, cleared(G1, "One")))
    bare = [
        replace(fact, text="", unheard="")
        if isinstance(fact, ev.ItemTruncated)
        else ev.ItemCompleted(fact.item_id, fact.response_id, fact.status, "")
        if isinstance(fact, ev.ItemCompleted)
        else fact
        for fact in talk.log
    ]
    assert bare != talk.log
    assert Session.replay(bare).state.conversation == talk.session.state.conversation


def test_an_answer_that_the_last_process_left_open_is_closed_exactly_once() -> None:
    talk = Talk()
    talk.tell(*answering(1.0, finished=False))
    answer = talk.path[-1]
    after = talk.reboot()
    outcome = after.tell((9.0, inp.SessionRecovered({answer: "One two"})))
    assert kinds(outcome.facts) == [ev.ItemCompleted, ev.ResponseEnded, ev.PlayoutCleared]
    assert only(outcome.facts, ev.ItemCompleted).text == "One two"
    ended = only(outcome.facts, ev.ResponseEnded)
    assert (ended.status, ended.reason, ended.failure) == ("failed", "node_lost", NODE_LOST)
    assert after.session.state.conversation.responses == {}
    assert after.tell((9.1, inp.SessionRecovered())).facts == ()
    assert after.reboot().tell((9.2, inp.SessionRecovered())).facts == ()
    assert after.tell((9.3, inp.TextGenerated(G1, " three"))).events == ()


def test_an_answer_without_a_word_that_was_left_open_is_closed() -> None:
    talk = Talk()
    talk.tell((1.0, ASK))
    assert kinds(talk.reboot().tell((9.0, inp.SessionRecovered())).facts) == [ev.ResponseEnded]


def test_an_answer_that_only_sounded_is_closed_without_a_second_terminal_event() -> None:
    talk = Talk()
    talk.tell(*answering(1.0))
    assert kinds(talk.reboot().tell((9.0, inp.SessionRecovered())).facts) == [ev.PlayoutCleared]


def test_an_answer_that_was_only_written_and_not_stored_is_closed_empty() -> None:
    talk = Talk(voices=())
    talk.tell((1.0, ASK), (1.1, inp.TextGenerated(G1, "One")))
    outcome = talk.reboot().tell((9.0, inp.SessionRecovered()))
    assert kinds(outcome.facts) == [ev.ItemCompleted, ev.ResponseEnded]
    assert only(outcome.facts, ev.ItemCompleted).text == ""


def test_a_turn_whose_words_were_awaited_at_the_end_of_the_process_is_closed_once() -> None:
    talk = Talk()
    talk.tell((1.0, CONFIRMED), (2.5, TURN_ENDED))
    after = talk.reboot()
    failed = only(after.tell((9.0, inp.SessionRecovered())).facts, ev.ItemTranscriptionFailed)
    assert (failed.item_id, failed.failure.code) == (talk.path[-1], "node_lost")
    assert after.tell((9.1, inp.SessionRecovered())).facts == ()


def test_a_recovered_session_goes_on() -> None:
    talk = Talk()
    talk.tell(*answering(1.0, finished=False))
    after = talk.reboot()
    after.tell((9.0, inp.SessionRecovered()), (9.1, inp.VoiceJoined(revocable=True)))
    assert only(after.tell((9.2, ASK)).starting, fx.Generate).generation == G2


def test_a_recovery_forgets_what_was_going_on_but_not_who_is_there() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (1.5, SUSPECTED), (2.0, INTERRUPT))
    talk.tell((3.0, inp.SessionRecovered({talk.path[-1]: ANSWER})))
    assert talk.session.state.moment.cuts == {}
    assert talk.session.state.moment.pending is None
    assert kinds(talk.tell((3.1, ASK)).starting) == [fx.Generate]
    assert talk.last(ev.ResponseStarted).leg == PHONE
    assert none(talk.events, ev.ItemTruncated)


# ids


@pytest.mark.parametrize("shard", [0, 7, 255])
def test_a_session_id_carries_its_shard(shard: int) -> None:
    assert shard_of(session_id(shard, "token")) == shard


def test_shards_wrap_around() -> None:
    assert shard_of(session_id(256, "token")) == 0


@pytest.mark.parametrize(
    "text", ["", "sess_", "sess_0", "sess_07", "item_07x", "sess_-1x", "sess_+1x", "sess_ 1x", "sess_zzx"]
)
def test_what_is_not_a_session_id_has_no_shard(text: str) -> None:
    with pytest.raises(ValueError, match="session id"):
        shard_of(SessionId(text))
