"""What becomes of messages: branches of the conversation, corrections and reactions."""

from dataclasses import dataclass

from gateway.core.ids import DeviceId, ItemId
from gateway.core.values import ItemKind, ItemStatus, Role

# --- facts ---


@dataclass(frozen=True, slots=True)
class Entered:
    """A message that joins the active path, as it stood then. Its words are looked up where they are needed."""

    item_id: ItemId
    parent: ItemId | None
    role: Role
    status: ItemStatus
    spoken: bool
    device: DeviceId
    truncated: bool
    seen: int
    redacted: bool = False
    kind: ItemKind = "message"
    call_id: str = ""
    name: str = ""
    pictures: int = 0


@dataclass(frozen=True, slots=True)
class BranchSelected:
    """The active path ends at ``tip`` from now on (None: it is empty). Never while an answer runs."""

    tip: ItemId | None
    left: tuple[ItemId, ...]
    """The messages that are no longer on it, oldest first."""

    entered: tuple[Entered, ...]
    """Those that are new on it, oldest first."""


@dataclass(frozen=True, slots=True)
class ItemCorrected:
    """A user's message says something else from now on, in its place. The words of before stay in the log."""

    item_id: ItemId
    text: str
    version: int
    """The first correction is version 2."""

    by: str
    """The user who did it, or the device of one who is not known."""

    wall: float
    """When, in seconds since the epoch."""

    parent: ItemId | None
    spoken: bool
    device: DeviceId
    """Where the message came from at first."""


@dataclass(frozen=True, slots=True)
class ReactionAdded:
    item_id: ItemId
    reaction: str
    by: str
    count: int
    """How many have given this reaction to this message, with this one."""


@dataclass(frozen=True, slots=True)
class ReactionRemoved:
    item_id: ItemId
    reaction: str
    by: str
    count: int
    """How many are left."""


# --- signals ---


@dataclass(frozen=True, slots=True)
class SiblingsChanged:
    """Which messages of the active path have siblings now, and all of these, oldest first. Others have none."""

    choices: tuple[tuple[ItemId, tuple[ItemId, ...]], ...]
