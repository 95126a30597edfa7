"""An empty store of each engine, for scenarios that all of them must play alike."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from gateway.core.ids import SessionId
from gateway.runtime.ports import Store
from gateway.store.memory import MemoryStore
from gateway.store.sqlite import SqliteStore

Scenario: TypeAlias = Callable[[Store], Awaitable[None]]
Play: TypeAlias = Callable[[Scenario], None]

HERE, THERE = SessionId("sess_00a"), SessionId("sess_01b")


@pytest.fixture(params=["memory", "sqlite"])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Play:
    """Runs a scenario on an empty store with two sessions."""

    async def main(scenario: Scenario) -> None:
        engine = MemoryStore if request.param == "memory" else lambda: SqliteStore(tmp_path / "log.db")
        store: Store = engine()
        try:
            await store.create(HERE, "epoch_1")
            await store.create(THERE, "epoch_2")
            await scenario(store)
        finally:
            await store.aclose()

    return lambda scenario: asyncio.run(main(scenario))
