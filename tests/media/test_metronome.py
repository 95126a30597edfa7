"""When packets are made: ticks, slots, and how late they were."""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any, cast

import pytest

from media.rtp.metronome import (
    CROWD,
    LATENESS_WINDOW_S,
    MAX_LATE_S,
    SLOT_S,
    SLOTS,
    TICK_S,
    LatenessMeter,
    Metronome,
    Pacer,
)


def test_ticks_are_20_ms_apart_however_late_the_caller_asks() -> None:
    pacer = Pacer(10.0)
    asked = [10.0, 10.001, 10.025, 10.04, 10.11]
    due = [pacer.next(now) for now in asked]
    assert [tick for tick, _ in due] == [0, 1, 2, 3, 4]
    assert [at for _, at in due] == pytest.approx([10.0, 10.02, 10.04, 10.06, 10.08])


def test_a_pacer_that_was_held_up_skips_what_it_missed() -> None:
    pacer = Pacer(0.0)
    pacer.next(0.0)
    tick, due = pacer.next(TICK_S + MAX_LATE_S + 0.105)
    assert tick == 16
    assert due == pytest.approx(16 * TICK_S)
    assert pacer.next(due)[0] == 17


def test_a_pacer_that_is_a_little_late_catches_up() -> None:
    pacer = Pacer(0.0)
    pacer.next(0.0)
    assert [pacer.next(TICK_S + MAX_LATE_S - 0.001)[0] for _ in range(5)] == [1, 2, 3, 4, 5]


class Timer:
    """One callback of a virtual loop."""

    def __init__(self, at: float, callback: Callable[[], object]) -> None:
        self.at = at
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class VirtualLoop:
    """Timers, and a clock that only :meth:`run` and :meth:`stand_still` move."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[Timer] = []
        self.woken = 0

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], object]) -> asyncio.TimerHandle:
        self.timers.append(Timer(self.now + delay, callback))
        return cast(asyncio.TimerHandle, self.timers[-1])

    def stand_still(self, seconds: float) -> None:
        """Something blocks the loop."""
        self.now += seconds

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while due := [each for each in self.timers if not each.cancelled and each.at <= until]:
            timer = min(due, key=lambda each: each.at)
            self.timers.remove(timer)
            self.now = max(self.now, timer.at)
            self.woken += 1
            timer.callback()
        self.now = max(self.now, until)


class Stage:
    """A metronome on a virtual loop."""

    def __init__(self) -> None:
        self.loop = VirtualLoop()
        self.meter = LatenessMeter()
        self.idle = 0
        self.metronome = Metronome(self.loop, self.loop.time, self.meter, self._idle)
        self.broken: list[Any] = []

    def _idle(self) -> None:
        self.idle += 1

    def join(self, name: object, beat: Callable[[int], bool]) -> Callable[[], None]:
        return self.metronome.join(beat, lambda: self.broken.append(name))

    def listener(self, sends: bool = True) -> tuple[list[int], list[float], Callable[[], None]]:
        ticks: list[int] = []
        times: list[float] = []

        def beat(tick: int) -> bool:
            ticks.append(tick)
            times.append(self.loop.now)
            return sends

        return ticks, times, self.join(ticks, beat)


def test_a_call_is_asked_each_20_ms_from_its_first_tick_on() -> None:
    stage = Stage()
    ticks, times, _ = stage.listener()
    stage.loop.run(1.0)
    assert times[0] - 100.0 < TICK_S
    assert ticks == list(range(ticks[0], ticks[0] + len(ticks)))
    assert len(ticks) in (50, 51)
    assert times == pytest.approx([times[0] + number * TICK_S for number in range(len(times))])


def phases(calls: list[tuple[list[int], list[float], Callable[[], None]]]) -> list[int]:
    return sorted(round((times[0] - 100.0) / SLOT_S) % SLOTS for _, times, _ in calls)


@pytest.mark.parametrize(
    ("number", "slots"), [(1, 1), (CROWD, 1), (CROWD + 1, 2), (SLOTS * CROWD, SLOTS), (3 * SLOTS * CROWD, SLOTS)]
)
def test_a_few_calls_share_their_slots_and_many_are_spread_evenly(number: int, slots: int) -> None:
    stage = Stage()
    calls = [stage.listener() for _ in range(number)]
    stage.loop.run(TICK_S * 2)
    used = phases(calls)
    counts = [used.count(slot) for slot in sorted(set(used))]
    assert len(counts) == slots
    assert max(counts) == max(min(number, CROWD), number // SLOTS)


def test_the_next_call_takes_the_emptiest_slot() -> None:
    stage = Stage()
    calls = [stage.listener() for _ in range(2 * SLOTS * CROWD)]
    calls[5][2]()
    calls.append(stage.listener())
    stage.loop.run(TICK_S * 2)
    del calls[5]
    assert phases(calls) == sorted([*range(SLOTS)] * 2 * CROWD)


def test_a_slot_wakes_the_loop_once_for_all_its_calls_and_never_for_none() -> None:
    stage = Stage()
    leaves = [stage.listener()[2] for _ in range(2 * CROWD)]
    stage.loop.run(1.0)
    assert stage.loop.woken in range(50 * 2, 51 * 2 + 1)
    for leave in leaves:
        assert stage.idle == 0
        leave()
    assert stage.idle == 1
    woken = stage.loop.woken
    stage.loop.run(1.0)
    assert stage.loop.woken == woken


def test_a_loop_that_stood_still_a_little_catches_up_and_after_long_it_skips() -> None:
    stage = Stage()
    ticks, times, _ = stage.listener()
    stage.loop.run(0.1)
    stage.loop.stand_still(MAX_LATE_S / 2)
    stage.loop.run(0.1)
    assert ticks == list(range(ticks[0], ticks[0] + len(ticks)))
    before, sent = stage.loop.now, len(ticks)
    stage.loop.stand_still(1.0)
    stage.loop.run(0.1)
    assert len(ticks) - sent <= 7
    assert ticks[-1] - ticks[0] == round((times[-1] - times[0]) / TICK_S)
    assert times[sent] >= before + 1.0


def test_who_breaks_is_told_once_and_hurts_nobody_else() -> None:
    stage = Stage()
    asked = count()

    def broken(_tick: int) -> bool:
        next(asked)
        raise OSError("unplugged")

    others = [stage.listener()[0]]
    stage.join("broken", broken)
    others += [stage.listener()[0] for _ in range(CROWD)]
    stage.loop.run(0.5)
    assert stage.broken == ["broken"]
    assert next(asked) == 1
    assert {len(ticks) for ticks in others} <= {24, 25, 26}


def test_who_leaves_in_a_tick_is_not_asked_in_it() -> None:
    stage = Stage()
    leaves: list[Callable[[], None]] = []
    asked: list[str] = []

    def first(_tick: int) -> bool:
        asked.append("first")
        for leave in leaves:
            leave()
        return False

    def second(_tick: int) -> bool:
        asked.append("second")
        return False

    stage.join("first", first)
    leaves.append(stage.join("second", second))
    stage.loop.run(0.1)
    assert set(asked) == {"first"}
    assert len(asked) >= 5


def test_lateness_is_counted_for_what_was_sent() -> None:
    stage = Stage()
    stage.listener(sends=True)
    stage.listener(sends=False)
    stage.loop.run(1.0)
    on_time = stage.meter.read(stage.loop.now)
    assert on_time.count in (50, 51)
    assert on_time.p99_ms <= 1_000 * LatenessMeter.STEP_S


def test_lateness_is_told_by_percentile_and_forgotten() -> None:
    meter = LatenessMeter()
    for number in range(1_000):
        meter.note(0.001 if number < 980 else 0.020, now=7.0)
    meter.note(5.0, now=7.5)
    lateness = meter.read(8.0)
    assert lateness.count == 1_001
    assert lateness.p50_ms == pytest.approx(1.0, abs=0.3)
    assert lateness.p99_ms == pytest.approx(20.0, abs=0.3)
    assert meter.read(7.5 + LATENESS_WINDOW_S).count == 1_001
    assert meter.read(8.0 + LATENESS_WINDOW_S).count == 0
    assert LatenessMeter().read(0.0).count == 0
