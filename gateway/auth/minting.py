"""What stands in a token that we sign. Pure."""

from collections.abc import Iterable
from typing import Any

from gateway.auth.rights import EVERYTHING, Right


def claims_for(
    user: str, tenant: str, rights: Iterable[str], sessions: Iterable[str], *, token_id: str, now: float, lasts_s: int
) -> dict[str, Any]:
    """The claims of a token for *user*, good for *lasts_s* seconds from *now*; issuer and audience are still missing.

    Raises ``ValueError`` for a name or a time that no token can have.
    """
    wanted = list(rights)
    unknown = sorted(set(wanted) - {right.value for right in Right} - {EVERYTHING})
    if unknown:
        known = ", ".join(right.value for right in Right)
        raise ValueError(f"there is no right {unknown[0]!r}; there are {known}, and * for all")
    if not user or not tenant:
        raise ValueError("a token names a user and a tenant")
    if lasts_s < 1:
        raise ValueError("a token lasts a second at least")
    times = {"iat": int(now), "exp": int(now) + lasts_s}
    return {"sub": user, "tenant": tenant, "jti": token_id, **times, "bargein": dict.fromkeys(sessions, wanted)}
