"""What waits for one connection: in order, bounded, and never lost but at its end."""

import asyncio

import pytest

from gateway.runtime.outbox import Outbox
from tests.virtual_time import run, settle


async def taken(outbox: Outbox) -> list[str]:
    found = []
    while (text := await outbox.get()) is not None:
        found.append(text)
    return found


def test_what_is_put_comes_in_its_order() -> None:
    async def main() -> None:
        outbox = Outbox()
        getting = asyncio.create_task(taken(outbox))
        for text in "abc":
            assert outbox.put(text)
            await settle()
        outbox.close()
        assert await getting == ["a", "b", "c"]

    run(main())


@pytest.mark.parametrize(
    ("limits", "fit"), [({"max_events": 3}, ["a", "bb", "c"]), ({"max_bytes": 4}, ["a", "bb", "c"])]
)
def test_who_does_not_read_is_told_once_and_gets_a_whole_beginning(limits: dict[str, int], fit: list[str]) -> None:
    async def main() -> None:
        outbox = Outbox(**limits)
        assert [outbox.put(text) for text in ("a", "bb", "c", "d", "e")] == [True, True, True, False, True]
        assert await taken(outbox) == fit
        assert await outbox.get() is None

    run(main())


def test_what_was_read_makes_room() -> None:
    async def main() -> None:
        outbox = Outbox(max_events=2, max_bytes=4)
        for _ in range(100):
            assert outbox.put("ab")
            assert outbox.put("cd")
            assert [await outbox.get(), await outbox.get()] == ["ab", "cd"]

    run(main())


def test_one_text_always_fits_however_large() -> None:
    async def main() -> None:
        outbox = Outbox(max_bytes=4)
        assert outbox.put("a whole snapshot")
        assert not outbox.put("b")
        assert await taken(outbox) == ["a whole snapshot"]

    run(main())


def test_it_is_drained_when_the_last_one_was_sent() -> None:
    async def main() -> None:
        outbox = Outbox()
        await outbox.drained()
        outbox.put("a")
        outbox.put("b")
        waiting = asyncio.create_task(outbox.drained())
        await outbox.get()
        await outbox.get()
        await settle()
        assert not waiting.done()
        sending = asyncio.create_task(outbox.get())
        await waiting
        outbox.close()
        assert await sending is None

    run(main())


def test_nobody_waits_for_a_closed_one() -> None:
    async def main() -> None:
        outbox = Outbox()
        outbox.put("a")
        waiting = asyncio.create_task(outbox.drained())
        await settle()
        outbox.close()
        await waiting
        assert await taken(outbox) == ["a"]

    run(main())


def test_of_an_outbox_that_is_cut_nothing_more_is_sent() -> None:
    async def main() -> None:
        outbox = Outbox()
        assert outbox.put("one")
        assert outbox.put("two")
        assert await outbox.get() == "one"
        outbox.cut()
        assert await outbox.get() is None
        assert outbox.put("three")
        assert await outbox.get() is None

    run(main())
