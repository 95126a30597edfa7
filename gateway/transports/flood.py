"""How much one connection may send, as token buckets. Pure: time is an argument."""

from dataclasses import dataclass


@dataclass(slots=True)
class Bucket:
    """``rate`` tokens a second, ``burst`` at most."""

    rate: float
    burst: float
    tokens: float = -1.0
    at: float = 0.0

    def take(self, now: float) -> bool:
        """Take a token at *now* (monotonic seconds). False when there is none."""
        if self.tokens < 0:
            self.tokens, self.at = self.burst, now
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True
