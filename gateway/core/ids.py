"""Names of things. The core mints none: it derives what it needs from the seed of an input."""

from typing import Final, NewType

SessionId = NewType("SessionId", str)
ItemId = NewType("ItemId", str)
ResponseId = NewType("ResponseId", str)
DeviceId = NewType("DeviceId", str)

TenantId = NewType("TenantId", str)
"""Whose session it is: nothing of one tenant is ever seen by another."""

UserId = NewType("UserId", str)
"""A person of a tenant; ``""`` where nobody said who it is."""

DEFAULT_TENANT: Final = TenantId("default")
"""The only one of a gateway whose clients present no token that names another."""

LegId = NewType("LegId", str)
"""One connection of a device: a socket or a WebRTC peer. Those that carry sound are *voice legs*."""

Generation = NewType("Generation", int)
"""Grows by one with each response; whatever belongs to an older one is dropped at the last hop."""

FloorGeneration = NewType("FloorGeneration", int)
"""Grows by one whenever the floor changes hands, or is given up."""

SHARDS: Final = 256
HEX: Final = frozenset("0123456789abcdef")


def session_id(shard: int, token: str) -> SessionId:
    """A session's id; *shard* (0 to 255) tells which process owns it, *token* is unguessable."""
    return SessionId(f"sess_{shard % SHARDS:02x}{token}")


def shard_of(session: SessionId) -> int:
    """The shard an id carries. Raises ``ValueError`` for what is not a session id."""
    prefix, _, rest = session.partition("_")
    if prefix != "sess" or len(rest) < 3 or not HEX.issuperset(rest[:2]):
        raise ValueError("not a session id")
    return int(rest[:2], 16)


def derive(kind: str, seed: str, index: int = 0) -> str:
    """The *index*-th id of a *kind* (``item``, ``resp``) that belongs to one input's seed."""
    return f"{kind}_{seed}{index or ''}"
