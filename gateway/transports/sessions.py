"""The session that a request is about, for who asks: the one door through which requests reach a session."""

from starlette.requests import HTTPConnection

from gateway.core.ids import SessionId
from gateway.core.values import Settings
from gateway.errors import ProtocolViolation
from gateway.runtime.actor import Actor
from gateway.transports.connection import Services
from gateway.transports.requests import caller_of
from gateway.transports.telling import Caller


async def find_session(connection: HTTPConnection) -> Actor:
    """The session that the path names.

    Raises :class:`gateway.errors.ProtocolViolation` (``session_not_found``) and :class:`gateway.errors.StoreError`.
    """
    services: Services = connection.app.state.services
    actor = await services.registry.find(SessionId(connection.path_params["session_id"]))
    if actor is None:
        raise ProtocolViolation("session_not_found", "There is no session with this id.")
    return actor


async def enter_session(connection: HTTPConnection) -> tuple[Actor, Caller]:
    """The session that the path names, and who follows or steers it from here on. Raises as :func:`find_session`."""
    services: Services = connection.app.state.services
    query = dict(connection.query_params)
    query.pop("resume", None)
    # A browser that connects again has both, and the header is newer.
    after = connection.headers.get("last-event-id") or query.get("after")
    if after is not None:
        query["resume"] = after
    return await find_session(connection), caller_of(query, services.clock, extended=True)


async def open_session(connection: HTTPConnection, settings: Settings) -> Actor:
    """A new session. Raises :class:`gateway.errors.StoreError`."""
    services: Services = connection.app.state.services
    return await services.registry.open(settings)
