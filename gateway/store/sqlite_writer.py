"""The thread that writes the embedded log: group commit without added delay.

The writer takes whatever is queued, up to :data:`GROUP` calls, into one transaction: no call waits
for another to arrive, and under load many share one fsync. Each call has a savepoint of its own, so
that one which fails leaves its neighbours alone. Disk faults end the calls they met and nothing
else: the next transaction tries again.
"""

import asyncio
import sqlite3
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Final, Literal, TypeAlias

from gateway.core.ids import SessionId
from gateway.errors import StoreError
from gateway.store.sqlite_tables import BUSY_S, OpenKey, write_open

Purge: TypeAlias = Literal["no", "soon", "now"]
"""What may be left in the write-ahead file, when a call ends, of what it removed: anything; nothing, if it said that it
removed something and no reader prevents it, else nothing soon; or nothing, else it fails."""

GROUP: Final = 256
"""Calls that share one transaction, at most."""

OPEN_EVERY_S: Final = 0.1
"""How often the texts of open items are written, at most: what the end of the process may cost."""

_IDLE_S: Final = 0.5
"""After so long without a write the write-ahead file is moved into the database."""

_TRUNCATE_MS: Final = 250
"""How long emptying the write-ahead file may wait for readers: as long, appends wait too."""

FAULTS: Final = (sqlite3.Error, ValueError, OverflowError)
"""What a statement raises: the engine's own errors, and those of values it cannot hold."""


class OpenTexts:
    """The latest text of each open item, due :data:`OPEN_EVERY_S` after the first change. Clocks are arguments."""

    def __init__(self) -> None:
        self._texts: dict[OpenKey, str] = {}
        self._due: float | None = None

    def put(self, key: OpenKey, text: str, now: float) -> None:
        """Replace an item's text."""
        self._texts[key] = text
        if self._due is None:
            self._due = now + OPEN_EVERY_S

    def drop(self, key: OpenKey) -> None:
        """Forget an item's text."""
        self._texts.pop(key, None)

    def drop_session(self, session: SessionId) -> None:
        """Forget the texts of a session's items."""
        self._texts = {key: text for key, text in self._texts.items() if key[0] != session}

    def hurry(self) -> None:
        """Make what is there due at once."""
        if self._due is not None:
            self._due = 0.0

    def wait_s(self, now: float) -> float | None:
        """Seconds until :meth:`take` gives something, 0 when it is late; None when nothing is there."""
        return None if self._due is None else max(self._due - now, 0.0)

    def take(self, now: float) -> dict[OpenKey, str]:
        """What is due, which is then the caller's; empty before its time."""
        if self._due is None or self._due > now:
            return {}
        texts, self._texts, self._due = self._texts, {}, None
        return texts

    def put_back(self, texts: dict[OpenKey, str], now: float) -> None:
        """Take back what could not be written, where nothing newer is there."""
        for key, text in texts.items():
            self.put(key, self._texts.get(key, text), now)


@dataclass(slots=True, eq=False)
class _Job:
    """A call on its way through the writer."""

    write: Callable[[sqlite3.Connection], int]
    future: asyncio.Future[int]
    purge: Purge = "no"

    outcome: int | StoreError = 0


class Writer:
    """The thread that owns the connection that writes."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._wake = threading.Condition()
        self._jobs: deque[_Job] = deque()
        self._open = OpenTexts()
        self._closing = False
        self._unsettled = False
        self._purge_owed = False
        self._removed = False
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def submit(self, write: Callable[[sqlite3.Connection], int], *, purge: Purge = "no") -> asyncio.Future[int]:
        """Queue a write; the future ends when it is durable, or with :class:`StoreError`."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        with self._wake:
            if self._closing:
                raise closed()
            self._jobs.append(_Job(write, future, purge))
            self._wake.notify()
        return future

    def save_open(self, key: OpenKey, text: str) -> None:
        """Have an open item's text written soon."""
        with self._wake:
            if not self._closing:
                self._open.put(key, text, monotonic())
                self._wake.notify()

    def drop_open(self, key: OpenKey) -> None:
        """Forget an open item's text that waits to be written."""
        with self._wake:
            self._open.drop(key)

    def drop_session(self, session: SessionId) -> None:
        """Forget the texts of a session's open items that wait to be written."""
        with self._wake:
            self._open.drop_session(session)

    def removed(self) -> None:
        """Words were removed: for a write to say, on the writer's own thread."""
        self._removed = True

    def settle(self) -> asyncio.Future[int]:
        """Ends when all that was queued before, open texts too, is in the file."""
        with self._wake:
            self._open.hurry()
        return self.submit(lambda db: 0)

    def close(self) -> None:
        """Write what is queued, close the connection and end the thread. Blocks."""
        with self._wake:
            self._closing = True
            self._open.hurry()
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        with closing(self._db):
            while (group := self._next_group()) is not None:
                open_s = self._open.wait_s(monotonic())
                if group or open_s == 0:
                    self._commit(group)
                    _deliver([job for job in group if job.purge == "no"])
                    self._purge([job for job in group if job.purge != "no"])
                elif open_s is None:
                    self._checkpoint("TRUNCATE" if self._purge_owed else "PASSIVE")
            self._checkpoint("TRUNCATE")

    def _next_group(self) -> list[_Job] | None:
        """The jobs at hand, waiting for some; empty when only open texts are due, or when idle; None at the end."""
        with self._wake:
            while not self._jobs and (patience_s := self._patience_s()) != 0:
                if not self._wake.wait(patience_s):
                    break
            if self._closing and not self._jobs and self._open.wait_s(monotonic()) is None:
                return None
            return [self._jobs.popleft() for _ in range(min(len(self._jobs), GROUP))]

    def _patience_s(self) -> float | None:
        if (open_s := self._open.wait_s(monotonic())) is not None:
            return open_s
        if self._closing:
            return 0
        return _IDLE_S if self._unsettled else None

    def _commit(self, group: Sequence[_Job]) -> None:
        """Run the group and write the open texts that are due, in one transaction."""
        texts: dict[OpenKey, str] = {}
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for job in group:
                job.outcome = self._attempt(job)
            with self._wake:
                texts = self._open.take(monotonic())
            write_open(self._db, texts)
            self._db.execute("COMMIT")
            self._unsettled = True
        except sqlite3.Error as fault:
            self._give_up(group, texts, fault)

    def _attempt(self, job: _Job) -> int | StoreError:
        """A job's outcome. Raises ``sqlite3.Error`` when it took the whole transaction with it."""
        if job.future.cancelled():
            return 0
        self._db.execute("SAVEPOINT job")
        try:
            outcome: int | StoreError = job.write(self._db)
        except (StoreError, *FAULTS) as fault:
            if not self._db.in_transaction:
                raise sqlite3.OperationalError("the transaction was rolled back") from fault
            self._db.execute("ROLLBACK TO job")
            outcome = fault if isinstance(fault, StoreError) else unavailable(fault)
        self._db.execute("RELEASE job")
        return outcome

    def _give_up(self, group: Sequence[_Job], texts: dict[OpenKey, str], fault: sqlite3.Error) -> None:
        """Undo the group. Whatever its jobs had found so far rested on writes that are undone too."""
        with suppress(sqlite3.Error):
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        with self._wake:
            if not self._closing:
                self._open.put_back(texts, monotonic())
        for job in group:
            job.outcome = unavailable(fault)

    def _purge(self, group: Sequence[_Job]) -> None:
        """Empty the write-ahead file, if it holds what these jobs removed, and end them."""
        needed = self._removed or any(job.purge == "now" for job in group)
        self._removed = False
        self._purge_owed |= needed
        if needed and not self._checkpoint("TRUNCATE"):
            for job in (job for job in group if job.purge == "now"):
                job.outcome = StoreError("store_unavailable", "what was removed is still in the write-ahead file")
        _deliver(group)

    def _checkpoint(self, mode: Literal["PASSIVE", "TRUNCATE"]) -> bool:
        """Move the write-ahead file into the database; False when it could not be moved whole."""
        try:
            self._db.execute(f"PRAGMA busy_timeout = {_TRUNCATE_MS}")
            busy, pages, moved = self._db.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
        except sqlite3.Error:
            return False
        finally:
            self._db.execute(f"PRAGMA busy_timeout = {round(BUSY_S * 1000)}")
        self._unsettled = bool(busy) or pages != moved
        if mode == "TRUNCATE" and not busy:
            self._purge_owed = False
        return not busy


def fault_name(fault: Exception) -> str:
    """A fault without its text, which may quote a value."""
    return str(getattr(fault, "sqlite_errorname", type(fault).__name__))


def unavailable(fault: Exception) -> StoreError:
    """``store_unavailable`` for a fault that may pass."""
    return StoreError("store_unavailable", f"the log cannot be read or written now ({fault_name(fault)})")


def closed() -> StoreError:
    """``store_unavailable`` for a call that comes after the end."""
    return StoreError("store_unavailable", "the log is closed")


def _settle(jobs: Sequence[_Job]) -> None:
    for job in jobs:
        if job.future.done():
            continue
        if isinstance(job.outcome, StoreError):
            job.future.set_exception(job.outcome)
        else:
            job.future.set_result(job.outcome)


def _deliver(jobs: Sequence[_Job]) -> None:
    """Tell each loop once. One that was closed meanwhile has nobody waiting."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Job]] = defaultdict(list)
    for job in jobs:
        by_loop[job.future.get_loop()].append(job)
    for loop, done in by_loop.items():
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, done)
