"""Who is here, on the wire: events of the extension alone."""

from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from gateway.core import events as ev
from gateway.core.members import Company, Member as Known, MemberId, Occupancy as Counted, occupancy
from gateway.protocol.realtime import ClientEvent, ServerEvent

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Kind = Annotated[str, msgspec.Meta(min_length=1, max_length=32)]

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


def snapshot(company: Company, you: MemberId | None) -> ServerEvent:
    """Everybody who is here, for a client that is *you*."""
    return PresenceSnapshot(
        members=[_shown(member) for member in company.members],
        agent=company.agent,
        occupancy=_counted(occupancy(company.members)),
        you=you or UNSET,
    )


def told(event: ev.PresenceChanged | ev.ReactionSent) -> ServerEvent:
    """How an extended client learns of *event*."""
    if isinstance(event, ev.ReactionSent):
        return ReactionSent(member_id=event.member_id, device=event.device, reaction=event.reaction)
    return PresenceChanged(
        joined=[_shown(member) for member in event.joined],
        changed=[_shown(member) for member in event.changed],
        left=list(event.left),
        agent=event.agent,
        occupancy=_counted(event.occupancy),
    )


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
