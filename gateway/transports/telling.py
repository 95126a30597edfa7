"""What one client is told: in the order in which it happened, numbered for it, and nothing twice."""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec import UNSET

from gateway.auth.access import Access
from gateway.auth.rights import Right
from gateway.core import events as ev
from gateway.core.ids import DeviceId, LegId, ResponseId
from gateway.protocol import extension as ext, presence, realtime as rt
from gateway.protocol.frames import MOST_BYTES as MOST_FRAME_BYTES, frames
from gateway.protocol.projection import project
from gateway.protocol.view import View, output_index
from gateway.runtime.actor import Actor
from gateway.runtime.glance import Glance
from gateway.runtime.outbox import MAX_EVENTS
from gateway.runtime.ports import Published, Store, Stored, entering
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

    name: str = ""
    """What others are shown for the device."""
    access: Access = field(default_factory=Access)
    resume_token: str = field(default="", repr=False)
    """With this the client comes back, where it came with a client secret."""

    kind: str = ""
    """``browser``, ``phone``, ``desktop``, ``server``, or what its client calls it."""

    held: Mapping[str, int] = field(default_factory=dict)
    """How many code points of each unfinished item it holds, if it resumes."""


MOST_BYTES: Final = MOST_FRAME_BYTES - 32 * 1024
"""The rest of a snapshot beside its messages has room in a frame, too."""

AT_ONCE: Final = 16
"""Facts that are told again before the client must have been sent them all."""

MUCH: Final = 32_768
"""Or as many characters of messages, which the events of an answer repeat six times: an outbox has room for those."""

MAX_MISSED: Final = 10_000
"""Facts that are told again one by one; after more of them the conversation as it is now is sooner told."""


def _moves(stored: Stored) -> bool:
    """May messages have lost siblings by this fact?"""
    return isinstance(stored.fact, ev.ItemRemoved | ev.BranchSelected)


async def _at_once() -> None:
    pass


class Teller:
    """Tells one client what its session publishes, once :meth:`greet` has brought it up to date."""

    def __init__(
        self,
        store: Store,
        actor: Actor,
        caller: Caller,
        session: Callable[[], rt.AnySession],
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

        self.most_bytes = MOST_BYTES
        """How much of the conversation one event may hold."""

        self._store = store
        self._actor = actor
        self._caller = caller
        self._session = session
        self._view = View(caller.leg, caller.extended, session, buffered)
        self._send = send
        self.deliver: Callable[[rt.ServerEvent], None] = self._deliver
        """Sends one event; a carrier that needs more than its JSON puts its own in place."""

        self.most_frame_bytes: Callable[[], int] = lambda: MOST_FRAME_BYTES
        """How long a message its client takes."""

        self.retry_after_ms: Callable[[], int] = lambda: 0
        """How long this client shall wait before it resumes the next time; asked once for each resume."""

        self._waiting: list[Published] | None = []
        """What was published before the client was brought up to date; None from then on."""

        self._sound_first = SoundFirst(caller.leg)
        self._speaking: dict[str, tuple[str, int]] = {}
        """The item that each spoken response is giving out, and its place in the output."""

        self._cleared: deque[str] = deque(maxlen=8)
        """Items of which nothing more may be heard."""

        self._sent = 0

    def heed(self, words: Callable[[], bool], converses: Callable[[], bool]) -> None:
        """What the client wants to be told, asked whenever there is anything: see ``View``."""
        self._view.words, self._view.converses = words, converses

    # --- one event ---

    def tell(self, event: rt.ServerEvent) -> None:
        """Send one event."""
        self._sent += 1
        event.event_id = f"event_{self._sent}"
        self.deliver(event)

    def _deliver(self, event: rt.ServerEvent) -> None:
        for text in frames(event, self.most_frame_bytes()):
            self._send(text)

    def _show(self, event: rt.ServerEvent) -> None:
        """Send what only a reader may see; the right to read may be taken away while a long history is told."""
        if self._may_read:
            self.tell(event)

    def tell_sound(self, event: rt.AudioDelta) -> None:
        """Send a piece of an answer's sound; what is left of one whose cut was announced (its fade) is dropped."""
        if event.item_id not in self._cleared and self._may_read:
            _, event.output_index = self._speaking.get(event.response_id, ("", 0))
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
        self._follow(published.event)
        words = {item_id: (content.text, content.unheard) for item_id, content in published.words.items()}
        wire = project(published.event, self._view, words)
        if wire and published.seq is not None:
            # The last one alone: a client whose connection drops between two of them is told the fact again.
            last = wire[-1]
            last.seq, last.prev_seq, last.epoch = published.seq, self.last_seq, self._actor.epoch
            self.last_seq = published.seq
        for event in wire:
            if replay:
                event.replay = True
            self._show(event)

    def _follow(self, event: ev.Event) -> None:
        """What sounds here, as which item, and what does no longer."""
        match event:
            case ev.ItemAdded(role="assistant", spoken=True) if event.response_id is not None:
                place = output_index(event.response_id, event.item_id, self._view)
                self._speaking[event.response_id] = event.item_id, place
            case ev.PlayoutMoved() | ev.PlayoutCleared() if event.response_id in self._speaking:
                self._hush(event, self._speaking[event.response_id][0])
            case ev.PlayoutStopped():
                self._speaking.pop(event.response_id, None)
            case _:
                pass

    def _hush(self, event: ev.PlayoutMoved | ev.PlayoutCleared, item_id: str) -> None:
        if isinstance(event, ev.PlayoutCleared):
            del self._speaking[event.response_id]
        if isinstance(event, ev.PlayoutCleared) or event.leg != self._caller.leg:
            self._cleared.append(item_id)
        elif item_id in self._cleared:  # it was here before
            self._cleared.remove(item_id)

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
            await self._resume(*resume, glance, self._caller.held)
        else:
            await self._tell_everything(glance)
        self._tell_company(glance)
        self._catch_up()

    async def resume(self, event: ext.SessionResume) -> None:
        """Go on from the cursor of a client that is connected. Raises ``StoreError``, ``SessionEnded``."""
        waiting = self._waiting = []
        told: list[int] = []
        glance = await self._actor.glance(lambda: told.append(len(waiting)))
        await self._resume(event.epoch, event.seq, glance, event.open)
        self._tell_company(glance)
        self._catch_up(*told)

    def _catch_up(self, told: int = 0) -> None:
        """From now on events go straight to the client, after those that waited; it has been *told* the first ones."""
        waiting, self._waiting = self._waiting or [], None
        # Of those there is nothing more to tell but signals, and text and presence were told whole.
        whole = ev.TextAppended | ev.PresenceChanged
        signals = [it for it in waiting[:told] if it.seq is None and not isinstance(it.event, whole)]
        self.publish([*signals, *waiting[told:]])

    async def _prime(self, wanted: set[ResponseId], seq: int) -> None:
        """Let the view know these answers, which had begun at *seq* and go on."""
        for fact in await resuming.begun_before(self._store, self._actor.session_id, wanted, seq):
            project(fact, self._view)

    def _tell_company(self, glance: Glance) -> None:
        """Who is here stands in no log, so that it is told anew whenever something may have been missed."""
        if self._caller.extended and self._may_read:
            you = self._actor.state.moment.presence.of(self._caller.leg)
            for event in presence.snapshot(glance.company, you.member_id if you is not None else None):
                self.tell(event)

    async def _tell_everything(self, glance: Glance) -> None:
        session = self._actor.session_id
        await self._prime(resuming.living(glance), glance.seq)
        self.last_seq = glance.seq
        if self._caller.extended:
            part = await history.newest(self._store, session, glance, self.most_bytes)
            running: list[str] = list(glance.running)
            before = part.has_before or UNSET
            snapshot = ext.SessionSnapshot(session_id=session, items=part.items, has_before=before, running=running)
            snapshot.seq, snapshot.epoch = glance.seq, self._actor.epoch
            await self.drained()  # one that is larger than all that may wait fits where nothing waits
            self._show(snapshot)
            if glance.queue:
                self._show(await history.waiting(self._store, self._actor, glance))
            return
        for event in history.told(await history.items(self._store, session, glance)):
            await self.drained()
            self._show(event)

    async def _resume(self, epoch: str, seq: int, glance: Glance, held: Mapping[str, int]) -> None:
        """Tell what followed the client's cursor, or why that cannot be told, and then everything."""
        session, extended = self._actor.session_id, self._caller.extended
        wait_ms = self.retry_after_ms()
        reason = resuming.void(epoch, seq, self._actor.epoch, glance.seq)
        if reason is not None:
            if extended:
                self.tell(ext.SessionReset(session_id=session, reason=reason))
            await self._tell_everything(glance)
            return
        if glance.seq - seq > MAX_MISSED:
            await self._tell_everything(glance)
            return
        if extended:
            resumed = ext.SessionResumed(session_id=session, retry_after_ms=wait_ms or UNSET)
            resumed.seq, resumed.epoch = glance.seq, self._actor.epoch
            self.tell(resumed)
        self.last_seq = seq
        await self._replay(seq, glance)
        for event in resuming.open_texts(glance, self._view, held):
            self._show(event)

    async def _replay(self, seq: int, glance: Glance) -> None:
        """Tell what followed *seq* up to the glance, a page at a time: no gap is ever held in memory whole."""
        known: set[ResponseId] = set()
        # What the last fact that it has led to may have been lost with its connection.
        moved = any(
            _moves(stored) for stored in await self._store.read(self._actor.session_id, max(seq - 1, 0), limit=1)
        )
        size = 0
        async for page in resuming.missed(self._store, self._actor.session_id, seq, glance.seq):
            begun, mentioned = resuming.responses(page)
            await self._prime(mentioned - begun - known, seq)
            known |= mentioned
            moved = moved or any(_moves(stored) for stored in page)
            words = await self._store.contents(self._actor.session_id, entering(stored.fact for stored in page))
            for at, stored in enumerate(page):
                size += len(getattr(stored.fact, "text", ""))
                if at % AT_ONCE == 0 or size > MUCH:
                    await self.drained()
                    size = 0
                self._tell(Published(stored.fact, stored.seq, words), replay=True)
        await self._prime(resuming.living(glance) - known, seq)
        if self._caller.extended and (glance.choices or moved):
            self._show(resuming.siblings(glance))
