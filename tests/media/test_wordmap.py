"""Words on the time line of an utterance: exact, by length, and between the two."""

import numpy as np
from hypothesis import given, strategies as st

from media.frames import Pcm, silence
from media.speaking.wordmap import WordMap
from media.speech import Word

CHARS_PER_S = 15

TEXT = "Well, hello there."
WORDS = (Word(0, 4, 0), Word(6, 11, 12_000), Word(12, 17, 20_000))


def exact(text: str = TEXT, words: tuple[Word, ...] = WORDS, *, base: int = 0, end: int | None = 30_000) -> WordMap:
    """One clause with word times, complete unless *end* is None."""
    found = WordMap(base)
    found.begin_clause(text, base, 0, exact=True)
    found.add(words)
    if end is not None:
        found.end_clause(end)
    return found


def by_length(text: str, end: int) -> WordMap:
    """One complete clause without word times."""
    found = WordMap()
    found.begin_clause(text, 0, 0, exact=False)
    found.end_clause(end)
    return found


def test_a_word_is_heard_when_the_next_one_begins() -> None:
    found = exact()
    assert [found.heard(at) for at in (0, 11_999, 12_000, 19_999, 20_000)] == [0, 0, 5, 5, 11]


def test_the_last_word_is_heard_when_its_clause_is_over() -> None:
    found = exact()
    assert (found.heard(29_999), found.heard(30_000)) == (11, 18)


def test_the_last_word_is_not_heard_while_its_clause_may_go_on() -> None:
    assert exact(end=None).heard(1_000_000) == 11


def test_a_word_takes_its_punctuation_along_but_nothing_of_the_next_word() -> None:
    assert exact('He said "no"...', (Word(0, 2, 0), Word(3, 7, 10), Word(9, 11, 20))).heard(30_000) == 15
    assert exact("well—known", (Word(0, 4, 0), Word(5, 10, 100))).heard(100) == 5


def test_offsets_are_those_of_the_item_not_of_the_clause() -> None:
    found = exact(base=40)
    assert (found.heard(0), found.heard(12_000), found.heard(30_000)) == (40, 45, 58)


def test_offsets_count_code_points() -> None:
    assert exact("🎉 café 👩‍👩‍👧 da", (Word(0, 1, 0), Word(2, 6, 10), Word(13, 15, 20))).heard(20) == 6


def test_words_of_later_clauses_count_from_their_own_first_sample() -> None:
    found = exact()
    found.begin_clause("Good day.", 19, 30_000, exact=True)
    found.add([Word(0, 4, 0), Word(5, 8, 5_000)])
    assert [found.heard(at) for at in (30_000, 34_999, 35_000)] == [18, 18, 23]
    found.end_clause(40_000)
    assert found.heard(40_000) == 28


def test_the_space_between_two_clauses_is_heard_with_the_second() -> None:
    found = exact("Oh. ", (Word(0, 2, 0),), end=100)
    found.begin_clause("So?", 4, 100, exact=True)
    found.end_clause(200)
    assert [found.heard(at) for at in (99, 100, 199, 200)] == [0, 3, 3, 7]


def test_beginning_a_clause_ends_the_one_before() -> None:
    found = exact(end=None)
    found.begin_clause("More.", 19, 30_000, exact=True)
    assert found.heard(30_000) == 18


def test_a_finished_utterance_heard_whole_reaches_the_end_of_its_text() -> None:
    found = exact("Bye. \n", (Word(0, 3, 0),), end=None)
    found.finish(9_000)
    assert (found.heard(8_999), found.heard(9_000)) == (0, 6)


def test_no_sound_means_no_word_heard() -> None:
    found = WordMap(7)
    found.begin_clause("🙂", 7, 0, exact=True)
    found.finish(0)
    assert found.heard(0) == 7


def test_text_that_made_no_sound_is_passed_with_the_sound_around_it() -> None:
    found = exact()
    found.begin_clause("* * *", 19, 30_000, exact=True)
    found.begin_clause("Next.", 25, 30_000, exact=True)
    assert (found.heard(29_999), found.heard(30_000)) == (11, 24)


def test_sound_without_text_belongs_to_no_word() -> None:
    found = exact()
    assert found.word_start(31_000) == 31_000
    assert found.heard(31_000) == 18


def test_words_that_are_empty_repeated_or_outside_the_text_are_ignored() -> None:
    odd = (Word(0, 4, 0), Word(0, 4, 9), Word(5, 5, 10), Word(6, 11, 12_000), Word(12, 99, 11_000), Word(40, 50, 1))
    found = exact(words=odd, end=11_500)
    assert found.word_start(11_499) == 0
    assert found.heard(11_500) == 18


def test_words_without_an_open_clause_are_ignored() -> None:
    found = exact()
    found.add([Word(0, 4, 0)])
    found.end_clause(99_000)
    assert found.heard(30_000) == 18


def test_stepping_back_finds_the_start_of_the_broken_word() -> None:
    found = exact()
    assert [found.word_start(at) for at in (0, 11_999, 12_000, 25_000)] == [0, 0, 12_000, 20_000]


def test_silence_before_the_words_of_a_clause_is_no_word() -> None:
    found = exact(words=(Word(0, 4, 500), Word(6, 11, 12_000)))
    assert (found.word_start(300), found.word_start(600)) == (300, 500)
    assert found.heard(600) == 0


def test_without_word_times_sound_is_shared_out_by_length() -> None:
    found = by_length("one two four", 10_000)
    assert [found.heard(at) for at in (2_999, 3_000, 5_999, 6_000, 9_999, 10_000)] == [0, 3, 3, 7, 7, 12]
    assert [found.word_start(at) for at in (2_999, 3_000, 9_000)] == [0, 3_000, 6_000]


def test_a_clause_in_progress_is_guessed_at_the_pace_of_those_before() -> None:
    found = by_length("slowly", 60_000)
    found.begin_clause("abcd efgh", 7, 60_000, exact=False)
    assert (found.heard(60_000 + 39_999), found.heard(60_000 + 40_000)) == (6, 11)


def test_a_guess_is_corrected_when_the_clause_has_its_real_length() -> None:
    found = WordMap()
    found.begin_clause("abcd efgh", 0, 0, exact=False)
    assert found.heard(8_000) == 4
    found.end_clause(90_000)
    assert found.heard(8_000) == 0
    assert found.heard(45_000) == 4


def tone(count: int) -> Pcm:
    return np.full(count, 8_000, np.int16)


def test_who_falls_silent_in_a_pause_was_heard_up_to_it() -> None:
    found = exact(end=None)
    found.sound(np.concatenate((tone(7_200), silence(4_800), tone(8_000))))
    assert [found.heard(at) for at in (7_199, 7_200, 11_999, 12_000, 19_000)] == [0, 5, 5, 5, 5]
    assert [found.word_start(at) for at in (7_199, 7_200, 11_999, 12_001)] == [0, 7_200, 11_999, 12_000]


def test_the_silence_at_the_end_of_a_clause_belongs_to_no_word() -> None:
    found = exact(end=None)
    found.sound(np.concatenate((tone(24_000), silence(6_000))))
    found.end_clause(30_000)
    assert [found.heard(at) for at in (23_999, 24_000)] == [11, 18]
    assert found.word_start(25_000) == 25_000


def test_a_clause_that_breaks_off_was_heard_up_to_the_word_before() -> None:
    found = exact(end=None)
    found.break_off(15_000)
    found.finish(15_000)
    assert [found.heard(at) for at in (11_999, 12_000, 15_000, 99_000)] == [0, 5, 5, 5]


def test_a_clause_without_word_times_that_breaks_off_is_not_squeezed_into_its_sound() -> None:
    found = WordMap()
    found.begin_clause("abcd efgh ijkl mnop", 0, 0, exact=False)
    found.break_off(13_000)
    found.finish(13_000)
    assert found.heard(13_000) == 9


def test_an_engine_that_promised_word_times_and_gave_none_is_measured_by_length() -> None:
    found = exact("one two four", (), end=12_000)
    assert found.heard(8_000) == 7


CLAUSES = st.lists(
    st.tuples(st.text(alphabet="ab ,.漢🎉\n", max_size=12), st.integers(0, 9_000), st.booleans()), max_size=6
)


@given(CLAUSES, st.booleans())
def test_heard_words_grow_with_the_sound_and_end_where_words_end(
    clauses: list[tuple[str, int, bool]], closed: bool
) -> None:
    found, text, end = WordMap(), "", 0
    for clause, duration, precise in clauses:
        found.begin_clause(clause, len(text), end, exact=precise)
        if precise:
            words = clause.split()
            found.add(Word(clause.index(word), clause.index(word) + len(word), 100 * i) for i, word in enumerate(words))
        text, end = text + clause, end + duration
    if closed:
        found.finish(end)
    reached = [found.heard(at) for at in range(0, end + 1, 97)] + [found.heard(end)]
    assert reached == sorted(reached)
    assert all(0 <= offset <= len(text) for offset in reached)
    assert reached[0] == 0
    assert not closed or not end or reached[-1] == len(text)
    assert all(found.word_start(at) <= at for at in range(0, end + 1, 97))
    inside = [at for at in reached if 0 < at < len(text) and text[at - 1].isalpha() and text[at].isalpha()]
    assert all("漢" in text[at - 1 : at + 1] or _joins(clauses, at) for at in inside)


def _joins(clauses: list[tuple[str, int, bool]], offset: int) -> bool:
    ends = [0]
    for text, _, _ in clauses:
        ends.append(ends[-1] + len(text))
    return offset in ends
