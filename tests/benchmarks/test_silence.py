"""What the barge-in benchmark makes of arrivals and of the rising tone."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from benchmarks.engines import rising_tone
from benchmarks.silence import first_after, last_before_quiet, place_ms, sounding_at, step_ms
from media.codecs.opus import Decoder, Encoder
from media.frames import VOICE_FRAME, Pcm

SPEECH = [at * 0.02 for at in range(100)]
"""Two seconds of audible packets."""


def test_an_answer_sounds_while_its_packets_come() -> None:
    assert sounding_at(SPEECH, 1.0)
    assert not sounding_at(SPEECH, 2.2)
    assert not sounding_at(SPEECH, -0.1)
    assert not sounding_at([], 1.0)


def test_the_last_packet_before_the_silence_counts() -> None:
    audible = [at for at in SPEECH if at < 1.05 or at > 1.6]
    assert last_before_quiet(audible, 1.0, 3.0) == pytest.approx(1.04)
    assert first_after(audible, 1.04) == pytest.approx(1.62)


def test_a_small_silence_is_none() -> None:
    audible = [at for at in SPEECH if at < 1.05 or at > 1.4]
    assert last_before_quiet(audible, 1.0, 2.2) is None


def test_an_answer_that_sounds_on_did_not_stop() -> None:
    assert last_before_quiet(SPEECH, 1.0, 2.0) is None
    assert first_after(SPEECH, 2.0) is None


def test_an_answer_that_falls_silent_at_the_onset_took_no_time() -> None:
    assert last_before_quiet(SPEECH, SPEECH[-1], 3.0) == SPEECH[-1]


@settings(deadline=None)  # the first one makes the tone
@given(st.integers(3, 2900))
def test_the_rising_tone_tells_the_time(frame: int) -> None:
    pcm = rising_tone()[frame * VOICE_FRAME : (frame + 5) * VOICE_FRAME]
    assert place_ms(pcm) == pytest.approx((frame + 2.5) * 20, abs=3)


def carried(frames: list[Pcm]) -> list[Pcm]:
    """Through Opus and back."""
    encoder, decoder = Encoder(24_000), Decoder(24_000)
    return [decoder.decode(encoder.encode(frame)) for frame in frames]


def paused(skipped: int) -> tuple[list[float], list[Pcm], float, float]:
    """A pause of half a second after frame 99, that goes on *skipped* frames later; the packet at the pause fades."""
    tone = [rising_tone()[at * VOICE_FRAME : (at + 1) * VOICE_FRAME] for at in range(400)]
    faded = (tone[100] * np.linspace(1, 0, VOICE_FRAME)).astype(np.int16)
    before, after = [*tone[:100], faded], tone[100 + skipped : 150 + skipped]
    arrivals = [at * 0.02 for at in range(101)] + [2.5 + at * 0.02 for at in range(50)]
    return arrivals, carried(before + after), arrivals[100], arrivals[101]


@pytest.mark.parametrize("skipped", [0, 1, 5, 20, -5, -10])
def test_what_is_lost_or_said_again_over_a_pause_is_seen(skipped: int) -> None:
    assert step_ms(*paused(skipped)) == pytest.approx(skipped * 20, abs=8)
