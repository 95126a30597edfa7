"""Many callers in one process, as cheap as they can be, so that the server gets the machine.

Run by :mod:`benchmarks.crowd`: commands come on stdin, one a line, and each is answered with a line of JSON.
``add ROLE COUNT`` calls; ``measure SECONDS`` tells what came in meanwhile; ``drop COUNT`` hangs the oldest up, and
``vanish COUNT`` does so without a word. What is sent was encoded before; what comes is decrypted, counted and dropped.
"""

import asyncio
import json
import sys
import time
from collections import deque
from contextlib import AsyncExitStack
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

import numpy as np
import uvloop

from benchmarks.caller import Answer, Caller, called, level_of, posted, posted_json
from benchmarks.common import BENCH_CLIPS, CALLERS, DEV_CLIPS
from gateway.replay.sound import read_clip
from media.codecs.opus import Encoder
from media.frames import VOICE_FRAME, VOICE_RATE_HZ, Pcm, silence

SLOTS: Final = 20
"""Callers are spread over the 20 ms, as real ones are."""

AT_ONCE: Final = 4
"""How many call at the same time."""

Role: TypeAlias = Literal["quiet", "agent", "user", "both", "noisy"]
"""A quiet line; the same while the agent speaks; a user who talks and wants no answer; one who talks over answers;
one who says nothing in a noisy place."""

_LISTENS: Final = {"type": "server_vad", "create_response": False, "interrupt_response": False}


class Histogram:
    """Counts of whole milliseconds from 0 up to ten seconds."""

    def __init__(self) -> None:
        self.counts = np.zeros(10_000, dtype=np.int64)

    def note(self, seconds: float) -> None:
        self.counts[min(max(int(seconds * 1000), 0), 9_999)] += 1

    def percentile(self, part: float) -> float:
        whole = int(self.counts.sum())
        return float(np.searchsorted(np.cumsum(self.counts), part * whole)) if whole else 0.0

    def above(self, ms: int) -> int:
        return int(self.counts[ms:].sum())


def _noise(ms: int, level: float = 8.0) -> Pcm:
    return np.random.default_rng(1).normal(0, level, ms * VOICE_RATE_HZ // 1000).astype(np.int16)


def _speech() -> list[Pcm]:
    found = sorted(BENCH_CLIPS.glob("bench_u*.wav")) or sorted(CALLERS.glob("ask_*.wav"))
    return [read_clip(path).pcm for path in found]


def _sound(role: Role) -> Pcm:
    match role:
        case "user":
            return np.concatenate([part for clip in _speech() for part in (clip, _noise(900))])
        case "both":
            return np.concatenate([part for clip in _speech() for part in (_noise(6000), clip)])
        case "noisy":
            found: list[Path] = sorted(DEV_CLIPS.glob("noise_*.wav"))
            return np.concatenate([read_clip(path).pcm for path in found] or [_noise(10_000, 300.0)])
        case _:
            return _noise(5000)


@cache
def payloads(role: Role) -> list[tuple[bytes, int]]:
    """What a caller in that role says, again and again, 20 ms each, and how many dB below full scale each is."""
    encoder, sound = Encoder(VOICE_RATE_HZ), _sound(role)
    whole = np.concatenate((sound, silence(-len(sound) % VOICE_FRAME)))
    frames = [whole[at : at + VOICE_FRAME] for at in range(0, len(whole), VOICE_FRAME)]
    return [(encoder.encode(frame), level_of(frame)) for frame in frames]


class One:
    """One caller."""

    def __init__(self, crowd: "Crowd", role: Role, number: int) -> None:
        said = payloads(role)
        self.stack = AsyncExitStack()
        self.caller: Caller | None = None
        self._crowd = crowd
        self._role = role
        self._said = cycle(said[number * 37 % len(said) :] + said[: number * 37 % len(said)])
        self._last = 0.0
        self._base: float | None = None

    async def call(self) -> None:
        """Call, and begin to talk."""
        self.caller = await self.stack.enter_async_context(called(self._crowd.answer, lambda *_: None, self.hear_of))
        dtls = self.caller.pc.getTransceivers()[0].receiver.transport
        vars(dtls)["_handle_rtp_data"] = self.take

    def say(self) -> None:
        if self.caller is not None:
            self.caller.send(*next(self._said))

    def hear_of(self, event: dict[str, Any], at: float) -> None:
        kind = event.get("type")
        self._crowd.events[str(kind)] = self._crowd.events.get(str(kind), 0) + 1
        if kind == "session.created" and self._role == "user":
            asyncio.get_running_loop().call_soon(self._listen_only)
        elif kind in ("session.created", "output_audio_buffer.stopped") and self._role in ("agent", "both"):
            asyncio.get_running_loop().call_later(0.1, self._ask)

    def _listen_only(self) -> None:
        session = {"type": "realtime", "audio": {"input": {"turn_detection": _LISTENS}}}
        self._tell("session.update", session=session)

    def _ask(self) -> None:
        self._tell("response.create")

    def _tell(self, kind: str, **fields: Any) -> None:
        if self.caller is None:  # it was greeted before the call counted as connected
            asyncio.get_running_loop().call_later(0.1, lambda: self._tell(kind, **fields))
        elif self.caller.channel.readyState == "open":
            self.caller.tell(kind, **fields)

    async def take(self, data: bytes, arrival_time_ms: int) -> None:
        """A packet came: how long after the one before, and how much later than its place in the stream."""
        now, crowd = time.monotonic(), self._crowd
        crowd.received += 1
        if self._last:
            crowd.gaps.note(now - self._last)
        self._last = now
        place = now - int.from_bytes(data[4:8], "big") / 48_000
        self._base = place if self._base is None else min(self._base, place)
        crowd.late.note(place - self._base)


class Crowd:
    """All callers of the process."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.received = 0
        self.events: dict[str, int] = {}
        self.gaps, self.late, self.own = Histogram(), Histogram(), Histogram()
        self._slots: list[list[One]] = [[] for _ in range(SLOTS)]
        self._everyone: deque[tuple[One, list[One]]] = deque()
        self._made = 0

    async def add(self, role: Role, count: int) -> int:
        """*count* more callers; how many could not be had."""
        failed = 0
        for start in range(0, count, AT_ONCE):
            batch = [One(self, role, self._made + at) for at in range(min(AT_ONCE, count - start))]
            self._made += len(batch)
            done = await asyncio.gather(*(one.call() for one in batch), return_exceptions=True)
            for one, result in zip(batch, done, strict=True):
                if isinstance(result, BaseException):
                    failed += 1
                    await one.stack.aclose()
                    continue
                slot = min(self._slots, key=len)
                slot.append(one)
                self._everyone.append((one, slot))
        return failed

    async def drop(self, count: int) -> None:
        """Hang the *count* oldest up."""
        for _ in range(min(count, len(self._everyone))):
            one, slot = self._everyone.popleft()
            slot.remove(one)
            await one.stack.aclose()

    async def vanish(self, count: int) -> None:
        """Cut the line of the *count* oldest, then forget them: the other side is told nothing."""
        for _ in range(min(count, len(self._everyone))):
            one, slot = self._everyone.popleft()
            slot.remove(one)
            if one.caller is not None:
                one.caller.cut()
            await one.stack.aclose()

    async def talk(self) -> None:
        """Send, until cancelled."""
        started, tick = time.monotonic(), 0
        while True:
            due = started + tick * 0.02 / SLOTS
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.own.note(time.monotonic() - due)
            for one in self._slots[tick % SLOTS]:
                one.say()
            tick += 1

    async def measure(self, seconds: float) -> dict[str, Any]:
        """What came in during *seconds*."""
        self.gaps, self.late, self.own = Histogram(), Histogram(), Histogram()
        self.received, started, cpu = 0, time.monotonic(), time.process_time()
        await asyncio.sleep(seconds)
        took = time.monotonic() - started
        return {
            "calls": len(self._everyone),
            "packets_per_call_s": round(self.received / took / max(1, len(self._everyone)), 1),
            "gap_p50_ms": self.gaps.percentile(0.5),
            "gap_p99_ms": self.gaps.percentile(0.99),
            "gaps_over_60_ms": self.gaps.above(60),
            "arrival_late_p50_ms": self.late.percentile(0.5),
            "arrival_late_p99_ms": self.late.percentile(0.99),
            "generator_late_p99_ms": self.own.percentile(0.99),
            "generator_core": round((time.process_time() - cpu) / took, 2),
            "events": self.events,
        }


async def _obey(crowd: Crowd) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    talking = asyncio.create_task(crowd.talk())
    try:
        while line := (await reader.readline()).decode().split():
            answer: dict[str, Any] = {}
            match line:
                case ["add", role, count] if role in get_args(Role):
                    answer = {"failed": await crowd.add(role, int(count))}  # type: ignore[arg-type]
                case ["measure", seconds]:
                    answer = await crowd.measure(float(seconds))
                case ["drop", count]:
                    await crowd.drop(int(count))
                case ["vanish", count]:
                    await crowd.vanish(int(count))
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
    finally:
        talking.cancel()
        await crowd.drop(sys.maxsize)


def main() -> None:
    """``python -m benchmarks.load URL [PATH]``: PATH is where a peer takes ``{"sdp", "type"}``."""
    url, *path = sys.argv[1:]
    for role in get_args(Role):
        payloads(role)
    crowd = Crowd(posted_json(url, path[0]) if path else posted(url))
    uvloop.run(_obey(crowd))


if __name__ == "__main__":
    main()
