"""The embedded log: one SQLite file in WAL mode, one thread that writes it and one that reads it.

SQLite's locks belong to the process (POSIX): nothing here opens and closes the database or its lock
file other than through SQLite, which would drop them. Not for network file systems.
"""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Self, TypeVar, get_args

from gateway.core.events import Fact
from gateway.core.ids import DEFAULT_TENANT, ItemId, SessionId
from gateway.core.state import Conversation
from gateway.errors import SettingsError, StoreError
from gateway.runtime.ports import Content, Loaded, SessionInfo, Stored
from gateway.store import snapshots, sqlite_catalogue as catalogue, sqlite_tables as tables
from gateway.store.records import encode, ended_item, made_void, replaces_settings, storable, weight
from gateway.store.sqlite_tables import Row, Synchronous
from gateway.store.sqlite_writer import FAULTS, Writer, closed, fault_name, unavailable

T = TypeVar("T")


class SqliteStore:
    """A :class:`gateway.runtime.ports.Store` in one file. Calls may come from any event loop.

    A cancelled call is done whole or not at all; :meth:`load` tells which.
    """

    def __init__(self, path: str | os.PathLike[str], *, synchronous: Synchronous = "FULL") -> None:
        """Open or create the file, blocking. Raises ``store_locked``, ``store_too_new``, ``store_unavailable``."""
        if synchronous not in get_args(Synchronous):
            raise SettingsError(f"synchronous must be one of {', '.join(get_args(Synchronous))}")
        # Symbolic links are followed, so that a file has one lock by whatever name it is opened.
        place = Path(path).resolve()
        with ExitStack() as undo:
            self._lock = undo.enter_context(closing(_lock(place)))
            try:
                _create_private(place)
                writing = undo.enter_context(closing(tables.connect(place)))
                self._reading = undo.enter_context(closing(tables.connect(place)))
                tables.prepare_writer(writing, synchronous)
                tables.prepare_reader(self._reading)
            except (OSError, sqlite3.Error) as fault:
                raise StoreError("store_unavailable", f"{place} cannot be opened ({fault_name(fault)})") from fault
            undo.pop_all()
        self._writer = Writer(writing)
        self._growth = snapshots.Growth()
        self._reader = ThreadPoolExecutor(1, "log-reader")
        self._closing = threading.Lock()
        self._closed = False

    @classmethod
    async def open(cls, path: str | os.PathLike[str], *, synchronous: Synchronous = "FULL") -> Self:
        """Open or create the file. Raises ``store_locked``, ``store_too_new``, ``store_unavailable``."""
        return await asyncio.to_thread(cls, path, synchronous=synchronous)

    async def create(self, session: SessionId, epoch: str, *, tenant: str = DEFAULT_TENANT) -> None:
        """Begin an empty log. Raises ``store_conflict`` when the session exists."""
        await self._writer.submit(lambda db: tables.insert_session(db, session, epoch, tenant))

    async def append(self, session: SessionId, expected_seq: int, facts: Sequence[Fact], wall: float) -> int:
        """Append all of *facts* or nothing; return the last seq. Raises ``store_conflict``."""
        rows = tuple(
            Row(seq, wall, *encode(fact), ended_item(fact), made_void(fact), replaces_settings(fact))
            for seq, fact in enumerate(facts, expected_seq + 1)
        )

        def write(db: sqlite3.Connection) -> int:
            last = tables.insert_facts(db, session, expected_seq, rows)
            for item in (item for row in rows for item in row.void):
                self._writer.drop_open((session, item))
            if catalogue.void_words(db, session, rows):
                self._writer.removed()
            return last

        may_remove = any(row.void or row.replaces_settings for row in rows)
        last = await self._writer.submit(write, purge="soon" if may_remove else "no")
        self._growth.add(session, len(rows), sum(weight(row.data, row.contents) for row in rows))
        return last

    def save_open(self, session: SessionId, item: ItemId, text: str) -> None:
        """Remember an unfinished item's text so far; that of an item that has ended is ignored."""
        self._writer.save_open((SessionId(storable(session)), ItemId(storable(item))), storable(text))

    def snapshot_due(self, session: SessionId) -> bool:
        """Has so much been appended since the last snapshot that another one is worth its while?"""
        return self._growth.due(session)

    def save_snapshot(self, session: SessionId, seq: int, conversation: Conversation) -> None:
        """Remember what the log up to *seq* folds into. Taken now, written soon."""
        data = snapshots.encode(conversation)
        self._growth.set(session, 0, 0)
        with suppress(StoreError):
            saved = self._writer.submit(lambda db: tables.write_snapshot(db, session, seq, data))
            saved.add_done_callback(lambda saved: saved.cancelled() or saved.exception())  # one that is lost is no loss

    async def load(self, session: SessionId) -> Loaded | None:
        """The last snapshot and the log after it, with all that was asked of the store before."""
        # What the disk refuses to take now it may still be able to give.
        with suppress(StoreError):
            await self._writer.settle()
        loaded = await self._query(lambda db: tables.select_session(db, session))
        if loaded is not None:
            self._growth.set(session, len(loaded.log), 0)
        return loaded

    async def read(self, session: SessionId, after_seq: int, limit: int = 1000) -> tuple[Stored, ...]:
        """Up to *limit* facts after *after_seq*, oldest first; none when there is no such session."""
        return await self._query(lambda db: tables.select_facts(db, session, after_seq, max(limit, 0)))

    async def read_before(self, session: SessionId, before_seq: int, limit: int = 1000) -> tuple[Stored, ...]:
        """Up to *limit* facts right before *before_seq*, oldest first; none when there is no such session."""
        return await self._query(lambda db: tables.select_facts_before(db, session, before_seq, max(limit, 0)))

    async def contents(self, session: SessionId, items: Sequence[ItemId]) -> dict[ItemId, Content]:
        """The latest words of these items; those whose content is missing are left out."""
        return await self._query(lambda db: tables.select_contents(db, session, items))

    async def redact(self, session: SessionId, item: ItemId) -> None:
        """Remove an item's words for good, from every table and from the file.

        Harmless when there are none, and twice: repeat it when it failed.
        """

        def write(db: sqlite3.Connection) -> int:
            self._writer.drop_open((session, item))
            return tables.redact(db, session, item)

        await self._writer.submit(write, purge="now")

    async def info(self, session: SessionId) -> SessionInfo | None:
        """What is known of a session; None when there is none."""
        return await self._query(lambda db: catalogue.select_info(db, session))

    async def sessions(
        self,
        metadata: Mapping[str, str] | None = None,
        *,
        tenant: str = DEFAULT_TENANT,
        before: int | None = None,
        limit: int = 20,
    ) -> tuple[SessionInfo, ...]:
        """Up to *limit* sessions of a tenant, newest first: those with all of *metadata*, older than *before*."""
        wanted = dict(metadata or {})
        return await self._query(lambda db: catalogue.select_sessions(db, wanted, tenant, before, max(limit, 0)))

    async def least_used(self, before: float, limit: int = 100) -> tuple[SessionInfo, ...]:
        """Up to *limit* sessions of any tenant that have facts, but none since *before*, longest unused first."""
        return await self._query(lambda db: catalogue.select_least_used(db, before, max(limit, 0)))

    async def size(self) -> int:
        """Bytes of all sessions."""
        return await self._query(catalogue.total_size)

    async def remove(self, session: SessionId) -> bool:
        """Remove a session and all its words for good, from the file too; False when there is none.

        When it failed, its words may still be in the write-ahead file, which is emptied as soon as it can be.
        """

        def write(db: sqlite3.Connection) -> int:
            self._writer.drop_session(session)
            return catalogue.remove_session(db, session)

        self._growth.set(session, 0, 0)
        return bool(await self._writer.submit(write, purge="now"))

    async def compact(self) -> None:
        """Give the room of removed sessions back, where that is worth its while. Appends may wait for it."""

        def write(db: sqlite3.Connection) -> int:
            done = catalogue.compact(db)
            if done:
                self._writer.removed()
            return done

        await self._writer.submit(write, purge="soon")

    async def aclose(self) -> None:
        """Write what is queued and close. Calling it twice is harmless."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._reader.submit(self._reading.close)
            self._reader.shutdown()
            self._writer.close()
            self._lock.close()

    async def _query(self, query: Callable[[sqlite3.Connection], T]) -> T:
        if self._closed:
            raise closed()
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._reader, tables.in_snapshot, self._reading, query
            )
        except FAULTS as fault:
            raise unavailable(fault) from fault


def _create_private(path: Path) -> None:
    """Make the file, readable by its owner alone, before SQLite does; its companions inherit the mode."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    path.chmod(0o600)


def _lock(path: Path) -> sqlite3.Connection:
    """Hold the lock of a database: an exclusive transaction, never ended, in an empty file beside it.

    The system ends it with the process. Raises ``store_locked``, ``store_unavailable``.
    """
    beside = path.with_name(path.name + ".lock")
    try:
        _create_private(beside)
        with ExitStack() as undo:
            lock = undo.enter_context(closing(tables.connect(beside, 0)))
            lock.execute("BEGIN EXCLUSIVE")
            undo.pop_all()
            return lock
    except (OSError, sqlite3.Error) as fault:
        if fault_name(fault) == "SQLITE_BUSY":
            raise StoreError("store_locked", f"{path} is in use by another gateway") from fault
        raise StoreError("store_unavailable", f"{path} cannot be opened ({fault_name(fault)})") from fault
