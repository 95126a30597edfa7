"""Who somebody is, as the token says, and how less can be made of it. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from gateway.auth.rights import ALL, EVERYTHING, NONE, Grant, Right, Rights, granted, grants_of
from gateway.core.ids import DEFAULT_TENANT, SessionId, TenantId, UserId
from gateway.errors import AuthError

NEW_SESSION: Final = SessionId("sess_new")
"""Stands for a session that is to be opened: covered by patterns alone, never by an id."""

MAX_NAME: Final = 256
LEEWAY_S: Final = 30.0
"""By how much the clocks of who issues tokens and of who checks them may differ."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who presents a credential."""

    tenant: TenantId
    user: UserId
    grants: tuple[Grant, ...]
    token_ids: tuple[str, ...] = ()
    """Of its token, and of those that it was made from: whoever revokes one of these revokes it."""

    issued: float = 0.0
    expires: float = math.inf
    """Seconds since the epoch."""

    bound: SessionId | None = None
    """The only session that it is good for; None when there is no such limit."""

    def rights_in(self, session: SessionId, opened_by: UserId) -> Rights:
        """What it may do in a session of its tenant. Nothing: for it there is no such session."""
        if self.bound is not None and session != self.bound:
            return NONE
        return granted(self.grants, session, opened_by)

    def rights_to_open(self) -> Rights:
        """What it would have in a session that it opens."""
        return self.rights_in(NEW_SESSION, self.user)

    def may_administer(self) -> bool:
        """Does it administer its tenant, and not just some of its sessions?"""
        return any(grant.pattern == EVERYTHING and Right.ADMINISTER in grant.rights for grant in self.grants)

    @property
    def operates(self) -> bool:
        """Does it run the gateway? Who administers the gateway's own tenant does: whatever is not about one session
        is theirs as well."""
        return self.tenant == DEFAULT_TENANT and self.bound is None and self.may_administer()

    def limited(self, rights: Rights) -> "Principal":
        """The same with these rights at most."""
        return replace(self, grants=tuple(Grant(it.pattern, it.rights & rights) for it in self.grants))


OPERATOR: Final = Principal(DEFAULT_TENANT, UserId(""), (Grant(EVERYTHING, ALL),))
"""Who holds the gateway's one token, or sits at the machine of a gateway that asks for none."""


def principal_of(claims: Mapping[str, Any], wall: float) -> Principal:
    """Who the claims of a token, whose signature was checked, speak of at *wall*.

    Raises ``AuthError`` with ``token_expired``, or with ``invalid_api_key`` and a reason for us alone.
    """
    expires, issued = _time(claims, "exp"), _time(claims, "iat", 0.0)
    if wall >= expires + LEEWAY_S:
        raise AuthError("token_expired", "The token has expired.", reason="expired")
    if max(issued, _time(claims, "nbf", 0.0)) > wall + LEEWAY_S:
        raise invalid("not_yet_valid")
    try:
        grants = grants_of(claims.get("bargein", {}))
    except ValueError:
        raise invalid("wrong_rights") from None
    token_id = _name(claims, "jti", "")
    ids = (token_id,) if token_id else ()
    return Principal(TenantId(_name(claims, "tenant")), UserId(_name(claims, "sub")), grants, ids, issued, expires)


def invalid(reason: str) -> AuthError:
    """A credential that is not accepted. *reason* is counted, and not told to who presents it."""
    message = "Present a valid token as 'Authorization: Bearer …'."
    return AuthError("invalid_api_key", message, reason=reason)


def _time(claims: Mapping[str, Any], name: str, missing: float | None = None) -> float:
    given = claims.get(name, missing)
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise invalid(f"wrong_{name}")
    return float(given)


def _name(claims: Mapping[str, Any], name: str, missing: str | None = None) -> str:
    given = claims.get(name, missing)
    if isinstance(given, str) and len(given) <= MAX_NAME and given.isprintable() and (given or missing is not None):
        return given
    raise invalid(f"wrong_{name}")
