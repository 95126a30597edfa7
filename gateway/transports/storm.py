"""When many come back at once: how long each may be asked to wait before it does so again. Pure: time is an argument.

Clients that lost the same gateway at the same instant come back at the same instant, and would again the next time.
Each is therefore told a waiting time of its own: their places are spread over as long as the gateway needs for all.
"""

from dataclasses import dataclass
from typing import Final

RATE: Final = 100.0
"""Resumes a second that are no storm: about what one process takes beside everything else."""

CALM: Final = 20.0
"""A backlog that is no storm yet: a handful of devices whose network came back."""

LONGEST_S: Final = 30.0
SHORTEST_S: Final = 1.0

_GOLDEN: Final = 0.6180339887498949
"""Multiples of it, modulo 1, lie evenly however many there are (Weyl's sequence)."""


@dataclass(slots=True)
class Storm:
    """Counts resumes. One for each process."""

    backlog: float = 0.0
    """Resumes beyond what the rate took."""

    _at: float = 0.0
    _told: int = 0

    def resumed(self, now: float) -> int:
        """Somebody came back at *now* (monotonic seconds): how many ms to wait the next time; 0 in calm weather."""
        self.backlog = max(0.0, self.backlog - (now - self._at) * RATE) + 1
        self._at = now
        return 0 if self.backlog <= CALM else self._place(self.backlog / RATE)

    def leaving(self, clients: int) -> int:
        """How many ms one of so many *clients* shall wait that all have to come back."""
        return self._place(max(SHORTEST_S, clients / RATE))

    def _place(self, spread_s: float) -> int:
        self._told += 1
        return round(self._told * _GOLDEN % 1 * min(spread_s, LONGEST_S) * 1000)
