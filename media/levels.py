"""How loud a piece of sound is, and where in it a sound sets in."""

from typing import Final

import numpy as np

from media.frames import Pcm


def peak(pcm: Pcm) -> int:
    """The largest magnitude in *pcm*, 0 to 32768; 0 when it is empty."""
    return max(int(pcm.max()), -int(pcm.min())) if len(pcm) else 0


_ONSET_BLOCK: Final = 64
"""Samples an onset is told by: 4 ms at 16 kHz."""

_ONSET_SHARE: Final = 1 / 3
"""Where between the quietest and the loudest block, in dB, a sound sets in.

Measured on 44 labelled clips, 64 ms around the start of a word: |error| 4.5 ms at the median.
"""


def onset(pcm: Pcm) -> int:
    """The sample at which the loudest sound in *pcm* sets in, to 64 samples (of which there must be a multiple).

    Going back from the loudest block, the sound lasts as long as it stays in the upper two thirds of the range.
    """
    blocks = pcm.astype(np.float32).reshape(-1, _ONSET_BLOCK)
    level_db = 10 * np.log10(np.mean(blocks * blocks, axis=1) + 1)
    least_db = level_db.min() + _ONSET_SHARE * (level_db.max() - level_db.min())
    first = int(level_db.argmax())
    while first > 0 and level_db[first - 1] >= least_db:
        first -= 1
    return first * _ONSET_BLOCK
