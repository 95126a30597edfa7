"""What the runtime's tests play on: a session in virtual time, a store that can hang, and somebody who listens."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from gateway.agents.scripted import ScriptedAgent
from gateway.core import events as ev, inputs as inp
from gateway.core.ids import DEFAULT_TENANT, DeviceId, ItemId, LegId, SessionId
from gateway.core.state import Conversation
from gateway.core.values import Settings
from gateway.errors import StoreError
from gateway.runtime.actor import Actor, Origin
from gateway.runtime.choice import Agents
from gateway.runtime.glance import Glance
from gateway.runtime.ports import Agent, Content, Loaded, Published, SessionInfo, Store, Stored, Verdict
from gateway.runtime.registry import Registry
from gateway.runtime.scripted import ScriptedVoice
from gateway.store.memory import MemoryStore

E = TypeVar("E", bound=ev.Event)

BEGINNING = 1_700_000_000.0
"""Wall time when a test begins."""


class VirtualClock:
    """Implements :class:`gateway.runtime.clock.Clock` on the loop's time, with ids that count."""

    def __init__(self) -> None:
        self._tokens = itertools.count(1)

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return BEGINNING + self.now()

    def token(self) -> str:
        return f"{next(self._tokens):026d}"


class GatedStore:
    """A store whose appends wait while ``open`` is not set and take ``delay`` seconds, and which can break."""

    def __init__(self, inner: Store | None = None, journal: list[str] | None = None) -> None:
        self.inner = inner if inner is not None else MemoryStore()
        self.journal = journal if journal is not None else []
        self.open = asyncio.Event()
        self.open.set()
        self.arrived = asyncio.Event()
        """Set when an append has begun."""

        self.broken = False
        self.delay = 0.0

    async def create(self, session: SessionId, epoch: str, *, tenant: str = DEFAULT_TENANT) -> None:
        self._refuse_when_broken()
        await self.inner.create(session, epoch, tenant=tenant)

    async def append(self, session: SessionId, expected_seq: int, facts: Sequence[ev.Fact], wall: float) -> int:
        self.arrived.set()
        self.journal.append("append begins")
        await self.open.wait()
        if self.delay:
            await asyncio.sleep(self.delay)
        self._refuse_when_broken()
        last = await self.inner.append(session, expected_seq, facts, wall)
        self.journal.append("append ends")
        return last

    def save_open(self, session: SessionId, item: ItemId, text: str) -> None:
        self.inner.save_open(session, item, text)

    def snapshot_due(self, session: SessionId) -> bool:
        return self.inner.snapshot_due(session)

    def save_snapshot(self, session: SessionId, seq: int, conversation: Conversation) -> None:
        self.inner.save_snapshot(session, seq, conversation)

    async def load(self, session: SessionId) -> Loaded | None:
        self._refuse_when_broken()
        return await self.inner.load(session)

    async def read(self, session: SessionId, after_seq: int, limit: int = 1000) -> tuple[Stored, ...]:
        self._refuse_when_broken()
        return await self.inner.read(session, after_seq, limit)

    async def read_before(self, session: SessionId, before_seq: int, limit: int = 1000) -> tuple[Stored, ...]:
        return await self.inner.read_before(session, before_seq, limit)

    async def contents(self, session: SessionId, items: Sequence[ItemId]) -> dict[ItemId, Content]:
        self._refuse_when_broken()
        return await self.inner.contents(session, items)

    async def redact(self, session: SessionId, item: ItemId) -> None:
        await self.inner.redact(session, item)

    async def info(self, session: SessionId) -> SessionInfo | None:
        return await self.inner.info(session)

    async def sessions(
        self,
        metadata: Mapping[str, str] | None = None,
        *,
        tenant: str = DEFAULT_TENANT,
        before: int | None = None,
        limit: int = 20,
    ) -> tuple[SessionInfo, ...]:
        return await self.inner.sessions(metadata, tenant=tenant, before=before, limit=limit)

    async def least_used(self, before: float, limit: int = 100) -> tuple[SessionInfo, ...]:
        return await self.inner.least_used(before, limit)

    async def size(self) -> int:
        return await self.inner.size()

    async def remove(self, session: SessionId) -> bool:
        return await self.inner.remove(session)

    async def compact(self) -> None:
        await self.inner.compact()

    async def aclose(self) -> None:
        await self.inner.aclose()

    def _refuse_when_broken(self) -> None:
        if self.broken:
            raise StoreError("store_unavailable", "broken by the test")


@dataclass(slots=True)
class Listener:
    """Implements :class:`gateway.runtime.ports.Subscriber`; remembers everything, in order."""

    journal: list[str] = field(default_factory=list)
    heard: list[Published] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    ended: str | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def publish(self, batch: Sequence[Published]) -> None:
        self.heard.extend(batch)
        self.journal += [f"publish {type(published.event).__name__}" for published in batch]
        self._news.set()

    def accept(self, verdict: Verdict) -> None:
        self.verdicts.append(verdict)
        self.journal.append(f"accept {verdict.command}")
        self._news.set()

    def end(self, code: str) -> None:
        self.ended = code
        self.journal.append(f"end {code}")
        self._news.set()

    def all(self, kind: type[E]) -> list[E]:
        """What was published of one kind."""
        return [published.event for published in self.heard if isinstance(published.event, kind)]

    @property
    def text(self) -> str:
        """All text of answers, in the order in which it came."""
        return "".join(event.text for event in self.all(ev.TextAppended))

    @property
    def facts(self) -> list[tuple[int, ev.Event]]:
        """The durable part of what was published, with its places in the log."""
        return [(it.seq, it.event) for it in self.heard if it.seq is not None]

    async def until(self, condition: Callable[["Listener"], object]) -> None:
        """Wait until what was heard fulfils *condition*."""
        while not condition(self):
            self._news.clear()
            await self._news.wait()

    async def until_heard(self, kind: type[E], count: int = 1) -> E:
        """Wait for the *count*-th event of a kind."""
        await self.until(lambda listener: len(listener.all(kind)) >= count)
        return self.all(kind)[count - 1]


@dataclass(slots=True)
class Client:
    """One connection: what it says, and what it hears."""

    actor: Actor
    origin: Origin
    listener: Listener
    glance: Glance
    voice: ScriptedVoice | None = None

    async def do(self, input: inp.Input, command: str = "", key: str = "", digest: str = "") -> None:
        """Give a command, as a connection does."""
        await self.actor.submit(input, Origin(self.origin.leg, self.origin.device, command, key, digest))

    def report(self, input: inp.Input) -> None:
        """Tell what the ears heard or how the loudspeaker moved."""
        self.actor.post(input, self.origin)

    async def ask(self, text: str, on_active: inp.OnActive = "interrupt") -> None:
        """Type something, and ask for an answer."""
        await self.do(inp.ItemSubmitted("user", text), command=f"item {text}")
        await self.do(inp.ResponseRequested(on_active), command=f"ask {text}")

    def leave(self) -> None:
        self.actor.leave(self.origin)


@dataclass(slots=True)
class Stage:
    """A registry on a gated store, in virtual time."""

    registry: Registry
    store: GatedStore
    clock: VirtualClock
    journal: list[str]
    _legs: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def open(self) -> Actor:
        return await self.registry.open(Settings())

    async def join(self, actor: Actor, *, voice: bool = False, journal: bool = False) -> Client:
        """Connect; with *voice* a leg that can be interrupted revocably."""
        number = next(self._legs)
        origin = Origin(LegId(f"leg_{number}"), DeviceId(f"device_{number}"))
        listener = Listener(self.journal if journal else [])
        glance = await actor.join(origin.leg, listener)
        client = Client(actor, origin, listener, glance)
        if voice:
            client.voice = ScriptedVoice(lambda call: self.journal.append(type(call).__name__))
            actor.add_voice(origin, client.voice, revocable=True)
        return client

    async def found(self, session: SessionId) -> Actor:
        actor = await self.registry.find(session)
        assert actor is not None
        return actor


@asynccontextmanager
async def stage(
    agent: Agent | Agents | None = None, store: GatedStore | None = None, *, verify: bool = True
) -> AsyncIterator[Stage]:
    """Everything but the first session; closed at the end, and the script verified."""
    journal: list[str] = store.journal if store is not None else []
    store = store if store is not None else GatedStore(journal=journal)
    agents = agent if isinstance(agent, Agents) else Agents(agent or ScriptedAgent())
    clock = VirtualClock()
    registry = Registry(store, agents, clock)
    yield Stage(registry, store, clock, journal)
    store.open.set()
    await registry.aclose()
    if verify and isinstance(agents.default, ScriptedAgent):
        agents.default.verify()
