"""Levels: the extremes of 16 bit, and where a sound sets in."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from media.frames import silence
from media.levels import BLOCK, LevelGate, level_db, onset, peak, power, powers


def test_the_peak_of_the_lowest_sample_does_not_overflow() -> None:
    assert peak(np.array([-32768, 32767, 0], dtype=np.int16)) == 32768


@given(st.lists(st.integers(-32768, 32767)))
def test_the_peak_is_the_largest_magnitude(values: list[int]) -> None:
    assert peak(np.array(values, dtype=np.int16)) == max((abs(value) for value in values), default=0)


@pytest.mark.parametrize(("value", "db"), [(32767, 0), (3277, -20), (33, -60), (0, -100)])
def test_the_level_of_a_steady_sound(value: int, db: int) -> None:
    pcm = np.full(160, value, np.int16)
    assert level_db([pcm, -pcm]) == pytest.approx(db, abs=0.1)
    assert level_db([]) == -100


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


def blocks(dbfs: float, count: int, seed: int = 1) -> list[float]:
    """The powers of so many blocks of white noise."""
    noise = np.random.default_rng(seed).normal(0, power(dbfs) ** 0.5, count * BLOCK)
    return list(powers(np.rint(noise).astype(np.int16)))


def after(*heard: list[float]) -> LevelGate:
    gate = LevelGate()
    for one in heard:
        for block_power in one:
            gate.take(block_power)
    return gate


def test_a_power_is_a_mean_square_and_full_scale_is_0_dbfs() -> None:
    assert power(0) == 32768**2
    loud = np.full(2 * BLOCK + 5, 1_000, dtype=np.int16)
    assert list(powers(loud)) == [1e6, 1e6]
    assert list(powers(np.full(BLOCK, -32768, dtype=np.int16))) == [power(0)]


def test_a_quiet_line_is_not_loud_and_does_not_rise() -> None:
    gate = after(blocks(-70, 400))
    assert not gate.loud
    assert not gate.rising
    assert not after([0.0] * 400).loud


def test_a_steady_noise_is_loud_and_does_not_rise() -> None:
    gate = after(blocks(-40, 400))
    assert gate.loud
    assert not gate.rising


@pytest.mark.parametrize("floor_dbfs", [-90, -70, -50, -30])
def test_one_block_8_db_over_the_noise_opens_at_once(floor_dbfs: float) -> None:
    gate = after(blocks(floor_dbfs, 400), [power(max(floor_dbfs, -75) + 8)])
    assert gate.loud
    assert gate.rising


def test_the_gate_stays_open_for_the_hang_over() -> None:
    rise = [*blocks(-70, 400), power(-50)]
    assert after(rise, blocks(-70, 37)).loud
    assert not after(rise, blocks(-70, 38)).loud


def test_a_noise_that_grows_and_stays_becomes_the_floor() -> None:
    assert after(blocks(-60, 300), blocks(-40, 20)).rising
    assert not after(blocks(-60, 300), blocks(-40, 260)).rising


def test_the_floor_follows_a_falling_noise_at_once() -> None:
    assert after(blocks(-40, 300), blocks(-58, 60), [power(-48)]).rising
