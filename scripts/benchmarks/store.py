"""The embedded log: what an append, an opening and a resume cost, beside SQLite as it comes, in the same run."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Final

import numpy as np
import typer
from rich.table import Table

from benchmarks.common import Json, console, name_machine, write
from gateway.core.events import Fact, ItemAdded, ItemCompleted, ResponseEnded, ResponseStarted
from gateway.core.ids import Generation, ItemId, ResponseId, SessionId
from gateway.core.session import Session
from gateway.runtime.ports import Loaded
from gateway.store.records import encode
from gateway.store.sqlite import SqliteStore

CALLERS: Final = 256
"""Sessions that append at the same time for the maximum: as many as share a transaction."""

ITEMS: Final = 10_000
GAP: Final = 500
WORDS: Final = "what was said in one turn of a conversation, of ordinary length and without any meaning. " * 2

Figures = dict[str, float]


def store(
    seconds: Annotated[float, typer.Option(help="Of appends, at each rate.")] = 10.0,
    rounds: Annotated[int, typer.Option(help="Openings and resumes.")] = 30,
    folder: Annotated[Path | None, typer.Option(help="Where the log lies: another disk, another fsync.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Briefly: whether it works, no figure to quote.")] = False,
    json_path: Json = None,
) -> None:
    """Appends at 1,000 a second and as many as go, opening 10,000 items, a gap of 500; durable (FULL)."""
    if quick:
        seconds, rounds = 1.0, 5
    name_machine()
    with TemporaryDirectory(dir=folder) as place:
        figures = {
            "append at 1,000/s, ms": (_paced(Path(place), seconds), _bare_paced(Path(place), seconds)),
            "appends a second, grouped": (_most(Path(place), seconds), _bare_most(Path(place), seconds)),
            **_reading(Path(place), rounds),
        }
    _show(figures)
    told = {name: {"ours": ours, "bare sqlite3": bare} for name, (ours, bare) in figures.items()}
    write(json_path, "store", {"items": ITEMS, "gap": GAP, "figures": told})


def _of(values_ms: Sequence[float]) -> Figures:
    p50, p99 = np.percentile(values_ms, (50, 99))
    return {"p50": round(float(p50), 2), "p99": round(float(p99), 2), "max": round(max(values_ms), 2)}


def _turn(number: int) -> list[Fact]:
    """A question and its answer."""
    question, answer, response = ItemId(f"item_{number:025}q"), ItemId(f"item_{number:025}a"), _response(number)
    return [
        ItemAdded(question, _before(number), "user", "completed", WORDS),
        ResponseStarted(response, Generation(number + 1), None),
        ItemAdded(answer, question, "assistant", "in_progress", response_id=response),
        ItemCompleted(answer, response, "completed", WORDS),
        ResponseEnded(response, Generation(number + 1), "completed", answer),
    ]


def _before(number: int) -> ItemId | None:
    return ItemId(f"item_{number - 1:025}a") if number else None


def _response(number: int) -> ResponseId:
    return ResponseId(f"resp_{number:026}")


# --- appending ---

ONE: Final = ItemAdded(ItemId("item_1"), None, "user", "completed", WORDS)


def _with_store(path: Path, main: Callable[[SqliteStore], Coroutine[Any, Any, Figures]]) -> Figures:
    async def run() -> Figures:
        opened = await SqliteStore.open(path)
        try:
            return await main(opened)
        finally:
            await opened.aclose()

    return asyncio.run(run())


async def _sessions(at: SqliteStore, count: int) -> list[SessionId]:
    sessions = [SessionId(f"sess_{number:030x}") for number in range(count)]
    await asyncio.gather(*(at.create(session, "epoch") for session in sessions))
    return sessions


def _paced(place: Path, seconds: float) -> Figures:
    """Each append begins at its time, however long those before it take: what waits for them counts."""

    async def main(at: SqliteStore) -> Figures:
        sessions, took = await _sessions(at, 1000), []

        async def one(number: int, due: float) -> None:
            await at.append(sessions[number % 1000], number // 1000, [ONE], 1.5)
            took.append((loop.time() - due) * 1000)

        loop = asyncio.get_running_loop()
        begin, waiting = loop.time() + 0.1, []
        for number in range(round(seconds * 1000)):
            due = begin + number / 1000
            if (early := due - loop.time()) > 0:
                await asyncio.sleep(early)
            waiting.append(asyncio.create_task(one(number, due)))
        await asyncio.gather(*waiting)
        return _of(took)

    return _with_store(place / "paced.db", main)


def _most(place: Path, seconds: float) -> Figures:
    async def main(at: SqliteStore) -> Figures:
        sessions, loop = await _sessions(at, CALLERS), asyncio.get_running_loop()
        begin = loop.time()

        async def one(session: SessionId) -> int:
            seq = 0
            while loop.time() < begin + seconds:
                seq = await at.append(session, seq, [ONE], 1.5)
            return seq

        done = sum(await asyncio.gather(*(one(session) for session in sessions)))
        return {"a second": round(done / (loop.time() - begin))}

    return _with_store(place / "most.db", main)


def _bare(path: Path) -> sqlite3.Connection:
    """The least that holds a log: one table, the same durability."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE facts (session TEXT, seq INTEGER, wall REAL, data BLOB, text TEXT)")
    db.execute("CREATE UNIQUE INDEX places ON facts (session, seq)")
    return db


def _row(session: int, seq: int) -> tuple[str, int, float, bytes, str]:
    return f"sess_{session:030x}", seq, 1.5, _DATA, WORDS


_DATA: Final = encode(ONE)[0]
_INSERT: Final = "INSERT INTO facts VALUES (?, ?, ?, ?, ?)"


def _bare_paced(place: Path, seconds: float) -> Figures:
    """One commit after another; where that is too slow for the rate, what was done in twice the time."""
    took = []
    with closing(_bare(place / "bare-paced.db")) as db:
        begin = time.monotonic() + 0.1
        for number in range(round(seconds * 1000)):
            due = begin + number / 1000
            if (early := due - time.monotonic()) > 0:
                time.sleep(early)
            db.execute(_INSERT, _row(number % 1000, number // 1000))
            took.append((time.monotonic() - due) * 1000)
            if time.monotonic() > begin + 2 * seconds:
                break
    return _of(took)


def _bare_most(place: Path, seconds: float) -> Figures:
    with closing(_bare(place / "bare-most.db")) as db:
        begin, rounds = time.monotonic(), 0
        while time.monotonic() < begin + seconds:
            db.execute("BEGIN")
            db.executemany(_INSERT, [_row(session, rounds) for session in range(CALLERS)])
            db.execute("COMMIT")
            rounds += 1
        return {"a second": round(rounds * CALLERS / (time.monotonic() - begin))}


# --- reading ---

LONG: Final = SessionId("sess_long")


def _reading(place: Path, rounds: int) -> dict[str, tuple[Figures, Figures]]:
    path = place / "long.db"
    facts = [fact for number in range(ITEMS // 2) for fact in _turn(number)]
    opening, opening_whole, gap = asyncio.run(_read(path, facts, rounds))
    with closing(sqlite3.connect(path)) as db:
        bare_whole = _of([_fetched(db, 0) for _ in range(rounds)])
        bare_snapshot = _of([_fetched_snapshot(db) for _ in range(rounds)])
        bare_gap = _of([_fetched(db, len(facts) - GAP) for _ in range(rounds)])
    return {
        "open 10,000 items, ms": (opening, bare_snapshot),
        "the same without a snapshot, ms": (opening_whole, bare_whole),
        "read a gap of 500 events, ms": (gap, bare_gap),
    }


async def _read(path: Path, facts: Sequence[Fact], rounds: int) -> tuple[Figures, Figures, Figures]:
    at = await SqliteStore.open(path)
    await at.create(LONG, "epoch")
    await at.append(LONG, 0, facts, 1.5)
    whole = [await _opened(at) for _ in range(max(rounds // 5, 3))]
    snapshot_seq = len(facts) - GAP // 2  # as it is on average: a snapshot comes each 500 facts
    at.save_snapshot(LONG, snapshot_seq, Session.replay(facts[:snapshot_seq]).state.conversation)
    loaded = await at.load(LONG)
    if loaded is None or loaded.snapshot_seq != snapshot_seq:
        raise RuntimeError("the snapshot was not taken")
    short = [await _opened(at) for _ in range(rounds)]
    gaps = []
    for _ in range(rounds):
        begin = time.perf_counter()
        for after in range(len(facts) - GAP, len(facts), 250):
            await at.read(LONG, after, 250)
        gaps.append((time.perf_counter() - begin) * 1000)
    await at.aclose()
    return _of(short), _of(whole), _of(gaps)


async def _opened(at: SqliteStore) -> float:
    """How long it takes until the session can go on, in ms: read, decoded and folded."""
    begin = time.perf_counter()
    loaded: Loaded | None = await at.load(LONG)
    if loaded is None:
        raise RuntimeError("the session is gone")
    Session.replay((stored.fact for stored in loaded.log), onto=loaded.snapshot)
    return (time.perf_counter() - begin) * 1000


def _fetched(db: sqlite3.Connection, after: int) -> float:
    """Reading the same rows, and making nothing of them."""
    begin = time.perf_counter()
    db.execute("SELECT seq, wall, data FROM facts WHERE session = 1 AND seq > ?", (after,)).fetchall()
    db.execute("SELECT seq, item_id, text, unheard FROM content WHERE session = 1 AND seq > ?", (after,)).fetchall()
    return (time.perf_counter() - begin) * 1000


def _fetched_snapshot(db: sqlite3.Connection) -> float:
    begin = time.perf_counter()
    db.execute("SELECT data FROM snapshots").fetchall()
    return (time.perf_counter() - begin) * 1000


def _show(figures: dict[str, tuple[Figures, Figures]]) -> None:
    table = Table("", "ours", "bare sqlite3", "ratio", title="The embedded log, synchronous=FULL")
    for name, (ours, bare) in figures.items():
        first = next(iter(ours))
        told = [" / ".join(f"{value:,}" for value in each.values()) for each in (ours, bare)]
        table.add_row(f"{name} ({' / '.join(ours)})", *told, f"{ours[first] / bare[first]:.2f}")
    console.print(table)
