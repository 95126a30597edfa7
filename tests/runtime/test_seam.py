"""The rest of a steered answer repeats nothing and starts nothing over."""

import pytest
from hypothesis import given, strategies as st

from gateway.runtime.seam import LONG, Seam

OLD = ("one", "Two,", "three", "thrée", "five.", "six")
NEW = ("and", "letters", "Are", "other", "—", "things.")

said = st.lists(st.sampled_from(OLD), min_size=1, max_size=12)
new = st.lists(st.sampled_from(NEW), max_size=8)
anything = st.lists(st.sampled_from(OLD + NEW), max_size=16)
cuts = st.lists(st.integers(1, 6), max_size=30)


def joined(before: str, rest: str, least: int = 1, sizes: list[int] | None = None) -> str:
    """What of *rest* is given out, when it comes in pieces of these sizes (and the last one at once)."""
    seam, found, at = Seam(before, least), "", 0
    for size in sizes or []:
        found += seam.feed(rest[at : at + size])
        at += size
    return found + seam.feed(rest[at:]) + seam.end()


@pytest.mark.parametrize(
    ("before", "rest", "new"),
    [
        ("Once upon a time", " there was a fox.", " there was a fox."),
        ("Once upon a time", "time there was a fox.", " there was a fox."),
        ("Once upon a time,", "upon a time there was a fox.", " there was a fox."),
        ("Once upon a time", "Once upon a time there was a fox.", " there was a fox."),
        ("Once upon a time there was", "Once upon a hill stood a house.", " hill stood a house."),
        ("One two three four five six", "two three four five, and more", ", and more"),
        ("Once upon a ti", "me there was", "me there was"),
        ("It is very", " Very, very good.", " very good."),
        ("Once upon a time", "A fox.", "A fox."),
        ("", "Once", "Once"),
    ],
)
def test_what_was_said_is_left_out(before: str, rest: str, new: str) -> None:
    assert joined(before, rest).removeprefix(",") == new.removeprefix(",")


def test_an_exact_continuation_may_say_a_word_twice() -> None:
    assert joined("It is very", " very good.", least=3) == " very good."


@given(said, new, st.integers(1, 12), cuts)
def test_the_last_words_are_not_repeated(before: list[str], rest: list[str], again: int, sizes: list[int]) -> None:
    assert joined(" ".join(before), " ".join(before[-again:] + rest), sizes=sizes).split() == rest


@given(said, new, cuts)
def test_nothing_is_started_over(before: list[str], rest: list[str], sizes: list[int]) -> None:
    given = joined(" ".join(before), " ".join(before + before + rest), least=LONG, sizes=sizes).split()
    assert given == rest or len(before) < LONG - 1


@given(said, anything, cuts)
def test_no_long_run_of_words_comes_again(before: list[str], rest: list[str], sizes: list[int]) -> None:
    plain = [word.strip(".,").casefold() for word in before]
    found = [word.strip(".,").casefold() for word in joined(" ".join(before), " ".join(rest), sizes=sizes).split()]
    runs = [plain[at : at + LONG] for at in range(len(plain) - LONG + 1)]
    assert found[:LONG] not in runs


@given(said, new, cuts)
def test_what_is_new_is_given_out_as_it_is(before: list[str], rest: list[str], sizes: list[int]) -> None:
    assert joined(" ".join(before), " ".join(rest), sizes=sizes) == " ".join(rest)


@given(said, anything, cuts)
def test_only_a_beginning_is_left_out_however_it_comes(before: list[str], rest: list[str], sizes: list[int]) -> None:
    text = " ".join(rest)
    found = joined(" ".join(before), text, sizes=sizes)
    assert text.endswith(found)
    assert found == joined(" ".join(before), text)


def test_new_words_are_not_held_back() -> None:
    seam = Seam("Once upon a time", least=1)
    assert seam.feed("There") == "There"
    assert seam.feed(" was") == " was"


def test_words_are_held_back_only_while_they_may_be_a_repetition() -> None:
    seam = Seam("Once upon a time", least=1)
    assert seam.feed("upon") == ""
    assert seam.feed(" a") == ""
    assert seam.feed(" hill") == "upon a hill"
