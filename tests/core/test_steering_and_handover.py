"""An answer that is steered, while it goes from one loudspeaker to another."""

from gateway.core import effects as fx, events as ev, inputs as inp
from gateway.core.ids import ItemId
from tests.core.script import CLAIM, DEADLINE, G1, G2, LEFT, PHONE, TABLET, Talk, cleared, handed_over, only
from tests.core.test_handover import moved, two
from tests.core.test_redirecting import running, steer


def went_on(talk: Talk, at: float) -> ev.ResponseSteered:
    """The next part of the steered answer has begun."""
    talk.tell((at, DEADLINE))
    steered = talk.last(ev.ResponseSteered)
    talk.tell((at + 0.1, inp.TextGenerated(steered.generation, "Trois.")))
    return steered


def test_the_next_part_is_spoken_where_the_floor_is_by_then() -> None:
    talk = two(finished=False)
    talk.tell((2.0, steer()), (2.0, CLAIM, TABLET), (2.1, cleared(G1, "One")))
    assert went_on(talk, 2.2).leg == TABLET
    assert talk.session.state.alive()[0].leg == TABLET


def test_an_answer_that_is_steered_while_it_is_given_away_goes_on_where_the_floor_is() -> None:
    talk = two(finished=False)
    talk.tell((2.0, CLAIM, TABLET))
    assert fx.FlushPlayout(PHONE, G1) in talk.tell((2.1, steer())).stopping
    assert talk.tell((2.2, handed_over(G1, "One"))).starting == ()
    assert talk.last(ev.ItemTruncated).text == "One"
    assert went_on(talk, 2.5).leg == TABLET
    assert talk.last(fx.BeginSpeech).leg == TABLET


def test_an_answer_that_is_steered_is_not_handed_over_before_it_has_said_where_it_stood() -> None:
    talk = two(finished=False)
    talk.tell((2.0, steer()))
    assert talk.tell((2.0, CLAIM, TABLET)).stopping == ()


def test_a_part_that_had_moved_keeps_what_was_heard_of_it_everywhere() -> None:
    talk = moved()
    response = talk.session.state.alive()[0]
    assert (response.leg, response.heard_chars) == (TABLET, 3)
    talk.tell((2.2, steer()))
    outcome = talk.tell((2.3, cleared(G1, "One two"), TABLET))
    assert only(outcome.facts, ev.ItemTruncated).text == "One two"


def test_the_next_part_begins_with_nothing_heard() -> None:
    talk = two(finished=False)
    talk.tell((2.0, CLAIM, TABLET), (2.0, handed_over(G1, "One")), (2.1, inp.PlayoutStarted(G1), TABLET))
    talk.tell((2.2, steer()), (2.3, cleared(G1, "One two"), TABLET))
    response = talk.session.state.alive()[0]
    assert (response.generation, response.leg, response.moves, response.sounded) == (G2, TABLET, 0, False)
    assert (response.heard_chars, response.heard_ms) == (0, 0)


def test_the_rest_of_a_steered_answer_waits_for_a_device_that_may_come_back() -> None:
    talk = two(finished=False)
    talk.tell((2.0, steer()), (2.1, cleared(G1, "One")), (2.1, LEFT))
    response = talk.session.state.alive()[0]
    assert (response.leg, response.left, response.response_id) == (None, PHONE, running(talk))
    talk.tell((3.0, inp.VoiceJoined(revocable=True)))
    assert talk.session.state.alive()[0].leg == PHONE


def test_what_waits_in_the_queue_is_spoken_where_the_floor_is() -> None:
    talk = two()
    talk.tell((2.0, inp.ResponseRequested("queue", words="And six?", item_id=ItemId("six"))))
    talk.tell((2.1, CLAIM, TABLET), (2.1, handed_over(G1, "One")), (2.2, inp.PlayoutStarted(G1), TABLET))
    outcome = talk.tell((3.0, inp.PlayoutStopped(G1, 2000), TABLET))
    assert only(outcome.facts, ev.ResponseStarted).leg == TABLET


def test_an_answer_beside_one_that_waits_for_its_device_is_only_written() -> None:
    talk = two(finished=False)
    talk.tell((2.0, cleared(G1, "One")), (2.0, LEFT))
    outcome = talk.tell((2.1, inp.ResponseRequested("concurrent", words="And six?"), TABLET))
    assert only(outcome.facts, ev.ResponseStarted).leg is None
