"""Calls between two real peers in one process, over UDP."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from typing import Any, TypeAlias

import pytest

from media.frames import Pcm
from media.peer import Peer, PeerOptions, Pull, Reason
from tests.media.sounds import sine

Run: TypeAlias = Callable[[Coroutine[Any, Any, None]], None]

LIMIT_S = 20

RUNNERS: list[Run] = [asyncio.run, *([import_module("uvloop").run] if find_spec("uvloop") else [])]
on_both_loops = pytest.mark.parametrize("run", RUNNERS, ids=["asyncio", "uvloop"][: len(RUNNERS)])


def play(main: Callable[[], Coroutine[Any, Any, None]], run: Run = asyncio.run) -> None:
    """Run *main*; then let whatever was left open complain, in the test that left it."""
    run(main())
    gc.collect()


class Listener:
    """Ears that write everything down."""

    def __init__(self) -> None:
        self.pcm: list[Pcm] = []
        self.repairs: list[Pcm] = []
        self.times: list[int] = []
        self.arrivals: list[float] = []
        self.messages: list[str] = []
        self.opened = 0
        self.ends: list[Reason] = []
        self._news = asyncio.Event()

    def on_audio(self, pcm: Pcm, rtp_time: int, arrival: float) -> None:
        self.pcm.append(pcm)
        self.times.append(rtp_time)
        self.arrivals.append(arrival)
        self._news.set()

    def attentive(self) -> bool:
        return True

    def on_repair(self, pcm: Pcm) -> None:
        self.repairs.append(pcm)
        self._news.set()

    def on_channel_open(self) -> None:
        self.opened += 1
        self._news.set()

    def on_message(self, text: str) -> None:
        self.messages.append(text)
        self._news.set()

    def on_closed(self, reason: Reason) -> None:
        self.ends.append(reason)
        self._news.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            self._news.clear()
            await self._news.wait()

    def steps(self) -> list[int]:
        """RTP time from each packet to the next, which may wrap."""
        half = 1 << 31
        return [(later - sooner + half) % (2 * half) - half for sooner, later in pairwise(self.times)]

    async def hear(self, packets: int) -> None:
        await self.until(lambda: len(self.pcm) >= packets)


class Tone:
    """Pulls a sine that never ends."""

    def __init__(self, hz: float, rate_hz: int = 24_000) -> None:
        self._second: list[Pcm] = list(sine(hz, rate_hz, 1_000).reshape(50, -1))
        self.pulled = 0

    def __call__(self) -> Pcm:
        self.pulled += 1
        return self._second[(self.pulled - 1) % 50]


def mute() -> None:
    return None


class Call:
    """A caller, who offers, and a gateway, which answers."""

    def __init__(self, caller: Peer, gateway: Peer, at_caller: Listener, at_gateway: Listener) -> None:
        self.caller = caller
        self.gateway = gateway
        self.at_caller = at_caller
        self.at_gateway = at_gateway

    async def opened(self) -> None:
        await self.at_caller.until(lambda: self.at_caller.opened > 0)
        await self.at_gateway.until(lambda: self.at_gateway.opened > 0)


async def nothing_runs() -> None:
    """Every task of the call comes to its end by itself."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    if rest:
        _, running = await asyncio.wait(rest, timeout=LIMIT_S)
        assert not running


_DEFAULTS = PeerOptions()


@asynccontextmanager
async def called(
    speak: Pull = mute, answer: Pull = mute, options: PeerOptions = _DEFAULTS, caller_options: PeerOptions = _DEFAULTS
) -> AsyncIterator[Call]:
    """A call whose answer is known on both sides; it connects by itself."""
    at_caller, at_gateway = Listener(), Listener()
    async with asyncio.timeout(LIMIT_S):
        caller = await Peer.offer(at_caller, speak, caller_options)
        gateway = await Peer.accept(caller.offer_sdp, at_gateway, answer, options)
        await caller.connect(gateway.answer_sdp)
        try:
            yield Call(caller, gateway, at_caller, at_gateway)
        finally:
            await caller.close()
            await gateway.close()
        await nothing_runs()
    assert len(at_caller.ends) == len(at_gateway.ends) == 1
