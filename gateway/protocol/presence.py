"""Who is here, on the wire: events of the extension alone."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Final

import msgspec
from msgspec import UNSET, UnsetType

from gateway.core import events as ev
from gateway.core.members import Company, Member as Known, MemberId, Occupancy as Counted, occupancy
from gateway.protocol.realtime import ClientEvent, ServerEvent

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Kind = Annotated[str, msgspec.Meta(min_length=1, max_length=32)]

EVENT_BYTES: Final = 48 * 1024
"""Of members in one event. Peers that name no limit take messages of 64 KiB (RFC 8841, 6)."""

DATA_BYTES: Final = 1100
"""What the data of a member takes (``Policy.presence_data_bytes``)."""

# --- what a client sends ---


class PresenceUpdate(ClientEvent, tag="presence.update"):
    """Describe this device anew. What is missing stays; ``null`` clears ``data``."""

    name: Name | UnsetType = UNSET
    kind: Kind | UnsetType = UNSET
    data: dict[str, Any] | None | UnsetType = UNSET


class TypingStart(ClientEvent, tag="typing.start"):
    """Somebody types here; to be sent again every few seconds."""


class TypingStop(ClientEvent, tag="typing.stop"):
    """Nobody does any more."""


class ReactionSend(ClientEvent, tag="reaction.send"):
    """Clap, to all who are here now."""

    reaction: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


OfPresence = PresenceUpdate | TypingStart | TypingStop | ReactionSend

# --- what it is sent ---


class Member(msgspec.Struct, omit_defaults=True):
    id: str
    device: str
    name: str
    kind: str
    since: int
    """Seconds since the epoch."""

    doing: list[str] = msgspec.field(default_factory=list)
    user: str | UnsetType = UNSET
    data: dict[str, Any] | UnsetType = UNSET


class Occupancy(msgspec.Struct):
    members: int
    users: int
    voices: int


class PresenceSnapshot(ServerEvent, tag="presence.snapshot"):
    """Everybody who is here; it replaces what the client holds."""

    members: list[Member]
    agent: str
    occupancy: Occupancy
    you: str | UnsetType = UNSET
    """The id of the member that this client is."""

    extension: ClassVar[bool] = True


class PresenceChanged(ServerEvent, tag="presence.changed"):
    """What has changed since the one before. Members come whole; those that left by their ids."""

    joined: list[Member]
    changed: list[Member]
    left: list[str]
    agent: str
    occupancy: Occupancy

    extension: ClassVar[bool] = True


class ReactionSent(ServerEvent, tag="reaction.sent"):
    member_id: str
    device: str
    reaction: str

    extension: ClassVar[bool] = True


def snapshot(company: Company, you: MemberId | None) -> list[ServerEvent]:
    """Everybody who is here, for a client that is *you*. Whom one event cannot hold joins by those that follow."""
    counts = _counted(occupancy(company.members))
    first, *rest = _changes([_shown(member) for member in company.members], [], [], company.agent, counts)
    whole = PresenceSnapshot(members=first.joined, agent=company.agent, occupancy=counts, you=you or UNSET)
    return [whole, *rest]


def told(event: ev.PresenceChanged | ev.ReactionSent) -> list[ServerEvent]:
    """How an extended client learns of *event*."""
    if isinstance(event, ev.ReactionSent):
        return [ReactionSent(member_id=event.member_id, device=event.device, reaction=event.reaction)]
    joined, changed = [_shown(member) for member in event.joined], [_shown(member) for member in event.changed]
    return [*_changes(joined, changed, event.left, event.agent, _counted(event.occupancy))]


def _changes(
    joined: Sequence[Member], changed: Sequence[Member], left: Sequence[str], agent: str, counts: Occupancy
) -> list[PresenceChanged]:
    """One event, or several where one would be larger than a data channel takes."""
    parts = _Parts(agent, counts)
    for member in joined:
        parts.holding(_bulk(member)).joined.append(member)
    for member in changed:
        parts.holding(_bulk(member)).changed.append(member)
    for known in left:
        parts.holding(6 * len(known) + 3).left.append(known)
    return parts.events


class _Parts:
    def __init__(self, agent: str, counts: Occupancy) -> None:
        self.events: list[PresenceChanged] = []
        self._agent = agent
        self._counts = counts
        self._begin()

    def _begin(self) -> None:
        self.events.append(PresenceChanged(joined=[], changed=[], left=[], agent=self._agent, occupancy=self._counts))
        self._room = EVENT_BYTES

    def holding(self, size: int) -> PresenceChanged:
        """An event with room for so many bytes."""
        if size > self._room:
            self._begin()
        self._room -= size
        return self.events[-1]


def _bulk(member: Member) -> int:
    """Bytes of JSON at most: a character may take six (``\\u0000``)."""
    texts = (member.id, member.device, member.name, member.kind, member.user or "")
    return 6 * sum(map(len, texts)) + 256 + (DATA_BYTES if member.data is not UNSET else 0)


def _shown(member: Known) -> Member:
    return Member(
        member.member_id,
        member.device,
        member.name,
        member.kind,
        int(member.since),
        list(member.doing),
        member.user or UNSET,
        dict(member.data) if member.data is not None else UNSET,
    )


def _counted(counts: Counted) -> Occupancy:
    return Occupancy(counts.members, counts.users, counts.voices)
