"""Cutting an answer's text into clauses to speak."""

import pytest
from hypothesis import given, strategies as st

from media.speech.clauses import FIRST_MAX_CHARS, Clause, Clauses

_PROSE = st.text(st.sampled_from("ab c.1,!?:;\n\"')— 、。é日😀"), max_size=400)


def cut(text: str, *, min_chars: int = 24, max_chars: int = 240) -> list[str]:
    """The clauses of *text*, of which a first word has been spoken already."""
    clauses = Clauses(min_chars, max_chars)
    clauses.feed("Well, then.\n")
    return [clause.text for clause in (*clauses.feed(text), *clauses.finish())]


def all_of(clauses: Clauses, *deltas: str) -> list[Clause]:
    return [*(clause for delta in deltas for clause in clauses.feed(delta)), *clauses.finish()]


@given(st.one_of(_PROSE, st.text(max_size=400)), st.integers(1, 30), st.integers(0, 60))
def test_clauses_joined_are_the_text_and_none_is_too_long(text: str, min_chars: int, more: int) -> None:
    clauses = all_of(Clauses(min_chars, min_chars + more), text)
    assert "".join(clause.text for clause in clauses) == text
    ends = [0, *(clause.end for clause in clauses)]
    assert [clause.start for clause in clauses] == ends[:-1]
    assert all(0 < clause.end - clause.start == len(clause.text) <= min_chars + more for clause in clauses)


@given(st.lists(_PROSE, max_size=8))
def test_how_the_text_is_cut_into_deltas_does_not_matter(deltas: list[str]) -> None:
    assert all_of(Clauses(), *deltas) == all_of(Clauses(), "".join(deltas))


@given(_PROSE)
def test_no_clause_between_the_first_and_the_last_has_nothing_to_say(text: str) -> None:
    clauses = all_of(Clauses(max_chars=1000), text)
    assert all(any(char.isalnum() for char in clause.text) for clause in clauses[1:-1])


def test_a_clause_is_given_as_soon_as_its_end_is_certain() -> None:
    clauses = Clauses()
    assert clauses.feed("It costs 3.") == []
    assert clauses.feed("14 pounds.") == []
    assert clauses.feed(" ") == [Clause(0, 22, "It costs 3.14 pounds. ")]
    assert clauses.feed("A line break is certain\n") == [Clause(22, 46, "A line break is certain\n")]


def test_the_first_clause_is_short_and_the_others_are_not() -> None:
    text = "Yes! Of course, I can. That is a very short and simple question, and so it will have an answer."
    assert [clause.text for clause in all_of(Clauses(), text)] == [
        "Yes! ",
        "Of course, I can. That is a very short and simple question, ",
        "and so it will have an answer.",
    ]
    assert [clause.text for clause in all_of(Clauses(), "Once upon a time, there was")] == [
        "Once upon a time, ",
        "there was",
    ]


def test_a_first_clause_without_marks_is_cut_at_a_word() -> None:
    first, *rest = all_of(Clauses(), "word " * 40)
    assert FIRST_MAX_CHARS - 5 <= len(first.text) <= FIRST_MAX_CHARS
    assert first.text.endswith("word ")
    assert len(rest) == 1


@pytest.mark.parametrize(
    "whole",
    [
        "The number is 3.14 and not 22/7, which is 0.04 percent more.",
        "The train leaves at 10:30 from platform 3, I think.",
        "It has 1,000,000 inhabitants.",
        "Use a fruit, e.g. an apple, i.e. something sweet.",
        "We met Dr. Smith and Mrs. J. Jones in the U.S. last year.",
        "1. The first of several things",
        "See www.example.com/a?b=c;d for more.",
    ],
)
def test_what_belongs_together_stays_together(whole: str) -> None:
    assert cut(whole, min_chars=24) == [whole]
    points = cut(whole, min_chars=1)
    assert all(
        not clause.rstrip().endswith(("3.", "10:", "e.g.", "i.e.", "Dr.", "Mrs.", "J.", "1.")) for clause in points
    )


def test_sentences_end_after_their_closing_quotes() -> None:
    assert cut('He said "Please stop it at once!" (Nobody did.) **So it went on.** Then', min_chars=5) == [
        'He said "Please stop it at once!" ',
        "(Nobody did.) ",
        "**So it went on.** ",
        "Then",
    ]


def test_chinese_and_japanese_need_no_spaces() -> None:
    assert cut("今日は、とても天気がいいですね。「はい。」散歩に行きましょう！", min_chars=4) == [
        "今日は、とても天気がいいですね。",
        "「はい。」",
        "散歩に行きましょう！",
    ]


def test_a_long_clause_is_cut_between_words_and_its_mark_still_counts() -> None:
    assert cut("aaaa bbbb cccc. Dddd", min_chars=3, max_chars=15) == ["aaaa bbbb ", "cccc. ", "Dddd"]
    assert cut("x" * 25, min_chars=3, max_chars=10) == ["x" * 10, "x" * 10, "x" * 5]


def test_no_text_has_no_clauses() -> None:
    assert all_of(Clauses(), "", "") == []


@pytest.mark.parametrize(("min_chars", "max_chars"), [(0, 10), (11, 10)])
def test_impossible_lengths_are_refused(min_chars: int, max_chars: int) -> None:
    with pytest.raises(ValueError, match="min_chars"):
        Clauses(min_chars, max_chars)
