"""Devices come and go, and tell of themselves. All are said by the connection of the stamp."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class DeviceJoined:
    """A connection of the stamp's device is there, or is there again."""

    name: str
    kind: str
    user: str = ""


@dataclass(frozen=True, slots=True)
class DeviceUnreachable:
    """Nothing gets through to the connection any more; it is kept for a while, and may come back."""


@dataclass(frozen=True, slots=True)
class PresenceUpdated:
    """A device describes itself anew; None leaves what is known."""

    name: str | None = None
    kind: str | None = None
    data: Mapping[str, object] | None = None
    """A JSON object; an empty one clears what is known."""


@dataclass(frozen=True, slots=True)
class TypingStarted:
    """Somebody types there. Holds for a while, unless it is said again."""


@dataclass(frozen=True, slots=True)
class TypingStopped:
    pass


@dataclass(frozen=True, slots=True)
class MicrophoneMuted:
    """The connection's microphone counts as silent, or as open again."""

    muted: bool


@dataclass(frozen=True, slots=True)
class ReactionSubmitted:
    """Somebody claps. Nobody keeps it."""

    reaction: str


OfPresence: TypeAlias = (
    DeviceJoined
    | DeviceUnreachable
    | PresenceUpdated
    | TypingStarted
    | TypingStopped
    | MicrophoneMuted
    | ReactionSubmitted
)
