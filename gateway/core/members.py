"""Who is here, as values: the devices of a session, what each of them does, and what clients were told of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NewType, get_args

from gateway.core.ids import DeviceId, LegId

MemberId = NewType("MemberId", str)
"""One device of one user, whichever of its legs speaks for it."""

Doing = Literal["listening", "muted", "suspected", "speaking", "playing", "holding", "typing"]
"""What a device does; several at once.

``listening`` its microphone is open, ``muted`` it has one that counts as silent, ``suspected`` it hears what may be a
voice, ``speaking`` its user has the floor or is about to, ``playing`` an answer sounds there, ``holding`` it holds the
answer by a button, ``typing``.
"""

DOING: Final[tuple[Doing, ...]] = get_args(Doing)
"""The order in which they are told."""

AgentState = Literal["idle", "waiting", "thinking", "writing", "speaking"]
"""What the agent does. ``waiting``: its answer is held, or it waits for what the user says."""


@dataclass(frozen=True, slots=True)
class Member:
    """One device, as others see it."""

    member_id: MemberId
    device: DeviceId
    name: str
    kind: str
    user: str
    """``""`` where nobody said who it is."""

    since: float
    """When it joined, seconds since the epoch."""

    doing: tuple[Doing, ...] = ()
    data: Mapping[str, object] | None = None
    """What its client tells of itself: a JSON object."""


@dataclass(frozen=True, slots=True)
class Company:
    """Everybody who is known to be here at one instant."""

    members: tuple[Member, ...] = ()
    """In the order in which they joined."""

    agent: AgentState = "idle"


@dataclass(frozen=True, slots=True)
class Occupancy:
    """How many are here."""

    members: int
    users: int
    """Different ones, of those that are known."""

    voices: int
    """Members with a microphone."""


def member_id(user: str, device: DeviceId) -> MemberId:
    """The same device of the same user is the same member. Two users may give their devices the same name."""
    return MemberId(f"{_escaped(user)}/{_escaped(device)}" if user else _escaped(device))


def _escaped(name: str) -> str:
    return name.replace("%", "%25").replace("/", "%2F")


@dataclass(slots=True)
class Presence:
    """Who is here now, and who clients know to be here. Lives as long as the process: nothing of it is stored."""

    members: dict[MemberId, Member] = field(default_factory=dict)
    """In the order in which they joined."""

    legs: dict[LegId, MemberId] = field(default_factory=dict)
    """Connections that are alive, as far as is known."""

    lost: dict[MemberId, float] = field(default_factory=dict)
    """Members without a connection that said no goodbye → when they count as gone (monotonic)."""

    dropped: dict[MemberId, float] = field(default_factory=dict)
    """Members that lost one of several connections → until when it may come back (monotonic)."""

    typing: dict[MemberId, float] = field(default_factory=dict)
    """→ when it ends unless it is told again (monotonic)."""

    clapped: dict[MemberId, float] = field(default_factory=dict)
    """→ when all its reactions so far were due, had they come evenly (monotonic)."""

    muted: set[LegId] = field(default_factory=set)
    holder: MemberId | None = None
    """Who holds the answer by a button."""

    busy: set[MemberId] = field(default_factory=set)
    """Members that do something."""

    agent: AgentState = "idle"

    told: dict[MemberId, Member] = field(default_factory=dict)
    """What clients know, in the order in which they were told that somebody joined."""

    told_agent: AgentState = "idle"
    changed: dict[MemberId, None] = field(default_factory=dict)
    """Members that may be otherwise than clients know, in the order in which they changed."""

    next_batch: float = 0.0
    """Before then nothing is told (monotonic)."""

    @property
    def pending(self) -> bool:
        """True while clients may have to be told something."""
        return bool(self.changed) or self.agent != self.told_agent

    def of(self, leg: LegId) -> Member | None:
        """The member whose connection this is; None for one that is no device's."""
        known = self.legs.get(leg)
        return self.members[known] if known is not None else None

    def put(self, member: Member) -> None:
        """Somebody joins, or is otherwise than before."""
        if self.members.get(member.member_id) != member:
            self.members[member.member_id] = member
            self.changed[member.member_id] = None

    def company(self) -> Company:
        """A copy of what clients know, so that what they are told next fits it."""
        return Company(tuple(self.told.values()), self.told_agent)

    def deadlines(self) -> Iterator[float]:
        """When something must be decided (monotonic), in no order."""
        yield from self.lost.values()
        yield from self.typing.values()
        if self.pending:
            yield self.next_batch


def occupancy(members: tuple[Member, ...]) -> Occupancy:
    """How many *members* are."""
    users = {member.user for member in members if member.user}
    voices = sum("listening" in member.doing or "muted" in member.doing for member in members)
    return Occupancy(len(members), len(users), voices)
