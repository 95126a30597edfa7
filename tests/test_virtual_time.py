"""The clock that the runtime's tests live by."""

import asyncio

import pytest

from tests.virtual_time import Deadlock, now, run, settle


def test_an_hour_takes_no_time() -> None:
    async def main() -> float:
        async with asyncio.timeout(7200):
            await asyncio.gather(asyncio.sleep(3600), asyncio.sleep(5))
        return now()

    assert run(main()) == pytest.approx(3600)


def test_waiting_for_what_never_comes_is_an_error() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        run(main())


def test_a_deadlock_still_unwinds_what_waits() -> None:
    unwound: list[str] = []

    async def main() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            unwound.append("yes")

    with pytest.raises(Deadlock):
        run(main())
    assert unwound == ["yes"]


@pytest.mark.parametrize("start", [0.0, 0.1 + 0.2, 1000.1])
def test_timers_of_one_instant_run_in_the_order_in_which_they_were_set(start: float) -> None:
    ran: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(start)
        for number in range(50):
            # The same instant, reached by sums that differ in their last digit.
            loop.call_later(0.3 if number % 2 else 0.1 + 0.2, ran.append, number)
        await asyncio.sleep(1)

    run(main())
    assert ran == list(range(50))


def test_sleepers_wake_in_the_order_of_their_instants() -> None:
    woke: list[float] = []

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds)
        woke.append(now())

    async def main() -> None:
        await asyncio.gather(*(sleep(seconds) for seconds in (0.03, 0.01, 0.02)))

    run(main())
    assert woke == pytest.approx([0.01, 0.02, 0.03])


def test_settling_takes_a_microsecond_and_runs_all_that_is_ready() -> None:
    reached: list[int] = []

    async def chain(depth: int) -> None:
        reached.append(depth)
        if depth:
            await asyncio.create_task(chain(depth - 1))

    async def main() -> float:
        task = asyncio.create_task(chain(100))
        await settle()
        assert task.done()
        return now()

    assert run(main()) == pytest.approx(1e-6, abs=1e-9)
    assert len(reached) == 101


def test_a_timeout_that_comes_first_wins() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.sleep(1.001)
        return now()

    assert run(main()) == pytest.approx(1)
