"""What the embedded log promises beyond the contract: one file with one owner, and durability."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, TypeVar, cast

import pytest

from gateway.core.events import ItemAdded
from gateway.core.ids import ItemId, SessionId
from gateway.errors import SettingsError, StoreError
from gateway.store.sqlite import SqliteStore
from gateway.store.sqlite_tables import Synchronous

T = TypeVar("T")

ROOT: Final = Path(__file__).parents[2]
HERE, A, B = SessionId("sess_00a"), ItemId("item_a"), ItemId("item_b")


def said(item: ItemId, text: str) -> ItemAdded:
    """A typed message."""
    return ItemAdded(item, None, "user", "completed", text)


def play(path: Path, scenario: Callable[[SqliteStore], Awaitable[T]], synchronous: Synchronous = "NORMAL") -> T:
    """Runs a scenario on the store at *path*, opened and closed around it."""

    async def main() -> T:
        store = await SqliteStore.open(path, synchronous=synchronous)
        try:
            return await scenario(store)
        finally:
            await store.aclose()

    return asyncio.run(main())


def refused(path: Path) -> StoreError:
    """How opening is refused."""
    with pytest.raises(StoreError) as caught:
        SqliteStore(path)
    return caught.value


@contextmanager
def outside(path: Path) -> Iterator[sqlite3.Connection]:
    """The same file, as another program sees it."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as db:
        yield db


@contextmanager
def python(source: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A Python process of its own, which does not outlive the block."""
    command = [sys.executable, "-c", source, *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


SEEN: Final = """
import pathlib, sys
sought = sys.stdin.read().split()
files = b"".join(file.read_bytes() for file in pathlib.Path(sys.argv[1]).iterdir())
sys.stdout.write(" ".join(word for word in sought if word.encode() in files))
"""


def seen_on_disk(folder: Path, words: Sequence[str]) -> set[str]:
    """Which of *words* are in any file of *folder*. Another process looks: see the store's remark on locks."""
    with python(SEEN, folder) as looking:
        found, _ = looking.communicate(" ".join(words), timeout=30)
    assert looking.returncode == 0
    return set(found.split())


async def settled(store: SqliteStore) -> None:
    """Waits for all that was asked of the store before."""
    await store.load(HERE)


def size(path: Path) -> int:
    """Bytes of a file, 0 when there is none."""
    return path.stat().st_size if path.exists() else 0


# --- one file, one owner ---


def test_the_log_is_still_there_when_it_is_opened_again(tmp_path: Path) -> None:
    async def write(store: SqliteStore) -> None:
        await store.create(HERE, "epoch_1")
        await store.append(HERE, 0, [said(A, "hello")], 1.5)
        store.save_open(HERE, B, "It is")

    play(tmp_path / "log.db", write, "FULL")
    loaded = play(tmp_path / "log.db", lambda store: store.load(HERE))
    assert loaded is not None
    assert (loaded.epoch, [stored.fact for stored in loaded.log]) == ("epoch_1", [said(A, "hello")])
    assert dict(loaded.open_texts) == {B: "It is"}


def test_no_file_is_readable_by_others(tmp_path: Path) -> None:
    (tmp_path / "log.db").touch(0o644)

    store = SqliteStore(tmp_path / "log.db")
    asyncio.run(store.create(HERE, "epoch_1"))
    found = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    asyncio.run(store.aclose())
    assert {"log.db", "log.db-wal", "log.db-shm", "log.db.lock"} <= found.keys()
    assert set(found.values()) == {0o600}


def test_two_gateways_cannot_open_one_database(tmp_path: Path) -> None:
    (tmp_path / "other.db").symlink_to("log.db")

    async def scenario(store: SqliteStore) -> None:
        for name in ("log.db", "other.db"):
            error = refused(tmp_path / name)
            assert error.code == "store_locked"
            assert str(tmp_path / "log.db") in str(error)
        await store.create(HERE, "epoch_1")

    play(tmp_path / "log.db", scenario)
    asyncio.run(SqliteStore(tmp_path / "log.db").aclose())


HOLD: Final = """
import sys
from gateway.store.sqlite import SqliteStore
store = SqliteStore(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


def test_the_lock_of_a_killed_gateway_is_free(tmp_path: Path) -> None:
    with python(HOLD, tmp_path / "log.db") as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        assert refused(tmp_path / "log.db").code == "store_locked"
        holder.kill()
        holder.wait()
        asyncio.run(SqliteStore(tmp_path / "log.db").aclose())


def test_tables_of_a_newer_gateway_are_refused_and_the_lock_is_let_go(tmp_path: Path) -> None:
    asyncio.run(SqliteStore(tmp_path / "log.db").aclose())
    with outside(tmp_path / "log.db") as db:
        db.execute("PRAGMA user_version = 3")
    assert [refused(tmp_path / "log.db").code for _ in range(2)] == ["store_too_new"] * 2


def test_tables_from_before_the_first_release_are_refused_with_a_sentence(tmp_path: Path) -> None:
    asyncio.run(SqliteStore(tmp_path / "log.db").aclose())
    with outside(tmp_path / "log.db") as db:
        db.execute("PRAGMA user_version = 1")
    fault = refused(tmp_path / "log.db")
    assert fault.code == "store_unavailable"
    assert "move it away" in str(fault)


def test_a_record_of_a_newer_gateway_is_refused_and_the_rest_goes_on(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        await store.create(HERE, "epoch_1")
        with outside(tmp_path / "log.db") as db:
            db.execute("INSERT INTO facts VALUES (1, 1, 1.5, ?, NULL)", (b'{"v":2,"t":"item_added"}',))
            db.execute("UPDATE sessions SET seq = 1")
        with pytest.raises(StoreError) as caught:
            await store.load(HERE)
        assert caught.value.code == "store_too_new"
        assert await store.append(HERE, 1, [said(A, "hello")], 1.5) == 2

    play(tmp_path / "log.db", scenario)


def test_what_is_not_a_log_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear reader, " * 100)
    with outside(tmp_path / "shop.db") as db:
        db.execute("CREATE TABLE orders (id)")
    paths = [tmp_path / "letter.txt", tmp_path / "shop.db", tmp_path / "nowhere" / "log.db", tmp_path]
    assert [refused(path).code for path in paths] == ["store_unavailable"] * 4
    assert (tmp_path / "letter.txt").read_text() == "Dear reader, " * 100
    with outside(tmp_path / "shop.db") as db:
        assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("orders",)]


def test_an_unknown_durability_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="FULL, NORMAL"):
        SqliteStore(tmp_path / "log.db", synchronous=cast(Synchronous, "OFF; DROP TABLE facts"))
    assert list(tmp_path.iterdir()) == []


# --- durability ---

APPEND: Final = """
import asyncio, itertools, sys
from gateway.core.events import ItemAdded
from gateway.store.sqlite import SqliteStore

async def session(store, name):
    await store.create(name, "epoch_1")
    for seq in itertools.count():
        await store.append(name, seq, [ItemAdded(f"item_{seq}", None, "user", "completed", f"text {seq}")], 1.5)
        print(name, seq + 1, flush=True)

async def main():
    store = await SqliteStore.open(sys.argv[1])
    await asyncio.gather(*(session(store, f"sess_{number}") for number in range(8)))

asyncio.run(main())
"""


def test_every_acknowledged_append_survives_kill_9(tmp_path: Path) -> None:
    acknowledged: dict[str, int] = {}
    with python(APPEND, tmp_path / "log.db") as writer:
        assert writer.stdout is not None
        for number, line in enumerate(writer.stdout):
            name, seq = line.split()
            acknowledged[name] = int(seq)
            if number == 200:
                writer.kill()
    assert len(acknowledged) == 8

    async def check(store: SqliteStore) -> None:
        for name, seq in acknowledged.items():
            loaded = await store.load(SessionId(name))
            assert loaded is not None
            assert [stored.seq for stored in loaded.log] == list(range(1, len(loaded.log) + 1))
            assert seq <= len(loaded.log) <= seq + 1
            assert [cast(ItemAdded, stored.fact).text for stored in loaded.log] == [
                f"text {number}" for number in range(len(loaded.log))
            ]

    play(tmp_path / "log.db", check)


FULL_DISK: Final = """
import asyncio, resource, sys
from gateway.core.events import ItemAdded
from gateway.errors import StoreError
from gateway.store.sqlite import SqliteStore

async def main():
    store = await SqliteStore.open(sys.argv[1])
    await store.create("sess_0", "epoch_1")
    words = [ItemAdded("item_0", None, "user", "completed", "w" * 5000)]
    seq, fault = 0, None
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
    while fault is None:
        try:
            seq = await store.append("sess_0", seq, words, 1.5)
        except StoreError as error:
            fault = error.code
    store.save_open("sess_0", "item_1", "a text that waits for the disk " * 20_000)
    during = await store.load("sess_0")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    after = await store.append("sess_0", seq, words, 1.5)
    loaded = await store.load("sess_0")
    await store.aclose()
    print(seq > 3, fault, len(during.log) - seq, after - seq, len(loaded.log) - after, *loaded.open_texts)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_a_full_disk_is_reported_and_nothing_is_lost_when_there_is_room_again(tmp_path: Path) -> None:
    with python(FULL_DISK, tmp_path / "log.db") as writer:
        answer, _ = writer.communicate(timeout=30)
    assert answer == "True store_unavailable 0 1 0 item_1\n"
