"""What an answer learns of its end."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest

from gateway.runtime.bounds import Bounds, bounded
from gateway.runtime.closing import closing
from gateway.runtime.ports import STEERED, Piece

Consume = Callable[[AsyncGenerator[Piece, None], asyncio.Event], Awaitable[None]]


async def waits_for_the_next(answer: AsyncGenerator[Piece, None], reached: asyncio.Event) -> None:
    async for _ in answer:
        reached.set()


async def is_busy_with_the_first(answer: AsyncGenerator[Piece, None], reached: asyncio.Event) -> None:
    await anext(answer)
    reached.set()
    await asyncio.Event().wait()


async def has_not_begun(_answer: AsyncGenerator[Piece, None], reached: asyncio.Event) -> None:
    reached.set()
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("consume", "learnt"),
    [(waits_for_the_next, [STEERED]), (is_busy_with_the_first, [STEERED]), (has_not_begun, [])],
)
def test_an_answer_learns_why_it_is_cancelled(consume: Consume, learnt: list[str]) -> None:
    why: list[str] = []

    async def reply() -> AsyncGenerator[Piece, None]:
        try:
            yield "Once"
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            why.extend(error.args)
            raise

    async def use(reached: asyncio.Event) -> None:
        async with closing(bounded(reply(), Bounds())) as answer:
            await consume(answer, reached)

    async def main() -> None:
        reached = asyncio.Event()
        task = asyncio.create_task(use(reached))
        await reached.wait()
        task.cancel(STEERED)
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert why == learnt


def test_an_answer_that_is_left_early_is_closed() -> None:
    closed = asyncio.Event()

    async def reply() -> AsyncGenerator[Piece, None]:
        try:
            yield "Once"
            yield "more"
        finally:
            closed.set()

    async def main() -> None:
        async with closing(reply()) as answer:
            await anext(answer)
        assert closed.is_set()

    asyncio.run(main())
