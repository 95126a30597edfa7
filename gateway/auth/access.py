"""What one connection may do in its session, now: less as soon as something was taken away, nothing when it expires."""

from typing import Final, Protocol

from gateway.auth.principal import OPERATOR, Principal
from gateway.auth.revocations import Revocations
from gateway.auth.rights import Right, Rights
from gateway.core.ids import SessionId, UserId

NOTICE_S: Final = 60.0
"""So long before its token expires a client is told to present another one."""


class Access:
    """One connection's rights. Asked at each event, so that whatever is taken away is missing at the next."""

    def __init__(
        self,
        principal: Principal = OPERATOR,
        session: SessionId = SessionId(""),
        opened_by: UserId = UserId(""),
        revocations: Revocations | None = None,
    ) -> None:
        self.principal = principal
        self._session = session
        self._opened_by = opened_by
        self._revocations = revocations or Revocations()
        self._known: tuple[int, Rights] | None = None

    @property
    def rights(self) -> Rights:
        """All that it may do."""
        version = self._revocations.version
        if self._known is None or self._known[0] != version:
            given = self.principal.rights_in(self._session, self._opened_by)
            self._known = (version, given & self._revocations.left(self.principal))
        return self._known[1]

    def may(self, right: Right) -> bool:
        """Has it this right?"""
        return right in self.rights

    def replace(self, principal: Principal) -> None:
        """Go by another token of the same user from now on."""
        self.principal, self._known = principal, None


class Watched(Protocol):
    """A connection, as far as its rights concern it."""

    @property
    def access(self) -> Access: ...

    def rights_changed(self) -> None:
        """Something was taken away."""
        ...

    def expires_soon(self) -> None:
        """Its token is good for :data:`NOTICE_S` at most."""
        ...

    def expired(self) -> None:
        """Its token is no longer good."""
        ...


class Watch:
    """All connections that go on, so that they hear of it when their rights change."""

    def __init__(self, revocations: Revocations) -> None:
        self._watched: dict[Watched, float] = {}
        """With the expiry of which each was told; 0.0 for none."""

        self._rights: dict[Watched, Rights] = {}
        revocations.listen(self._revoked)

    def __len__(self) -> int:
        return len(self._watched)

    def add(self, watched: Watched) -> None:
        """It begins."""
        self._watched[watched] = 0.0
        self._rights[watched] = watched.access.rights

    def remove(self, watched: Watched) -> None:
        """It has ended."""
        self._watched.pop(watched, None)
        self._rights.pop(watched, None)

    def look(self, wall: float) -> None:
        """Tell those whose tokens expire, or will soon, at *wall* (seconds since the epoch)."""
        for watched, told in list(self._watched.items()):
            expires = watched.access.principal.expires
            if wall >= expires:
                self.remove(watched)
                watched.expired()
            elif wall >= expires - NOTICE_S and told != expires:
                self._watched[watched] = expires
                watched.expires_soon()

    def _revoked(self) -> None:
        for watched, before in list(self._rights.items()):
            rights = watched.access.rights
            if rights != before:
                self._rights[watched] = rights
                watched.rights_changed()
