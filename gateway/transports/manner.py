"""How a connection's answers are spoken."""

from gateway.transports.connection import Connection
from gateway.transports.names import Names
from media.speech import Manner


def manner_of(connection: Connection, names: Names) -> Manner:
    """In the session's voice, where it is one that speaks here; else in the engine's own."""
    return Manner(names.voices.first(connection.actor.state.conversation.settings.voice))
