"""A device that keeps a conversation busy as its seed says, and remembers all that it asked for."""

import asyncio
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from gateway.client import CommandRejected, Conversation, Receipt

Kind = Literal["say", "answer", "ask", "queue", "steer", "branch", "correct", "edit", "withdraw", "cancel"]

OFTEN: Final[tuple[Kind, ...]] = ("say", "ask", "queue", "steer")
SELDOM: Final[tuple[Kind, ...]] = ("branch", "correct", "edit", "withdraw", "cancel")

WORDS: Final = ("Tell me a long story.", "Count to twenty.", "What is two plus two?", "Go on.", "Make it shorter.")

SHORTEST_S: Final = 0.01
LONGEST_S: Final = 0.25
"""Between two things that a device does."""

MOST_OPEN: Final = 24
"""Commands that wait for an answer, before a device holds its tongue."""


@dataclass(slots=True)
class Given:
    """A command, and what became of it."""

    kind: Kind
    item_id: str
    """The message that it brings, or whose words it changes; empty where there is none."""

    words: str
    receipt: Receipt | None = None
    """None while nothing is known, and when it was rejected."""

    refused: str = ""
    """The code of its rejection."""


Command: TypeAlias = tuple[Given, str, dict[str, Any]]
"""What is given, the event's type and its fields."""


@dataclass(slots=True)
class Device:
    """One of those who take part."""

    conversation: Conversation
    random: random.Random
    queued: list[str]
    """Ids of the turns that were to wait, of all devices."""

    speaks: asyncio.Event
    """Set whenever any of them gives a command."""

    given: list[Given] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def open(self) -> int:
        """How many of its commands wait for an answer."""
        return sum(it.receipt is None and not it.refused for it in self.given)

    async def keep_busy(self, over: asyncio.Event) -> None:
        """Do one thing after the other, without waiting for answers, until it is *over*; then wait for them all."""
        async with asyncio.TaskGroup() as waiting:
            while not over.is_set():
                if self.open < MOST_OPEN:
                    for given, type, fields in self.choose():
                        self.given.append(given)
                        waiting.create_task(self._wait(given, type, fields))
                        self.speaks.set()
                await asyncio.sleep(self.random.uniform(SHORTEST_S, LONGEST_S))

    def choose(self) -> list[Command]:
        """What to do next: commands in this order, or none when there is nothing that it could be done to."""
        kind = self.random.choice((*OFTEN, *OFTEN, *SELDOM))
        item_id, words = self._message()
        content = [{"type": "input_text", "text": words}]
        item = {"id": item_id, "type": "message", "role": "user", "content": content}
        given = Given(kind, item_id, words)
        match kind:
            case "say":
                answer = (Given("answer", "", ""), "response.create", {"on_active": "interrupt"})
                return [(given, "conversation.item.create", {"item": item}), answer]
            case "ask":
                return [(given, "response.create", {"on_active": "interrupt", "input": item})]
            case "queue":
                self.queued.append(item_id)
                how = self.random.choice(("queue", "merge"))
                return [(given, "response.create", {"on_active": how, "input": item})]
            case "steer":
                return [(given, "response.steer", {"input": [item]})]
            case "cancel":
                return [(Given(kind, "", ""), "response.cancel", {})]
            case "branch" | "correct":
                return self._change(given, content)
            case _:
                return self._rearrange(given)

    def _change(self, given: Given, content: list[dict[str, str]]) -> list[Command]:
        known = [item.id for item in self.conversation.items if item.role == "user"]
        if not known:
            return []
        update: dict[str, Any] = {"item_id": self.random.choice(known[-6:]), "content": content, "mode": given.kind}
        if given.kind == "branch":
            update |= {"new_item_id": given.item_id, "response": True}
        else:
            given.item_id = update["item_id"]
        return [(given, "conversation.item.update", update)]

    def _rearrange(self, given: Given) -> list[Command]:
        if not self.queued:
            return []
        chosen = given.item_id = self.random.choice(self.queued[-4:])
        text = {"text": given.words} if given.kind == "edit" else {}
        return [(given, "queue.update", {"action": given.kind, "item_id": chosen, **text})]

    def _message(self) -> tuple[str, str]:
        """Words that nobody has used, and an id for them."""
        name = f"{self.conversation.device}_{next(self._numbers)}"
        return name, f"{self.random.choice(WORDS)} ({name})"

    async def _wait(self, given: Given, type: str, fields: dict[str, Any]) -> None:
        try:
            given.receipt = await self.conversation.command(type, **fields)
        except CommandRejected as error:
            given.refused = error.code
