"""When a process counts as overloaded, on a clock that the test turns."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings, strategies as st

from gateway.transports.overload import Load, Overload, Rule

RULE = Rule(late_ms=20, in_time_ms=10, patience_s=4, calm_s=5)
LATE, BETWEEN, CALM = 21.0, 15.0, 9.0


def looked(overload: Overload, *stretches: tuple[float, float], start: float = 0.0) -> list[float]:
    """Look twice a second through *stretches* of (lateness, seconds); when a call had to end."""
    now, ends = start, []
    for late_ms, seconds in stretches:
        for _ in range(int(seconds * 2)):
            if overload.look(late_ms, now):
                ends.append(now)
            now += 0.5
    return ends


def test_a_process_that_is_in_time_is_open() -> None:
    overload = Overload(RULE)
    assert looked(overload, (CALM, 60), (BETWEEN, 60)) == []
    assert overload.load is Load.OPEN


def test_it_first_refuses_and_ends_a_call_only_when_that_did_not_help() -> None:
    overload = Overload(RULE)
    assert looked(overload, (LATE, 4)) == []
    assert overload.load.name == "REFUSING"
    assert looked(overload, (LATE, 9), start=4.0) == [4.0, 8.0, 12.0]
    assert overload.load.name == "SHEDDING"


def test_a_late_moment_now_and_then_ends_nothing() -> None:
    overload = Overload(RULE)
    assert looked(overload, *[(LATE, 3), (BETWEEN, 1)] * 20) == []
    assert overload.load is Load.REFUSING


@pytest.mark.parametrize(("calm", "load"), [(4.5, Load.REFUSING), (6.0, Load.OPEN)])
def test_it_is_open_again_after_it_was_in_time_for_long_enough(calm: float, load: Load) -> None:
    overload = Overload(RULE)
    looked(overload, (LATE, 5), (CALM, calm))
    assert overload.load is load


def test_hardly_in_time_is_not_good_enough_for_new_calls() -> None:
    overload = Overload(RULE)
    assert looked(overload, (LATE, 5), (BETWEEN, 600)) == [4.0]
    assert overload.load is Load.REFUSING


@settings(deadline=None)
@given(st.lists(st.sampled_from([LATE, BETWEEN, CALM]), max_size=200))
def test_calls_end_only_while_late_and_one_at_a_time(lates: Iterable[float]) -> None:
    overload, last, late_for = Overload(RULE), -RULE.patience_s, 0.0
    for index, late_ms in enumerate(lates):
        now = index * 0.5
        late_for = late_for + 0.5 if late_ms == LATE else 0.0
        if overload.look(late_ms, now):
            assert late_for > RULE.patience_s
            assert now - last >= RULE.patience_s
            last = now
        assert not (overload.load is Load.OPEN and late_ms == LATE)
