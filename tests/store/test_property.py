"""Whatever is asked of it, in whatever order, the embedded log answers like the model in memory."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeAlias

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.core.events import (
    Fact,
    ItemAdded,
    ItemCompleted,
    ItemRedacted,
    ItemRemoved,
    ItemTranscribed,
    ItemTruncated,
    QueueTaken,
    QueueWithdrawn,
    SettingsChanged,
    TurnQueued,
)
from gateway.core.ids import ItemId, ResponseId, SessionId
from gateway.core.state import Conversation
from gateway.core.values import Settings, Wish
from gateway.errors import StoreError
from gateway.runtime.ports import Store
from gateway.store.memory import MemoryStore
from gateway.store.sqlite import SqliteStore
from tests.store.test_records import SAMPLES

EXAMPLES: Final = int(os.environ.get("BARGEIN_EXAMPLES", "20"))

SESSIONS: Final = [SessionId(f"sess_0{number}x") for number in range(3)]
ITEMS: Final = [ItemId(f"item_{number}") for number in range(4)]

SESSION, ITEM = st.sampled_from(SESSIONS), st.sampled_from(ITEMS)
TEXT = st.text(max_size=20) | st.integers(1, 2000).map(lambda count: "word " * count)
METADATA = st.dictionaries(st.sampled_from(["topic", "customer"]), st.sampled_from(["a", "b", "\ud800"]), max_size=2)
STATUS = st.sampled_from(["completed", "incomplete"])
FACT: Final[st.SearchStrategy[Fact]] = st.one_of(
    st.builds(ItemAdded, ITEM, st.none(), st.just("user"), st.just("completed"), TEXT),
    st.builds(ItemTranscribed, ITEM, TEXT),
    st.builds(ItemCompleted, ITEM, st.just(ResponseId("resp_1")), STATUS, TEXT),
    st.builds(ItemTruncated, ITEM, TEXT, TEXT, st.integers(0, 10_000)),
    st.builds(ItemRemoved, ITEM, st.sampled_from(["deleted", "not_speech"])),
    st.builds(ItemRedacted, ITEM, st.none() | st.just(ResponseId("resp_1"))),
    st.builds(TurnQueued, ITEM, TEXT, st.just("queue"), wish=st.builds(Wish, st.none() | TEXT, METADATA)),
    st.builds(QueueWithdrawn, ITEM, st.just("withdrawn")) | st.builds(QueueTaken, ITEM),
    st.builds(SettingsChanged, st.builds(Settings, instructions=TEXT, metadata=METADATA)),
    st.sampled_from(SAMPLES),
)

Batch: TypeAlias = tuple[SessionId, int, list[Fact]]
BATCH: Final[st.SearchStrategy[Batch]] = st.tuples(
    SESSION,
    # How far from the end of its log it is appended: mostly there.
    st.sampled_from([0, 0, 0, 0, -1, 1]),
    st.lists(FACT, max_size=4),
)


async def outcome(call: Awaitable[object]) -> object:
    """What a call returns, or the code with which it is refused."""
    try:
        return await call
    except StoreError as error:
        return error.code


class EngineAgainstModel(RuleBasedStateMachine):
    """Every rule does the same to both and compares their answers."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.model = MemoryStore()
        self.engine = self.opened()
        self.ends = dict.fromkeys(SESSIONS, 0)
        self.wall = 1.5

    def opened(self) -> SqliteStore:
        return SqliteStore(Path(self.folder.name) / "log.db", synchronous="NORMAL")

    def run(self, main: Coroutine[object, object, object]) -> object:
        # Hypothesis repeats whatever fails, so a call that never ends has to end here.
        return self.runner.run(asyncio.wait_for(main, 10))

    def both(self, call: Callable[[Store], Awaitable[object]]) -> object:
        async def main() -> object:
            expected, found = await outcome(call(self.model)), await outcome(call(self.engine))
            assert found == expected
            return found

        return self.run(main())

    async def follow(self, batches: Sequence[Batch]) -> list[object]:
        """What the model makes of batches, one after the other; the ends of its logs follow."""
        outcomes = []
        for session, expected_seq, facts in batches:
            outcomes.append(await outcome(self.model.append(session, expected_seq, facts, self.wall)))
            info = await self.model.info(session)
            self.ends[session] = info.seq if info else 0
        return outcomes

    @rule(session=SESSION, tenant=st.sampled_from(["", "acme"]))
    def create(self, session: SessionId, tenant: str) -> None:
        self.both(lambda store: store.create(session, f"epoch of {session}", tenant=tenant))

    @rule(session=SESSION)
    def remove(self, session: SessionId) -> None:
        self.both(lambda store: store.remove(session))
        self.ends[session] = 0

    @rule()
    def compact(self) -> None:
        self.both(lambda store: store.compact())

    @rule(session=SESSION, back=st.integers(-1, 3), settings=st.builds(Settings, st.just("m"), TEXT, metadata=METADATA))
    def save_snapshot(self, session: SessionId, back: int, settings: Settings) -> None:
        async def main() -> None:
            for store in (self.model, self.engine):
                store.save_snapshot(session, max(self.ends[session] - back, 0), Conversation(settings))

        self.run(main())

    @rule(batches=st.lists(BATCH, min_size=1, max_size=6))
    def append_at_the_same_moment(self, batches: list[Batch]) -> None:
        placed = [(session, max(self.ends[session] + off, 0), facts) for session, off, facts in batches]

        async def main() -> None:
            self.wall += 1
            calls = [outcome(self.engine.append(session, seq, facts, self.wall)) for session, seq, facts in placed]
            assert await asyncio.gather(*calls) == await self.follow(placed)

        self.run(main())

    @rule(session=SESSION, facts=st.lists(FACT, min_size=1, max_size=3))
    def cancel_an_append(self, session: SessionId, facts: list[Fact]) -> None:
        async def main() -> None:
            end = self.ends[session]
            task = asyncio.create_task(self.engine.append(session, end, facts, self.wall))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            info = await self.engine.info(session)
            if info is not None and info.seq > end:
                await self.follow([(session, end, facts)])

        self.run(main())

    @rule(session=SESSION, item=ITEM, text=TEXT)
    def save_open(self, session: SessionId, item: ItemId, text: str) -> None:
        self.model.save_open(session, item, text)
        self.engine.save_open(session, item, text)

    @rule(session=SESSION, item=ITEM)
    def redact(self, session: SessionId, item: ItemId) -> None:
        self.both(lambda store: store.redact(session, item))

    @rule(session=SESSION, after_seq=st.integers(-1, 12), limit=st.integers(-1, 5))
    def read(self, session: SessionId, after_seq: int, limit: int) -> None:
        self.both(lambda store: store.read(session, after_seq, limit))

    @rule(session=SESSION, before_seq=st.integers(-1, 12), limit=st.integers(-1, 5))
    def read_before(self, session: SessionId, before_seq: int, limit: int) -> None:
        self.both(lambda store: store.read_before(session, before_seq, limit))

    @rule(metadata=METADATA, tenant=st.sampled_from(["", "acme"]), before=st.none() | st.integers(0, 9))
    def list_sessions(self, metadata: dict[str, str], tenant: str, before: int | None) -> None:
        self.both(lambda store: store.sessions(metadata, tenant=tenant, before=before, limit=2))

    @rule(age=st.integers(0, 9), limit=st.integers(-1, 3))
    def list_the_least_used(self, age: int, limit: int) -> None:
        self.both(lambda store: store.least_used(self.wall - age, limit))

    @rule(session=SESSION, items=st.lists(ITEM, max_size=5))
    def contents(self, session: SessionId, items: list[ItemId]) -> None:
        self.both(lambda store: store.contents(session, items))

    @rule()
    def close_and_open(self) -> None:
        self.run(self.engine.aclose())
        self.engine = self.opened()

    @invariant()
    def logs_are_the_same(self) -> None:
        for session in SESSIONS:
            self.both(lambda store, session=session: store.load(session))  # type: ignore[misc]  # bound per turn
            self.both(lambda store, session=session: store.info(session))  # type: ignore[misc]
        self.both(lambda store: store.size())

    def teardown(self) -> None:
        self.run(self.engine.aclose())
        self.runner.close()
        self.folder.cleanup()


TestEngineAgainstModel = pytest.mark.timeout(60 + EXAMPLES)(EngineAgainstModel.TestCase)
TestEngineAgainstModel.settings = settings(max_examples=EXAMPLES, stateful_step_count=20)
