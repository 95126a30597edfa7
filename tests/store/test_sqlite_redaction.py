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

from gateway.core.events import ItemRemoved
from gateway.core.ids import ItemId
from gateway.errors import StoreError
from gateway.store import sqlite_tables as tables
from gateway.store.records import ContentRow
from gateway.store.sqlite import SqliteStore
from gateway.store.sqlite_tables import Row
from tests.store.test_sqlite import HERE, A, B, outside, play, python, said, seen_on_disk, settled, size

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
            store.save_open(HERE, ItemId("item_c"), text)
            await settled(store)
        store.save_open(HERE, ItemId("item_d"), "KEPT2")
        await settled(store)
        words = ["CANARY1", "CANARY2", "CANARY3", "KEPT1", "KEPT2"]
        assert seen_on_disk(tmp_path, words) == set(words)
        await store.append(HERE, 2, [ItemRemoved(A, "deleted")], 1.5)
        await store.redact(HERE, A)
        await store.redact(HERE, ItemId("item_c"))
        assert seen_on_disk(tmp_path, words) == {"KEPT1", "KEPT2"}

    play(tmp_path / "log.db", scenario)


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
