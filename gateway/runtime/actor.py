"""One actor owns a session. It is the only caller of ``Session.handle``.

For each input: decide, and stop what must stop. What was decided then goes its way in order: append
the facts; publish; acknowledge; start what must start. Silence may not wait for a disk, so deciding
does not wait for the append of what was decided before; announcing does, because what was announced
must survive. Whatever fails comes back as an input. The one failure that cannot is the log's own:
then the actor ends, its connections are told, and the next join reads the log.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from gateway.core import events as ev, inputs as inp
from gateway.core.ids import DEFAULT_TENANT, DeviceId, ItemId, LegId, SessionId, UserId
from gateway.core.session import Outcome, Session
from gateway.core.state import State
from gateway.errors import StoreError
from gateway.runtime.choice import Agents
from gateway.runtime.clock import Clock
from gateway.runtime.glance import Glance, glance_at
from gateway.runtime.perform import Performer
from gateway.runtime.ports import NO_WORDS, Content, Published, Store, Subscriber, Verdict, VoicePort, entering

log = logging.getLogger(__name__)

MAILBOX: Final = 1024
"""Inputs that may wait. Whoever brings more by :meth:`Actor.submit` waits too; ears and loudspeakers,
which post, are bounded by their own clock."""

T = TypeVar("T")

AHEAD: Final = 256
"""Decisions that may wait for the log. A log that hangs for longer than that takes the session with it into its
silence, in which nothing sounds any more that was told to stop."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who brings an input. ``command`` is None for what is not a client's command."""

    leg: LegId = LegId("")
    device: DeviceId = DeviceId("")
    command: str | None = None
    key: str = ""
    digest: str = ""
    user: UserId = UserId("")


INSIDE: Final = Origin()


@dataclass(frozen=True, slots=True)
class _Letter:
    input: inp.Input
    origin: Origin


@dataclass(frozen=True, slots=True)
class _Decided:
    """What an input led to, on its way into the log and to whoever listens."""

    outcome: Outcome
    origin: Origin
    leaves: bool


class SessionEnded(Exception):
    """The actor was asked after its end; join the session again."""


class _Deaf:
    """Stands for a connection that is about to join: takes nothing."""

    def publish(self, batch: Sequence[Published]) -> None:
        pass

    def accept(self, verdict: Verdict) -> None:
        pass

    def end(self, code: str) -> None:
        pass


_DEAF: Final = _Deaf()


class Actor:
    """A session at work. Run :meth:`run` in a task; everything else may be called from the same loop."""

    def __init__(
        self, session_id: SessionId, epoch: str, core: Session, seq: int, store: Store, agents: Agents, clock: Clock
    ) -> None:
        self.session_id = session_id
        self.epoch = epoch
        self.seq = seq
        """The log's last seq."""

        self.tenant, self.opened_by = DEFAULT_TENANT, UserId("")
        self.ended = False
        self._core = core
        self._store = store
        self._clock = clock
        self._performer = Performer(session_id, core, store, agents, self.submit, self.post)
        self._mailbox: deque[_Letter | Callable[[], None]] = deque()
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._subscribers: dict[LegId, Subscriber] = {}
        self._visits: set[asyncio.Future[Any]] = set()
        self._decided_seq = seq
        """What the log's last seq will be when all that was decided is written."""

        self._unwritten: deque[_Decided | Callable[[], None]] = deque()
        """Decisions, and looks at the session between them, until they are through."""

        self._decided = asyncio.Event()
        self._written = asyncio.Event()
        self.idle_since = clock.now()

    @property
    def state(self) -> State:
        """The session's state, to be read only."""
        return self._core.state

    @property
    def idle(self) -> bool:
        """True while nobody is connected and nothing is being generated, decided or written."""
        return not (self._subscribers or self._performer.busy or self._mailbox or self._unwritten)

    def post(self, input: inp.Input, origin: Origin = INSIDE) -> None:
        """Put an input into the mailbox, without waiting."""
        if not self.ended:
            self._mailbox.append(_Letter(input, origin))
            self._arrived.set()

    async def submit(self, input: inp.Input, origin: Origin = INSIDE) -> None:
        """Put an input into the mailbox once there is room."""
        while len(self._mailbox) >= MAILBOX and not self.ended:
            self._room.clear()
            await self._room.wait()
        self.post(input, origin)

    async def join(self, leg: LegId, subscriber: Subscriber) -> Glance:
        """Connect a device: it takes whatever is published after the returned instant, and nothing before."""
        self._subscribers[leg] = _DEAF  # holds the session in memory from now on

        def enter() -> None:
            if leg in self._subscribers:
                self._subscribers[leg] = subscriber

        return await self.consult(self._glance, enter)

    def attach(self, leg: LegId, subscriber: Subscriber) -> None:
        """Connect who needs not be brought up to date, and wants to know what becomes of a command."""
        if self.ended:
            raise SessionEnded(self.session_id)
        self._subscribers[leg] = subscriber

    def _glance(self, state: State) -> Glance:
        return glance_at(state, self._decided_seq)

    async def glance(self, at_that_instant: Callable[[], object] = lambda: None) -> Glance:
        """The session as it is between two inputs; called when all of that was published, and nothing after it."""
        return await self.consult(self._glance, at_that_instant)

    async def amend(self, change: Callable[[State], inp.Input | None], origin: Origin) -> bool:
        """Derive an input from the state as it is then, and have it handled before any other; False for None.

        So nothing comes between: two that merge into the same settings do not undo each other.
        """

        def derive(state: State) -> bool:
            input = change(state)
            if input is not None:
                self._mailbox.appendleft(_Letter(input, origin))
            return input is not None

        return await self.consult(derive)

    async def consult(self, question: Callable[[State], T], at_that_instant: Callable[[], object] = lambda: None) -> T:
        """What *question* finds in the state between two inputs; told when all that led to it was published."""
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def visit() -> None:
            found = question(self._core.state)

            def agree() -> None:
                if not answer.done():
                    at_that_instant()
                    answer.set_result(found)

            self._go_on(agree)

        if self.ended:
            raise SessionEnded(self.session_id)
        self._visits.add(answer)
        answer.add_done_callback(self._visits.discard)
        self._mailbox.append(visit)
        self._arrived.set()
        return await answer

    def add_voice(
        self, origin: Origin, voice: VoicePort, *, revocable: bool, answers: bool = True, interrupts: bool = True
    ) -> None:
        """Give a connection ears and a mouth, or the same ones other wishes (see ``VoiceJoined``)."""
        self._performer.voices[origin.leg] = voice
        self.post(inp.VoiceJoined(revocable, answers, interrupts), origin)

    def leave(self, origin: Origin, *, goodbye: bool = False) -> None:
        """Disconnect a device. It cancels nothing. Without a *goodbye* others wait for it to come back."""
        self._subscribers.pop(origin.leg, None)
        self.idle_since = self._clock.now()
        self.post(inp.LegLeft(goodbye), origin)

    async def run(self, on_end: Callable[["Actor"], None]) -> None:
        """Handle inputs until cancelled, or until the log fails."""
        code = "shutdown"
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._write_all(), name=f"{self.session_id} writes")
                await self._decide_all()
        except* StoreError:
            code = "internal_error"
            log.exception("session ended: its log failed", extra={"session": self.session_id})
        except* Exception:
            code = "internal_error"
            log.exception("session ended: a fault of ours", extra={"session": self.session_id})
        finally:
            self.ended = True
            self._room.set()
            for visit in list(self._visits):
                visit.set_exception(SessionEnded(self.session_id))
            on_end(self)
            for subscriber in list(self._subscribers.values()):
                subscriber.end(code)
            await self._performer.aclose()

    async def _decide_all(self) -> None:
        while True:
            letter = await self._next()
            if isinstance(letter, _Letter):
                self._decide(letter)
            else:
                letter()

    async def _next(self) -> _Letter | Callable[[], None]:
        """The next letter, or ``DeadlineReached`` when a deadline passes first."""
        while len(self._unwritten) >= AHEAD:
            self._written.clear()
            await self._written.wait()
        while not self._mailbox:
            self._arrived.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._core.next_deadline()):
                    await self._arrived.wait()
                    continue
            return _Letter(inp.DeadlineReached(), INSIDE)
        letter = self._mailbox.popleft()
        if len(self._mailbox) < MAILBOX:
            self._room.set()
        return letter

    def _decide(self, letter: _Letter) -> None:
        outcome = self._core.handle(letter.input, self._stamp(letter.origin))
        answers = [self._performer.stop(effect) for effect in outcome.stopping]
        for answer in reversed(answers):
            if answer is not None:
                self._mailbox.appendleft(_Letter(answer, INSIDE))
        self._decided_seq += len(outcome.facts)
        self._go_on(_Decided(outcome, letter.origin, isinstance(letter.input, inp.LegLeft)))

    def _go_on(self, step: _Decided | Callable[[], None]) -> None:
        """Let a decision, or a look between two, go its way: at once where nothing is to be written first."""
        if self._unwritten or (isinstance(step, _Decided) and step.outcome.facts):
            self._unwritten.append(step)
            self._decided.set()
        else:
            self._finish(step, self.seq)

    async def _write_all(self) -> None:
        while True:
            while not self._unwritten:
                self._performer.all_started()
                self._decided.clear()
                await self._decided.wait()
            step, before, words = self._unwritten[0], self.seq, NO_WORDS
            if isinstance(step, _Decided) and step.outcome.facts:
                facts = step.outcome.facts
                self.seq = await self._store.append(self.session_id, before, facts, self._clock.wall())
                if self.seq == self._decided_seq and self._store.snapshot_due(self.session_id):
                    self._store.save_snapshot(self.session_id, self.seq, self._core.state.conversation)
                words = await self._brought_back(facts)
            self._finish(step, before, words)
            self._unwritten.popleft()
            self._written.set()

    async def _brought_back(self, facts: Sequence[ev.Fact]) -> Mapping[ItemId, Content]:
        """What the messages say that enter the active path again by these facts."""
        entered = entering(facts)
        return await self._store.contents(self.session_id, entered) if entered else NO_WORDS

    def _finish(
        self, step: _Decided | Callable[[], None], before: int, words: Mapping[ItemId, Content] = NO_WORDS
    ) -> None:
        """What is left to do with a step whose facts are in the log, after *before*."""
        if not isinstance(step, _Decided):
            step()
            return
        self._save_open(step.outcome)
        self._publish(step.outcome, before + 1, words)
        self._acknowledge(step.origin, step.outcome)
        for effect in step.outcome.starting:
            self._performer.start(effect)
        if step.leaves:
            self._performer.voices.pop(step.origin.leg, None)

    def _stamp(self, origin: Origin) -> inp.Stamp:
        return inp.Stamp(
            mono=self._clock.now(),
            wall=self._clock.wall(),
            seed=self._clock.token(),
            device=origin.device,
            leg=origin.leg,
            command=origin.command or "",
            key=origin.key,
            digest=origin.digest,
            user=origin.user,
        )

    def _save_open(self, outcome: Outcome) -> None:
        for event in outcome.events:
            if isinstance(event, ev.TextAppended):
                text = self._core.state.moment.texts.get(event.item_id)
                if text is not None:
                    self._store.save_open(self.session_id, event.item_id, text)

    def _publish(self, outcome: Outcome, seq: int, words: Mapping[ItemId, Content]) -> None:
        batch: list[Published] = []
        facts = iter(outcome.facts)
        fact = next(facts, None)
        for event in outcome.events:
            if event is fact:
                batch.append(Published(event, seq, words))
                seq += 1
                fact = next(facts, None)
            else:
                batch.append(Published(event, None))
        if batch:
            for subscriber in list(self._subscribers.values()):
                subscriber.publish(batch)

    def _acknowledge(self, origin: Origin, outcome: Outcome) -> None:
        subscriber = self._subscribers.get(origin.leg)
        if origin.command is not None and outcome.accepted and subscriber is not None:
            subscriber.accept(Verdict(origin.command, self.seq, outcome.duplicate, outcome.without_effect))
