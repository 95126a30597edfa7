"""Speech made faster or slower: as long as it should be, as high as it was, and the same however it comes."""

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from media.frames import VOICE_RATE_HZ, Pcm
from media.speaking.tempo import Tempo, paced
from media.speech import Speech, Word

SPEEDS = [0.25, 0.5, 0.8, 1.0, 1.2, 1.5]


def voice(ms: int, hz: float = 120) -> Pcm:
    """A buzz with the harmonics of a voice."""
    time = np.arange(VOICE_RATE_HZ * ms // 1000) / VOICE_RATE_HZ
    overtones = np.arange(1, 20)[:, None]
    sound: Pcm = (5000 * (np.sin(2 * np.pi * hz * overtones * time) / overtones).sum(axis=0)).astype(np.int16)
    return sound


def at(speed: float, pcm: Pcm, piece: int = 1_440) -> Pcm:
    tempo = Tempo(speed)
    pieces = [tempo.process(pcm[begin : begin + piece]) for begin in range(0, len(pcm), piece)]
    return np.concatenate([*pieces, tempo.flush()])


def strongest(pcm: Pcm) -> float:
    """The strongest frequency, Hz."""
    return float(np.argmax(np.abs(np.fft.rfft(pcm * np.hanning(len(pcm)))))) * VOICE_RATE_HZ / len(pcm)


@pytest.mark.parametrize("speed", SPEEDS)
@pytest.mark.parametrize("ms", [1, 5, 60, 200, 777, 2000])
def test_it_lasts_as_long_as_it_should(speed: float, ms: int) -> None:
    pcm = voice(ms)
    assert len(at(speed, pcm)) == round(len(pcm) / speed)


@pytest.mark.parametrize("speed", SPEEDS)
@pytest.mark.parametrize("hz", [90, 120, 210])
def test_it_is_as_high_and_as_loud_as_it_was(speed: float, hz: float) -> None:
    pcm = voice(2000, hz)
    made = at(speed, pcm)
    middle = made[len(made) // 4 : len(made) * 3 // 4]
    assert strongest(middle) == pytest.approx(hz, abs=3)
    assert np.std(middle) == pytest.approx(np.std(pcm), rel=0.1)


@pytest.mark.parametrize("speed", SPEEDS)
def test_periods_meet(speed: float) -> None:
    """No seam jumps by more than the voice itself does from one sample to the next."""
    pcm = voice(1000)
    made = at(speed, pcm).astype(np.int64)
    steepest = np.abs(np.diff(pcm.astype(np.int64))).max()
    assert np.abs(np.diff(made[: -VOICE_RATE_HZ // 20])).max() <= steepest * 1.05


@pytest.mark.parametrize("speed", [0.5, 1.5])
def test_a_sound_lies_where_its_place_is_said_to_be(speed: float) -> None:
    pcm = voice(2000)
    pcm[: len(pcm) // 2] = 0
    made = at(speed, pcm)
    begins = int(np.argmax(np.abs(made.astype(np.int32)) > 500))
    assert begins == pytest.approx(Tempo(speed).length(len(pcm) // 2), abs=VOICE_RATE_HZ * 15 // 1000)


@given(st.lists(st.integers(1, 3_000), min_size=1, max_size=12), st.sampled_from(SPEEDS))
@settings(max_examples=40)
def test_it_does_not_matter_how_the_sound_is_cut(cuts: list[int], speed: float) -> None:
    pcm = voice(300)
    tempo, begin, made = Tempo(speed), 0, []
    for cut in cuts:
        made.append(tempo.process(pcm[begin : begin + cut]))
        begin += cut
    made += [tempo.process(pcm[begin:]), tempo.flush()]
    assert np.array_equal(np.concatenate(made), at(speed, pcm, len(pcm)))


def test_words_come_to_lie_where_they_are_heard() -> None:
    async def main() -> None:
        async def engine() -> AsyncIterator[Speech]:
            for count in range(3):
                yield Speech(voice(200), (Word(count * 4, count * 4 + 3, count * 4_800),))

        made = [piece async for piece in paced(engine(), 1.5)]
        assert [word.sample for piece in made for word in piece.words] == [0, 3_200, 6_400]
        assert sum(len(piece.pcm) for piece in made) == 9_600
        untouched = [piece async for piece in paced(engine(), 1.0)]
        assert [piece.words[0].sample for piece in untouched] == [0, 4_800, 9_600]
        assert all(np.array_equal(piece.pcm, voice(200)) for piece in untouched)

    asyncio.run(main())
