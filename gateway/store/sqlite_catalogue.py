"""What the embedded log knows of all sessions: listing them, removing them, and the room they leave.

Words of a removed session are overwritten at once, as redacted ones are; deleting their rows would
move those of others (see :mod:`gateway.store.sqlite_tables`). The rows go when :func:`compact` copies
the words that are left, in order, and drops the table that held them all, which zeroes its pages.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Final

from gateway.core.ids import SessionId
from gateway.runtime.ports import SessionInfo
from gateway.store import sqlite_tables as tables
from gateway.store.records import METADATA, SETTINGS_WORDS, as_map
from gateway.store.sqlite_tables import Row

WORTH: Final = 1024 * 1024
"""Less waste than this, in bytes, is left where it is; so is less than half of what is in use."""

_INFO: Final = "SELECT number, id, tenant, epoch, seq, created, used, size FROM sessions"


def void_words(db: sqlite3.Connection, session: SessionId, rows: Sequence[Row]) -> bool:
    """Overwrite what appended facts make void, and let the session be found by its new metadata.

    True when there were words that are gone now.
    """
    number = tables.number_of(db, session) if any(row.void or row.replaces_settings for row in rows) else None
    if number is None:
        return False
    gone = []
    for row in rows:
        if row.replaces_settings:
            gone += [tables.overwrite(db, number, item, row.seq - 1) for item in SETTINGS_WORDS]
            _label(db, number, row)
        for item in row.void:
            gone += [tables.overwrite(db, number, item, row.seq), tables.drop_open(db, number, item)]
    return any(gone)


def _label(db: sqlite3.Connection, number: int, row: Row) -> None:
    metadata = next((as_map(words.text) for words in row.contents if words.item_id == METADATA), {})
    db.execute("DELETE FROM labels WHERE session = ?", (number,))
    db.executemany("INSERT OR IGNORE INTO labels VALUES (?, ?)", [(label, number) for label in _labels(metadata)])


def _labels(metadata: Mapping[str, str]) -> Iterator[int]:
    """Numbers that stand for entries of metadata: an index must not hold words."""
    for key, value in metadata.items():
        named = f"{len(key)}:{key}{value}".encode("utf-8", "surrogatepass")
        yield int.from_bytes(blake2b(named, digest_size=8).digest(), "big", signed=True)


def select_info(db: sqlite3.Connection, session: SessionId) -> SessionInfo | None:
    """What is known of a session; None when there is none."""
    return next(_infos(db, f"{_INFO} WHERE id = ?", (session,)), None)


def select_sessions(
    db: sqlite3.Connection, metadata: Mapping[str, str], tenant: str, before: int | None, limit: int
) -> tuple[SessionInfo, ...]:
    """Up to *limit* sessions of a tenant, newest first: those with all of *metadata*, older than *before*."""
    labels = tuple(_labels(metadata))
    labelled = " AND number IN (SELECT session FROM labels WHERE label = ?)" * len(labels)
    query = f"{_INFO} WHERE tenant = ? AND number < ?{labelled} ORDER BY number DESC"
    found: list[SessionInfo] = []
    for info in _infos(db, query, (tenant, before if before is not None else 1 << 62, *labels)):
        if len(found) >= limit:
            break
        if metadata.items() <= info.metadata.items():
            found.append(info)
    return tuple(found)


def select_least_used(db: sqlite3.Connection, before: float, limit: int) -> tuple[SessionInfo, ...]:
    """Up to *limit* sessions with facts, but none since *before*, longest unused first."""
    return tuple(_infos(db, f"{_INFO} WHERE used < ? AND seq > 0 ORDER BY used, number LIMIT ?", (before, limit)))


def _infos(db: sqlite3.Connection, query: str, values: Sequence[str | float]) -> Iterator[SessionInfo]:
    for number, session, tenant, epoch, seq, created, used, size in db.execute(query, values):
        metadata = as_map(tables.texts_of(db, session, [METADATA]).get(METADATA, ""))
        yield SessionInfo(session, number, tenant, epoch, seq, created, used, size, metadata)


def total_size(db: sqlite3.Connection) -> int:
    """Bytes of all sessions."""
    return int(db.execute("SELECT total(size) FROM sessions").fetchone()[0])


def remove_session(db: sqlite3.Connection, session: SessionId) -> int:
    """Remove a session, its words overwritten; 1, or 0 when there is none."""
    number = tables.number_of(db, session)
    if number is None:
        return 0
    tables.overwrite_session(db, number)
    db.execute("UPDATE waste SET bytes = bytes + (SELECT size FROM sessions WHERE number = ?)", (number,))
    for table in ("facts", "snapshots", "labels"):
        db.execute(f"DELETE FROM {table} WHERE session = ?", (number,))
    db.execute("DELETE FROM sessions WHERE number = ?", (number,))
    return 1


def compact(db: sqlite3.Connection) -> int:
    """Drop rows whose words are gone, if that is worth its while. Later words use the room; 1 when it was done."""
    (waste,) = db.execute("SELECT bytes FROM waste").fetchone()
    if waste < WORTH or waste * 2 < total_size(db):
        return 0
    for index in ("content_seq", "content_item"):
        db.execute(f"DROP INDEX {index}")
    db.execute("ALTER TABLE content RENAME TO discarded")
    table, *indexes = tables.CONTENT
    db.execute(table)
    db.execute(
        "INSERT INTO content SELECT * FROM discarded"
        " WHERE typeof(text) = 'text' AND session IN (SELECT number FROM sessions) ORDER BY id"
    )
    db.execute("DROP TABLE discarded")
    for index in indexes:
        db.execute(index)
    db.execute("UPDATE waste SET bytes = 0")
    return 1
