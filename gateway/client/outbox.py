"""Commands that have no answer yet. Pure.

Each is sent again after a reconnect, in its order and under the same idempotency key, so that it is applied once.
What was reported as failed is gone from here, and so is never sent later.
"""

from dataclasses import dataclass
from typing import Final

MAX_COMMANDS: Final = 256
MAX_EVENT_BYTES: Final = 64 * 1024
"""Of one command: what a gateway takes, unless it is told otherwise."""

KEY_LIFE_S: Final = 23 * 3600.0
"""A gateway knows an idempotency key for 24 hours. What is older could be applied twice."""


@dataclass(slots=True)
class Entry:
    """One command."""

    text: str
    since: float | None = None
    """When it was first sent, on the caller's clock; None when it never was."""

    due: bool = True
    """True until it was sent on the connection of now."""


class Outbox:
    """What waits for an answer, oldest first."""

    def __init__(self, capacity: int = MAX_COMMANDS) -> None:
        self._capacity = capacity
        self._entries: dict[str, Entry] = {}

    @property
    def full(self) -> bool:
        """True when nothing more is taken."""
        return len(self._entries) >= self._capacity

    @property
    def ids(self) -> list[str]:
        """The commands in it."""
        return list(self._entries)

    def put(self, command_id: str, text: str) -> None:
        """Keep a command until it is taken out."""
        self._entries[command_id] = Entry(text)

    def take(self, command_id: str) -> Entry | None:
        """Take a command out: it was answered, or given up. None when it is not there (any more)."""
        return self._entries.pop(command_id, None)

    def again(self) -> None:
        """The connection is gone: what it was sent is to be sent on the next one too."""
        for entry in self._entries.values():
            entry.due = True

    def send(self, now: float) -> list[str]:
        """What is to be sent on this connection. Each is given once."""
        due = [entry for entry in self._entries.values() if entry.due]
        for entry in due:
            entry.due = False
            entry.since = now if entry.since is None else entry.since
        return [entry.text for entry in due]

    def expired(self, now: float) -> list[str]:
        """Commands that would be sent under keys which the gateway may have forgotten."""
        old = [each for each, it in self._entries.items() if it.since is not None and now - it.since > KEY_LIFE_S]
        return [each for each in old if self._entries[each].due]
