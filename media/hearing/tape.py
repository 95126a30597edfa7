"""The last seconds of a microphone, read by a recognizer a little behind, so that late packets still count.

The lag costs nothing: what a recognizer says is asked for when silence has lasted longer, and then it gets the rest.
"""

from collections import deque
from typing import Final

import numpy as np

from media.frames import MIC_RATE_HZ, Pcm, samples

LAG: Final = samples(120, MIC_RATE_HZ)
"""Samples that are read late: as far as a repair reaches back (:data:`media.rtp.inbound.REPAIR_MS`)."""


class Tape:
    """Pieces of 16 kHz sound of the last *length_ms*, and up to where they were read."""

    def __init__(self, length_ms: int) -> None:
        self._length_ms: Final = length_ms
        self._pieces: deque[tuple[int, Pcm]] = deque()
        """Each with the clock at its end (ms)."""

        self._unread = 0
        """Pieces at the end."""

    def keep(self, pcm: Pcm, end_ms: int) -> None:
        """Append a piece that ends at *end_ms*."""
        self._pieces.append((end_ms, pcm))
        self._unread += 1
        while self._pieces[0][0] < end_ms - self._length_ms:
            self._pieces.popleft()
        self._unread = min(self._unread, len(self._pieces))

    def repair(self, pcm: Pcm) -> None:
        """Let *pcm* stand in the place of the last samples."""
        for at in range(len(self._pieces) - 1, -1, -1):
            if not len(pcm):
                return
            end_ms, old = self._pieces[at]
            count = min(len(old), len(pcm))
            self._pieces[at] = (end_ms, np.concatenate((old[: len(old) - count], pcm[len(pcm) - count :])))
            pcm = pcm[: len(pcm) - count]

    def rewind(self, to_ms: int) -> None:
        """Read next what ends after *to_ms*."""
        self._unread = sum(end_ms > to_ms for end_ms, _ in self._pieces)

    def since(self, ms: int) -> list[Pcm]:
        """The pieces that end after *ms*, read or not."""
        return [pcm for end_ms, pcm in self._pieces if end_ms > ms]

    def read(self) -> list[Pcm]:
        """What was not read so far, but for the last :data:`LAG` samples, to whole pieces."""
        held = lag = 0
        while held < self._unread and lag < LAG:
            held += 1
            lag += len(self._pieces[-held][1])
        return self._read(self._unread - held)

    def read_all(self) -> list[Pcm]:
        """What was not read so far."""
        return self._read(self._unread)

    def clear(self) -> None:
        """Forget everything."""
        self._pieces.clear()
        self._unread = 0

    def _read(self, count: int) -> list[Pcm]:
        first = len(self._pieces) - self._unread
        self._unread -= count
        return [self._pieces[at][1] for at in range(first, first + count)]
