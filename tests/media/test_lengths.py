"""Words placed in sound by their length."""

import pytest
from hypothesis import given, settings, strategies as st

from media.frames import VOICE_RATE_HZ
from media.speaking.lengths import LETTERS_PER_S, Pace, at_pace, within


def starts(text: str, duration: int, *pauses: tuple[int, int]) -> dict[str, int]:
    return {text[first:end]: at for (first, end), at in within(text, duration, list(pauses))}


def test_words_share_out_the_sound_by_their_letters() -> None:
    assert starts("one two four", 10_000) == {"one": 0, "two": 3_000, "four": 6_000}


def test_white_space_takes_no_time() -> None:
    assert starts("  one \n two ", 6_000) == {"one": 0, "two": 3_000}


def test_a_digit_is_a_word_of_its_own_and_a_mark_is_a_pause() -> None:
    assert starts("a 42 b, cd", 20_000) == {"a": 0, "42": 1_026, "b,": 11_282, "cd": 17_949}


def test_a_pause_that_is_heard_puts_the_words_at_either_side_of_it() -> None:
    assert starts("ab cd, ef gh.", 48_000, (20_000, 28_000), (44_000, 48_000)) == {
        "ab": 0,
        "cd,": 10_000,
        "ef": 28_000,
        "gh.": 36_000,
    }


def test_silence_at_either_end_is_no_words() -> None:
    assert starts("ab cd.", 10_000, (0, 2_000), (8_000, 10_000)) == {"ab": 2_000, "cd.": 5_000}


def test_a_pause_far_from_every_mark_is_none_of_theirs() -> None:
    assert starts("ab, cdefghijklmnopqrstuvwxyz", 60_000, (48_000, 50_000))["ab,"] == 0
    assert starts("ab, cdefghijklmnopqrstuvwxyz", 60_000, (48_000, 50_000))["cdefghijklmnopqrstuvwxyz"] < 20_000


def test_the_pace_is_learnt_from_what_was_spoken() -> None:
    pace = Pace()
    usual = VOICE_RATE_HZ / LETTERS_PER_S
    assert at_pace("ab cd", pace)[1] == ((3, 5), round(2 * usual))
    pace.learn("***", 0)
    pace.learn("abcd", 40_000)
    assert at_pace("ab cd", pace)[1] == ((3, 5), 20_000)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("你好。再见", ["你", "好。", "再", "见"]),
        ("こんにちは", ["こ", "ん", "に", "ち", "は"]),
        ("สวัสดีเพื่อน", ["ส", "วั", "ส", "ดี", "เพื่", "อ", "น"]),
        ("mixed 中文 text", ["mixed", "中", "文", "text"]),
        ("🙂 ok", ["🙂", "ok"]),
    ],
)
def test_in_a_script_without_spaces_each_character_is_a_word(text: str, words: list[str]) -> None:
    assert [text[first:end] for (first, end), _ in within(text, 48_000, [])] == words


@settings(deadline=None)
@given(
    st.text(alphabet="ab 1,.\n漢ไ🎉'", max_size=30),
    st.integers(0, 90_000),
    st.lists(st.tuples(st.integers(0, 90_000), st.integers(1, 9_000)), max_size=4),
)
def test_words_come_in_order_and_within_the_sound(text: str, duration: int, pauses: list[tuple[int, int]]) -> None:
    silent: list[tuple[int, int]] = []
    for at, length in sorted(pauses):
        if at < duration and (not silent or at > silent[-1][1]):
            silent.append((at, min(at + length, duration)))
    placed = within(text, duration, silent)
    assert [span for span, _ in placed] == sorted(span for span, _ in placed)
    assert [at for _, at in placed] == sorted(at for _, at in placed)
    assert all(0 <= at <= duration for _, at in placed)
