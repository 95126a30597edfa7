"""Cutting an answer, and keeping exactly what was heard of it."""

from dataclasses import replace

import pytest

from gateway.core import effects as fx, events as ev, inputs as inp
from gateway.core.ids import ItemId, LegId
from gateway.core.values import Failure
from tests.core.script import (
    ANSWER,
    ASK,
    CANCEL,
    CHAT,
    CLEAR,
    CONFIRMED,
    DEADLINE,
    G1,
    G2,
    INTERRUPT,
    LEFT,
    PHONE,
    STOCK,
    SUSTAINED,
    TABLET,
    Talk,
    answering,
    cleared,
    cut_by_voice,
    kinds,
    later,
    none,
    only,
    typed,
)


def answer(talk: Talk) -> ItemId:
    """The item of the latest answer."""
    return next(f.item_id for f in reversed(talk.log) if isinstance(f, ev.ItemAdded) and f.role == "assistant")


# two halves


def test_a_cut_by_voice_while_the_model_runs_keeps_what_was_heard() -> None:
    talk = Talk()
    talk.tell(*answering(1.0, text="One two three", finished=False), (2.0, CONFIRMED))
    stop = talk.tell((2.7, SUSTAINED))
    assert stop.stopping == (fx.CancelGeneration(G1), fx.FlushPlayout(PHONE, G1), fx.ReleasePlayout(PHONE))
    assert stop.facts == ()
    outcome = talk.tell((2.71, cleared(G1, "One two", heard_ms=640)))
    assert kinds(outcome.facts) == [ev.PlayoutCleared, ev.ItemCompleted, ev.ResponseEnded, ev.ItemTruncated]
    completed, ended = only(outcome.facts, ev.ItemCompleted), only(outcome.facts, ev.ResponseEnded)
    assert (completed.status, completed.text) == ("incomplete", "One two three")
    assert (ended.status, ended.reason, ended.failure) == ("cancelled", "turn_detected", None)
    assert only(outcome.facts, ev.ItemTruncated) == ev.ItemTruncated(answer(talk), "One two", " three", 640, seen=13)
    assert talk.session.state.conversation.responses == {}
    assert talk.session.state.moment.texts == {}


def test_a_cut_after_the_response_has_ended_adds_no_second_terminal_event() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (2.0, CONFIRMED))
    assert none(talk.tell((2.7, SUSTAINED)).stopping, fx.CancelGeneration)
    outcome = talk.tell((2.71, cleared(G1, "One two")))
    assert kinds(outcome.facts) == [ev.PlayoutCleared, ev.ItemTruncated]
    assert len(talk.all(ev.ResponseEnded)) == 1
    assert talk.session.state.conversation.tree.nodes[answer(talk)].truncated


def test_an_answer_that_was_heard_whole_is_not_truncated() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (4.0, CANCEL))
    assert kinds(talk.tell((4.0, cleared(G1, ANSWER))).facts) == [ev.PlayoutCleared]


def test_an_answer_that_ends_as_it_is_cut_was_heard_whole() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (4.0, CANCEL))
    assert kinds(talk.tell((4.0, inp.PlayoutStopped(G1, 4000))).facts) == [ev.PlayoutCleared]
    assert talk.tell((4.1, cleared(G1, "One"))).facts == ()


def test_an_answer_that_its_leg_has_forgotten_was_heard_whole() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (4.0, CANCEL))
    outcome = talk.tell((4.0, cleared(G1, started=False, heard_ms=0)))  # its PlayoutStopped is still on the way
    assert kinds(outcome.facts) == [ev.PlayoutCleared]
    assert talk.tell((4.1, inp.PlayoutStopped(G1, 4000))).facts == ()
    assert answer(talk) in talk.path


def test_an_answer_of_which_no_word_was_heard_stays_as_an_empty_one() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (1.1, CANCEL))
    outcome = talk.tell((1.1, cleared(G1, "", heard_ms=90)))
    truncated = only(outcome.facts, ev.ItemTruncated)
    assert (truncated.text, truncated.unheard) == ("", ANSWER)


def test_an_answer_that_never_sounded_is_taken_back() -> None:
    talk = Talk()
    talk.tell(*answering(1.0, finished=False, sounding=False), (1.1, CANCEL))
    outcome = talk.tell((1.1, cleared(G1, started=False)))
    assert kinds(outcome.facts) == [ev.PlayoutCleared, ev.ItemCompleted, ev.ResponseEnded, ev.ItemRemoved]
    assert len(talk.path) == 1


@pytest.mark.parametrize(("sounding", "stays"), [(True, True), (False, False)])
def test_of_a_loudspeaker_that_says_nothing_in_time_counts_what_it_said_before(sounding: bool, stays: bool) -> None:
    talk = Talk()
    talk.tell(*answering(1.0, sounding=sounding), (2.0, CANCEL), (4.0, DEADLINE))
    late: list[inp.Input] = [inp.PlayoutStarted(G1), cleared(G1, "One")]
    assert [talk.tell((4.1, it)).facts for it in late] == [(), ()]
    assert (answer(talk) in talk.path) is stays
    assert none(talk.log, ev.ItemTruncated)


@pytest.mark.parametrize("claim", [-3, 99])
def test_a_loudspeaker_cannot_have_played_less_than_nothing_or_more_than_all(claim: int) -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (4.0, CANCEL), (4.0, inp.PlayoutCleared(G1, claim, 0, started=True)))
    truncated = [fact for fact in talk.log if isinstance(fact, ev.ItemTruncated)]
    assert [(it.text, it.unheard) for it in truncated] == ([("", ANSWER)] if claim < 0 else [])


def test_a_written_answer_was_read_as_far_as_it_was_shown() -> None:
    talk = Talk(voices=())
    talk.tell((1.0, typed("Count.")), (1.0, ASK), (1.1, inp.TextGenerated(G1, "One two")))
    outcome = talk.tell((1.2, CANCEL))
    assert outcome.stopping == (fx.CancelGeneration(G1),)
    assert kinds(outcome.facts) == [ev.ItemCompleted, ev.ResponseEnded]
    assert only(outcome.facts, ev.ItemCompleted).text == "One two"
    assert talk.session.state.moment.texts == {}


def test_a_written_answer_is_cut_before_its_first_word() -> None:
    talk = Talk(voices=())
    talk.tell((1.0, typed("Count.")), (1.0, ASK))
    assert kinds(talk.tell((1.2, CANCEL)).facts) == [ev.ResponseEnded]


# nothing of a cut answer comes after its cut


@pytest.mark.parametrize(
    "late",
    [
        inp.TextGenerated(G1, " six"),
        inp.GenerationFinished(G1),
        inp.GenerationFailed(G1, Failure("model_timeout", "Too slow.")),
    ],
)
@pytest.mark.parametrize("settled", [False, True])
def test_what_a_model_says_after_its_cut_is_dropped(late: inp.Input, settled: bool) -> None:
    talk = Talk()
    talk.tell(*answering(1.0, finished=False), (2.0, CANCEL))
    if settled:
        talk.tell((2.0, cleared(G1, "One")))
    outcome = talk.tell((2.1, late))
    assert (outcome.events, outcome.stopping, outcome.starting) == ((), (), ())


@pytest.mark.parametrize("late", [inp.PlayoutStarted(G1), inp.PlayoutStopped(G1, 4000), cleared(G1, "One")])
def test_what_a_loudspeaker_says_of_an_answer_that_is_over_is_dropped(late: inp.Input) -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (4.0, inp.PlayoutStopped(G1, 4000)))
    outcome = talk.tell((4.1, late))
    assert (outcome.events, outcome.stopping, outcome.starting) == ((), (), ())


def test_text_of_the_next_answer_is_not_mistaken_for_the_last_ones() -> None:
    talk = Talk()
    talk.tell(*answering(1.0, finished=False), (2.0, INTERRUPT), (2.0, cleared(G1, "One")))
    talk.tell((2.1, inp.TextGenerated(G1, " stale")))
    outcome = talk.tell((2.2, inp.TextGenerated(G2, "Fresh.")))
    assert only(outcome.events, ev.TextAppended).offset == 0
    assert "stale" not in str(talk.session.state.moment.texts)


# playout without a cut


def test_an_answer_is_heard_to_its_end() -> None:
    talk = Talk()
    talk.tell(*answering(1.0, sounding=False))
    assert kinds(talk.tell((1.1, inp.PlayoutStarted(G1))).facts) == [ev.PlayoutStarted]
    assert talk.tell((1.2, inp.PlayoutStarted(G1))).facts == ()
    assert kinds(talk.tell((5.0, inp.PlayoutStopped(G1, 4000))).facts) == [ev.PlayoutStopped]
    assert talk.session.state.conversation.responses == {}
    assert talk.session.state.moment.texts == {}


def test_an_answer_that_is_still_generated_cannot_have_been_heard_whole() -> None:
    talk = Talk()
    talk.tell(*answering(1.0, finished=False))
    assert talk.tell((2.0, inp.PlayoutStopped(G1, 900))).facts == ()


def test_an_answer_without_words_cannot_sound() -> None:
    talk = Talk()
    talk.tell((1.0, typed("Count.")), (1.0, ASK))
    assert talk.tell((1.1, inp.PlayoutStarted(G1))).facts == ()


@pytest.mark.parametrize("late", [inp.PlayoutStarted(G1), inp.PlayoutStopped(G1, 10), cleared(G1, "One")])
def test_an_answer_that_is_only_written_has_no_playout(late: inp.Input) -> None:
    talk = Talk(voices=())
    talk.tell((1.0, typed("Count.")), (1.0, ASK), (1.1, inp.TextGenerated(G1, "One")))
    assert talk.tell((1.2, late)).facts == ()


# a leg is lost


def test_an_answer_goes_on_in_writing_when_its_leg_is_lost() -> None:
    talk = Talk()
    talk.tell(*answering(1.0, text="One", finished=False))
    assert kinds(talk.tell((2.0, cleared(G1, "One"))).facts) == [ev.PlayoutMoved, ev.FloorChanged]
    assert talk.tell((2.0, LEFT)).facts == ()
    outcome = talk.tell((2.1, inp.TextGenerated(G1, " two")))
    assert only(outcome.events, ev.TextAppended).offset == 3
    assert outcome.starting == ()
    assert kinds(talk.tell((7.0, DEADLINE)).facts) == [ev.FloorChanged, ev.PlayoutCleared]
    outcome = talk.tell((7.1, inp.TextGenerated(G1, ".")), (7.2, inp.GenerationFinished(G1)))
    assert only(outcome.facts, ev.ItemCompleted).text == "One two."
    assert only(outcome.facts, ev.ResponseEnded).status == "completed"
    assert outcome.starting == ()
    assert talk.session.state.moment.texts == {}


def test_a_complete_answer_is_over_when_its_leg_is_lost() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (2.0, cleared(G1, "One")), (2.0, LEFT), (7.0, DEADLINE))
    assert talk.session.state.conversation.responses == {}
    assert talk.session.state.moment.texts == {}
    assert talk.last(ev.ItemTruncated) == ev.ItemTruncated(
        answer(talk), "One", " two three four five.", 700, len(ANSWER), "leg_lost"
    )


def test_what_is_written_after_the_leg_was_lost_was_not_heard() -> None:
    talk = Talk()
    talk.tell(*answering(1.0, text="One two", finished=False), (2.0, cleared(G1, "One")), (2.0, LEFT))
    outcome = talk.tell((7.0, DEADLINE), (7.1, inp.TextGenerated(G1, " three.")), (7.2, inp.GenerationFinished(G1)))
    assert kinds(outcome.facts) == [ev.ItemCompleted, ev.ResponseEnded, ev.ItemTruncated]
    assert only(outcome.facts, ev.ItemTruncated) == ev.ItemTruncated(
        answer(talk), "One", " two three.", 700, 14, "leg_lost"
    )
    assert talk.session.state.conversation.tree.nodes[answer(talk)].broken_off


def test_what_was_heard_before_the_leg_was_lost_survives_the_process() -> None:
    talk = Talk()
    talk.tell(*answering(1.0, text="One two", finished=False), (2.0, cleared(G1, "One")), (2.0, LEFT))
    after = talk.reboot()
    outcome = after.tell((3.0, inp.SessionRecovered({answer(talk): "One two three"})))
    assert only(outcome.facts, ev.ItemTruncated).unheard == " two three"


def test_an_answer_whose_leg_was_lost_before_it_sounded_is_only_a_written_one() -> None:
    talk = Talk()
    talk.tell(*answering(1.0, sounding=False), (2.0, cleared(G1, started=False)), (2.0, LEFT))
    assert none(talk.log, ev.ItemTruncated)


def test_an_answer_whose_engine_failed_was_heard_as_far_as_it_was_spoken() -> None:
    talk = Talk()
    outcome = talk.tell(*answering(1.0), (4.0, inp.PlayoutStopped(G1, 900, 7)))
    assert kinds(outcome.facts) == [ev.PlayoutStopped, ev.ItemTruncated]
    truncated = only(outcome.facts, ev.ItemTruncated)
    assert (truncated.text, truncated.reason) == ("One two", "speech_failed")


@pytest.mark.parametrize("thinking", [False, True])
def test_a_leg_that_leaves_without_a_word_leaves_no_answer_behind(thinking: bool) -> None:
    talk = Talk()
    talk.tell(*([(1.0, typed("Count.")), (1.0, ASK)] if thinking else answering(1.0, finished=False)))
    assert kinds(talk.tell((2.0, LEFT)).facts) == [ev.PlayoutMoved, ev.FloorChanged]
    talk.tell((2.1, inp.TextGenerated(G1, "Six.")), (2.2, inp.GenerationFinished(G1)), (7.0, DEADLINE))
    assert talk.session.state.conversation.responses == {}


def test_a_cut_is_settled_when_its_leg_leaves_without_a_word() -> None:
    talk = Talk()
    talk.tell(*answering(1.0, finished=False), (2.0, INTERRUPT))
    outcome = talk.tell((2.1, LEFT))
    assert only(outcome.facts, ev.ResponseEnded).status == "cancelled"
    assert only(outcome.starting, fx.Generate).generation == G2
    assert only(outcome.facts, ev.ResponseStarted).leg is None


def test_a_written_answer_that_was_spoken_at_first_is_cut_where_it_was_shown() -> None:
    talk = Talk()
    talk.tell(*answering(1.0, text="One", finished=False), (2.0, LEFT), (2.1, inp.TextGenerated(G1, " two")))
    outcome = talk.tell((7.0, DEADLINE), (7.2, CANCEL, CHAT))
    assert none(outcome.stopping, fx.FlushPlayout)
    assert only(outcome.facts, ev.ItemCompleted).text == "One two"
    truncated = only(outcome.facts, ev.ItemTruncated)
    assert (truncated.text, truncated.unheard, truncated.seen) == ("One", " two", 7)


# a new answer waits for the truth


def test_a_new_answer_waits_until_the_last_cut_has_said_where_it_fell() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (1.5, ASK), (1.6, inp.TextGenerated(G2, "Again.")))
    talk.tell((2.0, typed("No, letters.")))
    stop = talk.tell((2.0, INTERRUPT))
    assert kinds(stop.stopping) == [fx.FlushPlayout, fx.CancelGeneration, fx.FlushPlayout]
    assert stop.starting == ()
    assert talk.tell((2.01, cleared(G2, started=False))).starting == ()
    outcome = talk.tell((2.02, cleared(G1, "One")))
    assert kinds(outcome.facts) == [ev.PlayoutCleared, ev.ItemTruncated, ev.ResponseStarted]
    assert kinds(outcome.starting) == [fx.Generate]


# truncation by a client


def test_a_client_that_truncates_an_answer_cuts_it_by_our_own_clock() -> None:
    talk = Talk(voices=(STOCK,))
    talk.tell(*later(answering(1.0), STOCK))
    outcome = talk.tell((2.0, inp.ItemTruncationRequested(answer(talk), audio_end_ms=999_999), STOCK))
    assert outcome.accepted
    assert outcome.stopping == (fx.FlushPlayout(STOCK, G1),)
    outcome = talk.tell((2.0, cleared(G1, "One", heard_ms=400)))
    assert only(outcome.facts, ev.ItemTruncated).heard_ms == 400


def over(heard: str | None = "One two") -> Talk:
    """The answer was cut after *heard* (700 ms), or was heard whole."""
    talk = Talk(voices=(STOCK, TABLET))
    talk.tell(*later(answering(1.0), STOCK))
    end = inp.PlayoutStopped(G1, 700) if heard is None else cleared(G1, heard)
    talk.tell(*([] if heard is None else [(2.0, CANCEL)]), (2.0, end))
    return talk


@pytest.mark.parametrize("leg", [STOCK, TABLET])
@pytest.mark.parametrize("heard", ["One two", None])
def test_a_client_cannot_lengthen_an_answer_that_is_over(heard: str | None, leg: LegId) -> None:
    talk = over(heard)
    outcome = talk.tell((2.1, inp.ItemTruncationRequested(answer(talk), 999_999, (24, 999_999)), leg))
    assert outcome.events == (ev.TruncationKept(leg, answer(talk), 700),)
    assert outcome.accepted


@pytest.mark.parametrize("heard", ["One two", None])
@pytest.mark.parametrize("located", [(3, 290), None])
def test_the_device_that_spoke_an_answer_can_say_that_it_played_less(
    heard: str | None, located: tuple[int, int] | None
) -> None:
    talk = over(heard)
    claim = inp.ItemTruncationRequested(answer(talk), 300, located)
    truncated = only(talk.tell((2.1, claim, STOCK)).facts, ev.ItemTruncated)
    whole = len(heard or ANSWER)
    assert truncated.text == ("One" if located or heard else "One two")
    assert truncated.heard_ms == (290 if located else 300)
    assert len(truncated.text) <= whole * 300 // 700 or located
    assert talk.tell((2.2, claim, STOCK)).facts == ()  # said twice is said once
    assert talk.tell((2.3, replace(claim, audio_end_ms=600, located=(7, 600)), STOCK)).facts == ()


def test_another_device_does_not_know_what_was_played() -> None:
    talk = over()
    claim = inp.ItemTruncationRequested(answer(talk), 0, (0, 0))
    assert talk.tell((2.1, claim, TABLET)).events == (ev.TruncationKept(TABLET, answer(talk), 700),)


def test_the_rest_to_go_on_with_grows_when_a_device_has_played_less() -> None:
    talk = cut_by_voice(heard="One two")
    talk.tell((3.25, inp.ItemTruncationRequested(answer(talk), 300, (3, 300))))
    assert only(talk.says(3.4, "").starting, fx.Recite).text == "two three four five."


def test_a_claim_while_the_answer_sounds_cuts_it_there() -> None:
    talk = Talk()
    talk.tell(*answering(1.0))
    talk.tell((2.0, inp.ItemTruncationRequested(answer(talk), 250, (3, 250))))
    truncated = only(talk.tell((2.0, cleared(G1, "One two", heard_ms=500))).facts, ev.ItemTruncated)
    assert (truncated.text, truncated.heard_ms) == ("One", 250)


def test_a_claim_that_cut_nothing_off_is_answered_all_the_same() -> None:
    talk = Talk()
    talk.tell(*answering(1.0))
    talk.tell((2.0, inp.ItemTruncationRequested(answer(talk), 9_000, (24, 9_000))))
    outcome = talk.tell((2.0, cleared(G1, ANSWER, heard_ms=2_000)))
    assert only(outcome.events, ev.TruncationKept).audio_end_ms == 2_000


def test_deleted_words_are_not_brought_back_by_a_claim() -> None:
    talk = over()
    item_id = answer(talk)
    talk.tell((2.1, inp.ItemDeletionRequested(item_id), STOCK))
    assert not talk.tell((2.2, inp.ItemTruncationRequested(item_id, 0), STOCK)).accepted
    assert talk.session.state.moment.said == {}


def test_a_client_can_truncate_only_answers() -> None:
    talk = Talk()
    talk.tell((1.0, typed("Hello.")))
    for item_id in (talk.path[0], ItemId("unknown")):
        outcome = talk.tell((1.1, inp.ItemTruncationRequested(item_id, 0)))
        assert only(outcome.events, ev.CommandRejected).failure.code == "item_truncate_invalid_item_id"
        assert not outcome.accepted


# silencing


def test_what_sounds_can_be_cleared_without_touching_what_is_still_thought_about() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (1.5, ASK))
    assert talk.tell((2.0, CLEAR)).stopping == (fx.FlushPlayout(PHONE, G1),)
    talk.tell((2.0, cleared(G1, "One")))
    assert only(talk.tell((2.1, inp.TextGenerated(G2, "Yes."))).starting, fx.Speak).generation == G2


def test_clearing_silence_is_harmless() -> None:
    talk = Talk()
    outcome = talk.tell((1.0, CLEAR))
    assert outcome.accepted
    assert (outcome.events, outcome.stopping, outcome.starting) == ((), (), ())
