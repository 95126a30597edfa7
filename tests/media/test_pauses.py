"""Pauses in the sound of a voice."""

import numpy as np
from hypothesis import given, settings, strategies as st

from media.frames import Pcm, silence
from media.speaking.pauses import Pauses


def tone(count: int) -> Pcm:
    return (8_000 * np.cos(np.arange(count) / 5)).astype(np.int16)


SOUND = np.concatenate((silence(2_400), tone(4_800), silence(1_200), tone(4_800), silence(4_800)))
"""Silent up to 2400, from 7200 to 8400 (50 ms: a stop consonant), and from 13200 on."""


def found(*pieces: Pcm) -> Pauses:
    pauses = Pauses()
    for piece in pieces:
        pauses.add(piece)
    return pauses


def test_a_pause_reaches_to_the_next_sound() -> None:
    pauses = found(SOUND, tone(480))
    assert [pauses.reach(at) for at in (0, 2_399, 2_400, 13_199, 13_200, 17_999)] == [
        2_400,
        2_400,
        2_400,
        13_199,
        18_000,
        18_000,
    ]


def test_the_closure_of_a_consonant_is_no_pause() -> None:
    assert found(SOUND).reach(7_500) == 7_500
    assert found(SOUND, tone(480)).within(4_000, 13_000) == []


def test_a_pause_that_goes_on_reaches_as_far_as_is_known() -> None:
    assert found(SOUND).reach(14_000) == len(SOUND)
    assert found(SOUND).within(9_000, len(SOUND)) == [(13_200, len(SOUND))]


@settings(deadline=None)
@given(st.lists(st.integers(1, len(SOUND) - 1), max_size=8))
def test_how_the_sound_is_cut_does_not_matter(cuts: list[int]) -> None:
    pieces = np.split(SOUND, sorted(set(cuts)))
    whole, cut = found(SOUND, tone(480)), found(*pieces, tone(480))
    assert [cut.reach(at) for at in range(0, len(SOUND), 700)] == [whole.reach(at) for at in range(0, len(SOUND), 700)]
