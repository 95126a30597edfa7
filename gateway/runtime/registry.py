"""All sessions of a process: opened, read from the log when somebody joins, let go when idle."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final

from gateway.core import events as ev, inputs as inp
from gateway.core.ids import DEFAULT_TENANT, ItemId, SessionId, TenantId, UserId, session_id, shard_of
from gateway.core.policy import Policy
from gateway.core.session import Session
from gateway.core.state import Conversation
from gateway.core.values import Settings
from gateway.runtime.actor import Actor
from gateway.runtime.choice import Agents
from gateway.runtime.clock import Clock
from gateway.runtime.ports import Store
from gateway.runtime.wishes import place_of, wishes

log = logging.getLogger(__name__)

NOBODYS: Final = SessionId("sess_00")
"""No session has this id."""

IDLE_SECONDS: Final = 300.0
"""A session with nobody connected leaves memory after this; its log stays."""


def _anybody(_user: UserId) -> bool:
    return True


class Registry:
    """Finds the actor of a session, starting it when need be."""

    def __init__(
        self, store: Store, agents: Agents, clock: Clock, policy: Policy | None = None, *, shard: int = 0
    ) -> None:
        self._store = store
        self.agents = agents
        self._clock = clock
        self._policy = policy or Policy()
        self._shard = shard
        self._actors: dict[SessionId, Actor] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loading: dict[SessionId, asyncio.Lock] = {}

    def __len__(self) -> int:
        return len(self._actors)

    async def open(self, settings: Settings, tenant: TenantId = DEFAULT_TENANT, user: UserId = UserId("")) -> Actor:
        """Begin a new session, which belongs to *tenant*. Raises :class:`gateway.errors.StoreError`."""
        new = session_id(self._shard, self._clock.token())
        epoch = self._clock.token()[:8]
        await self._store.create(new, epoch, tenant=tenant)
        actor = self._start(new, epoch, Session(self._policy), 0, tenant, user)
        actor.post(inp.SessionOpened(settings, tenant, user))
        return actor

    async def find(
        self, wanted: SessionId, tenant: TenantId = DEFAULT_TENANT, may: Callable[[UserId], bool] = _anybody
    ) -> Actor | None:
        """The actor of a session; None when *tenant* has no such session, or none that *may* be found: it is asked
        about who opened it."""
        try:
            shard_of(wanted)
        except ValueError:
            return None
        async with self._loading.setdefault(wanted, asyncio.Lock()):
            actor = self._actors.get(wanted)
            if actor is None or actor.tenant != tenant or not may(actor.opened_by):
                actor = await self._load(wanted if actor is None else NOBODYS, tenant, may)
        self._loading.pop(wanted, None)
        if actor is not None:
            actor.idle_since = self._clock.now()  # whoever found it is about to join
        return actor

    async def remove(self, unwanted: SessionId) -> bool:
        """Remove a session for good, unless it is in memory or unknown: then False. Raises ``StoreError``."""
        async with self._loading.setdefault(unwanted, asyncio.Lock()):
            removed = unwanted not in self._actors and await self._store.remove(unwanted)
        self._loading.pop(unwanted, None)
        return removed

    async def _load(self, wanted: SessionId, tenant: TenantId, may: Callable[[UserId], bool]) -> Actor | None:
        # What others have costs what costs that nobody has: a look at whose it is, and one at nothing.
        info, first = await self._store.info(wanted), await self._store.read(wanted, 0, limit=1)
        opened = [it.fact for it in first if isinstance(it.fact, ev.SessionOpened)]
        known = info is not None and info.tenant == tenant and all(may(it.user) for it in opened)
        loaded = await self._store.load(wanted if known else NOBODYS)
        if loaded is None:
            return None
        core = Session.replay((stored.fact for stored in loaded.log), self._policy, loaded.snapshot)
        conversation = core.state.conversation
        if self._store.snapshot_due(wanted):
            self._store.save_snapshot(wanted, loaded.seq, conversation)
        recovered = await self._recovered(wanted, conversation, loaded.open_texts)
        actor = self._start(wanted, loaded.epoch, core, loaded.seq, tenant, conversation.opened_by)
        actor.post(inp.SessionOpened(Settings(), tenant))  # its process may have ended before it said so
        actor.post(recovered)
        return actor

    async def _recovered(
        self, session: SessionId, conversation: Conversation, open_texts: Mapping[ItemId, str]
    ) -> inp.SessionRecovered:
        """What its session is told, with the words that wait in it."""
        waiting = [*(it.item_id for it in conversation.queue), *conversation.steers]
        if not waiting:
            return inp.SessionRecovered(open_texts)
        contents = await self._store.contents(session, [*waiting, *map(place_of, waiting)])
        texts = {item_id: contents[item_id].text for item_id in waiting if item_id in contents}
        return inp.SessionRecovered(open_texts, texts, wishes(waiting, contents))

    def _start(
        self, session: SessionId, epoch: str, core: Session, seq: int, tenant: TenantId, opened_by: UserId
    ) -> Actor:
        actor = Actor(session, epoch, core, seq, self._store, self.agents, self._clock)
        actor.tenant, actor.opened_by = tenant, opened_by
        self._actors[session] = actor
        task = asyncio.create_task(actor.run(self._forget), name=session)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return actor

    def _forget(self, actor: Actor) -> None:
        if self._actors.get(actor.session_id) is actor:
            del self._actors[actor.session_id]

    def evict_idle(self) -> None:
        """Let go of sessions that nobody has used for a while."""
        before = self._clock.now() - IDLE_SECONDS
        for task in list(self._tasks):
            actor = self._actors.get(SessionId(task.get_name()))
            if actor is not None and actor.idle and actor.idle_since < before:
                self._forget(actor)  # at once: nobody shall find an actor that is about to end
                task.cancel()

    async def aclose(self) -> None:
        """End every session; their connections are told ``shutdown``."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
