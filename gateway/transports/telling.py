"""What one client is told: in the order in which it happened, numbered for it, and nothing twice."""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.auth.access import Access
from gateway.auth.rights import Right
from gateway.core import events as ev
from gateway.core.ids import DeviceId, LegId
from gateway.protocol import extension as ext, realtime as rt
from gateway.protocol.projection import View, project
from gateway.runtime.actor import Actor, Glance
from gateway.runtime.outbox import MAX_EVENTS
from gateway.runtime.ports import Published, Store, Stored
from gateway.transports import history, resuming
from gateway.transports.stock import SoundFirst


@dataclass(frozen=True, slots=True)
class Caller:
    """Who connects, as its request says."""

    device: DeviceId
    leg: LegId
    extended: bool
    resume: tuple[str, int] | None = None
    """Epoch and seq of the last event it has seen; None when it begins or wants a snapshot."""

    access: Access = field(default_factory=Access)
    resume_token: str = field(default="", repr=False)
    """With this the client comes back, where it came with a client secret."""


NOBODY_HELD: Final[Mapping[str, int]] = {}


async def _at_once() -> None:
    pass


class Teller:
    """Tells one client what its session publishes, once :meth:`greet` has brought it up to date."""

    def __init__(
        self,
        store: Store,
        actor: Actor,
        caller: Caller,
        session: Callable[[], rt.Session],
        *,
        buffered: bool,
        send: Callable[[str], None],
    ) -> None:
        self.last_seq = 0
        """The last fact that this client was told of."""

        self.sends_sound = False
        """True when a client of the standard protocol is sent the sound itself."""

        self.drained: Callable[[], Awaitable[None]] = _at_once
        """Waits until the client was sent what is queued for it, so that a long history does not flood it."""

        self._store = store
        self._actor = actor
        self._caller = caller
        self._session = session
        self._view = View(caller.leg, caller.extended, session, buffered)
        self._send = send
        self._waiting: list[Published] | None = []
        """What was published before the client was brought up to date; None from then on."""

        self._sound_first = SoundFirst(caller.leg)
        self._cleared: deque[str] = deque(maxlen=8)
        self._sent = 0

    # --- one event ---

    def tell(self, event: rt.ServerEvent) -> None:
        """Send one event."""
        self._sent += 1
        event.event_id = f"event_{self._sent}"
        self._send(rt.encode(event))

    def tell_sound(self, event: rt.AudioDelta) -> None:
        """Send a piece of an answer's sound; what is left of one whose cut was announced (its fade) is dropped."""
        if event.response_id not in self._cleared and self._may_read:
            self.tell(event)

    @property
    def _may_read(self) -> bool:
        return self._caller.access.may(Right.READ)

    # --- as it happens ---

    def publish(self, batch: Sequence[Published]) -> bool:
        """Tell what the session decided. False when too much waits for a client that is still being brought up."""
        if not self._may_read:
            return True
        if self._waiting is not None:
            self._waiting.extend(batch)
            return len(self._waiting) <= MAX_EVENTS
        for published in batch:
            for due in self._sound_first.order(published) if self.sends_sound else [published]:
                self._tell(due)
        return True

    def _tell(self, published: Published, *, replay: bool = False) -> None:
        if isinstance(published.event, ev.PlayoutCleared):
            self._cleared.append(published.event.response_id)
        wire = project(published.event, self._view)
        if wire and published.seq is not None:
            # The last one alone: a client whose connection drops between two of them is told the fact again.
            last = wire[-1]
            last.seq, last.prev_seq, last.epoch = published.seq, self.last_seq, self._actor.epoch
            self.last_seq = published.seq
        for event in wire:
            if replay:
                event.replay = True
            self.tell(event)

    # --- bringing a client up to date ---

    async def greet(self, glance: Glance) -> None:
        """Say hello, and tell a client that has just joined what it does not know. Raises ``StoreError``."""
        resume = self._caller.resume
        follows = resume is not None and resuming.void(*resume, self._actor.epoch, glance.seq) is None
        self.last_seq = resume[1] if resume is not None and follows else glance.seq
        created = rt.SessionCreated(session=self._session())
        if self._caller.resume_token and created.session.bargein:
            created.session.bargein["resume_token"] = self._caller.resume_token
        self.tell(created)
        if not self._may_read:
            self._waiting = None
        elif resume is not None:
            await self._resume(*resume, glance, NOBODY_HELD)
        else:
            await self._tell_everything(glance)
        self._catch_up()

    async def resume(self, event: ext.SessionResume) -> None:
        """Go on from the cursor of a client that is connected. Raises ``StoreError``, ``SessionEnded``."""
        waiting = self._waiting = []
        told: list[int] = []
        glance = await self._actor.glance(lambda: told.append(len(waiting)))
        await self._resume(event.epoch, event.seq, glance, event.open)
        self._catch_up(*told)

    def _catch_up(self, told: int = 0) -> None:
        """From now on events go straight to the client, after those that waited; it has been *told* the first ones."""
        waiting, self._waiting = self._waiting or [], None
        # Of those there is nothing more to tell but signals, and text is no signal of its own: it was told whole.
        signals = [it for it in waiting[:told] if it.seq is None and not isinstance(it.event, ev.TextAppended)]
        self.publish([*signals, *waiting[told:]])

    async def _prime(self, seq: int, glance: Glance, following: Sequence[Stored] = ()) -> None:
        """Let the view know the answers that had begun at *seq* and go on."""
        for fact in await resuming.begun_before(self._store, self._actor.session_id, seq, glance, following):
            project(fact, self._view)

    async def _tell_everything(self, glance: Glance) -> None:
        session = self._actor.session_id
        await self._prime(glance.seq, glance)
        items = await history.items(self._store, session, glance)
        self.last_seq = glance.seq
        if self._caller.extended:
            snapshot = ext.SessionSnapshot(session_id=session, items=items)
            snapshot.seq, snapshot.epoch = glance.seq, self._actor.epoch
            await self.drained()  # one that is larger than all that may wait fits where nothing waits
            self.tell(snapshot)
            return
        for event in history.told(items):
            await self.drained()
            self.tell(event)

    async def _resume(self, epoch: str, seq: int, glance: Glance, held: Mapping[str, int]) -> None:
        """Tell what followed the client's cursor, or why that cannot be told, and then everything."""
        session, extended = self._actor.session_id, self._caller.extended
        reason = resuming.void(epoch, seq, self._actor.epoch, glance.seq)
        if reason is not None:
            if extended:
                self.tell(ext.SessionReset(session_id=session, reason=reason))
            await self._tell_everything(glance)
            return
        missed = await resuming.missed(self._store, session, seq, glance)
        await self._prime(seq, glance, missed)
        if extended:
            resumed = ext.SessionResumed(session_id=session)
            resumed.seq, resumed.epoch = glance.seq, self._actor.epoch
            self.tell(resumed)
        self.last_seq = seq
        for stored in missed:
            await self.drained()
            self._tell(Published(stored.fact, stored.seq), replay=True)
        for event in resuming.open_texts(glance, self._view, held):
            self.tell(event)
