"""How a request comes into a session: by what it presented, as far as its rights reach."""

from dataclasses import dataclass

from starlette.requests import HTTPConnection

from gateway.auth.access import Access
from gateway.auth.authority import Authority, Visitor
from gateway.auth.passes import SECRET
from gateway.auth.rights import Right, Rights
from gateway.core.ids import SessionId, UserId
from gateway.core.values import Settings
from gateway.errors import ProtocolViolation
from gateway.runtime.actor import Actor
from gateway.runtime.registry import Registry
from gateway.transports.permits import demand


@dataclass(frozen=True, slots=True)
class Entry:
    """A session that somebody came into."""

    actor: Actor
    access: Access
    resume_token: str
    """With this its client comes back; ``""`` for one that has a token of its own."""


def visitor_of(request: HTTPConnection) -> Visitor:
    """Who asks. The guard has let them in."""
    visitor: Visitor = request.state.visitor
    return visitor


def authority_of(request: HTTPConnection) -> Authority:
    """What knows credentials."""
    authority: Authority = request.app.state.authority
    return authority


async def found(request: HTTPConnection, registry: Registry, wanted: SessionId) -> tuple[Actor, Rights]:
    """A session that who asks may do something in, and what.

    Raises ``ProtocolViolation`` (``session_not_found``), ``StoreError``.
    """
    principal = visitor_of(request).principal

    def rights(opened_by: UserId) -> Rights:
        return authority_of(request).rights(principal, wanted, opened_by)

    actor = await registry.find(wanted, principal.tenant, lambda opened_by: bool(rights(opened_by)))
    if actor is None:
        # Nobody has it, or somebody else: it is the same to who asks.
        raise ProtocolViolation("session_not_found", "There is no session with this id.")
    return actor, rights(actor.opened_by)


async def enter(
    request: HTTPConnection, registry: Registry, wanted: SessionId | None, settings: Settings, *, stays: bool = True
) -> Entry:
    """Join a session, or open one. A client secret is used up by that, and so is a resume token by who *stays*.

    Raises ``ProtocolViolation`` (``session_not_found``, ``missing_right_…``), ``AuthError``, ``StoreError``.
    """
    authority, visitor = authority_of(request), visitor_of(request)
    principal = visitor.principal
    wanted = wanted or principal.bound
    if wanted is not None:
        actor, _ = await found(request, registry, wanted)
    else:
        demand(authority.rights_to_open(principal), Right.SEND)
        actor = await registry.open(settings, principal.tenant, principal.user)
    if not stays and not visitor.value.startswith(SECRET):
        return Entry(actor, authority.access(principal, actor.session_id, actor.opened_by), "")
    access, resume_token = authority.admit(visitor, actor.session_id, actor.opened_by)
    return Entry(actor, access, resume_token)
