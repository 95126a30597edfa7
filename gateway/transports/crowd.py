"""How much of a gateway one user, or one address, may take for itself.

Who administers a tenant is not counted as a user: that is an app's own server, which speaks for many. Clients on this
machine are not counted by address: so are all those of a proxy here that does not say whom it forwards.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import TypeAlias

from starlette.requests import HTTPConnection

from gateway.auth.authority import Visitor
from gateway.transports.network import source_of

Party: TypeAlias = tuple[str, ...]
"""Who is counted: a user with their tenant, or an address."""


@dataclass(frozen=True, slots=True)
class Guest:
    """Whom a connection counts for. The default counts for nobody."""

    user: Party | None = None
    address: Party | None = None


NOBODY = Guest()


def guest_of(request: HTTPConnection) -> Guest:
    """Who asks, as the guard has found out."""
    visitor: Visitor = request.state.visitor
    principal = visitor.principal
    source = source_of(request.client.host) if request.client is not None else None
    user = None if principal.may_administer() else ("user", principal.tenant, principal.user)
    return Guest(user, ("address", source) if source is not None else None)


@dataclass(slots=True)
class Crowd:
    """Counts connections of each user and each address; 0 for any number."""

    for_user: int = 0
    for_address: int = 0
    _taken: Counter[Party] = field(default_factory=Counter)

    def full(self, guest: Guest) -> str:
        """Of what *guest* has as many as it may: ``user`` or ``address``; ``""`` when it may have one more."""
        for party, limit in ((guest.user, self.for_user), (guest.address, self.for_address)):
            if party is not None and 0 < limit <= self._taken[party]:
                return party[0]
        return ""

    def enter(self, guest: Guest) -> None:
        """Count one more."""
        self._taken.update(_parties(guest))

    def leave(self, guest: Guest) -> None:
        """Count one less. Who has none left is forgotten."""
        for party in _parties(guest):
            self._taken[party] -= 1
            if self._taken[party] <= 0:
                del self._taken[party]


def _parties(guest: Guest) -> list[Party]:
    return [party for party in (guest.user, guest.address) if party is not None]
