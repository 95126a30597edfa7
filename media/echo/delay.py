"""How late a loudspeaker comes back: the peak of a whitened correlation, believed when it is found twice."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from media.echo.reference import MAX_DELAY, Sound
from media.echo.spectrum import sound, spectrum

STRETCH: Final = 4_096
"""Samples of microphone that are compared: 256 ms. Shorter ones find the right delay less often."""

_TAKEN: Final = MAX_DELAY + STRETCH
_BAND: Final = slice(_TAKEN * 150 // 16_000, _TAKEN * 4_000 // 16_000)
"""150 Hz to 4 kHz: below is hum, above are a loudspeaker's and a codec's inventions."""


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
    cross = spectrum(mic, _TAKEN) * np.conj(spectrum(sent, _TAKEN))
    voters = np.zeros_like(cross)
    voters[_BAND] = cross[_BAND] / (np.abs(cross[_BAND]) + np.float32(1e-9))
    # The sound at `sent[offset]` is `MAX_DELAY - offset` samples old when the microphone begins.
    likeness = sound(voters, _TAKEN)[-np.arange(MAX_DELAY + 1)]
    offset = int(likeness.argmax())
    return Match(MAX_DELAY - offset, float(likeness[offset]) / _around(likeness, offset))


def _around(likeness: Sound, offset: int) -> float:
    """The root mean square 16 ms to both sides of a peak: a voice resembles another one at many lags, or at none."""
    first = max(0, offset - _SIDE)
    side = likeness[first : offset + _SIDE + 1].copy()
    top = offset - first
    side[max(0, top - _TOP) : top + _TOP + 1] = 0
    return float(np.sqrt(np.sum(side * side) / (len(side) - 2 * _TOP - 1))) + 1e-12


class DelayFinder:
    """Believes a delay that stands out by far, or by less twice running.

    Measured over 256 ms: the peak stands out 3.4-fold at the median (p99: 5.7) when the speech is no echo, 13-fold
    (p5: 8) when it is one; over 120 ms 3.4 (5.1) and 10 (6).
    """

    PLAIN: Final = 9.0
    TWICE: Final = 5.5
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
