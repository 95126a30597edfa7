"""How late a loudspeaker comes back: the peak of a whitened correlation, believed when it is found twice."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from media.echo.reference import MAX_DELAY, Sound
from media.echo.spectrum import sound, spectrum

STRETCH: Final = 3_840
"""Samples of microphone that are compared: 240 ms. Shorter ones find the right delay less often."""

_TAKEN: Final = 12_288
"""At least ``MAX_DELAY + STRETCH``, and quick to transform."""

_BAND: Final = slice(_TAKEN * 150 // 16_000, _TAKEN * 4_000 // 16_000)
"""150 Hz to 4 kHz: below is hum, above are a loudspeaker's and a codec's inventions."""


_FADE: Final = np.linspace(0, 1, 160, dtype=np.float32)
_SIDE: Final = 256
_TOP: Final = 12


@dataclass(frozen=True, slots=True)
class Match:
    """The likeliest *lag* in samples, and how far its *peak* stands out of the correlation around it."""

    lag: int
    peak: float


def correlate(mic: Sound, sent: Sound) -> Match:
    """Find *mic*, up to :data:`STRETCH` samples, in *sent*, the ``MAX_DELAY + len(mic)`` samples that end with it.

    Generalised cross-correlation with phase transform (Knapp and Carter 1976): every frequency votes alike, so that
    one voiced sound does not look like the next one.
    """
    cross = spectrum(_tapered(mic), _TAKEN) * np.conj(spectrum(_tapered(sent), _TAKEN))
    voters = np.zeros_like(cross)
    voters[_BAND] = cross[_BAND] / (np.abs(cross[_BAND]) + np.float32(1e-9))
    # The sound at `sent[offset]` is `MAX_DELAY - offset` samples old when the microphone begins.
    likeness = sound(voters, _TAKEN)[-np.arange(MAX_DELAY + 1)]
    offset = int(likeness.argmax())
    return Match(MAX_DELAY - offset, float(likeness[offset]) / _around(likeness, offset))


def _tapered(piece: Sound) -> Sound:
    """Without the clicks of a sound that is cut out of another: they are alike in all sounds."""
    piece = piece.copy()
    piece[: len(_FADE)] *= _FADE
    piece[-len(_FADE) :] *= _FADE[::-1]
    return piece


def _around(likeness: Sound, offset: int) -> float:
    """The root mean square 16 ms to both sides of a peak: a voice resembles another one at many lags, or at none."""
    first = max(0, offset - _SIDE)
    side = likeness[first : offset + _SIDE + 1].copy()
    top = offset - first
    side[max(0, top - _TOP) : top + _TOP + 1] = 0
    return float(np.sqrt(np.sum(side * side) / (len(side) - 2 * _TOP - 1))) + 1e-12


class DelayFinder:
    """Believes a delay that stands out by far, or by less twice running.

    Measured over 240 ms: the peak stands out 3.4-fold at the median (p99: 5.2) when the speech is no echo, 13-fold
    (p5: 8) when it is one; over 120 ms 3.4 (4.9) and 10 (6).
    """

    PLAIN: Final = 7.0
    TWICE: Final = 5.0
    SLACK: Final = 24
    """Samples by which two looks at the same echo may differ: a client's clock drifts."""

    def __init__(self) -> None:
        self._last: Match | None = None

    def offer(self, match: Match) -> int | None:
        """The delay in samples, when *match* settles it."""
        last, self._last = self._last, match if match.peak >= self.TWICE else None
        again = last is not None and match.peak >= self.TWICE and abs(last.lag - match.lag) <= self.SLACK
        if again or match.peak >= self.PLAIN:
            return match.lag
        return None

    def forget(self) -> None:
        """What comes next is another sound."""
        self._last = None
