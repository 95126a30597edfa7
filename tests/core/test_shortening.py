"""Where the context of models begins: the messages stay, and no summary outlives what it tells of."""

from gateway.core import events as ev, inputs as inp
from gateway.core.ids import ItemId
from tests.core.script import CANCEL, CHAT, G1, Talk, answering, cleared, none, only, typed


def written(*texts: str) -> Talk:
    """Messages m0, m1, … of the user's."""
    talk = Talk(voices=())
    for number, text in enumerate(texts):
        talk.tell((float(number), inp.ItemSubmitted("user", text, ItemId(f"m{number}")), CHAT))
    return talk


def outgrown(upto: str, *covers: str, text: str = "They counted.") -> inp.ContextOutgrown:
    return inp.ContextOutgrown(ItemId(upto), tuple((ItemId(it), 0) for it in covers), text)


def summed_up() -> Talk:
    """The first two of three messages are."""
    talk = written("one", "two", "three")
    talk.tell((5.0, outgrown("m1", "m0", "m1")))
    return talk


def test_a_summary_is_logged_beside_the_messages() -> None:
    talk = written("one", "two", "three")
    before = talk.path
    fact = only(talk.tell((5.0, outgrown("m1", "m0", "m1"))).facts, ev.ContextShortened)
    assert (fact.upto, fact.text, fact.sums_up) == ("m1", "They counted.", True)
    assert talk.path == before
    assert [(it.upto, it.sums_up) for it in talk.session.state.conversation.shortened] == [("m1", True)]


def test_a_summary_of_what_changed_meanwhile_is_not_kept() -> None:
    talk = written("one", "two", "three")
    talk.tell((4.0, inp.CorrectionSubmitted(ItemId("m0"), "uno")))
    assert talk.tell((5.0, outgrown("m1", "m0", "m1"))).facts == ()
    talk.tell((6.0, inp.ItemRedactionRequested(ItemId("m1"))))
    assert talk.tell((7.0, outgrown("m1", "m1"))).facts == ()
    talk.tell((8.0, inp.ItemDeletionRequested(ItemId("m1"))))
    assert talk.tell((9.0, outgrown("m2", "m1"))).facts == ()


def test_a_summary_of_an_answer_that_was_cut_meanwhile_is_not_kept() -> None:
    talk = Talk()
    talk.tell(*answering(1.0))
    answer = talk.path[-1]
    talk.tell((2.0, CANCEL), (2.0, cleared(G1, "One")))
    assert only(talk.log, ev.ItemTruncated).item_id == answer
    assert talk.tell((3.0, outgrown(answer, answer))).facts == ()


def test_a_summary_is_void_when_a_message_of_which_it_tells_is_changed() -> None:
    for change in (
        inp.ItemRedactionRequested(ItemId("m0")),
        inp.ItemDeletionRequested(ItemId("m1")),
        inp.CorrectionSubmitted(ItemId("m0"), "uno"),
    ):
        talk = summed_up()
        summary = talk.last(ev.ContextShortened).item_id
        outcome = talk.tell((6.0, change))
        assert only(outcome.facts, ev.ContextRestored).item_id == summary
        assert talk.session.state.conversation.shortened == []


def test_a_change_of_what_came_after_leaves_it() -> None:
    talk = summed_up()
    none(talk.tell((6.0, inp.ItemRedactionRequested(ItemId("m2")))).facts, ev.ContextRestored)


def test_after_a_reset_models_know_nothing_of_before() -> None:
    talk = written("one", "two")
    fact = only(talk.tell((5.0, inp.ContextResetRequested())).facts, ev.ContextShortened)
    assert (fact.upto, fact.text, fact.sums_up) == ("m1", "", False)


def test_a_reset_stays_where_it_was_when_its_message_is_deleted() -> None:
    talk = written("one", "two")
    talk.tell((5.0, inp.ContextResetRequested()), (6.0, inp.ItemDeletionRequested(ItemId("m1"))))
    assert [it.upto for it in talk.session.state.conversation.shortened] == ["m0"]
    talk.tell((7.0, inp.ItemDeletionRequested(ItemId("m0"))))
    assert talk.session.state.conversation.shortened == []


def test_a_reset_of_nothing_does_nothing() -> None:
    assert Talk().tell((1.0, inp.ContextResetRequested())).facts == ()


def test_a_later_one_in_the_same_place_takes_its_place() -> None:
    talk = summed_up()
    talk.tell((6.0, typed("four"), CHAT), (7.0, outgrown("m1", "m0", text="They counted to two.")))
    assert len(talk.session.state.conversation.shortened) == 1


def test_the_words_of_a_summary_go_when_a_reset_takes_its_place() -> None:
    talk = written("one", "two")
    talk.tell((5.0, outgrown("m1", "m0", "m1")))
    summary = talk.last(ev.ContextShortened).item_id
    outcome = talk.tell((6.0, inp.ContextResetRequested()))
    assert only(outcome.facts, ev.ContextRestored).item_id == summary
    assert [(it.upto, it.sums_up) for it in talk.session.state.conversation.shortened] == [("m1", False)]
