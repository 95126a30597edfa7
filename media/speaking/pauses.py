"""Where a voice is silent between its words, found in its sound.

A word's time, as engines tell it, lasts until the next word begins, and a comma or a point puts a third to half a
second in between: who falls silent there has heard the word before it whole.
"""

from bisect import bisect_right
from typing import Final

import numpy as np

from media.frames import VOICE_RATE_HZ, Pcm, samples, silence

_BLOCK: Final = samples(10, VOICE_RATE_HZ)
_SHORTEST_BLOCKS: Final = 6
"""The closure of a stop consonant lasts up to 60 ms, and is a part of its word."""

_QUIET: Final = 160
"""A block whose peak stays below this (-46 dBFS) is silent."""


class Pauses:
    """The silent stretches of one stream of 24 kHz sound, in samples from its beginning, to 10 ms."""

    def __init__(self) -> None:
        self._rest = silence(0)
        self._blocks = 0
        self._quiet_from: int | None = None
        self._starts: list[int] = []
        self._ends: list[int] = []

    def add(self, pcm: Pcm) -> None:
        """The next piece of the sound."""
        sound = np.concatenate((self._rest, pcm)) if len(self._rest) else pcm
        count = len(sound) // _BLOCK
        self._rest = sound[count * _BLOCK :]
        if not count:
            return
        blocks = sound[: count * _BLOCK].reshape(count, _BLOCK)
        quiet = np.maximum(blocks.max(axis=1).astype(np.int32), -blocks.min(axis=1).astype(np.int32)) < _QUIET
        for index in np.flatnonzero(np.diff(quiet, prepend=self._quiet_from is not None)):
            self._turn(self._blocks + int(index), quiet=bool(quiet[index]))
        self._blocks += count

    def reach(self, sample: int) -> int:
        """Where the pause ends that *sample* lies in, as far as its sound is known; *sample* where there is none."""
        index = bisect_right(self._starts, sample) - 1
        if index >= 0 and sample < self._ends[index]:
            return self._ends[index]
        since = self._quiet_from
        if since is not None and self._blocks - since >= _SHORTEST_BLOCKS and since * _BLOCK <= sample:
            return max(sample, self._blocks * _BLOCK + len(self._rest))
        return sample

    def within(self, first: int, last: int) -> list[tuple[int, int]]:
        """The first sample of each pause that touches the samples from *first* to *last*, and the one after its last.

        One that goes on at the end of what is known reaches up to there.
        """
        found = [
            (start, end) for start, end in zip(self._starts, self._ends, strict=True) if first < end and start < last
        ]
        since = self._quiet_from
        if since is not None and self._blocks - since >= _SHORTEST_BLOCKS and since * _BLOCK < last:
            found.append((since * _BLOCK, self._blocks * _BLOCK + len(self._rest)))
        return found

    def _turn(self, block: int, *, quiet: bool) -> None:
        since, self._quiet_from = self._quiet_from, block if quiet else None
        if since is not None and block - since >= _SHORTEST_BLOCKS:
            self._starts.append(since * _BLOCK)
            self._ends.append(block * _BLOCK)
