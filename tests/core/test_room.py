"""Two microphones in one room hear one voice: one turn, on the device that hears it best."""

import pytest

from gateway.core import effects as fx, events as ev, inputs as inp
from gateway.core.ids import LegId
from gateway.core.state import Hearing
from tests.core.script import (
    ENDED,
    G1,
    PHONE,
    SUSPECTED,
    SUSTAINED,
    TABLET,
    TURN_ENDED,
    Line,
    Talk,
    answering,
    handed_over,
    none,
    only,
    typed,
)

BOTH = (PHONE, TABLET)


def confirmed(level_db: float) -> inp.SpeechConfirmed:
    return inp.SpeechConfirmed(1000, 300, level_db)


def both_hear(phone_db: float, tablet_db: float, at: float = 2.0, apart: float = 0.1) -> list[Line]:
    """The phone is sure first."""
    return [
        (at, SUSPECTED),
        (at + apart, SUSPECTED, TABLET),
        (at + 0.1 + apart, confirmed(phone_db)),
        (at + 0.1 + 2 * apart, confirmed(tablet_db), TABLET),
    ]


def and_goes_on(at: float = 3.0) -> list[Line]:
    """The rest of the utterance, as both of them hear it."""
    story: list[Line] = []
    inputs: tuple[inp.Input, ...] = (SUSTAINED, ENDED, TURN_ENDED)
    for after, input in enumerate(inputs):
        story += [(at + after * 0.3, input), (at + after * 0.3, input, TABLET)]
    return story


@pytest.mark.parametrize(
    ("phone_db", "tablet_db", "wins"), [(-30, -40, PHONE), (-40, -30, TABLET), (-30, -30.5, PHONE), (-30.5, -30, PHONE)]
)
def test_of_devices_that_hear_the_same_voice_the_strongest_wins_and_a_tie_goes_to_the_holder(
    phone_db: float, tablet_db: float, wins: LegId
) -> None:
    talk = Talk(voices=BOTH)
    talk.tell(*both_hear(phone_db, tablet_db), *and_goes_on())
    loses = next(leg for leg in BOTH if leg != wins)
    assert [effect.leg for effect in talk.all(fx.TranscribeTurn)] == [wins]
    assert len(talk.all(ev.SpeechStarted)) == len(talk.all(ev.SpeechStopped)) == 1
    assert len([fact for fact in talk.log if isinstance(fact, ev.ItemAdded)]) == 1
    assert fx.DropUtterance(loses) in talk.stopping
    assert talk.session.state.conversation.floor.leg == wins


def test_a_tie_goes_to_who_had_the_floor_before_the_other_was_sure_first() -> None:
    talk = Talk(voices=(TABLET, PHONE))
    talk.tell(*both_hear(-30, -30))
    assert talk.session.state.conversation.floor.leg == TABLET
    assert talk.voice(PHONE).yielded_to == TABLET


def test_the_loser_lets_its_playout_go_on() -> None:
    talk = Talk(voices=BOTH)
    talk.tell(*answering(1.0), *both_hear(-40, -30))
    assert fx.ReleasePlayout(PHONE) in talk.stopping
    assert talk.hearing(PHONE) is Hearing.QUIET
    assert talk.hearing(TABLET) is Hearing.CONFIRMED
    assert talk.last(ev.SpeechDismissed).leg == PHONE
    talk.tell((2.5, handed_over(G1, "One")), (2.6, SUSTAINED, TABLET))
    assert talk.last(fx.FlushPlayout).leg == TABLET
    assert only(talk.events, ev.SpeechStarted).leg == TABLET


def test_an_answer_that_waits_for_a_voice_waits_for_it_where_it_is_heard_best() -> None:
    talk = Talk(voices=BOTH)
    talk.tell((1.0, typed("Hm.")), (2.0, TURN_ENDED, TABLET))
    talk.tell((2.0, SUSPECTED), (2.0, SUSPECTED, TABLET), (2.2, confirmed(-40), TABLET))
    talk.tell((2.3, inp.TurnTranscribed(talk.turn(), "What about Tuesday?"), TABLET), (2.3, confirmed(-30)))
    talk.tell((2.4, inp.ItemDeletionRequested(talk.path[0])))  # whatever happens meanwhile
    assert none(talk.log, ev.ResponseStarted)  # for the speaker goes on, on the phone
    talk.tell((3.0, TURN_ENDED))
    talk.says(3.5, "At noon?")
    assert only(talk.log, ev.ResponseStarted).answers == talk.turn()


def test_voices_that_begin_farther_apart_are_two() -> None:
    talk = Talk(voices=BOTH)
    talk.tell(*both_hear(-30, -40, apart=0.4))
    assert len(talk.all(ev.SpeechStarted)) == 2


def test_the_loser_hears_nothing_until_the_winner_is_done_and_something_new_begins() -> None:
    talk = Talk(voices=BOTH)
    talk.tell(*both_hear(-30, -40))
    talk.tell((4.0, SUSPECTED, TABLET), (4.2, confirmed(-20), TABLET), (4.9, TURN_ENDED, TABLET))
    assert len(talk.all(ev.SpeechStarted)) == 1
    talk.tell((5.0, TURN_ENDED), (5.1, TURN_ENDED, TABLET))
    assert len(talk.all(fx.TranscribeTurn)) == 1
    talk.tell((6.0, SUSPECTED, TABLET), (6.2, confirmed(-40), TABLET))
    assert talk.last(ev.SpeechStarted).leg == TABLET


def test_a_turn_stays_where_it_was_begun() -> None:
    talk = Talk(voices=BOTH)
    talk.tell((2.0, SUSPECTED), (2.1, confirmed(-40)), (3.0, ENDED))
    talk.tell(*both_hear(-40, -20, at=4.0))
    assert len(talk.all(ev.SpeechStarted)) == 1
    assert talk.voice(TABLET).yielded_to == PHONE


def test_a_key_that_is_held_needs_no_proof() -> None:
    talk = Talk(voices=BOTH)
    talk.tell((2.0, inp.TalkPressed(2000, 400)), (2.1, SUSPECTED, TABLET), (2.2, confirmed(-10), TABLET))
    assert len(talk.all(ev.SpeechStarted)) == 2  # nobody knows that it is the same voice
    talk.tell((2.3, inp.TalkPressed(2000, 400), TABLET))
    assert talk.voice(TABLET).pressed


def test_a_device_that_leaves_gives_the_other_its_ears_back() -> None:
    talk = Talk(voices=BOTH)
    talk.tell(*both_hear(-30, -40), (2.5, inp.LegLeft()), (3.5, SUSPECTED, TABLET), (3.6, confirmed(-40), TABLET))
    assert talk.last(ev.SpeechStarted).leg == TABLET
    assert none(talk.log, ev.ItemAdded)
