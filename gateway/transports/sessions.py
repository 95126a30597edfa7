"""The session that a request is about, for who asks: the one door through which requests reach a session."""

from starlette.requests import HTTPConnection

from gateway.auth.rights import Right, Rights
from gateway.core.ids import SessionId
from gateway.core.values import Settings
from gateway.runtime.actor import Actor
from gateway.transports.connection import Services
from gateway.transports.doors import Entry, authority_of, enter, found, visitor_of
from gateway.transports.permits import demand
from gateway.transports.requests import caller_of
from gateway.transports.telling import Caller


async def find_session(connection: HTTPConnection) -> Actor:
    """The session that the path names, to be read.

    Raises ``ProtocolViolation`` (``session_not_found``, ``missing_right_read``) and
    :class:`gateway.errors.StoreError`.
    """
    services: Services = connection.app.state.services
    actor, rights = await found(connection, services.registry, _named(connection))
    demand(rights, Right.READ)
    return actor


async def enter_session(connection: HTTPConnection, *wanted: Right, stays: bool) -> tuple[Actor, Caller]:
    """The session that the path names, and who follows or steers it from here on, having the rights *wanted*.

    A client secret is used up by that, and the token that follows it is told with the answer; a resume token is used
    up only by who *stays*. Raises ``ProtocolViolation`` (``session_not_found``, ``missing_right_…``), ``AuthError``,
    :class:`gateway.errors.StoreError`.
    """
    services: Services = connection.app.state.services
    session = _named(connection)
    _, rights = await found(connection, services.registry, session)
    demand(rights, *wanted)  # who lacks one keeps the secret
    query = dict(connection.query_params)
    query.pop("resume", None)
    # A browser that connects again has both, and the header is newer.
    after = connection.headers.get("last-event-id") or query.get("after")
    if after is not None:
        query["resume"] = after
    entry = _remember(connection, await enter(connection, services.registry, session, Settings(), stays=stays))
    return entry.actor, caller_of(query, services.clock, entry, extended=True)


async def open_session(connection: HTTPConnection, settings: Settings) -> tuple[Actor, Rights]:
    """A new session, and what who opened it may do in it.

    Raises ``ProtocolViolation`` (``missing_right_send``), ``AuthError``, :class:`gateway.errors.StoreError`.
    """
    services: Services = connection.app.state.services
    # Also for who may come into one session alone: ``enter`` would take them into that.
    demand(authority_of(connection).rights_to_open(visitor_of(connection).principal), Right.SEND)
    entry = _remember(connection, await enter(connection, services.registry, None, settings, stays=False))
    return entry.actor, entry.access.rights


def _named(connection: HTTPConnection) -> SessionId:
    return SessionId(connection.path_params["session_id"])


def _remember(connection: HTTPConnection, entry: Entry) -> Entry:
    connection.state.resume_token = entry.resume_token
    return entry
