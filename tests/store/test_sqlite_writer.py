"""The thread that writes the embedded log: many callers, their loops, and open texts."""

import asyncio
from math import nan
from pathlib import Path

import pytest

from gateway.core.events import Fact, PlayoutStarted
from gateway.core.ids import ItemId, LegId, ResponseId, SessionId
from gateway.errors import StoreError
from gateway.runtime.ports import Content
from gateway.store.sqlite import SqliteStore
from gateway.store.sqlite_writer import GROUP, OPEN_EVERY_S, OpenTexts
from tests.store.test_sqlite import HERE, A, B, outside, play, said, settled, size

# --- many callers ---


def test_a_failing_append_leaves_its_neighbours_alone(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        await store.create(HERE, "epoch_1")
        unstorable = SessionId("sess_\ud800")
        with outside(tmp_path / "log.db") as db:
            # Held for a moment, so that all of them wait and share a transaction.
            db.execute("BEGIN IMMEDIATE")
            # The third fails after it has moved the end of the log: a NOT NULL column has no place for NaN.
            plan = [
                (HERE, 0, 1.5),
                (HERE, 7, 1.5),
                (HERE, 1, nan),
                (unstorable, 0, 1.5),
                (HERE, 1, 1.5),
                (HERE, 2, 1.5),
            ]
            calls = [
                asyncio.ensure_future(store.append(session, seq, [said(A, str(seq))], wall))
                for session, seq, wall in plan
            ]
            await asyncio.sleep(0)
            db.execute("ROLLBACK")
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        codes = [outcome.code if isinstance(outcome, StoreError) else outcome for outcome in outcomes]
        assert codes == [1, "store_conflict", "store_unavailable", "store_unavailable", 2, 3]
        assert [stored.fact for stored in await store.read(HERE, 0)] == [said(A, "0"), said(A, "1"), said(A, "2")]

    play(tmp_path / "log.db", scenario)


def test_more_callers_than_a_group_holds_are_all_answered(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        sessions = [SessionId(f"sess_{number}") for number in range(2 * GROUP + 10)]
        await asyncio.gather(*(store.create(session, "epoch_1") for session in sessions))
        fact = PlayoutStarted(ResponseId("resp_1"), LegId("leg_1"))
        seqs = await asyncio.gather(*(store.append(session, 0, [fact] * 3, 1.5) for session in sessions))
        assert seqs == [3] * len(sessions)

    play(tmp_path / "log.db", scenario)


def test_cancelled_appends_happen_or_not_and_the_others_go_on(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        sessions = [SessionId(f"sess_{number}") for number in range(60)]
        await asyncio.gather(*(store.create(session, "epoch_1") for session in sessions))
        facts: list[Fact] = [said(A, "one"), said(B, "two")]
        calls = [asyncio.ensure_future(store.append(session, 0, facts, 1.5)) for session in sessions]
        await asyncio.sleep(0)
        for call in calls[::3]:
            call.cancel()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        for session, outcome in zip(sessions, outcomes, strict=True):
            end = await end_of(store, session)
            assert outcome == end == 2 or (isinstance(outcome, asyncio.CancelledError) and end in (0, 2))
            assert await store.append(session, end, facts, 1.5) == end + 2

    async def end_of(store: SqliteStore, session: SessionId) -> int:
        loaded = await store.load(session)
        assert loaded is not None
        return len(loaded.log)

    play(tmp_path / "log.db", scenario)


def test_a_loop_that_closes_over_a_pending_write_does_no_harm(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "log.db")
    asyncio.run(store.create(HERE, "epoch_1"))
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _loop, _context: None)

    async def begin() -> asyncio.Task[int]:
        task = asyncio.create_task(store.append(HERE, 0, [said(A, "hello")], 1.5))
        await asyncio.sleep(0)
        return task

    with outside(tmp_path / "log.db") as db:
        db.execute("BEGIN IMMEDIATE")
        pending = loop.run_until_complete(begin())
        loop.close()
        db.execute("ROLLBACK")

    async def afterwards() -> None:
        assert [stored.fact for stored in await store.read(HERE, 0)] == [said(A, "hello")]
        assert await store.append(HERE, 1, [said(B, "again")], 1.5) == 2

    asyncio.run(settled(store))
    asyncio.run(afterwards())
    asyncio.run(store.aclose())
    assert not pending.done()


def test_a_write_does_not_block_the_event_loop_or_reads(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        await store.create(HERE, "epoch_1")
        await store.append(HERE, 0, [said(A, "hello")], 1.5)
        with outside(tmp_path / "log.db") as db:
            db.execute("BEGIN IMMEDIATE")
            waiting = asyncio.create_task(store.append(HERE, 1, [said(B, "later")], 1.5))
            store.save_open(HERE, ItemId("item_c"), "It is")
            assert await store.contents(HERE, [A]) == {A: Content("hello")}
            assert len(await store.read(HERE, 0)) == 1
            assert not waiting.done()
            db.execute("ROLLBACK")
        assert await waiting == 2

    play(tmp_path / "log.db", scenario)


def test_what_is_queued_is_written_before_the_store_closes(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        await store.create(HERE, "epoch_1")
        calls = [asyncio.ensure_future(store.append(HERE, seq, [said(A, str(seq))], 1.5)) for seq in range(20)]
        await asyncio.sleep(0)
        await store.aclose()
        assert await asyncio.gather(*calls) == list(range(1, 21))

    play(tmp_path / "log.db", scenario)
    assert len(play(tmp_path / "log.db", lambda store: store.read(HERE, 0))) == 20
    assert {file.name for file in tmp_path.iterdir()} == {"log.db", "log.db.lock"}


def test_an_idle_log_moves_into_the_database(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        await store.create(HERE, "epoch_1")
        await store.append(HERE, 0, [said(A, "word " * 20_000)], 1.5)
        while size(tmp_path / "log.db") < 100_000:
            pass

    play(tmp_path / "log.db", scenario)


# --- open texts ---


def test_open_texts_are_due_a_while_after_the_first_change() -> None:
    texts = OpenTexts()
    assert texts.wait_s(7.0) is None
    texts.put((HERE, A), "It", 7.0)
    texts.put((HERE, A), "It is", 7.09)
    assert texts.wait_s(7.09) == pytest.approx(OPEN_EVERY_S - 0.09)
    assert texts.take(7.09) == {}
    assert texts.wait_s(8.0) == 0.0
    assert texts.take(8.0) == {(HERE, A): "It is"}
    assert texts.wait_s(8.0) is None


def test_an_open_text_that_could_not_be_written_waits_unless_there_is_a_newer_one() -> None:
    texts = OpenTexts()
    texts.put((HERE, A), "It is nine", 7.0)
    texts.put_back({(HERE, A): "It is", (HERE, B): "And"}, 7.05)
    assert texts.take(8.0) == {(HERE, A): "It is nine", (HERE, B): "And"}
    texts.put_back({(HERE, B): "And"}, 9.0)
    assert texts.wait_s(9.0) == pytest.approx(OPEN_EVERY_S)


def test_an_open_text_reaches_the_file_without_being_asked_for(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        await store.create(HERE, "epoch_1")
        with outside(tmp_path / "log.db") as db:
            store.save_open(HERE, A, "It")
            store.save_open(HERE, A, "It is")
            while not (rows := db.execute("SELECT text FROM open").fetchall()):
                pass
            assert rows == [("It is",)]

    play(tmp_path / "log.db", scenario)
