"""How much one connection may send, as token buckets. Pure: time is an argument."""

from dataclasses import dataclass, field


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


@dataclass(slots=True)
class Buckets:
    """A bucket for each key; *most* of them, those that were used last."""

    rate: float
    burst: float
    most: int = 4096
    _buckets: dict[str, Bucket] = field(default_factory=dict)

    def take(self, key: str, now: float) -> bool:
        """Take a token of *key* at *now* (monotonic seconds). False when there is none."""
        bucket = self._buckets.pop(key, None) or Bucket(self.rate, self.burst)
        self._buckets[key] = bucket
        if len(self._buckets) > self.most:
            del self._buckets[next(iter(self._buckets))]
        return bucket.take(now)
