"""The log in memory: the same promises as any engine but the one to survive the process. For tests and demos."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.core.events import Fact
from gateway.core.ids import ItemId, SessionId
from gateway.errors import StoreError
from gateway.runtime.ports import Content, Loaded, Stored
from gateway.store.records import ContentRow, decode, encode, ended_item, storable


@dataclass(slots=True)
class _Log:
    epoch: str
    records: list[tuple[float, bytes]] = field(default_factory=list)
    contents: dict[int, tuple[ContentRow, ...]] = field(default_factory=dict)
    """By seq. Oldest first, because the log only grows."""

    open_texts: dict[ItemId, str] = field(default_factory=dict)
    ended: set[ItemId] = field(default_factory=set)


class MemoryStore:
    """A :class:`gateway.runtime.ports.Store`. It keeps records, not facts, so that a test meets what an engine does."""

    def __init__(self) -> None:
        self._logs: dict[SessionId, _Log] = {}
        self._closed = False

    async def create(self, session: SessionId, epoch: str) -> None:
        """Begin an empty log. Raises ``store_conflict`` when the session exists."""
        self._refuse_when_closed()
        if session in self._logs:
            raise StoreError("store_conflict", "the session exists already")
        self._logs[session] = _Log(epoch)

    async def append(self, session: SessionId, expected_seq: int, facts: Sequence[Fact], wall: float) -> int:
        """Append all of *facts* or nothing; return the last seq. Raises ``store_conflict``."""
        self._refuse_when_closed()
        encoded = [(fact, *encode(fact)) for fact in facts]
        log = self._logs.get(session)
        if log is None or len(log.records) != expected_seq:
            raise StoreError("store_conflict", f"the log does not end at {expected_seq}")
        for fact, data, rows in encoded:
            log.records.append((wall, data))
            log.contents[len(log.records)] = rows
            if (item := ended_item(fact)) is not None:
                log.ended.add(item)
                log.open_texts.pop(item, None)
        return len(log.records)

    def save_open(self, session: SessionId, item: ItemId, text: str) -> None:
        """Remember an unfinished item's text so far; that of an item that has ended is ignored."""
        log = self._logs.get(session)
        if log is not None and item not in log.ended and not self._closed:
            log.open_texts[item] = storable(text)

    async def load(self, session: SessionId) -> Loaded | None:
        """The whole log, oldest first; None when there is no such session."""
        self._refuse_when_closed()
        log = self._logs.get(session)
        if log is None:
            return None
        return Loaded(log.epoch, _stored(log, 0, len(log.records)), dict(log.open_texts))

    async def read(self, session: SessionId, after_seq: int, limit: int = 1000) -> tuple[Stored, ...]:
        """Up to *limit* facts after *after_seq*, oldest first; none when there is no such session."""
        self._refuse_when_closed()
        log = self._logs.get(session)
        return _stored(log, max(after_seq, 0), limit) if log is not None else ()

    async def contents(self, session: SessionId, items: Sequence[ItemId]) -> dict[ItemId, Content]:
        """The latest words of these items; those whose content is missing are left out."""
        self._refuse_when_closed()
        log = self._logs.get(session)
        if log is None:
            return {}
        latest = {row.item_id: row for rows in log.contents.values() for row in rows}
        return {item: Content(latest[item].text, latest[item].unheard) for item in items if item in latest}

    async def redact(self, session: SessionId, item: ItemId) -> None:
        """Remove an item's words for good. Harmless when there are none, and twice."""
        self._refuse_when_closed()
        if (log := self._logs.get(session)) is not None:
            for seq, rows in log.contents.items():
                log.contents[seq] = tuple(row for row in rows if row.item_id != item)
            log.open_texts.pop(item, None)

    async def aclose(self) -> None:
        """Forget everything. Calling it twice is harmless."""
        self._closed = True
        self._logs.clear()

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise StoreError("store_unavailable", "the log is closed")


def _stored(log: _Log, after_seq: int, limit: int) -> tuple[Stored, ...]:
    last = min(len(log.records), after_seq + max(limit, 0))
    return tuple(
        Stored(seq, wall, decode(data, log.contents[seq]))
        for seq, (wall, data) in enumerate(log.records[after_seq:last], after_seq + 1)
    )
