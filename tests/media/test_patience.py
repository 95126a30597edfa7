"""How long a silence must last."""

import pytest

from media.hearing.patience import LONGEST_MS, Eagerness, Semantic, Timer


@pytest.mark.parametrize("words", [None, "", "and", "That is all."])
def test_a_timer_does_not_listen(words: str | None) -> None:
    assert Timer(700).silence_ms(words) == 700


@pytest.mark.parametrize(("eagerness", "longest_ms"), [("low", 8000), ("medium", 4000), ("auto", 4000), ("high", 2000)])
def test_eagerness_bounds_the_wait(eagerness: Eagerness, longest_ms: int) -> None:
    waits = [Semantic(eagerness).silence_ms(words) for words in (None, "", "and then", "What time is it?", "stop")]
    assert max(waits) == longest_ms == LONGEST_MS[eagerness]
    assert min(waits) >= 300  # pauses inside a sentence are shorter


@pytest.mark.parametrize("words", ["I would like to", "Tell me about the sea and", "um", "ja, aber", "Well,", "So..."])
def test_what_sounds_unfinished_is_waited_for(words: str) -> None:
    assert Semantic().silence_ms(words) == 4000


@pytest.mark.parametrize("words", ["What time is it?", "stop", "tell me a story", "What are you looking at?"])
def test_what_sounds_finished_is_answered_soon(words: str) -> None:
    assert Semantic().silence_ms(words) == 500


def test_without_words_the_wait_lies_in_between() -> None:
    assert Semantic().silence_ms("stop") < Semantic().silence_ms(None) < Semantic().silence_ms("and")
    assert Semantic().silence_ms(None) == 1000
