"""The tables of the embedded log and every statement that touches them. Functions of a connection, no threads.

Removed words must not be found in the file. SQLite's ``secure_delete`` zeroes what is deleted, but
balancing a b-tree leaves copies of cells in the free space of pages, which nothing zeroes later
(measured with 3.40: of 3,016 deleted texts up to 5 were still in the file). So content rows are only
ever appended in rowid order, which moves no cell, and are *overwritten in place* by a blob of the
same size instead of being deleted; and the small table of open texts is emptied whole, which zeroes
its pages.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias, TypeVar

from gateway.core.ids import DEFAULT_TENANT, ItemId, SessionId
from gateway.errors import StoreError
from gateway.runtime.ports import Content, Loaded, Stored
from gateway.store.records import ContentRow, decode, weight
from gateway.store.snapshots import decode as decode_snapshot

T = TypeVar("T")

Synchronous = Literal["FULL", "NORMAL"]
"""``FULL``: an acknowledged append survives power loss. ``NORMAL``: it survives the end of the process."""

OpenKey: TypeAlias = tuple[SessionId, ItemId]

BUSY_S: Final = 5.0
"""How long to wait for another program that has the file open, such as a backup."""

_WAL_PAGES: Final = 4000
"""16 MiB: a log that is never idle is checkpointed when its write-ahead file is this long."""

_APPLICATION_ID: Final = 0x42415247
_SCHEMA_VERSION: Final = 2
CONTENT: Final = (
    "CREATE TABLE content (id INTEGER PRIMARY KEY, session INTEGER NOT NULL, item_id TEXT NOT NULL,"
    " seq INTEGER NOT NULL, text NOT NULL, unheard NOT NULL)",
    "CREATE UNIQUE INDEX content_seq ON content (session, seq, item_id)",
    "CREATE INDEX content_item ON content (session, item_id, seq)",
)
_SCHEMA: Final = (
    "CREATE TABLE sessions (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL,"
    " epoch TEXT NOT NULL, seq INTEGER NOT NULL, created REAL NOT NULL, used REAL NOT NULL, size INTEGER NOT NULL)",
    "CREATE INDEX sessions_tenant ON sessions (tenant, number)",
    "CREATE TABLE facts (session INTEGER NOT NULL, seq INTEGER NOT NULL, wall REAL NOT NULL, data BLOB NOT NULL,"
    " ended TEXT, PRIMARY KEY (session, seq)) WITHOUT ROWID",
    "CREATE INDEX facts_ended ON facts (session, ended) WHERE ended IS NOT NULL",
    *CONTENT,
    "CREATE TABLE open (session INTEGER NOT NULL, item_id TEXT NOT NULL, text TEXT NOT NULL,"
    " PRIMARY KEY (session, item_id)) WITHOUT ROWID",
    "CREATE TABLE snapshots (session INTEGER PRIMARY KEY, seq INTEGER NOT NULL, data BLOB NOT NULL)",
    "CREATE TABLE labels (label INTEGER NOT NULL, session INTEGER NOT NULL, PRIMARY KEY (label, session))"
    " WITHOUT ROWID",
    "CREATE INDEX labels_session ON labels (session)",
    "CREATE TABLE waste (bytes INTEGER NOT NULL)",
    "INSERT INTO waste VALUES (0)",
    f"PRAGMA application_id = {_APPLICATION_ID}",
    f"PRAGMA user_version = {_SCHEMA_VERSION}",
)

_OVERWRITE: Final = (
    "UPDATE content SET text = zeroblob(length(CAST(text AS BLOB))), unheard = zeroblob(length(CAST(unheard AS BLOB)))"
)


@dataclass(frozen=True, slots=True)
class Row:
    """A fact as it is written."""

    seq: int
    wall: float
    data: bytes
    contents: tuple[ContentRow, ...]
    ended: ItemId | None
    """The item that gets no more text after this fact."""

    void: tuple[ItemId, ...] = ()
    """What this fact makes void: words that stand under these, here or before."""

    replaces_settings: bool = False
    """True when the words of the settings before it no longer matter."""


def connect(path: Path, busy_s: float = BUSY_S) -> sqlite3.Connection:
    """A connection that any one thread at a time may use, without implicit transactions."""
    return sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=False)


def prepare_writer(db: sqlite3.Connection, synchronous: Synchronous) -> None:
    """Set up the connection that writes, and the tables. Raises ``store_too_new``, ``store_unavailable``."""
    _refuse_strangers(db)
    (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreError("store_unavailable", "the file system of the log has no shared memory")
    db.execute(f"PRAGMA synchronous = {synchronous}")
    db.execute("PRAGMA secure_delete = ON")
    # What a savepoint needs to undo would otherwise be spilled into a file, words included.
    db.execute("PRAGMA temp_store = MEMORY")
    db.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
    if _pragma(db, "user_version") == 0:
        db.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA:
            db.execute(statement)
        db.execute("COMMIT")
    # A process that was killed may have left removed words there.
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def prepare_reader(db: sqlite3.Connection) -> None:
    """Set up a connection that reads."""
    db.execute("PRAGMA query_only = ON")


def _refuse_strangers(db: sqlite3.Connection) -> None:
    if _pragma(db, "schema_version") == 0:
        return
    if _pragma(db, "application_id") != _APPLICATION_ID:
        raise StoreError("store_unavailable", "the file is a database of another application")
    version = _pragma(db, "user_version")
    if version > _SCHEMA_VERSION:
        raise StoreError(
            "store_too_new", f"the log has tables of version {version}, this gateway reads {_SCHEMA_VERSION}"
        )
    if version < _SCHEMA_VERSION:
        raise StoreError("store_unavailable", "the log was made by a gateway before the first release: move it away")


def _pragma(db: sqlite3.Connection, name: str) -> int:
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])


def in_snapshot(db: sqlite3.Connection, query: Callable[[sqlite3.Connection], T]) -> T:
    """What *query* finds in one unchanging view of the log."""
    db.execute("BEGIN")
    try:
        return query(db)
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def insert_session(db: sqlite3.Connection, session: SessionId, epoch: str, tenant: str = DEFAULT_TENANT) -> int:
    """Begin an empty log; its last seq, 0. Raises ``store_conflict``."""
    if number_of(db, session) is not None:
        raise StoreError("store_conflict", "the session exists already")
    db.execute(
        "INSERT INTO sessions (id, tenant, epoch, seq, created, used, size) VALUES (?, ?, ?, 0, 0, 0, 0)",
        (session, tenant, epoch),
    )
    return 0


def number_of(db: sqlite3.Connection, session: SessionId) -> int | None:
    """What a session's rows are found by; None when there is no such session."""
    row = db.execute("SELECT number FROM sessions WHERE id = ?", (session,)).fetchone()
    return row[0] if row is not None else None


def insert_facts(db: sqlite3.Connection, session: SessionId, expected_seq: int, rows: Sequence[Row]) -> int:
    """Append *rows* after *expected_seq*; the last seq. Raises ``store_conflict``."""
    found = db.execute("SELECT number, seq FROM sessions WHERE id = ?", (session,)).fetchone()
    if found is None or found[1] != expected_seq:
        raise StoreError("store_conflict", f"the log does not end at {expected_seq}")
    if not rows:
        return expected_seq
    number, last, wall = found[0], expected_seq + len(rows), rows[-1].wall
    size = sum(weight(row.data, row.contents) for row in rows)
    created = ", created = ?2" * (expected_seq == 0)
    db.execute(
        f"UPDATE sessions SET seq = ?1, used = ?2{created}, size = size + ?3 WHERE number = ?4",
        (last, wall, size, number),
    )
    db.executemany(
        "INSERT INTO facts VALUES (?, ?, ?, ?, ?)", [(number, row.seq, row.wall, row.data, row.ended) for row in rows]
    )
    db.executemany(
        "INSERT INTO content (session, seq, item_id, text, unheard) VALUES (?, ?, ?, ?, ?)",
        [(number, row.seq, words.item_id, words.text, words.unheard) for row in rows for words in row.contents],
    )
    if ended := [(number, row.ended) for row in rows if row.ended is not None]:
        db.executemany("DELETE FROM open WHERE session = ? AND item_id = ?", ended)
    return last


def write_open(db: sqlite3.Connection, texts: Mapping[OpenKey, str]) -> None:
    """Replace texts of open items; those of items that have ended and of unknown sessions are ignored."""
    db.executemany(
        "INSERT OR REPLACE INTO open SELECT number, ?2, ?3 FROM sessions WHERE id = ?1"
        " AND NOT EXISTS (SELECT 1 FROM facts WHERE session = number AND ended = ?2)",
        [(session, item, text) for (session, item), text in texts.items()],
    )


def overwrite(db: sqlite3.Connection, number: int, item: ItemId, until_seq: int | None = None) -> bool:
    """Overwrite the words that stand under *item* up to a seq, or all of them, in place; True when there were any.

    They are gone from the file once the write-ahead file is truncated.
    """
    until = "" if until_seq is None else f" AND seq <= {until_seq:d}"
    where = f"WHERE session = ? AND item_id = ? AND typeof(text) = 'text'{until}"
    had_words = db.execute(
        f"SELECT 1 FROM content {where} AND (text <> '' OR unheard <> '') LIMIT 1", (number, item)
    ).fetchone()
    db.execute(f"{_OVERWRITE} {where}", (number, item))
    return had_words is not None


def redact(db: sqlite3.Connection, session: SessionId, item: ItemId) -> int:
    """Overwrite an item's words, those of an open item too; 0."""
    number = number_of(db, session)
    if number is not None:
        overwrite(db, number, item)
        drop_open(db, number, item)
    return 0


def drop_open(db: sqlite3.Connection, number: int, item: ItemId | None = None) -> bool:
    """Remove the text of an open item, or of all of a session's; True when there were any."""
    every = db.execute("SELECT * FROM open").fetchall()
    others = [row for row in every if row[0] != number or item not in (None, row[1])]
    if len(others) == len(every):
        return False
    db.execute("DELETE FROM open")
    db.executemany("INSERT INTO open VALUES (?, ?, ?)", others)
    return True


def overwrite_session(db: sqlite3.Connection, number: int) -> None:
    """Overwrite all words of a session."""
    db.execute(f"{_OVERWRITE} WHERE session = ? AND typeof(text) = 'text'", (number,))
    drop_open(db, number)


def write_snapshot(db: sqlite3.Connection, session: SessionId, seq: int, data: bytes) -> int:
    """Replace a session's snapshot, unless its log does not reach *seq*; 0."""
    db.execute(
        "INSERT OR REPLACE INTO snapshots SELECT number, ?1, ?2 FROM sessions WHERE id = ?3 AND seq >= ?1",
        (seq, data, session),
    )
    return 0


def select_session(db: sqlite3.Connection, session: SessionId) -> Loaded | None:
    """All that is known of a session; None when there is none."""
    row = db.execute("SELECT number, epoch, seq FROM sessions WHERE id = ?", (session,)).fetchone()
    if row is None:
        return None
    number, epoch, seq = row
    saved = db.execute("SELECT seq, data FROM snapshots WHERE session = ?", (number,)).fetchone()
    snapshot = decode_snapshot(saved[1], lambda items: texts_of(db, session, items)) if saved else None
    snapshot_seq = saved[0] if snapshot is not None else 0
    tail = select_facts(db, session, snapshot_seq, seq)
    open_texts = db.execute("SELECT item_id, text FROM open WHERE session = ?", (number,))
    return Loaded(epoch, tail, dict(open_texts.fetchall()), snapshot, snapshot_seq)


def texts_of(db: sqlite3.Connection, session: SessionId, items: Sequence[ItemId]) -> dict[ItemId, str]:
    """The latest words that stand under each of these, without what was unheard of them."""
    return {item: content.text for item, content in select_contents(db, session, items).items()}


def select_facts(db: sqlite3.Connection, session: SessionId, after_seq: int, limit: int) -> tuple[Stored, ...]:
    """Up to *limit* facts after *after_seq*, oldest first. Raises as :func:`gateway.store.records.decode`."""
    number = number_of(db, session)
    facts = db.execute(
        "SELECT seq, wall, data FROM facts WHERE session = ? AND seq > ? ORDER BY seq LIMIT ?",
        (number, after_seq, limit),
    ).fetchall()
    if not facts:
        return ()
    words: dict[int, list[ContentRow]] = defaultdict(list)
    for seq, *row in db.execute(
        "SELECT seq, item_id, text, unheard FROM content"
        " WHERE session = ? AND seq BETWEEN ? AND ? AND typeof(text) = 'text'",
        (number, facts[0][0], facts[-1][0]),
    ):
        words[seq].append(ContentRow(*row))
    return tuple(Stored(seq, wall, decode(data, words.get(seq, ()))) for seq, wall, data in facts)


def select_facts_before(db: sqlite3.Connection, session: SessionId, before_seq: int, limit: int) -> tuple[Stored, ...]:
    """Up to *limit* facts right before *before_seq*, oldest first; raises as :func:`select_facts`."""
    # A log has no gaps, so that places in it can be counted.
    row = db.execute("SELECT seq FROM sessions WHERE id = ?", (session,)).fetchone()
    last = min(before_seq - 1, row[0]) if row is not None else 0
    first = max(last - limit, 0)
    return select_facts(db, session, first, last - first) if last > first else ()


def select_contents(db: sqlite3.Connection, session: SessionId, items: Sequence[ItemId]) -> dict[ItemId, Content]:
    """The latest words of these items; those whose content is missing are left out."""
    found = {}
    number = number_of(db, session)
    for item in items:
        row = db.execute(
            "SELECT text, unheard FROM content WHERE session = ? AND item_id = ? AND typeof(text) = 'text'"
            " ORDER BY seq DESC LIMIT 1",
            (number, item),
        ).fetchone()
        if row is not None:
            found[item] = Content(*row)
    return found
