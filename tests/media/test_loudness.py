"""Voices of any loudness, brought to the same."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from media.frames import VOICE_RATE_HZ, Pcm, silence
from media.speaking.loudness import CEILING, MAX_GAIN_DB, TARGET_DB, Loudness

PIECE = 1_440


def voice(db: float, seconds: float = 6.0) -> Pcm:
    """Syllables of noise, four a second, at *db* RMS while they last."""
    count = int(seconds * VOICE_RATE_HZ)
    on = np.sin(2 * np.pi * 4 * np.arange(count) / VOICE_RATE_HZ) > 0
    noise = np.random.default_rng(1).normal(0, 32_768 * 10 ** (db / 20), count)
    return np.clip(noise * on, -32_768, 32_767).astype(np.int16)


def levelled(pcm: Pcm, loudness: Loudness | None = None, piece: int = PIECE) -> Pcm:
    loudness = loudness or Loudness()
    return np.concatenate([loudness.level(pcm[at : at + piece]) for at in range(0, len(pcm), piece)])


def db(pcm: Pcm) -> float:
    """RMS of what is not silent."""
    sound = pcm[np.abs(pcm.astype(np.int32)) > 1].astype(np.float64)
    return float(10 * np.log10(np.mean(sound**2) / 32_768**2))


@pytest.mark.parametrize("level", [-38, -30, -22, -14, -10])
def test_voices_that_differ_by_28_db_end_up_within_3(level: float) -> None:
    last = levelled(voice(level))[-2 * VOICE_RATE_HZ :]
    assert abs(db(last) - TARGET_DB) <= 3


def test_a_voice_that_is_hardly_there_is_not_blown_up_without_end() -> None:
    assert db(levelled(voice(-58))) <= -58 + MAX_GAIN_DB + 0.5


def test_silence_teaches_nothing() -> None:
    loudness = Loudness()
    assert not levelled(silence(48_000), loudness).any()
    learnt = levelled(voice(-22), loudness)[-VOICE_RATE_HZ:]
    assert abs(db(learnt) - TARGET_DB) <= 2


def test_pauses_do_not_make_what_follows_louder() -> None:
    loudness = Loudness()
    before = levelled(voice(-20), loudness)[-VOICE_RATE_HZ:]
    levelled(silence(5 * VOICE_RATE_HZ), loudness)
    after = levelled(voice(-20, 1.0), loudness)
    assert abs(db(after) - db(before)) <= 1


def test_the_gain_moves_too_slowly_to_be_heard_as_a_step() -> None:
    tone = (1_000 * np.cos(np.arange(4 * VOICE_RATE_HZ) / 3)).astype(np.int16)
    out = levelled(tone).astype(np.int32)
    peaks = np.abs(out[: len(out) // 480 * 480].reshape(-1, 480)).max(axis=1)
    steps = np.abs(20 * np.log10(peaks[1:] / peaks[:-1]))
    assert steps.max() <= 1.0
    assert steps[100:].max() <= 0.2


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 3_000), st.integers(0, 32_767), st.booleans()), min_size=1, max_size=12),
    st.integers(40, 4_000),
)
def test_nothing_is_ever_over_the_ceiling_lost_or_late(parts: list[tuple[int, int, bool]], piece: int) -> None:
    made = [np.full(n, peak if up else -peak - 1, np.int16) for n, peak, up in parts]
    pcm = np.concatenate(made)
    out = levelled(pcm, piece=piece)
    assert len(out) == len(pcm)
    assert np.abs(out.astype(np.int32)).max() <= CEILING
    assert (np.sign(out) * np.sign(pcm) >= 0).all()
