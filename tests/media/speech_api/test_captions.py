"""Words of a text and a server's captions."""

import pytest
from hypothesis import given, strategies as st

from media.speech import Word
from media.speech.api.captions import Caption, Captions

SECOND = 24_000


def captioned(text: str, *spoken: str) -> list[tuple[str, float]]:
    """The stretches of *text* that get a time, when each of *spoken* lasts a second, and the time."""
    captions = Captions(text)
    words = captions.take(Caption(word, second) for second, word in enumerate(spoken)) + captions.rest()
    return [(text[word.start : word.end], word.sample / SECOND) for word in words]


def test_words_are_found_in_their_order_whatever_their_case_and_marks() -> None:
    assert captioned("Hello, hello  World!", "hello", ",", "Hello", "world", "!") == [
        ("Hello", 0),
        ("hello", 2),
        ("World", 3),
    ]


def test_what_is_spoken_otherwise_than_written_is_one_word_at_its_first_caption() -> None:
    assert captioned("It costs $5 now.", "It", "costs", "five", "dollars", "now") == [
        ("It", 0),
        ("costs", 1),
        ("$5", 2),
        ("now", 4),
    ]


def test_what_is_spoken_otherwise_at_the_end_is_told_when_no_more_captions_come() -> None:
    assert captioned("It costs $5.", "It", "costs", "five", "dollars") == [("It", 0), ("costs", 1), ("$5.", 2)]


def test_a_word_in_parts_is_found_in_parts() -> None:
    assert captioned("I don't.", "I", "do", "n't") == [("I", 0), ("do", 1), ("n't", 2)]


def test_a_word_is_not_found_inside_of_another_nor_far_away() -> None:
    assert captioned("Cone 1 of many, and one more", "Cone", "one", "of") == [("Cone", 0), ("1", 1), ("of", 2)]


@pytest.mark.parametrize("text", ["", " ", "…", "Hello"])
def test_more_captions_than_words_are_harmless(text: str) -> None:
    assert captioned(text, "Hello", "Hello", "there", ".") == ([("Hello", 0)] if text == "Hello" else [])


@given(st.text(max_size=30), st.lists(st.text(max_size=5), max_size=8))
def test_words_lie_in_the_text_in_order_and_do_not_overlap(text: str, spoken: list[str]) -> None:
    captions = Captions(text)
    words: tuple[Word, ...] = ()
    for second, word in enumerate(spoken):
        words += captions.take([Caption(word, second)])
    words += captions.rest()
    at, sample = 0, 0
    for found in words:
        assert at <= found.start < found.end <= len(text)
        assert found.sample >= sample
        at, sample = found.end, found.sample
