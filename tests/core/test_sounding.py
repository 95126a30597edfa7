"""Answers that bring their own sound: it opens the item before the first word, and itself never comes here."""

from gateway.core import effects as fx, events as ev, inputs as inp
from tests.core.script import (
    ASK,
    BROKEN,
    CANCEL,
    CHAT,
    CLAIM,
    G1,
    PHONE,
    TABLET,
    VOICE_JOINED,
    Talk,
    cleared,
    cut_by_voice,
    handed_over,
    kinds,
    none,
    only,
    typed,
)

SOUND = inp.SoundBegan(G1)


def sounding() -> Talk:
    """An answer sounds whose first word has not come."""
    talk = Talk()
    talk.tell((1.0, typed("Count, please.")), (1.0, ASK), (1.1, SOUND), (1.2, inp.PlayoutStarted(G1)))
    return talk


def test_the_first_sound_opens_the_item_and_its_loudspeaker() -> None:
    talk = Talk()
    outcome = talk.tell((1.0, typed("Count, please.")), (1.0, ASK), (1.1, SOUND))
    added = only(outcome.facts, ev.ItemAdded)
    assert (added.role, added.status, added.spoken) == ("assistant", "in_progress", True)
    begun = only(outcome.starting, fx.BeginSpeech)
    assert (begun.leg, begun.item_id) == (PHONE, added.item_id)


def test_words_that_follow_belong_to_that_item() -> None:
    talk = sounding()
    outcome = talk.tell((1.3, inp.TextGenerated(G1, "One")))
    assert kinds(outcome.events) == [ev.TextAppended]
    assert only(outcome.events, ev.TextAppended).item_id == talk.last(ev.ItemAdded).item_id
    assert kinds(outcome.starting) == [fx.Speak]


def test_sound_after_the_first_word_changes_nothing() -> None:
    talk = Talk()
    talk.tell((1.0, typed("Count, please.")), (1.0, ASK), (1.1, inp.TextGenerated(G1, "One")))
    outcome = talk.tell((1.2, SOUND))
    assert (outcome.events, outcome.starting) == ((), ())


def test_sound_that_nobody_hears_opens_nothing() -> None:
    talk = Talk(voices=())
    talk.tell((1.0, typed("Count, please."), CHAT), (1.0, ASK, CHAT))
    assert talk.tell((1.1, SOUND)).events == ()


def test_sound_of_a_cut_answer_is_dropped() -> None:
    talk = Talk()
    talk.tell((1.0, typed("Count, please.")), (1.0, ASK), (1.1, CANCEL))
    assert talk.tell((1.2, SOUND)).events == ()


def test_an_answer_cut_before_its_first_word_is_cut_at_its_loudspeaker() -> None:
    talk = sounding()
    assert fx.FlushPlayout(PHONE, G1) in talk.tell((2.0, CANCEL)).stopping
    outcome = talk.tell((2.0, cleared(G1, "", heard_ms=400)))
    done = only(outcome.facts, ev.ItemCompleted)
    assert (done.status, done.text) == ("incomplete", "")
    assert only(outcome.facts, ev.ResponseEnded).status == "cancelled"
    assert talk.session.state.moment.texts == {}


def test_an_answer_handed_over_before_its_first_word_goes_on_elsewhere() -> None:
    talk = sounding()
    talk.tell((1.5, VOICE_JOINED, TABLET), (1.6, CLAIM, TABLET))
    outcome = talk.tell((1.7, handed_over(G1, "", heard_ms=400)))
    begun = only(outcome.starting, fx.BeginSpeech)
    assert (begun.leg, begun.heard_chars, begun.heard_ms) == (TABLET, 0, 400)


def test_a_steer_is_consumed_by_the_first_sound() -> None:
    talk = sounding()
    talk.tell((1.3, inp.TextGenerated(G1, "One")), (1.4, inp.SteerRequested("in French")))
    talk.tell((1.5, cleared(G1, "One", heard_ms=400)))
    talk.tell((1.6, inp.DeadlineReached()))
    again = talk.last(fx.Generate)
    assert [steer.text for steer in again.steers] == ["in French"]
    outcome = talk.tell((1.7, inp.SoundBegan(again.generation)))
    assert not none(outcome.facts, ev.SteerConsumed)


# --- a turn whose words could not be had, of which the model has the sound ---


def test_a_turn_that_the_model_can_hear_is_answered_without_words() -> None:
    talk = cut_by_voice()
    outcome = talk.tell((3.5, inp.TurnTranscriptionFailed(talk.turn(), BROKEN, audible=True)))
    assert not none(outcome.facts, ev.ItemTranscriptionFailed)
    assert kinds(outcome.starting) == [fx.Generate]
    assert talk.turn() in talk.path
