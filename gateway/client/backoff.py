"""When to try again: exponential, with full jitter, so that a thousand clients that lost one gateway spread. Pure."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """Attempt *n* (from 0) waits anything up to ``first_s`` · 2ⁿ, at most ``longest_s``."""

    random: Callable[[], float]
    """Anything from 0 up to 1."""

    first_s: float = 0.5
    longest_s: float = 15.0
    tries: int = 0

    def next(self, hint_s: float | None = None) -> float:
        """Seconds until the next attempt. What the server asks for (*hint_s*) is waited in full, and spread on top."""
        # Doubling an integer for days on end would overflow a float.
        whole = min(self.longest_s, self.first_s * float(1 << min(self.tries, 30)))
        self.tries += 1
        return max(0.0, hint_s or 0.0) + whole * self.random()

    def succeeded(self) -> None:
        """It worked: the next failure is a first one again."""
        self.tries = 0
