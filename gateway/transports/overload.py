"""When a process is overloaded, and what it does about it. Pure: lateness and time are arguments.

A gateway that is late with its sound is overloaded, whatever the reason: nothing else is measured. First it refuses
new calls. If that is not enough, it ends running ones, one at a time, so that the others stay good::

    OPEN ──late──▶ REFUSING ──late for `patience_s`──▶ one call ends, and so on each `patience_s`
      ◀──in time for `calm_s`──┘
"""

from dataclasses import dataclass
from enum import Enum, auto


class Load(Enum):
    """How a process stands."""

    OPEN = auto()
    REFUSING = auto()
    """It was late, and may be in time again only because nobody new came."""

    SHEDDING = auto()
    """It stays late though nobody new came; calls end."""


@dataclass(frozen=True, slots=True)
class Rule:
    """When to act. The times are longer than what the lateness is measured over, so that each step is seen to work."""

    late_ms: float = 20.0
    """A 99th percentile above this is late: a packet of voice lasts 20 ms."""

    in_time_ms: float = 10.0
    """Below this it is in time again."""

    patience_s: float = 5.0
    calm_s: float = 5.0


class Overload:
    """The state of one process. Starts :attr:`Load.OPEN`."""

    __slots__ = ("_calm_since", "_late_since", "_rule", "load")

    def __init__(self, rule: Rule) -> None:
        self.load = Load.OPEN
        self._rule = rule
        self._late_since: float | None = None
        self._calm_since: float | None = None

    def look(self, late_ms: float, now: float) -> bool:
        """Take the lateness at *now* (monotonic seconds). True says that one call must end."""
        late, calm = late_ms > self._rule.late_ms, late_ms < self._rule.in_time_ms
        self._late_since = (now if self._late_since is None else self._late_since) if late else None
        self._calm_since = (now if self._calm_since is None else self._calm_since) if calm else None
        if self._late_since is not None:
            return self._suffer(self._late_since, now)
        if self._calm_since is not None and now - self._calm_since >= self._rule.calm_s:
            self.load = Load.OPEN
        elif self.load is Load.SHEDDING:
            self.load = Load.REFUSING
        return False

    def _suffer(self, since: float, now: float) -> bool:
        if self.load is Load.OPEN:
            self.load = Load.REFUSING
        if now - since < self._rule.patience_s:
            return False
        self.load = Load.SHEDDING
        self._late_since = now
        return True
