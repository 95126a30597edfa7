"""An item's words are removed: told to everybody, once, and nothing brings them back."""

from gateway.core import effects as fx, events as ev, inputs as inp
from gateway.core.ids import ItemId, ResponseId
from tests.core.script import (
    ASK,
    CONFIRMED,
    G1,
    PHONE,
    STOCK,
    SUSPECTED,
    TURN_ENDED,
    Talk,
    answering,
    cleared,
    cut_by_voice,
    none,
    only,
    speaking,
    turn,
    typed,
)


def redact(item_id: ItemId) -> inp.ItemRedactionRequested:
    return inp.ItemRedactionRequested(item_id)


def rejection(talk: Talk) -> str:
    return talk.last(ev.CommandRejected).failure.code


def test_a_redacted_message_keeps_its_place() -> None:
    talk = Talk()
    talk.tell((1.0, typed("My PIN is 1234.")), (2.0, typed("Thanks.")))
    first = talk.path[0]
    outcome = talk.tell((3.0, redact(first)))
    assert outcome.facts == (ev.ItemRedacted(first),)
    assert talk.path[0] == first
    assert talk.session.state.conversation.tree.nodes[first].redacted


def test_an_answer_is_redacted_with_the_metadata_of_its_response() -> None:
    talk = Talk(voices=())
    talk.tell(*answering(1.0, sounding=False))
    response = talk.last(ev.ResponseStarted).response_id
    outcome = talk.tell((2.0, redact(talk.path[-1])))
    assert only(outcome.facts, ev.ItemRedacted).response_id == response


def test_twice_is_once() -> None:
    talk = Talk()
    talk.tell((1.0, typed("My PIN is 1234.")), (2.0, redact(ItemId("item_0002"))))
    assert talk.tell((3.0, redact(talk.path[0]))).accepted
    assert len(talk.all(ev.ItemRedacted)) == 1


def test_an_unknown_item_and_an_answer_that_is_being_given_are_refused() -> None:
    talk = speaking()
    talk.tell((2.0, redact(ItemId("nobody"))))
    assert rejection(talk) == "item_redact_invalid_item_id"
    talk.tell((2.1, redact(talk.path[-1])))
    assert rejection(talk) == "item_in_use"
    assert none(talk.events, ev.ItemRedacted)


def test_words_that_come_after_their_redaction_are_dropped() -> None:
    talk = Talk()
    talk.tell(*turn(1.0))
    mine = talk.turn()
    talk.tell((3.0, redact(mine)))
    assert talk.says(3.5, "My PIN is 1234.").facts == ()
    assert not talk.session.state.conversation.tree.nodes[mine].awaits_words


def test_the_unheard_rest_of_a_redacted_answer_is_not_spoken() -> None:
    talk = cut_by_voice(heard="One two")
    answer = next(fact.item_id for fact in talk.all(ev.ItemAdded) if fact.response_id is not None)
    talk.tell((3.3, redact(answer)))
    talk.says(3.5, "")
    assert none(talk.starting, fx.Recite)


def test_a_device_that_says_it_played_less_brings_no_words_back() -> None:
    talk = Talk(voices=(PHONE, STOCK))
    talk.tell((1.0, typed("Count, please."), STOCK), (1.0, ASK, STOCK))
    talk.tell((1.0, inp.TextGenerated(G1, "One two three")), (1.1, inp.GenerationFinished(G1)))
    talk.tell((1.2, inp.PlayoutStarted(G1), STOCK), (2.0, inp.PlayoutStopped(G1, 900), STOCK))
    answer = talk.path[-1]
    talk.tell((2.1, redact(answer)), (2.2, inp.ItemTruncationRequested(answer, 300, (3, 300)), STOCK))
    assert none(talk.events, ev.ItemTruncated)


def test_redacting_what_is_awaited_lets_an_answer_that_waits_begin() -> None:
    talk = Talk()
    talk.tell(*turn(1.0), (3.0, ASK))
    assert none(talk.starting, fx.Generate)
    talk.tell((3.1, redact(talk.turn())))
    assert talk.last(fx.Generate).response_id == ResponseId(talk.last(ev.ResponseStarted).response_id)


def test_a_cut_that_has_not_said_where_it_fell_still_holds_its_answer() -> None:
    talk = speaking()
    talk.tell((2.0, SUSPECTED), (2.1, CONFIRMED), (2.7, inp.SpeechSustained()), (3.2, TURN_ENDED))
    answer = next(fact.item_id for fact in talk.all(ev.ItemAdded) if fact.response_id is not None)
    talk.tell((3.3, redact(answer)))
    assert rejection(talk) == "item_in_use"
    talk.tell((3.4, cleared(G1, "One")), (3.5, redact(answer)))
    assert talk.last(ev.ItemRedacted).item_id == answer
