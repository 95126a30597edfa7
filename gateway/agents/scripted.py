"""An agent that follows a script, for tests of whatever is built on the gateway.

Strict: it gives the replies it was given, in their order and once each. Asked more often it fails,
and :meth:`ScriptedAgent.verify` complains about that, and about replies that nobody asked for.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, assert_never

from gateway.errors import AgentError
from gateway.runtime.ports import Conversation, Piece, SteerMode


@dataclass(frozen=True, slots=True)
class Say:
    """Yield this piece of text."""

    text: str


@dataclass(frozen=True, slots=True)
class Give:
    """Yield what is no text: the call of a tool, what it cost, …"""

    piece: Piece


@dataclass(frozen=True, slots=True)
class Pause:
    """Let time pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hold:
    """Wait for :meth:`ScriptedAgent.release`."""


@dataclass(frozen=True, slots=True)
class Fail:
    """Raise an :class:`gateway.errors.AgentError`, as a model that cannot be reached."""

    code: str = "model_failed"


@dataclass(frozen=True, slots=True)
class Crash:
    """Raise what no agent may raise, as code with a fault."""


Step: TypeAlias = Say | Give | Pause | Hold | Fail | Crash
Ending = Literal["running", "finished", "cancelled", "failed"]

_UNSCRIPTED: Final = "The script holds no further reply."


class ScriptError(AssertionError):
    """What happened is not what the script says."""


class ScriptedAgent:
    """Implements :class:`gateway.runtime.ports.Agent`. A reply is a text, or a sequence of steps."""

    name = "scripted"

    def __init__(
        self,
        *replies: str | Sequence[Step],
        steer: SteerMode = "instruction",
        speaks: bool = False,
        hears: bool = False,
    ) -> None:
        self.steer: SteerMode = steer
        self.speaks = speaks
        self.hears = hears
        self._replies = [(Say(reply),) if isinstance(reply, str) else tuple(reply) for reply in replies]
        self._gates: deque[asyncio.Event] = deque()
        self._holding = asyncio.Event()
        self.asked: list[Conversation] = []
        """What it was given, one for each reply."""

        self.endings: list[Ending] = []
        """How each reply ended, in the order in which they were asked for."""

    async def reply(self, conversation: Conversation) -> AsyncGenerator[Piece, None]:
        """Follow the next reply's steps. Raises what they say."""
        place = len(self.asked)
        self.asked.append(conversation)
        self.endings.append("running")
        try:
            if place >= len(self._replies):
                raise AgentError("agent_crashed", _UNSCRIPTED)
            for step in self._replies[place]:
                if isinstance(step, Say):
                    yield step.text
                elif isinstance(step, Give):
                    yield step.piece
                else:
                    await self._follow(step)
        except (asyncio.CancelledError, GeneratorExit):
            self.endings[place] = "cancelled"
            raise
        except Exception:
            self.endings[place] = "failed"
            raise
        self.endings[place] = "finished"

    async def holding(self) -> None:
        """Wait until a reply stands at a :class:`Hold`."""
        await self._holding.wait()

    def release(self) -> None:
        """Let the reply go on that has held the longest. Raises :class:`ScriptError` when none holds."""
        if not self._gates:
            raise ScriptError("no reply is holding")
        self._gates[0].set()
        self._forget(self._gates[0])

    def verify(self) -> None:
        """Raise :class:`ScriptError` unless each reply was asked for, and no other."""
        if len(self.asked) != len(self._replies):
            raise ScriptError(f"{len(self._replies)} replies were scripted, {len(self.asked)} were asked for")

    async def aclose(self) -> None:
        """Nothing to let go of."""

    async def _follow(self, step: Pause | Hold | Fail | Crash) -> None:
        match step:
            case Pause(seconds):
                await asyncio.sleep(seconds)
            case Hold():
                await self._hold()
            case Fail(code):
                raise AgentError(code, "The script says so.")
            case Crash():
                raise ZeroDivisionError("the script says so")
            case _:
                assert_never(step)

    async def _hold(self) -> None:
        gate = asyncio.Event()
        self._gates.append(gate)
        self._holding.set()
        try:
            await gate.wait()
        finally:
            self._forget(gate)

    def _forget(self, gate: asyncio.Event) -> None:
        if gate in self._gates:
            self._gates.remove(gate)
        if not self._gates:
            self._holding.clear()
