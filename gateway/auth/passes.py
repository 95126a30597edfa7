"""Credentials that the gateway gives out itself: client secrets, and what a browser resumes with. Pure.

A *client secret* (``ek_…``) is good for any number of connections until it expires, or for one if it was wanted so, or
stood in an address. With each connection its client gets a *resume token* (``rt_…``), good for one connection again,
with which comes the next. One whose successor was used is void; until then it may be presented again for a short while,
since the answer that brought the successor may have been lost.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from gateway.auth.principal import Principal
from gateway.core.ids import SessionId
from gateway.errors import GatewayError

SECRET: Final = "ek_"
RESUME: Final = "rt_"

GRACE_S: Final = 30.0
"""How long a resume token that was used may be presented again, while its successor was not."""

RESUME_S: Final = 24 * 3600.0
MAX_PASSES: Final = 100_000

MAX_FOLLOWERS: Final = 100
"""Connections by one secret that get a resume token. Further ones come in without: no secret shall fill the memory."""


@dataclass(slots=True)
class Pass:
    """What a credential of ours is good for."""

    principal: Principal
    expires: float
    """When it is too late to connect with it, seconds since the epoch."""

    config: bytes = b""
    """The session that its client wants, as JSON; ``b""`` for none."""

    chain: str = ""
    """Names the secret that it all began with."""

    once: bool = False
    """True for a secret that the first connection uses up."""

    followers: int = 0
    """How many connections by a secret have a resume token."""

    spent: float | None = None
    """When it was used; None when it was not."""

    before: bytes | None = field(default=None, repr=False)
    """The digest of its predecessor."""

    after: bytes | None = field(default=None, repr=False)
    """The digest of its successor, once there is one."""


class Passes:
    """All that are still good. Digests alone are kept: what is not known here cannot be told."""

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token
        self._passes: dict[bytes, Pass] = {}

    def __len__(self) -> int:
        return len(self._passes)

    def issue(
        self, principal: Principal, seconds: float, config: bytes, wall: float, *, once: bool = False
    ) -> tuple[str, float]:
        """A client secret that is good for *seconds*, and when it expires. Raises ``GatewayError``: ``overloaded``."""
        self._forget(wall)
        if len(self._passes) >= MAX_PASSES:
            raise GatewayError("overloaded", "There are as many client secrets as this gateway keeps.")
        chain = f"chain_{self._token()}"
        named = replace(principal, token_ids=(chain, *principal.token_ids), issued=wall)
        named = replace(named, expires=min(principal.expires, wall + RESUME_S))
        expires = min(wall + seconds, named.expires)
        value = SECRET + self._token()
        self._passes[_digest(value)] = Pass(named, expires, config, chain, once)
        return value, expires

    def look(self, value: str, wall: float) -> Pass | None:
        """What *value* is good for; None for one that is unknown, expired or used."""
        found = self._passes.get(_digest(value))
        if found is None or wall >= found.expires:
            return None
        is_over = found.spent is not None and (not value.startswith(RESUME) or wall - found.spent >= GRACE_S)
        return None if is_over else found

    def spend(self, value: str, session: SessionId, wall: float, *, last: bool = False) -> str | None:
        """Connect to *session* with *value*, a secret for the *last* time: its successor (``""`` for none), or None
        when it is no longer good."""
        digest, found = _digest(value), self.look(value, wall)
        if found is None:
            return None
        bound = replace(found.principal, bound=session)
        if value.startswith(SECRET):
            found.spent = wall if last or found.once else None
            return self._follow(found, bound)
        if found.after is not None:  # presented again: what came of it the first time was lost, or stolen
            self._passes.pop(found.after, None)
        if found.before is not None:
            self._passes.pop(found.before, None)
        successor = self._successor(found, bound, before=digest)
        found.spent, found.after = wall, _digest(successor)
        return successor

    def _follow(self, secret: Pass, bound: Principal) -> str:
        """The first resume token of a connection by *secret*."""
        if secret.followers >= MAX_FOLLOWERS:
            return ""
        secret.followers += 1
        return self._successor(secret, bound)

    def _successor(self, found: Pass, bound: Principal, before: bytes | None = None) -> str:
        value = RESUME + self._token()
        self._passes[_digest(value)] = Pass(bound, bound.expires, b"", found.chain, before=before)
        return value

    def _forget(self, wall: float) -> None:
        for digest in [digest for digest, it in self._passes.items() if wall >= it.expires]:
            del self._passes[digest]


def is_pass(value: str) -> bool:
    """Does it look like a credential of ours?"""
    return value.startswith((SECRET, RESUME))


def _digest(value: str) -> bytes:
    return hashlib.sha256(value.encode("utf-8", "replace")).digest()
