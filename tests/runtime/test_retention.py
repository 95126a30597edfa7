"""Conversations go when they are too old or too many, the longest unused first, and never under somebody's hands."""

import asyncio
from math import inf

from gateway.core import events as ev
from gateway.core.ids import ItemId, SessionId
from gateway.core.values import Settings
from gateway.errors import StoreError
from gateway.runtime.retention import EVERY_S, PAGE, Keep, retain, watch
from gateway.store.memory import MemoryStore
from tests.runtime.stage import GatedStore, stage
from tests.virtual_time import run, settle

DAY = 24 * 3600.0


async def filled(count: int, *, size: int = 1000) -> tuple[MemoryStore, list[SessionId]]:
    """A store of sessions, the first of which was used on day 1, the second on day 2, …"""
    store = MemoryStore()
    sessions = [SessionId(f"sess_00{number:04}") for number in range(count)]
    for day, session in enumerate(sessions, 1):
        await store.create(session, "epoch")
        words = ev.ItemAdded(ItemId("item"), None, "user", "completed", "x" * size)
        await store.append(session, 0, [ev.SessionOpened(Settings()), words], day * DAY)
    return store, sessions


async def left(store: MemoryStore) -> list[SessionId]:
    return [info.session for info in await store.least_used(inf, 1000)]


def test_what_was_not_used_for_too_long_goes() -> None:
    async def main() -> None:
        store, sessions = await filled(PAGE + 20)
        assert await retain(store, Keep(seconds=10 * DAY), store.remove, (PAGE + 20.5) * DAY) == PAGE + 10
        assert await left(store) == sessions[PAGE + 10 :]

    run(main())


def test_of_too_many_those_go_that_were_unused_for_longest() -> None:
    async def main() -> None:
        store, sessions = await filled(PAGE + 20)
        each = (await store.size()) / len(sessions)
        assert await retain(store, Keep(size=7.5 * each), store.remove, 0.0) == PAGE + 13
        assert await left(store) == sessions[-7:]

    run(main())


def test_without_a_limit_all_stays() -> None:
    async def main() -> None:
        store, sessions = await filled(5)
        assert await retain(store, Keep(), store.remove, 1e12) == 0
        assert await left(store) == sessions

    run(main())


def test_sessions_in_use_stay_however_many_they_are_and_the_others_still_go() -> None:
    async def main() -> None:
        store, sessions = await filled(3 * PAGE)
        used = set(sessions[: 2 * PAGE])

        async def remove(session: SessionId) -> bool:
            return session not in used and await store.remove(session)

        assert await retain(store, Keep(seconds=DAY), remove, 1e12) == PAGE
        assert set(await left(store)) == used
        assert await retain(store, Keep(size=0), remove, 1e12) == 0

    run(main())


def test_a_session_in_memory_is_not_removed_and_one_that_nobody_uses_is() -> None:
    async def main() -> None:
        store = GatedStore()
        async with stage(store=store) as on:
            session = (await on.open()).session_id
            await (await on.found(session)).glance()
            assert not await on.registry.remove(session)
            assert await store.info(session) is not None
        async with stage(store=store) as after:
            assert await after.registry.remove(session)
            assert await after.registry.find(session) is None
            assert not await after.registry.remove(session)

    run(main())


class FailsOnce(GatedStore):
    """A store whose first removal fails, and which counts compactions."""

    failed = False
    compactions = 0

    async def remove(self, session: SessionId) -> bool:
        if not self.failed:
            self.failed = True
            raise StoreError("store_unavailable", "broken by the test")
        return await super().remove(session)

    async def compact(self) -> None:
        self.compactions += 1


def test_it_is_looked_after_again_and_again_and_a_log_that_fails_is_no_end() -> None:
    async def main() -> None:
        inner, _ = await filled(2)
        store = FailsOnce(inner)
        async with stage(store=store) as on:
            watching = asyncio.create_task(watch(store, Keep(size=0), on.registry, on.clock))
            await settle()
            assert len(await left(inner)) == 2
            await asyncio.sleep(EVERY_S + 1)
            assert await left(inner) == []
            assert store.compactions == 1
            watching.cancel()

    run(main())


def test_nobody_waits_for_the_room_that_is_given_back() -> None:
    async def main() -> None:
        store = FailsOnce()
        async with stage(store=store) as on:
            await on.open()
            watching = asyncio.create_task(watch(store, Keep(), on.registry, on.clock))
            await asyncio.sleep(3 * EVERY_S)
            assert store.compactions == 0
            watching.cancel()

    run(main())
