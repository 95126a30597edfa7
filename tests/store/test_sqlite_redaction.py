"""Removed words are in no file of the embedded log: no table, no write-ahead file, no free space."""

import asyncio
import random
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import pytest

from gateway.core.events import Fact, ItemRedacted, ItemRemoved, ResponseStarted, SessionOpened, SettingsChanged
from gateway.core.ids import Generation, ItemId, ResponseId, SessionId
from gateway.core.session import Session
from gateway.core.values import Settings
from gateway.errors import StoreError
from gateway.runtime.ports import Content
from gateway.store import sqlite_catalogue as catalogue, sqlite_tables as tables
from gateway.store.records import ContentRow
from gateway.store.sqlite import SqliteStore
from gateway.store.sqlite_tables import Row
from tests.store.test_sqlite import HERE, A, B, outside, play, python, said, seen_on_disk, settled, size

C, RESPONSE, THERE = ItemId("item_c"), ResponseId("resp_1"), SessionId("sess_00b")

KILLED: Final = """
import asyncio, os, signal, sqlite3, sys
from gateway.core.events import ItemAdded
from gateway.errors import StoreError
from gateway.store.sqlite import SqliteStore

async def main():
    store = await SqliteStore.open(sys.argv[1])
    await store.create("sess_0", "epoch_1")
    await store.append("sess_0", 0, [ItemAdded("item_0", None, "user", "completed", "CANARY")], 1.5)
    reader = sqlite3.connect(sys.argv[1], isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM facts").fetchall()
    try:
        await store.redact("sess_0", "item_0")
    except StoreError:
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_words_that_a_killed_gateway_could_not_remove_are_gone_at_the_next_start(tmp_path: Path) -> None:
    with python(KILLED, tmp_path / "log.db") as killed:
        killed.communicate(timeout=30)
    assert killed.returncode < 0
    assert seen_on_disk(tmp_path, ["CANARY"]) == {"CANARY"}
    store = SqliteStore(tmp_path / "log.db")
    assert seen_on_disk(tmp_path, ["CANARY"]) == set()
    asyncio.run(store.aclose())


def test_redacted_words_are_in_no_file(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        await store.create(HERE, "epoch_1")
        await store.append(HERE, 0, [said(A, "my pin is CANARY1"), said(B, "keep KEPT1")], 1.5)
        for text in ("CANARY2", "CANARY2 and CANARY3"):
            store.save_open(HERE, C, text)
            await settled(store)
        store.save_open(HERE, ItemId("item_d"), "KEPT2")
        await settled(store)
        words = ["CANARY1", "CANARY2", "CANARY3", "KEPT1", "KEPT2"]
        assert seen_on_disk(tmp_path, words) == set(words)
        await store.append(HERE, 2, [ItemRemoved(A, "deleted")], 1.5)
        await store.redact(HERE, A)
        await store.redact(HERE, C)
        assert seen_on_disk(tmp_path, words) == {"KEPT1", "KEPT2"}

    play(tmp_path / "log.db", scenario)


@pytest.mark.parametrize("end", [ItemRedacted(A, RESPONSE), ItemRemoved(A, "deleted")])
def test_words_that_a_fact_makes_void_are_in_no_file_when_its_append_returns(tmp_path: Path, end: Fact) -> None:
    async def scenario(store: SqliteStore) -> None:
        await store.create(HERE, "epoch_1")
        begun = ResponseStarted(RESPONSE, Generation(1), None, metadata={"topic": "KEPT1"})
        await store.append(HERE, 0, [begun, said(A, "my pin is CANARY1"), said(B, "KEPT2")], 1.5)
        store.save_open(HERE, A, "CANARY2")
        await store.append(HERE, 3, [end], 1.5)
        kept = {"KEPT2"} if isinstance(end, ItemRedacted) else {"KEPT1", "KEPT2"}
        assert seen_on_disk(tmp_path, ["CANARY1", "CANARY2", "KEPT1", "KEPT2"]) == kept

    play(tmp_path / "log.db", scenario)


def test_the_words_of_former_settings_are_in_no_file(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        await store.create(HERE, "epoch_1")
        first = SessionOpened(Settings(instructions="Speak to CANARY1.", metadata={"CANARY2": "CANARY3"}))
        await store.append(HERE, 0, [first], 1.5)
        store.save_snapshot(HERE, 1, Session.replay([first]).state.conversation)
        await settled(store)
        words = ["CANARY1", "CANARY2", "CANARY3", "KEPT1"]
        assert seen_on_disk(tmp_path, words) == {"CANARY1", "CANARY2", "CANARY3"}
        await store.append(HERE, 1, [SettingsChanged(Settings(instructions="Speak to KEPT1."))], 1.5)
        assert seen_on_disk(tmp_path, words) == {"KEPT1"}

    play(tmp_path / "log.db", scenario)


def test_a_removed_session_leaves_no_words_before_its_room_is_given_back_and_after(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        for session, word in ((HERE, "CANARY"), (THERE, "KEPT")):
            await store.create(session, "epoch_1")
            about = SessionOpened(Settings(instructions=f"{word}1", metadata={"about": f"{word}2"}))
            long = said(A, f"{word}3 " * 300_000)
            await store.append(session, 0, [about, long, said(B, f"{word}4")], 1.5)
            store.save_open(session, C, f"{word}5")
            await settled(store)
        words = [f"{word}{number}" for word in ("CANARY", "KEPT") for number in range(1, 6)]
        assert seen_on_disk(tmp_path, words) == set(words)
        await store.remove(HERE)
        kept = {word for word in words if word.startswith("KEPT")}
        assert seen_on_disk(tmp_path, words) == kept
        assert rows(tmp_path, "content") > rows(tmp_path, "facts") + 3
        await store.compact()
        assert seen_on_disk(tmp_path, words) == kept
        assert rows(tmp_path, "content") == 4
        assert await store.contents(THERE, [B]) == {B: Content("KEPT4")}

    play(tmp_path / "log.db", scenario)


def test_the_room_of_removed_sessions_is_used_again(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        sizes = []
        for number in range(6):
            session = SessionId(f"sess_0{number}")
            await store.create(session, "epoch_1")
            await store.append(session, 0, [said(ItemId(f"item_{n}"), "word " * 300) for n in range(2000)], 1.5)
            await store.remove(session)
            await store.compact()
            sizes.append(size(tmp_path / "log.db"))
        assert sizes[-1] <= 1.5 * sizes[0]

    play(tmp_path / "log.db", scenario)


def test_a_little_waste_is_left_where_it_is(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        await store.create(HERE, "epoch_1")
        await store.append(HERE, 0, [said(A, "one")], 1.5)
        await store.remove(HERE)
        await store.compact()
        assert rows(tmp_path, "content") == 1

    play(tmp_path / "log.db", scenario)


def rows(folder: Path, table: str) -> int:
    """How many there are in a table."""
    with outside(folder / "log.db") as db:
        return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


@contextmanager
def tables_at(path: Path) -> Iterator[sqlite3.Connection]:
    """The log's tables without the store's threads, and one session; its file is whole afterwards."""
    with closing(tables.connect(path)) as db:
        tables.prepare_writer(db, "NORMAL")
        tables.insert_session(db, HERE, "epoch_1")
        db.execute("BEGIN")
        yield db
        db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@pytest.mark.parametrize("seed", [2, 13, 16])
def test_redaction_reaches_copies_that_the_growing_log_made(tmp_path: Path, seed: int) -> None:
    # With DELETE in place of overwriting, each of these seeds leaves a canary in the free space of a page.
    chance = random.Random(seed)
    kept: list[tuple[ItemId, str]] = []
    gone = []
    with tables_at(tmp_path / "log.db") as db:
        for seq in range(1, 1001):
            item, word = ItemId(f"item_{seq}"), f"CANARY{seq:06d}"
            row = ContentRow(item, f"{word} " * chance.choice([1, 2, 3, 10, 40, 120]))
            tables.insert_facts(db, HERE, seq - 1, [Row(seq, 1.5, b"{}", (row,), None)])
            kept.append((item, word))
            if chance.random() < 0.5:
                item, word = kept.pop(chance.randrange(len(kept)))
                tables.redact(db, HERE, item)
                gone.append(word)
    still = [word for _, word in kept]
    assert seen_on_disk(tmp_path, still + gone) == set(still)


@pytest.mark.parametrize("seed", [2, 13, 16])
def test_redaction_reaches_copies_that_removed_sessions_and_compaction_made(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    kept: list[tuple[SessionId, ItemId, str]] = []
    gone = []
    sessions: dict[SessionId, int] = {}
    with tables_at(tmp_path / "log.db") as db:
        for number in range(1500):
            if len(sessions) < 5:
                session = SessionId(f"sess_{number}")
                tables.insert_session(db, session, "epoch")
                sessions[session] = 0
            session = chance.choice(list(sessions))
            item, word = ItemId(f"item_{number}"), f"CANARY{number:06d}"
            sessions[session] += 1
            row = ContentRow(item, f"{word} " * chance.choice([1, 2, 3, 10, 40, 300]))
            tables.insert_facts(db, session, sessions[session] - 1, [Row(sessions[session], 1.5, b"{}", (row,), None)])
            kept.append((session, item, word))
            if chance.random() < 0.3:
                session, item, word = kept.pop(chance.randrange(len(kept)))
                tables.redact(db, session, item)
                gone.append(word)
            if number % 100 == 99:
                session = chance.choice(list(sessions))
                del sessions[session]
                catalogue.remove_session(db, session)
                gone += [word for where, _, word in kept if where == session]
                kept = [each for each in kept if each[0] != session]
                db.execute("UPDATE waste SET bytes = 1 << 40")
                assert number % 300 != 299 or catalogue.compact(db)
    still = [word for _, _, word in kept]
    assert len(gone) > len(still) > 50
    assert seen_on_disk(tmp_path, still + gone) == set(still)


@pytest.mark.parametrize("seed", [4, 5, 6])
def test_redaction_reaches_copies_that_changing_open_texts_made(tmp_path: Path, seed: int) -> None:
    # With DELETE of the one row in place of emptying the table, each of these seeds leaves a canary.
    chance = random.Random(seed)
    kept: list[tuple[ItemId, str]] = []
    gone = []
    with tables_at(tmp_path / "log.db") as db:
        for number in range(1000):
            if len(kept) < 100:
                kept.append((ItemId(f"item_{chance.randrange(10**9)}"), f"CANARY{number:06d}"))
            elif chance.random() < 0.5:
                item, word = kept.pop(chance.randrange(len(kept)))
                tables.redact(db, HERE, item)
                gone.append(word)
                continue
            item, word = chance.choice([kept[-1], chance.choice(kept)])
            tables.write_open(db, {(HERE, item): f"{word} " * chance.randrange(1, 150)})
    still = [word for _, word in kept]
    assert seen_on_disk(tmp_path, still + gone) <= set(still)


def test_a_redaction_that_cannot_empty_the_write_ahead_file_says_so_and_it_is_done_later(tmp_path: Path) -> None:
    written_ahead = tmp_path / "log.db-wal"

    async def scenario(store: SqliteStore) -> None:
        await store.create(HERE, "epoch_1")
        await store.append(HERE, 0, [said(A, "CANARY")], 1.5)
        with outside(tmp_path / "log.db") as db:
            db.execute("BEGIN")
            db.execute("SELECT * FROM facts").fetchall()
            with pytest.raises(StoreError) as caught:
                await store.redact(HERE, A)
            db.execute("ROLLBACK")
        assert caught.value.code == "store_unavailable"
        while size(written_ahead):
            pass
        assert seen_on_disk(tmp_path, ["CANARY"]) == set()

    play(tmp_path / "log.db", scenario)


def test_an_append_that_makes_words_void_does_not_fail_when_they_go_later(tmp_path: Path) -> None:
    written_ahead = tmp_path / "log.db-wal"

    async def scenario(store: SqliteStore) -> None:
        await store.create(HERE, "epoch_1")
        await store.append(HERE, 0, [said(A, "CANARY")], 1.5)
        with outside(tmp_path / "log.db") as db:
            db.execute("BEGIN")
            db.execute("SELECT * FROM facts").fetchall()
            assert await store.append(HERE, 1, [ItemRedacted(A)], 1.5) == 2
            assert await store.contents(HERE, [A]) == {}
            db.execute("ROLLBACK")
        while size(written_ahead):
            pass
        assert seen_on_disk(tmp_path, ["CANARY"]) == set()

    play(tmp_path / "log.db", scenario)
