"""The peers of one call, one after another, as if they were one.

A network change breaks a peer for good: aiortc ignores an ICE restart. The client offers anew, and the call goes on
over the new peer: sound as soon as that is connected, events as soon as its channel is open. Only then is the old one
closed.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

from media.frames import Pcm
from media.peer import MESSAGE_BYTES, Ears, Peer, PeerError, PeerOptions, PeerStats, Pull, Reason

log = logging.getLogger(__name__)

LINGER_S: Final = 10.0
"""How long a call whose peer is gone waits for a new one. Nothing sounds meanwhile, and nothing is lost."""

CHANNEL_WITHIN_S: Final = 2.0
"""How long events go on over the old peer when the new one is connected, but its channel does not open."""

RETIRE_S: Final = 1.0
"""What is under way on the old peer has so long to arrive."""

MAX_HELD: Final = 1_024
"""Events that may wait for a new peer."""


class _Path:
    """One peer; its ears."""

    def __init__(self, paths: "Paths") -> None:
        self.peer: Peer
        self.alive = True
        self.opened = asyncio.Event()
        self._paths = paths

    def on_audio(self, pcm: Pcm, rtp_time: int, arrival: float) -> None:
        if self._paths.sound is self:
            self._paths.ears.on_audio(pcm, rtp_time, arrival)

    def attentive(self) -> bool:
        return self._paths.ears.attentive()

    def on_repair(self, pcm: Pcm) -> None:
        if self._paths.sound is self:
            self._paths.ears.on_repair(pcm)

    def on_channel_open(self) -> None:
        self.opened.set()
        self._paths.greet()

    def on_message(self, text: str) -> None:
        self._paths.ears.on_message(text)

    def on_closed(self, reason: Reason) -> None:
        self.alive = False
        self.opened.set()
        self._paths.ended(self, reason)

    def pull(self) -> Pcm | None:
        return self._paths.pull() if self._paths.sound is self else None


class Paths:
    """Hands on to *ears* what the peers bring: the channel's opening and the end once, for all of them."""

    def __init__(self, ears: Ears, pull: Pull, on_gap: Callable[[bool], None] = lambda _broken: None) -> None:
        """*on_gap* is told True when there is no peer left and the call waits for another one, False when it came."""
        self.ears = ears
        self._on_gap = on_gap
        self.pull = pull
        self.sound: _Path | None = None
        """What carries the sound, both ways."""

        self._events: _Path | None = None
        """What carries the events to the client. Those that come are taken from any."""

        self._next: _Path | None = None
        self._paths: set[_Path] = set()
        """All that have not been closed."""

        self._held: list[str] = []
        self._greeted = False
        self._over = False
        self._giving_up: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def add(self, offer: str, options: PeerOptions) -> str:
        """Answer an offer: the first one, or one that is to replace the peer. A replacement that is under way is given
        up for it. Raises :class:`PeerError` as ``Peer.accept`` does, and ``closed``."""
        path = _Path(self)
        path.peer = await Peer.accept(offer, path, path.pull, options)
        if self._over:
            await path.peer.close()
            raise PeerError("closed", "the call is over")
        self._paths.add(path)
        if self.sound is None:
            self.sound = self._events = path
        else:
            before, self._next = self._next, path
            self._spawn(self._move(path, options.connect_timeout_s))
            if before is not None:
                await self._close(before)
        return path.peer.answer_sdp

    def send(self, text: str) -> None:
        """Send *text*, or keep it until there is a peer. Raises :class:`PeerError`: ``channel_full``, ``closed``,
        ``channel_closed``, ``message_too_large``."""
        carrier = self._carrier()
        if carrier is not None:
            carrier.peer.send(text)
        elif len(self._held) < MAX_HELD:
            self._held.append(text)
        else:
            raise PeerError("channel_full", f"more than {MAX_HELD} messages wait for a peer")

    @property
    def message_bytes(self) -> int:
        """How long a message the client takes; 0 for any length."""
        carrier = self._carrier()
        return carrier.peer.message_bytes if carrier is not None else MESSAGE_BYTES

    @property
    def waiting_bytes(self) -> int:
        """How much is under way to the client, or waits to be."""
        carrier = self._carrier()
        return carrier.peer.waiting_bytes if carrier is not None else 0

    def _carrier(self) -> _Path | None:
        return next((each for each in (self._events, self.sound) if each is not None and each.alive), None)

    def stats(self) -> PeerStats | None:
        """The counts of the peer that carries the sound."""
        return self.sound.peer.stats() if self.sound is not None else None

    async def close(self) -> None:
        """Close every peer. The ears are told no more."""
        self._end()
        for task in self._tasks:
            task.cancel()
        closing = [self._close(each) for each in self._paths]
        await asyncio.gather(*self._tasks, *closing, return_exceptions=True)

    async def _close(self, path: _Path) -> None:
        await path.peer.close()
        self._paths.discard(path)

    def _end(self) -> None:
        self._over = True
        self._wait_no_more()

    def _wait_no_more(self) -> None:
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None

    # --- what the peers tell ---

    def greet(self) -> None:
        """A channel is open."""
        if not self._greeted and not self._over:
            self._greeted = True
            self.ears.on_channel_open()

    def ended(self, path: _Path, reason: Reason) -> None:
        """A peer has ended."""
        if path is self._next:
            self._next = None
            self._spawn(self._close(path))
        elif path is self.sound and not self._over:
            if reason == "disconnected" or self._next is not None:
                log.info("a call waits for another peer")
                self._giving_up = asyncio.get_running_loop().call_later(LINGER_S, self._give_up, reason)
                self._on_gap(True)
            else:
                self._give_up(reason)

    def _give_up(self, reason: Reason) -> None:
        self._end()
        self.ears.on_closed(reason)

    # --- from one to the next ---

    async def _move(self, path: _Path, timeout_s: float) -> None:
        with suppress(PeerError):  # it tells its ears as well
            await path.peer.wait_connected(timeout_s)
        old = self.sound
        if self._next is not path or not path.alive or old is None:
            return
        self.sound, self._next = path, None
        if self._giving_up is not None:
            self._on_gap(False)
        self._wait_no_more()
        held, self._held = self._held, []
        try:
            for text in held:
                self.send(text)
        except PeerError:
            self._give_up("failed")
            return
        await self._retire(old, path)

    async def _retire(self, old: _Path, path: _Path) -> None:
        if old.alive:
            with suppress(TimeoutError):
                async with asyncio.timeout(CHANNEL_WITHIN_S):
                    await path.opened.wait()
        if self.sound is path:
            self._events = path
        if old.alive:
            await asyncio.sleep(RETIRE_S)
        await self._close(old)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
