"""When an answer fell silent, and when and where it went on. Pure: arrivals in, figures out.

*Audible* are the arrivals, ascending and in seconds, of the packets whose decoded peak exceeds 500.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from benchmarks.engines import SLOPE_HZ_S, START_HZ
from media.frames import PTIME_MS, VOICE_RATE_HZ, Pcm

QUIET_S: Final = 0.4
"""Speech is full of small silences: less than this is none."""

BREATH_S: Final = 0.1
"""An answer of which nothing was audible for so long did not sound, and nothing can be measured."""


def sounding_at(audible: Sequence[float], at: float) -> bool:
    """Whether the answer was to be heard just before *at*."""
    before = bisect_right(audible, at)
    return before > 0 and at - audible[before - 1] <= BREATH_S


def last_before_quiet(audible: Sequence[float], onset: float, until: float) -> float | None:
    """The arrival that is followed by :data:`QUIET_S` without another, the first such at or after *onset*'s last.

    None when the answer sounds on to *until*, which is when the listening ended.
    """
    at = max(0, bisect_right(audible, onset) - 1)
    rest = [*audible[at : bisect_right(audible, until)], until]
    return next((a for a, b in pairwise(rest) if b - a >= QUIET_S), None)


def first_after(audible: Sequence[float], at: float) -> float | None:
    """The first arrival after *at*."""
    index = bisect_right(audible, at)
    return audible[index] if index < len(audible) else None


def place_ms(pcm: Pcm) -> float:
    """Where in the rising tone of :mod:`benchmarks.engines` the middle of *pcm* (24 kHz, 60 ms or more) stands."""
    window = pcm * np.hanning(len(pcm))
    spectrum = np.abs(np.fft.rfft(window, 1 << 17))
    at = int(np.argmax(spectrum))
    hz = at * VOICE_RATE_HZ / (1 << 17)
    return (hz - START_HZ) / SLOPE_HZ_S * 1000


def step_ms(arrivals: Sequence[float], packets: Sequence[Pcm], last: float, first: float) -> float | None:
    """How far the rising tone moved over the pause between the audible arrivals *last* and *first*.

    0 says that the packet that faded out was sent again, as the playout does; more than 20 that sound was lost, less
    than 0 that some was repeated. None when there is too little sound on one side to tell.
    """
    out, back = bisect_left(arrivals, last), bisect_left(arrivals, first)
    before, after = packets[max(0, out - 6) : out - 1], packets[back + 1 : back + 6]
    if len(before) < 5 or len(after) < 5:
        return None
    half = 2.5 * PTIME_MS  # from the middle of five packets to their edge
    fading_ms = place_ms(np.concatenate(before)) + half + PTIME_MS
    fading_in_ms = place_ms(np.concatenate(after)) - half - PTIME_MS
    return fading_in_ms - fading_ms
