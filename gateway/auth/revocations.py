"""What was taken away from tokens before they expired. Pure, but for a journal that somebody else writes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.auth.principal import Principal
from gateway.auth.rights import ALL, NONE, Rights, names, rights_of
from gateway.core.ids import TenantId, UserId


@dataclass(frozen=True, slots=True)
class Revocation:
    """Leaves *rights* to a token, or to all that were issued to a user before *at*."""

    tenant: TenantId
    at: float
    """Seconds since the epoch."""

    token_id: str = ""
    user: UserId = UserId("")
    rights: Rights = NONE

    def concerns(self, principal: Principal) -> bool:
        """Is it about the token of *principal*, or one that this was made from?"""
        if self.tenant != principal.tenant:
            return False
        if self.token_id:
            return self.token_id in principal.token_ids
        return self.user == principal.user and principal.issued <= self.at


class Revocations:
    """All of them, found by token and by user."""

    def __init__(self) -> None:
        self.version = 0
        """Grows with each: what was derived from the list of an older one is to be derived again."""

        self._found: dict[tuple[TenantId, str, str], list[Revocation]] = {}
        self._listeners: list[Callable[[], None]] = []

    def add(self, revocation: Revocation) -> None:
        """Holds from now on."""
        key = (revocation.tenant, revocation.token_id, "" if revocation.token_id else revocation.user)
        self._found.setdefault(key, []).append(revocation)
        self.version += 1
        for listener in self._listeners:
            listener()

    def left(self, principal: Principal) -> Rights:
        """What the list leaves to *principal*."""
        tenant = principal.tenant
        keys = [(tenant, "", str(principal.user)), *((tenant, token_id, "") for token_id in principal.token_ids)]
        left = ALL
        for key in keys:
            for revocation in self._found.get(key, ()):
                left = left & revocation.rights if revocation.concerns(principal) else left
        return left

    def listen(self, listener: Callable[[], None]) -> None:
        """Call *listener* when something was added."""
        self._listeners.append(listener)


def encode(revocation: Revocation) -> bytes:
    """One line of the journal."""
    it = revocation
    fields = {"v": 1, "tenant": it.tenant, "at": it.at, "token_id": it.token_id, "user": it.user}
    return msgspec.json.encode({**fields, "rights": names(it.rights)}) + b"\n"


def decode(lines: Iterable[bytes]) -> list[Revocation]:
    """The journal's revocations. A last line that was not written to its end was never acknowledged.

    Raises ``ValueError`` for any other line that cannot be read: what was revoked must not come back unnoticed.
    """
    found: list[Revocation] = []
    for line in lines:
        if not line.endswith(b"\n"):
            break
        try:
            fields: dict[str, Any] = msgspec.json.decode(line, type=dict[str, Any])
            tenant, user = TenantId(str(fields["tenant"])), UserId(str(fields["user"]))
            rights = rights_of(fields["rights"])
            found.append(Revocation(tenant, float(fields["at"]), str(fields["token_id"]), user, rights))
        except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as fault:
            raise ValueError("a line of the journal of revocations cannot be read") from fault
    return found
