"""What the drivers in Python share: what was heard, a microphone, and the report. Standard library only."""

import asyncio
import json
import os
import re
import sys
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

Event: TypeAlias = dict[str, Any]
"""A server event as the client got it."""

PATIENCE_S: Final = 20.0
"""How long anything in a case may take. Much more than it should, much less than for ever."""

RATE_HZ: Final = 24_000
FRAME: Final = RATE_HZ * 20 // 1000 * 2
"""Bytes of 20 ms."""


class Failed(AssertionError):
    """A case that did not go as it should; its words go into the table."""


class NotApplicable(Exception):
    """A case that this client has not got; its words go into the table."""


class Stage:
    """Where the gateway is, and what it may be told. From the environment, where the runner has put it."""

    def __init__(self) -> None:
        self.url = os.environ["STAGE_URL"]
        self.key = os.environ["STAGE_KEY"]
        self._clips = Path(os.environ["STAGE_CLIPS"])
        self._events = Path(os.environ["STAGE_EVENTS"])

    @property
    def websocket(self) -> str:
        """The endpoint, as ``ws://…/v1/realtime``."""
        return f"{self.url.replace('http', 'ws', 1)}/v1/realtime"

    def clip(self, name: str) -> bytes:
        """A recording: 16 bit samples at 24 kHz."""
        return (self._clips / f"{name}.pcm").read_bytes()

    def keep(self, events: list[Event]) -> None:
        """Leave what was heard to the runner, which looks whether it is as the standard has it."""
        self._events.write_text(json.dumps(events), "utf-8")


class Heard:
    """Every server event, in order, with a place up to which they have been looked at."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._place = 0
        self._news = asyncio.Event()

    def add(self, event: Event) -> None:
        """The next event."""
        self.events.append(event)
        self._news.set()

    async def until(self, kind: str, **expected: Any) -> Event:
        """The next event of a type whose fields are as *expected*; what came before it counts as looked at."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    for place in range(self._place, len(self.events)):
                        if _matches(self.events[place], kind, expected):
                            self._place = place + 1
                            return self.events[place]
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise Failed(f"no {kind} {expected or ''} came; there were {self._kinds()}") from None

    def here(self) -> None:
        """What has come so far counts as looked at."""
        self._place = len(self.events)

    def since(self, first: Event, kind: str) -> list[Event]:
        """Events of a type that came after *first*."""
        place = next(place for place, event in enumerate(self.events) if event is first)
        return [event for event in self.events[place:] if event["type"] == kind]

    @property
    def errors(self) -> list[str]:
        """Codes of the errors that were told."""
        return [str(event["error"].get("code")) for event in self.events if event["type"] == "error"]

    def _kinds(self) -> str:
        kinds = [event["type"] for event in self.events[self._place :]]
        return ", ".join(dict.fromkeys(kinds)) or "none"


def _matches(event: Event, kind: str, expected: dict[str, Any]) -> bool:
    return event["type"] == kind and all(event.get(key) == value for key, value in expected.items())


class Microphone:
    """Sends a frame each 20 ms, as microphones do: silence, unless something is being said."""

    def __init__(self, send: Callable[[bytes], Awaitable[None]], frame: int = FRAME) -> None:
        self._send = send
        self._frame = frame
        self._saying = b""
        self._task: asyncio.Task[None] | None = None

    def say(self, sound: bytes) -> None:
        """Say this, from now on."""
        self._saying = sound

    @asynccontextmanager
    async def on(self) -> AsyncIterator[None]:
        """Open while the context is."""
        self._task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        due = time.monotonic()
        while True:
            piece, self._saying = self._saying[: self._frame], self._saying[self._frame :]
            await self._send(piece.ljust(self._frame, b"\0"))
            due += self._frame / (RATE_HZ * 2)
            await asyncio.sleep(max(0.0, due - time.monotonic()))


class Played:
    """A loudspeaker that plays what comes as it comes: it knows how much of an answer was heard."""

    def __init__(self) -> None:
        self._first = 0.0
        self._bytes = 0
        self.item = ""

    def take(self, item: str, sound: bytes) -> None:
        """Sound of an answer."""
        if item != self.item:
            self.item, self._bytes, self._first = item, 0, time.monotonic()
        self._bytes += len(sound)

    @property
    def ms(self) -> int:
        """Milliseconds of the last answer that were heard by now."""
        return min(int((time.monotonic() - self._first) * 1000), self._bytes * 1000 // (RATE_HZ * 2))


@asynccontextmanager
async def case(name: str) -> AsyncIterator[list[str]]:
    """One case; it yields a list for notes. What it raises is told, and ends only this case."""
    notes: list[str] = []
    try:
        async with asyncio.timeout(3 * PATIENCE_S):
            yield notes
    except NotApplicable as reason:
        _tell(name, "not_applicable", str(reason))
    except Failed as reason:
        _tell(name, "failed", str(reason))
    except Exception as error:
        traceback.print_exc()
        _tell(name, "failed", f"{type(error).__name__}: {error}")
    else:
        _tell(name, "passed", "; ".join(notes))


def _tell(name: str, outcome: str, reason: str) -> None:
    plain = re.sub(r"\s+", " ", reason)[:400]
    sys.stdout.write(json.dumps({"case": name, "outcome": outcome, "reason": plain}) + "\n")
    sys.stdout.flush()


def ensure(true: object, otherwise: str) -> None:
    """Fail the case, in these words, unless it is *true*."""
    if not true:
        raise Failed(otherwise)
