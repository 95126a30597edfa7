"""How loud a piece of sound is. 0 dBFS is a square wave at full scale, so a full-scale sine reads -3 dBFS."""

from math import log10
from typing import Final

import numpy as np

from media.frames import Pcm

FLOOR_DBFS: Final = -96.0
"""What silence reads: 16 bit cannot tell anything below it from nothing (20 log10 of 1/65536)."""

_FULL_SCALE: Final = 32768.0


def peak(pcm: Pcm) -> int:
    """The largest magnitude in *pcm*, 0 to 32768; 0 when it is empty."""
    return max(int(pcm.max()), -int(pcm.min())) if len(pcm) else 0


def rms_dbfs(pcm: Pcm) -> float:
    """The root mean square of *pcm* in dB below full scale, never under :data:`FLOOR_DBFS` (also when empty)."""
    if not len(pcm):
        return FLOOR_DBFS
    wide = pcm.astype(np.float64)
    mean_square = float(wide @ wide) / len(wide)
    return max(FLOOR_DBFS, 10 * log10(mean_square / _FULL_SCALE**2)) if mean_square else FLOOR_DBFS


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
