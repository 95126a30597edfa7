"""Levels: the extremes of 16 bit, and where a sound sets in."""

import numpy as np
from hypothesis import given, strategies as st

from media.frames import silence
from media.levels import onset, peak


def test_the_peak_of_the_lowest_sample_does_not_overflow() -> None:
    assert peak(np.array([-32768, 32767, 0], dtype=np.int16)) == 32768


@given(st.lists(st.integers(-32768, 32767)))
def test_the_peak_is_the_largest_magnitude(values: list[int]) -> None:
    assert peak(np.array(values, dtype=np.int16)) == max((abs(value) for value in values), default=0)


def test_an_onset_is_where_the_sound_rises_from_the_noise() -> None:
    rng = np.random.default_rng(0)
    pcm = rng.normal(0, 30, 1024)
    pcm[640:] += rng.normal(0, 3_000, 384)
    assert onset(pcm.astype(np.int16)) == 640


def test_a_click_before_a_gap_is_not_the_onset_of_the_louder_sound() -> None:
    pcm = silence(1024)
    pcm[64:128] = 500
    pcm[512:] = 5_000
    assert onset(pcm) == 512


def test_a_sound_as_loud_all_along_sets_in_at_its_start() -> None:
    assert onset(np.full(1024, 1_000, dtype=np.int16)) == 0
