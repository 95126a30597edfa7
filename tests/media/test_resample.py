"""The resampler: exact counts, no dependence on cuts, a short delay, and no audible alias."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, strategies as st

from media.frames import Pcm, silence
from media.resample import Resampler, resample

RATES_HZ = (8_000, 16_000, 22_050, 24_000, 48_000)
PAIRS = tuple(permutations(RATES_HZ, 2))


def tone(freq_hz: float, rate_hz: int, seconds: float = 0.5, amplitude: float = 16_000) -> Pcm:
    return np.rint(amplitude * np.sin(2 * np.pi * freq_hz * np.arange(int(rate_hz * seconds)) / rate_hz)).astype(
        np.int16
    )


def gain_db(pcm: Pcm, amplitude: float = 16_000) -> float:
    middle = pcm[len(pcm) // 8 : -len(pcm) // 8].astype(np.float64)
    return float(20 * np.log10(np.sqrt(2 * np.mean(middle**2)) / amplitude + 1e-9))


def noise(count: int, seed: int = 0) -> Pcm:
    return np.random.default_rng(seed).integers(-32768, 32768, count).astype(np.int16)


@given(pair=st.sampled_from(PAIRS), count=st.integers(0, 3_000), cuts=st.lists(st.integers(0, 3_000), max_size=8))
def test_cutting_the_input_anywhere_changes_no_sample(pair: tuple[int, int], count: int, cuts: list[int]) -> None:
    pcm = noise(count)
    whole, parts = Resampler(*pair), Resampler(*pair)
    expected = np.concatenate((whole.process(pcm), whole.flush()))
    pieces = [parts.process(piece) for piece in np.split(pcm, sorted(cuts))]
    assert np.array_equal(np.concatenate((*pieces, parts.flush())), expected)


def test_a_clip_longer_than_a_block_equals_the_same_clip_in_frames() -> None:
    pcm = noise(30_000)
    frames = Resampler(24_000, 16_000)
    given_ = [frames.process(pcm[at : at + 480]) for at in range(0, len(pcm), 480)]
    assert np.array_equal(Resampler(24_000, 16_000).process(pcm), np.concatenate(given_))


@pytest.mark.parametrize(("rate_in", "rate_out"), PAIRS)
def test_the_count_is_exact_at_every_moment(rate_in: int, rate_out: int) -> None:
    stream = Resampler(rate_in, rate_out)
    taken = given_ = 0
    for size in (1, 7, 441, 0, 480, 1324, 5, 960) * 3:
        taken += size
        given_ += len(stream.process(noise(size)))
        assert given_ == -(-taken * rate_out // rate_in)


@pytest.mark.parametrize(("rate_in", "rate_out"), PAIRS)
def test_a_20_ms_frame_gives_a_20_ms_frame(rate_in: int, rate_out: int) -> None:
    stream = Resampler(rate_in, rate_out)
    assert [len(stream.process(silence(rate_in // 50))) for _ in range(5)] == [rate_out // 50] * 5


@pytest.mark.parametrize(("rate_in", "rate_out"), PAIRS)
def test_a_stream_trails_its_input_by_at_most_a_millisecond(rate_in: int, rate_out: int) -> None:
    at = rate_in // 10
    pcm = silence(2 * at)
    pcm[at] = 30_000
    stream = Resampler(rate_in, rate_out)
    peak = int(np.abs(stream.process(pcm).astype(int)).argmax())
    assert stream.delay <= rate_out / 1000
    assert abs(peak - at * rate_out / rate_in - stream.delay) <= 1


@pytest.mark.parametrize(("rate_in", "rate_out"), PAIRS)
def test_a_clip_stays_in_time_and_keeps_its_length(rate_in: int, rate_out: int) -> None:
    clip = resample(tone(440, rate_in), rate_in, rate_out)
    expected = tone(440, rate_out)
    assert len(clip) == -(-(rate_in // 2) * rate_out // rate_in)
    middle = slice(rate_out // 20, -rate_out // 20)
    assert np.abs(clip[middle].astype(int) - expected[middle]).max() < 64


@pytest.mark.parametrize(("rate_in", "rate_out"), PAIRS)
def test_the_voice_band_passes_unchanged(rate_in: int, rate_out: int) -> None:
    for freq_hz in (100, 1_000, 0.35 * min(rate_in, rate_out)):
        assert abs(gain_db(resample(tone(freq_hz, rate_in), rate_in, rate_out))) < 0.1


@pytest.mark.parametrize(("rate_in", "rate_out"), [pair for pair in PAIRS if pair[0] > 1.2 * pair[1]])
def test_a_tone_above_the_new_band_is_gone(rate_in: int, rate_out: int) -> None:
    freq_hz = min(0.6 * rate_out, 0.49 * rate_in)
    assert gain_db(resample(tone(freq_hz, rate_in), rate_in, rate_out)) < -55


@pytest.mark.parametrize(
    ("rate_in", "rate_out"), [(8_000, 16_000), (16_000, 24_000), (16_000, 48_000), (24_000, 48_000)]
)
def test_raising_the_rate_adds_no_image(rate_in: int, rate_out: int) -> None:
    spectrum = np.abs(
        np.fft.rfft(resample(tone(0.3 * rate_in, rate_in), rate_in, rate_out) * np.hanning(rate_out // 2))
    )
    above = spectrum[int(0.6 * rate_in / 2) :]
    assert above.max() < spectrum.max() * 10 ** (-60 / 20)


@pytest.mark.parametrize("level", [-32768, -1, 0, 1, 32767])
def test_a_steady_level_stays_that_level_in_every_phase(level: int) -> None:
    for rate_in, rate_out in PAIRS:
        steady = resample(np.full(rate_in // 20, level, dtype=np.int16), rate_in, rate_out)[100:-100]
        assert set(steady.tolist()) == {level}


def test_a_full_scale_edge_saturates_and_does_not_wrap() -> None:
    square = np.tile(np.repeat(np.array([32767, -32768], dtype=np.int16), 80), 20)
    out = resample(square, 16_000, 48_000)
    assert out.max() == 32767
    assert out.min() == -32768
    assert np.abs(np.diff(out.astype(int))).max() < 40_000


def test_equal_rates_pass_through() -> None:
    stream = Resampler(16_000, 16_000)
    pcm = noise(321)
    assert stream.process(pcm) is pcm
    assert len(stream.flush()) == stream.delay == 0
    assert np.array_equal(resample(pcm, 24_000, 24_000), pcm)


def test_flush_ends_a_stream_and_the_next_one_begins_clean() -> None:
    stream, fresh = Resampler(24_000, 16_000), Resampler(24_000, 16_000)
    stream.process(noise(1_001))
    assert len(stream.flush()) == stream.delay
    assert np.array_equal(stream.process(noise(500, seed=1)), fresh.process(noise(500, seed=1)))


def test_nothing_in_gives_nothing_out() -> None:
    assert len(resample(silence(0), 24_000, 16_000)) == 0


@pytest.mark.parametrize("pair", [*product((4_000, 0, -1), (16_000,)), (16_000, 4_000), (22_051, 16_000)])
def test_rates_it_cannot_serve_are_refused(pair: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="cannot resample"):
        Resampler(*pair)
