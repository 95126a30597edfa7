"""Numbers, counts and times in words."""

from datetime import datetime

import pytest
from hypothesis import given, strategies as st

from gateway.agents.offline_numbers import LARGEST, clock_time, count_aloud, read_numbers, spell


@given(st.integers(0, LARGEST))
def test_a_spelt_number_reads_back(number: int) -> None:
    assert read_numbers(spell(number).split()) == (number,)


@pytest.mark.parametrize("number", [-1, LARGEST + 1])
def test_what_has_no_word_cannot_be_spelt(number: int) -> None:
    with pytest.raises(ValueError, match="cannot spell"):
        spell(number)


@pytest.mark.parametrize(
    ("said", "numbers"),
    [
        ("count from five to twelve", (5, 12)),
        ("from 5 to 12", (5, 12)),
        ("one two three", (1, 2, 3)),
        ("twenty twelve", (20, 12)),
        ("a hundred and five and six", (105, 6)),
        ("two thousand", (2000,)),
        ("hundred thousand", (LARGEST,)),
        ("99999999999999999999", (LARGEST,)),
        ("tell me a story", ()),
    ],
)
def test_numbers_are_found_among_words(said: str, numbers: tuple[int, ...]) -> None:
    assert read_numbers(said.split()) == numbers


@pytest.mark.parametrize(
    ("asked", "counted"),
    [
        ("count to three", "One, two, three."),
        ("count from five to seven", "Five, six, seven."),
        ("count down from three", "Three, two, one."),
        ("count from three to one", "Three, two, one."),
        ("count backwards from one to three", "Three, two, one."),
        ("count to zero", "Zero."),
    ],
)
def test_a_count_says_every_number(asked: str, counted: str) -> None:
    assert count_aloud(asked.split()) == counted


def test_a_count_has_a_sentence_for_every_ten() -> None:
    assert count_aloud(("count", "to", "twelve")).endswith("nine, ten. Eleven, twelve.")


def test_a_count_without_numbers_goes_to_twenty() -> None:
    assert count_aloud(("count",)).endswith("nineteen, twenty.")


@pytest.mark.parametrize("asked", ["count to nine thousand", "count down from nine thousand", "count from 9999"])
def test_a_count_comes_to_an_end(asked: str) -> None:
    assert len(count_aloud(asked.split())) < 120 * 50


@pytest.mark.parametrize(
    ("hour", "minute", "words"),
    [
        (0, 0, "twelve o'clock at night"),
        (9, 5, "nine oh five in the morning"),
        (12, 30, "twelve thirty in the afternoon"),
        (18, 59, "six fifty nine in the evening"),
        (23, 10, "eleven ten at night"),
    ],
)
def test_the_time_of_day_is_said_as_people_say_it(hour: int, minute: int, words: str) -> None:
    assert clock_time(datetime(2026, 11, 20, hour, minute)) == words  # noqa: DTZ001
