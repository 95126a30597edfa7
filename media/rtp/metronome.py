"""The pace of a process: one timer sends for all calls of an event loop, in slots, so that they do not wait in a queue.

A call that sent by a timer of its own would wake the loop 50 times a second, and a hundred of them that happen to be
due together would leave the last one late by all the others. Here a slot wakes the loop once for all calls in it, and
the slots stand :data:`SLOT_S` apart.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from math import ceil
from typing import Final, Protocol, TypeAlias

from media.frames import PTIME_MS

log = logging.getLogger(__name__)

TICK_S: Final = PTIME_MS / 1000

SLOTS: Final = 8
SLOT_S: Final = TICK_S / SLOTS

_ORDER: Final = (0, 4, 2, 6, 1, 5, 3, 7)
"""In which slots are opened: the first ones far apart."""

CROWD: Final = 4
"""Calls that share a slot before another one is opened. Each open slot wakes the loop 50 times a second, which costs
more than the fraction of a millisecond for which these calls wait for each other."""

MAX_LATE_S: Final = 0.2
"""A pacer that is later than this drops the ticks it missed: a burst would only fill the other side's buffer."""

LATENESS_WINDOW_S: Final = 5
"""How far back :func:`send_lateness` looks, in whole seconds."""

Beat: TypeAlias = Callable[[int], bool]
"""Called with the number of each tick; tells whether something was sent."""


class Pacer:
    """An absolute schedule of ticks, so that no delay adds up. Its clock is the caller's."""

    __slots__ = ("_next", "_started")

    def __init__(self, now: float) -> None:
        self._started = now
        self._next = 0

    def next(self, now: float) -> tuple[int, float]:
        """The next tick and when it is due. Ticks count 20 ms since the start; missed ones are counted as well."""
        behind = now - self._due(self._next)
        if behind > MAX_LATE_S:
            self._next += int(behind / TICK_S)
        tick = self._next
        self._next += 1
        return tick, self._due(tick)

    def _due(self, tick: int) -> float:
        return self._started + tick * TICK_S


@dataclass(frozen=True, slots=True)
class Lateness:
    """How much later than planned packets left, over the last :data:`LATENESS_WINDOW_S` seconds."""

    p50_ms: float = 0.0
    p99_ms: float = 0.0
    count: int = 0


class LatenessMeter:
    """Counts packets by their lateness. A histogram: noting one costs next to nothing, and so does a percentile.

    What is later than its last bucket counts as that bucket: 250 ms, which is more than :data:`MAX_LATE_S`.
    """

    STEP_S: Final = 0.000_25
    BUCKETS: Final = 1_000

    def __init__(self) -> None:
        self._seconds: deque[tuple[int, list[int]]] = deque(maxlen=LATENESS_WINDOW_S + 1)

    def note(self, late_s: float, now: float) -> None:
        """A packet left *late_s* after it was due."""
        second = int(now)
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append((second, [0] * self.BUCKETS))
        self._seconds[-1][1][min(max(int(late_s / self.STEP_S), 0), self.BUCKETS - 1)] += 1

    def read(self, now: float) -> Lateness:
        """What was noted lately."""
        recent = [counts for second, counts in self._seconds if second >= int(now) - LATENESS_WINDOW_S]
        if not recent:
            return Lateness()
        sums = list(accumulate(map(sum, zip(*recent, strict=True))))
        return Lateness(self._percentile(sums, 0.50), self._percentile(sums, 0.99), sums[-1])

    def _percentile(self, sums: list[int], part: float) -> float:
        """The upper bound of the bucket in which *part* of all is reached, in milliseconds."""
        return (next(at for at, sum in enumerate(sums) if sum >= part * sums[-1]) + 1) * self.STEP_S * 1_000


class Loop(Protocol):
    """What a metronome asks of an event loop."""

    def call_later(self, delay: float, callback: Callable[[], object]) -> asyncio.TimerHandle: ...


@dataclass(frozen=True, slots=True, eq=False)
class _Member:
    beat: Beat
    on_broken: Callable[[], None]


class _Slot:
    """Calls that are due together."""

    __slots__ = ("_clock", "_due", "_loop", "_meter", "_offset", "_pacer", "_tick", "_timer", "members")

    def __init__(self, loop: Loop, clock: Callable[[], float], meter: LatenessMeter, offset: float) -> None:
        self._loop = loop
        self._clock = clock
        self._meter = meter
        self._offset = offset
        self._timer: asyncio.TimerHandle | None = None
        self.members: tuple[_Member, ...] = ()

    def join(self, member: _Member) -> None:
        self.members = (*self.members, member)
        if self._timer is None:
            now = self._clock()
            self._pacer = Pacer(self._offset + ceil((now - self._offset) / TICK_S) * TICK_S)
            self._plan(now)

    def leave(self, member: _Member) -> None:
        self.members = tuple(each for each in self.members if each is not member)
        if not self.members and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _plan(self, now: float) -> None:
        self._tick, self._due = self._pacer.next(now)
        self._timer = self._loop.call_later(max(0.0, self._due - now), self._run)

    def _run(self) -> None:
        for member in self.members:
            # Whoever left in this very tick is not asked any more.
            if member in self.members and self._sent(member):
                now = self._clock()
                self._meter.note(now - self._due, now)
        if self.members:
            self._plan(self._clock())

    def _sent(self, member: _Member) -> bool:
        try:
            return member.beat(self._tick)
        except Exception:
            # One call must not silence the others.
            log.exception("a call broke while it sent")
            self.leave(member)
            self._loop.call_later(0, member.on_broken)
            return False


class Metronome:
    """Calls everyone who joined every 20 ms, on an absolute schedule; many are spread evenly over the slots."""

    def __init__(
        self, loop: Loop, clock: Callable[[], float], meter: LatenessMeter, on_idle: Callable[[], object]
    ) -> None:
        started = clock()
        self._slots: Final = [_Slot(loop, clock, meter, started + at * SLOT_S) for at in _ORDER]
        self._on_idle = on_idle

    def join(self, beat: Beat, on_broken: Callable[[], None]) -> Callable[[], None]:
        """Call *beat* from now on, first within 20 ms, until what is returned is called.

        Its ticks count up, not from 0. If it raises, that is logged, it is not called again, and *on_broken* is.
        """
        slot = self._place()
        member = _Member(beat, on_broken)
        slot.join(member)

        def leave() -> None:
            slot.leave(member)
            if not any(each.members for each in self._slots):
                self._on_idle()

        return leave

    def _place(self) -> _Slot:
        roomy = (each for each in self._slots if len(each.members) < CROWD)
        return next(roomy, None) or min(self._slots, key=lambda each: len(each.members))


_meter: Final = LatenessMeter()
_metronomes: Final[dict[asyncio.AbstractEventLoop, Metronome]] = {}


def metronome() -> Metronome:
    """The metronome of the running event loop; to be joined at once."""
    loop = asyncio.get_running_loop()
    if loop not in _metronomes:
        _metronomes[loop] = Metronome(loop, time.monotonic, _meter, lambda: _metronomes.pop(loop, None))
    return _metronomes[loop]


def note_sent(due: float) -> None:
    """A packet that was due at *due* (``time.monotonic``) and has no metronome has just left."""
    now = time.monotonic()
    _meter.note(now - due, now)


def send_lateness() -> Lateness:
    """How late the packets of this process left lately."""
    return _meter.read(time.monotonic())
