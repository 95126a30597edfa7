"""The session that a request is about, for who asks: the one door through which HTTP reaches a session."""

from starlette.requests import HTTPConnection

from gateway.core.ids import SessionId
from gateway.core.values import Settings
from gateway.errors import ProtocolViolation
from gateway.runtime.actor import Actor
from gateway.transports.connection import Services


async def find_session(connection: HTTPConnection) -> Actor:
    """The session that the path names.

    Raises :class:`gateway.errors.ProtocolViolation` (``session_not_found``) and :class:`gateway.errors.StoreError`.
    """
    services: Services = connection.app.state.services
    actor = await services.registry.find(SessionId(connection.path_params["session_id"]))
    if actor is None:
        raise ProtocolViolation("session_not_found", "There is no session with this id.")
    return actor


async def open_session(connection: HTTPConnection, settings: Settings) -> Actor:
    """A new session. Raises :class:`gateway.errors.StoreError`."""
    services: Services = connection.app.state.services
    return await services.registry.open(settings)
