"""What clients learn of one another. Signals all: who is here is no part of the conversation."""

from dataclasses import dataclass

from gateway.core.ids import DeviceId
from gateway.core.members import AgentState, Member, MemberId, Occupancy


@dataclass(frozen=True, slots=True)
class PresenceChanged:
    """Everything that has changed since the one before; each member whole, as it is now."""

    joined: tuple[Member, ...]
    changed: tuple[Member, ...]
    left: tuple[MemberId, ...]
    agent: AgentState
    occupancy: Occupancy


@dataclass(frozen=True, slots=True)
class ReactionSent:
    """Somebody claps."""

    member_id: MemberId
    device: DeviceId
    reaction: str
