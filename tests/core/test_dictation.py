"""The words of a turn while it is being spoken: nothing is told that would have to be taken back."""

import pytest
from hypothesis import given, strategies as st

from gateway.core import events as ev, inputs as inp
from tests.core.script import (
    CONFIRMED,
    DISMISSED,
    PHONE,
    SUSPECTED,
    TABLET,
    TURN_ENDED,
    Talk,
    in_doubt,
    none,
    only,
    turn,
)


def speaking_user() -> Talk:
    """A turn is being spoken in silence."""
    talk = Talk()
    talk.tell((1.0, SUSPECTED), (1.1, CONFIRMED))
    return talk


def heard(talk: Talk, *texts: str, at: float = 1.5) -> list[str]:
    """What clients are told when a recogniser says these one after another."""
    outcomes = [talk.tell((at, inp.TurnHeard(text))) for text in texts]
    return [event.text for it in outcomes for event in it.events if isinstance(event, ev.TurnWorded)]


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["tell me"], []),
        (["tell me", "tell me"], ["tell me"]),
        (["tell", "tell me", "tell me a", "tell me a story"], ["tell", " me", " a"]),
        (["tell me a", "tell me of it", "tell me of it"], ["tell me", " of it"]),
        (["tell me", "tell me", "sell me", "sell me"], ["tell me"]),
        (["tell me", "tell me", "sell", "tell me a", "tell me a"], ["tell me", " a"]),
        ([" tell  me\n", "tell me"], ["tell me"]),
        (["", ""], []),
    ],
)
def test_words_are_told_once_they_were_said_twice_in_a_row(texts: list[str], told: list[str]) -> None:
    assert heard(speaking_user(), *texts) == told


@given(st.lists(st.lists(st.sampled_from(["a", "b", "c"]), max_size=4).map(" ".join), max_size=8))
def test_what_was_told_was_the_beginning_of_something_that_was_heard(texts: list[str]) -> None:
    whole = "".join(heard(speaking_user(), *texts))
    assert any(text == whole or text.startswith(f"{whole} ") or not whole for text in [*texts, ""])


def test_words_belong_to_the_turn_that_was_announced_and_a_new_one_begins_anew() -> None:
    talk = speaking_user()
    heard(talk, "one", "one")
    first = talk.last(ev.TurnWorded)
    assert first == ev.TurnWorded(PHONE, talk.last(ev.SpeechStarted).item_id, "one")
    talk.tell((2.5, TURN_ENDED))
    assert heard(talk, "late", "late", at=2.6) == []
    talk.tell((4.0, SUSPECTED), (4.1, CONFIRMED))
    assert heard(talk, "one", "one", at=4.5) == ["one"]
    assert talk.last(ev.TurnWorded).item_id != first.item_id


def test_a_voice_that_may_still_be_nothing_has_no_words() -> None:
    talk = in_doubt()
    assert heard(talk, "uh huh", "uh huh", at=2.2) == []
    talk.tell((2.3, DISMISSED))
    assert heard(talk, "uh huh", at=2.4) == []


def test_a_nearer_device_goes_on_where_the_other_was() -> None:
    talk = Talk(voices=(PHONE, TABLET))
    talk.tell((1.0, SUSPECTED), (1.05, SUSPECTED, TABLET), (1.1, inp.SpeechConfirmed(1000, 300, -40)))
    assert heard(talk, "tell me", "tell me", at=1.12) == ["tell me"]
    talk.tell((1.15, inp.SpeechConfirmed(1000, 300, -20), TABLET))
    for text in ("tell me a", "tell me a"):
        talk.tell((1.6, inp.TurnHeard(text), TABLET))
    assert talk.last(ev.TurnWorded) == ev.TurnWorded(TABLET, talk.last(ev.SpeechStarted).item_id, " a")
    assert none(talk.tell((1.7, inp.TurnHeard("tell me a"))).events, ev.TurnWorded)


def test_the_transcript_says_how_long_the_sound_was() -> None:
    talk = Talk()
    talk.tell(*turn(1.0))
    assert only(talk.says(3.0, "Hello.").facts, ev.ItemTranscribed).audio_ms == 2500 - 700


def test_nothing_of_it_is_in_the_log() -> None:
    talk = speaking_user()
    heard(talk, "a secret", "a secret")
    assert len(talk.all(ev.TurnWorded)) == 1
    assert not [fact for fact in talk.log if "secret" in repr(fact)]
