"""The log in memory: the same promises as any engine but the one to survive the process. For tests and demos."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.core.events import Fact
from gateway.core.ids import DEFAULT_TENANT, ItemId, SessionId
from gateway.core.state import Conversation
from gateway.errors import StoreError
from gateway.runtime.ports import Content, Loaded, SessionInfo, Stored
from gateway.store import snapshots
from gateway.store.records import (
    METADATA,
    SETTINGS_WORDS,
    ContentRow,
    as_map,
    decode,
    encode,
    ended_item,
    made_void,
    replaces_settings,
    storable,
    weight,
)


@dataclass(slots=True)
class _Log:
    number: int
    epoch: str
    tenant: str
    records: list[tuple[float, bytes]] = field(default_factory=list)
    contents: dict[int, tuple[ContentRow, ...]] = field(default_factory=dict)
    """By seq. Oldest first, because the log only grows."""

    open_texts: dict[ItemId, str] = field(default_factory=dict)
    ended: set[ItemId] = field(default_factory=set)
    snapshot: tuple[int, bytes] | None = None
    size: int = 0

    def append(self, fact: Fact, wall: float) -> None:
        """Put one fact at the end, and take away what it makes void."""
        data, rows = encode(fact)
        if replaces_settings(fact):
            self.forget(set(SETTINGS_WORDS))
        self.records.append((wall, data))
        self.contents[len(self.records)] = rows
        self.size += weight(data, rows)
        if (item := ended_item(fact)) is not None:
            self.ended.add(item)
            self.open_texts.pop(item, None)
        if void := made_void(fact):
            self.forget(set(void))

    def forget(self, items: set[ItemId]) -> None:
        """Remove these words."""
        for seq, rows in self.contents.items():
            self.contents[seq] = tuple(row for row in rows if row.item_id not in items)
        for item in items:
            self.open_texts.pop(item, None)

    def words(self, items: Sequence[ItemId]) -> dict[ItemId, Content]:
        """The latest words that stand under each of these."""
        latest = {row.item_id: row for rows in self.contents.values() for row in rows}
        return {item: Content(latest[item].text, latest[item].unheard) for item in items if item in latest}

    def texts(self, items: Sequence[ItemId]) -> dict[ItemId, str]:
        """As :meth:`words`, the text alone."""
        return {item: content.text for item, content in self.words(items).items()}

    def stored(self, after_seq: int, limit: int) -> tuple[Stored, ...]:
        """Up to *limit* facts after *after_seq*."""
        last = min(len(self.records), after_seq + max(limit, 0))
        return tuple(
            Stored(seq, wall, decode(data, self.contents[seq]))
            for seq, (wall, data) in enumerate(self.records[after_seq:last], after_seq + 1)
        )

    def info(self, session: SessionId) -> SessionInfo:
        """What is known of it without its log."""
        created, used = (self.records[0][0], self.records[-1][0]) if self.records else (0.0, 0.0)
        metadata = as_map(self.texts([METADATA]).get(METADATA, ""))
        last = len(self.records)
        return SessionInfo(session, self.number, self.tenant, self.epoch, last, created, used, self.size, metadata)


class MemoryStore:
    """A :class:`gateway.runtime.ports.Store`. It keeps records, not facts, so that a test meets what an engine does."""

    def __init__(self) -> None:
        self._logs: dict[SessionId, _Log] = {}
        self._numbers = 0
        self._growth = snapshots.Growth()
        self._closed = False

    async def create(self, session: SessionId, epoch: str, *, tenant: str = DEFAULT_TENANT) -> None:
        """Begin an empty log. Raises ``store_conflict`` when the session exists."""
        if self._log(session) is not None:
            raise StoreError("store_conflict", "the session exists already")
        self._numbers += 1
        self._logs[session] = _Log(self._numbers, epoch, tenant)

    async def append(self, session: SessionId, expected_seq: int, facts: Sequence[Fact], wall: float) -> int:
        """Append all of *facts* or nothing; return the last seq. Raises ``store_conflict``."""
        log = self._log(session)
        size = sum(weight(*encode(fact)) for fact in facts)
        if log is None or len(log.records) != expected_seq:
            raise StoreError("store_conflict", f"the log does not end at {expected_seq}")
        for fact in facts:
            log.append(fact, wall)
        self._growth.add(session, len(facts), size)
        return len(log.records)

    def save_open(self, session: SessionId, item: ItemId, text: str) -> None:
        """Remember an unfinished item's text so far; that of an item that has ended is ignored."""
        log = self._logs.get(session)
        if log is not None and item not in log.ended and not self._closed:
            log.open_texts[item] = storable(text)

    def snapshot_due(self, session: SessionId) -> bool:
        """Has so much been appended since the last snapshot that another one is worth its while?"""
        return self._growth.due(session)

    def save_snapshot(self, session: SessionId, seq: int, conversation: Conversation) -> None:
        """Remember what the log up to *seq* folds into."""
        log = self._logs.get(session)
        if log is not None and seq <= len(log.records) and not self._closed:
            log.snapshot = seq, snapshots.encode(conversation)
            self._growth.set(session, len(log.records) - seq, 0)

    async def load(self, session: SessionId) -> Loaded | None:
        """The last snapshot and the log after it; None when there is no such session."""
        log = self._log(session)
        if log is None:
            return None
        seq, data = log.snapshot or (0, b"")
        snapshot = snapshots.decode(data, log.texts) if data else None
        seq = seq if snapshot is not None else 0
        tail = log.stored(seq, len(log.records))
        self._growth.set(session, len(tail), 0)
        return Loaded(log.epoch, tail, dict(log.open_texts), snapshot, seq)

    async def read(self, session: SessionId, after_seq: int, limit: int = 1000) -> tuple[Stored, ...]:
        """Up to *limit* facts after *after_seq*, oldest first; none when there is no such session."""
        log = self._log(session)
        return log.stored(max(after_seq, 0), limit) if log is not None else ()

    async def read_before(self, session: SessionId, before_seq: int, limit: int = 1000) -> tuple[Stored, ...]:
        """Up to *limit* facts right before *before_seq*, oldest first; none when there is no such session."""
        log = self._log(session)
        if log is None:
            return ()
        last = min(before_seq - 1, len(log.records))
        first = max(last - max(limit, 0), 0)
        return log.stored(first, last - first)

    async def contents(self, session: SessionId, items: Sequence[ItemId]) -> dict[ItemId, Content]:
        """The latest words of these items; those whose content is missing are left out."""
        log = self._log(session)
        return log.words(items) if log is not None else {}

    async def redact(self, session: SessionId, item: ItemId) -> None:
        """Remove an item's words for good. Harmless when there are none, and twice."""
        if (log := self._log(session)) is not None:
            log.forget({item})

    async def info(self, session: SessionId) -> SessionInfo | None:
        """What is known of a session; None when there is none."""
        log = self._log(session)
        return log.info(session) if log is not None else None

    async def sessions(
        self,
        metadata: Mapping[str, str] | None = None,
        *,
        tenant: str = DEFAULT_TENANT,
        before: int | None = None,
        limit: int = 20,
    ) -> tuple[SessionInfo, ...]:
        """Up to *limit* sessions of a tenant, newest first: those with all of *metadata*, older than *before*."""
        wanted = (metadata or {}).items()
        found = [
            info
            for info in self._infos()
            if info.tenant == tenant and (before is None or info.number < before) and wanted <= info.metadata.items()
        ]
        return tuple(found[::-1][: max(limit, 0)])

    async def least_used(self, before: float, limit: int = 100) -> tuple[SessionInfo, ...]:
        """Up to *limit* sessions of any tenant that have facts, but none since *before*, longest unused first."""
        found = sorted((info.used, info.number, info) for info in self._infos() if info.seq and info.used < before)
        return tuple(info for _, _, info in found[: max(limit, 0)])

    async def size(self) -> int:
        """Bytes of all sessions."""
        return sum(info.size for info in self._infos())

    async def remove(self, session: SessionId) -> bool:
        """Remove a session and all its words; False when there is none."""
        self._growth.set(session, 0, 0)
        return self._log(session) is not None and self._logs.pop(session, None) is not None

    async def compact(self) -> None:
        """Nothing is left behind here."""
        self._refuse_when_closed()

    async def aclose(self) -> None:
        """Forget everything. Calling it twice is harmless."""
        self._closed = True
        self._logs.clear()

    def _infos(self) -> Iterator[SessionInfo]:
        """What is known of each session, oldest first."""
        self._refuse_when_closed()
        yield from (log.info(session) for session, log in self._logs.items())

    def _log(self, session: SessionId) -> _Log | None:
        self._refuse_when_closed()
        return self._logs.get(session)

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise StoreError("store_unavailable", "the log is closed")
