"""Words in sound that came with them: placed by length, and by marks that have a pause."""

import asyncio
import random
from math import ceil

import numpy as np
import pytest
from hypothesis import given, strategies as st

from media.frames import VOICE_RATE_HZ, Pcm, samples, silence
from media.speaking.captions import Captions
from media.speech.clauses import Clauses
from media.speech.espeak import Espeak

WORD = samples(250, VOICE_RATE_HZ)
"""What a word of four letters lasts at the usual pace."""

PIECE = samples(100, VOICE_RATE_HZ)


def voice(words: int) -> Pcm:
    return np.full(words * WORD, 5000, np.int16)


def captions(text: str, *sound: Pcm, base: int = 0) -> Captions:
    found = Captions(base)
    found.add_text(text)
    for pcm in sound:
        found.sound(pcm)
    return found


def test_a_word_is_heard_when_the_next_one_should_begin() -> None:
    found = captions("once upon some time", voice(4))
    heard = [found.heard(at) for at in (0, WORD - 1, WORD, 2 * WORD, 3 * WORD)]
    assert heard == [0, 0, 4, 9, 14]


def test_the_last_word_is_not_heard_while_its_text_may_go_on() -> None:
    found = captions("once upo", voice(2))
    assert found.heard(2 * WORD) == 4
    found.add_text("n a")
    assert found.heard(2 * WORD) == 9


def test_all_is_heard_at_the_end_of_what_is_complete() -> None:
    found = captions("once upon. ", voice(2))
    found.finish(2 * WORD)
    assert (found.heard(2 * WORD - 1), found.heard(2 * WORD)) == (4, 11)


def test_words_share_all_of_the_sound_once_both_are_complete() -> None:
    found = captions("once upon some time", voice(8), silence(WORD))
    found.finish(9 * WORD)
    assert [found.heard(at) for at in (2 * WORD - 1, 2 * WORD, 4 * WORD, 6 * WORD)] == [0, 4, 9, 14]


def test_a_pause_near_a_mark_is_where_the_word_before_it_ends() -> None:
    found = captions("once upon, some time more", voice(2), voice(1), silence(2 * WORD), voice(3))
    assert found.heard(3 * WORD) == 10  # silent from here on: it was heard whole
    assert found.word_start(4 * WORD) == 4 * WORD
    assert found.word_start(5 * WORD + 10) == 5 * WORD


def test_a_pause_far_from_any_mark_is_none_of_one() -> None:
    with_pause = captions("once upon some time", voice(2), silence(WORD), voice(2))
    assert with_pause.heard(2 * WORD) == captions("once upon some time", voice(5)).heard(2 * WORD) == 9


def test_silence_at_the_beginning_is_no_word() -> None:
    found = captions("once upon some time", silence(4 * WORD), voice(4))
    assert [found.heard(at) for at in (4 * WORD, 5 * WORD)] == [0, 4]


def test_words_may_come_after_their_sound() -> None:
    late, early = Captions(), Captions()
    late.sound(voice(4))
    late.add_text("once upon some time")
    early.add_text("once upon some time")
    early.sound(voice(4))
    assert [late.heard(at) for at in range(0, 4 * WORD, 100)] == [early.heard(at) for at in range(0, 4 * WORD, 100)]


def test_sound_that_breaks_off_leaves_the_rest_of_its_text_unheard() -> None:
    found = captions("once upon some time there were", voice(2))
    found.break_off(2 * WORD)
    found.finish(2 * WORD)
    assert found.heard(2 * WORD) == 9


def test_offsets_are_those_of_the_item() -> None:
    found = captions("once upon some", voice(3), base=40)
    assert [found.heard(at) for at in (0, WORD, 2 * WORD)] == [40, 44, 49]


def test_scripts_without_spaces_have_words_too() -> None:
    found = captions("今天天气很好。我们", silence(0), voice(8))
    assert 0 < found.heard(2 * WORD) < found.heard(4 * WORD) < 9


@given(
    st.lists(st.one_of(st.text("ab ,.9今", max_size=12), st.integers(1, 9000)), max_size=30),
    st.booleans(),
    st.integers(0, 40_000),
)
def test_what_was_heard_never_shrinks_and_stays_in_the_text(
    pieces: list[str | int], finishes: bool, sample: int
) -> None:
    found, text, length = Captions(), "", 0
    for at, piece in enumerate(pieces):
        if isinstance(piece, str):
            text += piece
            found.add_text(piece)
        else:
            length += piece
            found.sound(voice(1)[:piece] if at % 3 else silence(min(piece, WORD)))
            length += min(piece, WORD) - piece
    if finishes:
        found.finish(length)
    heard = [found.heard(at) for at in range(0, length + 1, max(1, length // 20))]
    assert heard == sorted(heard)
    assert all(0 <= it <= len(text) for it in heard)
    assert found.word_start(sample) <= sample
    if finishes:
        assert found.heard(length) in (len(text), 0)


TEXT = (
    "Well, I am not quite sure what you mean, but here is what I know about the sea. It is deep, it is cold, and "
    "nobody has seen all of it; some say there are 3 monsters in it. What would you like to hear next? I could tell "
    "you about ships, about fish, or about the people who live on the coast."
)


async def spoken(text: str) -> tuple[Pcm, list[tuple[int, int]]]:
    """The text as a real voice says it, and of each word its first sample and its end in the text."""
    engine, splitter = Espeak(), Clauses()
    pieces: list[Pcm] = []
    words: list[tuple[int, int]] = []
    try:
        for clause in (*splitter.feed(text), *splitter.finish()):
            base = sum(len(piece) for piece in pieces)
            async for speech in engine.speak(clause.text):
                pieces.append(speech.pcm)
                words += [(base + word.sample, clause.start + word.end) for word in speech.words]
    finally:
        await engine.aclose()
    return np.concatenate(pieces), words


@pytest.mark.parametrize("how", ["side by side", "text first", "complete"])
def test_against_a_voice_that_tells_its_words_the_error_is_a_word_at_most_in_nineteen_of_twenty(how: str) -> None:
    pcm, words = asyncio.run(spoken(TEXT))
    rng = random.Random(5)
    errors = []
    for _ in range(60):
        cut = rng.randrange(PIECE, len(pcm))
        known = len(pcm) if how == "complete" else min(len(pcm), cut + VOICE_RATE_HZ)
        found, told = Captions(), 0
        for at in range(0, known, PIECE):
            until = ceil(len(TEXT) * min(at + PIECE, len(pcm)) / len(pcm)) if how == "side by side" else len(TEXT)
            found.add_text(TEXT[told:until])
            found.sound(pcm[at : min(at + PIECE, known)])
            told = until
        if how == "complete":
            found.finish(len(pcm))
        complete = sum(start <= cut for start, _ in words) - 1
        truth = len(TEXT[: words[complete - 1][1]].split()) if complete > 0 else 0
        errors.append(abs(len(TEXT[: found.heard(cut)].split()) - truth))
    assert sorted(errors)[56] <= 1
    assert max(errors) <= 2
