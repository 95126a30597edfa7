"""Who knocks, and with what rights: the one object that transports ask.

Without a token, a secret and issuers the gateway is *open*: whoever reaches it is its operator.
"""

import asyncio
import hmac
import logging
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Final

from gateway.auth import revocations as revoking
from gateway.auth.access import Access, Watch
from gateway.auth.passes import Passes, is_pass
from gateway.auth.principal import OPERATOR, Principal, invalid, principal_of
from gateway.auth.revocations import Revocation, Revocations
from gateway.auth.rights import Right, Rights
from gateway.auth.tokens import Tokens
from gateway.core.ids import SessionId, UserId
from gateway.errors import AuthError, StoreError

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 1.0

FOR_OTHERS: Final[Rights] = frozenset(Right) - {Right.ADMINISTER, Right.TAKE_OVER}
"""What a client secret gives where its minter names nothing."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who presented a credential, and what came with it."""

    principal: Principal
    value: str = field(default="", repr=False)
    """The client secret or resume token that it was; ``""`` for anything else."""

    config: bytes = b""
    """The session that goes with a client secret, as JSON."""

    in_address: bool = False
    """It stood in the address, from where others may have it: it is good for this once."""


class Authority:
    """Knows credentials, gives out some of its own, and takes rights away."""

    def __init__(
        self,
        wall: Callable[[], float],
        name: Callable[[], str],
        *,
        token: str = "",
        tokens: Tokens | None = None,
        issuers: Mapping[str, str] | None = None,
        journal: Path | None = None,
    ) -> None:
        self.failures: Counter[str] = Counter()
        """Refusals by reason."""

        self._wall = wall
        self._token = token
        self._tokens = tokens
        self._issuers = issuers or {}
        self._journal = journal
        self._writing = asyncio.Lock()
        self._revocations = Revocations()
        self._passes = Passes(name)
        self.watch = Watch(self._revocations)

    @property
    def is_open(self) -> bool:
        """True where everybody is the operator."""
        return not self._token and self._tokens is None

    # --- who it is ---

    async def identify(self, credential: str, *, in_address: bool = False) -> Visitor:
        """Who presents *credential* (``""`` for none). Raises ``AuthError``."""
        try:
            visitor = replace(await self._identify(credential), in_address=in_address)
            left = self._revocations.left(visitor.principal)
            if not left:
                raise invalid("revoked")
            return replace(visitor, principal=visitor.principal.limited(left))
        except AuthError as refused:
            self.failures[refused.reason] += 1
            log.info("a credential was refused: %s", refused.reason)
            raise

    async def _identify(self, credential: str) -> Visitor:
        if is_pass(credential):
            found = self._passes.look(credential, self._wall())
            if found is None:
                raise invalid("void_secret")
            return Visitor(found.principal, credential, found.config)
        # Headers are bytes, shown as latin-1 (RFC 9110 section 5.5).
        given = credential.encode("latin-1", "replace")
        if self.is_open or (self._token and hmac.compare_digest(given, self._token.encode())):
            return Visitor(OPERATOR)
        if not credential or self._tokens is None:
            raise invalid("unknown" if credential else "missing")
        claims = await self._tokens.claims(credential, self._issuers)
        return Visitor(principal_of(claims, self._wall()))

    async def refresh(self, access: Access, credential: str) -> None:
        """Let a connection go by another token of the same user. Raises ``AuthError``."""
        visitor = await self.identify(credential)
        before, after = access.principal, visitor.principal
        if visitor.value or (after.tenant, after.user) != (before.tenant, before.user):
            raise invalid("other_user")
        access.replace(replace(after, bound=before.bound))

    # --- what it may ---

    def rights(self, principal: Principal, session: SessionId, opened_by: UserId) -> Rights:
        """What *principal* may do in a session of its tenant, now."""
        return self.access(principal, session, opened_by).rights

    def access(self, principal: Principal, session: SessionId, opened_by: UserId) -> Access:
        """The same as it changes, for as long as somebody is there."""
        return Access(principal, session, opened_by, self._revocations)

    def rights_to_open(self, principal: Principal) -> Rights:
        """What *principal* would have in a new session, now."""
        return principal.rights_to_open() & self._revocations.left(principal)

    def admit(self, visitor: Visitor, session: SessionId, opened_by: UserId) -> tuple[Access, str]:
        """Connect: the connection's rights, and the token with which its client may resume, or ``""``.

        Raises ``AuthError`` for a client secret that was used meanwhile.
        """
        principal, resume = visitor.principal, ""
        if visitor.value:
            successor = self._passes.spend(visitor.value, session, self._wall(), last=visitor.in_address)
            if successor is None:
                self.failures["void_secret"] += 1
                raise invalid("void_secret")
            principal, resume = replace(principal, bound=session), successor
        return self.access(principal, session, opened_by), resume

    # --- giving and taking ---

    def issue(self, principal: Principal, seconds: float, config: bytes, *, once: bool = False) -> tuple[str, float]:
        """A client secret for *principal*, and when it expires. Raises ``GatewayError``: ``overloaded``."""
        return self._passes.issue(principal, seconds, config, self._wall(), once=once)

    async def revoke(self, by: Principal, token_id: str, user: UserId, rights: Rights) -> Revocation:
        """Leave *rights* to a token, or to a user's tokens until now, of the tenant of *by*.

        Holds when it returns, and after a restart. Raises ``StoreError`` when it cannot be written down.
        """
        revocation = Revocation(by.tenant, self._wall(), token_id, user, rights)
        self._revocations.add(revocation)  # at once: whatever becomes of the disk
        async with self._writing:
            if self._journal is not None:
                await asyncio.to_thread(_append, self._journal, revoking.encode(revocation))
        return revocation

    def recall(self) -> None:
        """Read what was revoked before. Raises ``StoreError``."""
        if self._journal is None or not self._journal.exists():
            return
        try:
            with self._journal.open("r+b") as lines:
                for revocation in revoking.decode(lines):
                    self._revocations.add(revocation)
                _cut_unfinished(lines)
        except (OSError, ValueError) as fault:
            raise StoreError("store_unavailable", "The journal of revocations cannot be read.") from fault

    async def run(self) -> None:
        """Look whose tokens expire, once a second, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.watch.look(self._wall())


def _cut_unfinished(lines: BinaryIO) -> None:
    """A line that the end of a process cut off must not become the beginning of the next one."""
    lines.seek(0)
    whole = lines.read().rpartition(b"\n")
    lines.truncate(len(whole[0]) + len(whole[1]))


def _append(journal: Path, line: bytes) -> None:
    try:
        descriptor = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if os.write(descriptor, line) < len(line):
                os.ftruncate(descriptor, size)
                raise OSError("no space")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as fault:
        raise StoreError("store_unavailable", "The revocation holds, but could not be written down.") from fault
