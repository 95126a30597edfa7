"""Finding recorded sound in the sound that was synthesized: where did the listener really hear the voice stop?

Samples cannot be compared: a codec, a slow gain and the synthesizer's own phases lie between. The shape of the
spectrum in time can: log energies in bands on a mel scale, 5 ms apart.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from media.frames import VOICE_RATE_HZ, Pcm, samples
from media.speech import Word

_HOP: Final = samples(5, VOICE_RATE_HZ)
_WINDOW: Final = 512
_BANDS: Final = 24
_TAIL_MS: Final = 1_200
_SHORTEST: Final = 6
"""Blocks of 10 ms: what is shorter is a consonant."""

_SLACK: Final = samples(150, VOICE_RATE_HZ)
_BLUR: Final = samples(30, VOICE_RATE_HZ)
_FLOOR: Final = 1e4
"""Energies below this are noise of the codec, and all alike."""

_AUDIBLE: Final = 150

Shape = NDArray[np.float64]
"""Frames by bands."""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A text as it is spoken from beginning to end."""

    text: str
    pcm: Pcm
    words: tuple[Word, ...]

    def words_whole(self, sample: int) -> int:
        """How many words of the text, as white space parts it, have sounded whole by *sample*."""
        whole = [word for word, end in zip(self.words, self._ends(), strict=True) if end <= sample]
        return len(self.text[: whole[-1].end].split()) if whole else 0

    def words_begun(self, sample: int) -> int:
        """How many words have at least begun."""
        begun = [word for word in self.words if word.sample <= sample]
        return len(self.text[: begun[-1].end].split()) if begun else 0

    def _ends(self) -> list[int]:
        loud = np.flatnonzero(np.abs(self.pcm.astype(np.int32)) > _AUDIBLE)
        nexts = [*(word.sample for word in self.words[1:]), len(self.pcm)]
        last = np.searchsorted(loud, nexts) - 1
        return [int(loud[index]) + 1 if index >= 0 else 0 for index in last]


def position(played: Pcm, reading: Reading) -> int | None:
    """The sample of *reading* at which *played* ends, which began at its beginning; None when little is to be heard.

    Silence is left out of both: a voice that was held for a moment pauses where the reading does not.
    """
    heard, whole = _voiced(played), _voiced(reading.pcm)
    if len(heard) < samples(100, VOICE_RATE_HZ):
        return None
    tail = _shape(played[heard[-samples(_TAIL_MS, VOICE_RATE_HZ) :]])
    places = np.lib.stride_tricks.sliding_window_view(_shape(reading.pcm[whole]), len(tail), axis=0)
    # Held at times, but never ahead of itself: no more of the reading was played than was heard.
    places = places[: max(1, (len(heard) + _SLACK) // _HOP - len(tail))]
    ours = tail - tail.mean()
    theirs = places - places.mean(axis=(1, 2), keepdims=True)
    alike = np.einsum("pbt,tb->p", theirs, ours) / np.sqrt((theirs**2).sum(axis=(1, 2)) + 1e-9)
    end = int(alike.argmax()) * _HOP + min(len(heard), samples(_TAIL_MS, VOICE_RATE_HZ))
    # An end that is off by a few ms must not be taken for the far side of a pause.
    return int(whole[min(max(end - _BLUR, 0), len(whole) - 1)]) + min(end, _BLUR)


def _voiced(pcm: Pcm) -> NDArray[np.intp]:
    """The places of the samples that are not in a silence of 60 ms or more."""
    block = samples(10, VOICE_RATE_HZ)
    count = len(pcm) // block
    quiet = np.abs(pcm[: count * block].astype(np.int32)).reshape(count, block).max(axis=1) < _AUDIBLE
    edges = np.flatnonzero(np.diff(np.concatenate(([0], quiet.astype(np.int8), [0]))))
    voiced = np.ones(count, dtype=bool)
    for first, last in edges.reshape(-1, 2):
        voiced[first:last] = last - first < _SHORTEST
    return np.flatnonzero(np.repeat(voiced, block))


def _shape(pcm: Pcm) -> Shape:
    sound = np.pad(pcm.astype(np.float64), (0, max(0, _WINDOW - len(pcm))))
    frames = np.lib.stride_tricks.sliding_window_view(sound, _WINDOW)[::_HOP] * np.hanning(_WINDOW)
    energy = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    mels = np.linspace(0, 2595 * np.log10(1 + 8_000 / 700), _BANDS + 1)
    edges = np.round((700 * (10 ** (mels / 2595) - 1)) * _WINDOW / VOICE_RATE_HZ).astype(int)
    bands = [energy[:, low : max(high, low + 1)].sum(axis=1) for low, high in pairwise(edges)]
    return np.asarray(np.log10(np.stack(bands, axis=1) + _FLOOR))
