"""An event loop whose clock jumps to the next timer instead of waiting for it.

Time passes only while every task waits. Timers of the same instant (to the nanosecond) run in the
order in which they were set, so that a run is the same every time. When every task waits and no
timer is set, nothing could ever happen again: that is an error, not a hang. There are no threads in
virtual time: what waits for one is a deadlock too.
"""

import asyncio
import selectors
from collections import Counter
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, Final, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

NUDGE: Final = 1e-12
"""Seconds that keep two timers of one instant in order: a thousandth of what the loop tells apart."""


class Deadlock(RuntimeError):
    """Every task waits, and no timer is set."""


class _JumpingSelector(selectors.SelectSelector):
    """Polls; where a real one would wait, its clock moves on."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise Deadlock("every task waits and no timer is set")
        self.now += timeout
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Starts at 0 seconds."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        self._set_for: Counter[float] = Counter()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        instant = round(when, 9)
        self._set_for[instant] += 1
        return super().call_at(instant + self._set_for[instant] * NUDGE, callback, *args, context=context)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run *main* in virtual time. Raises :class:`Deadlock` when nothing can happen any more."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


def now() -> float:
    """Seconds since the loop began."""
    return asyncio.get_running_loop().time()


async def settle() -> None:
    """Let everything happen that needs no time to pass."""
    await asyncio.sleep(1e-6)
