"""WebSocket close codes (RFC 6455 section 7.4.2: 4000-4999 are the application's)."""

import enum


class CloseCode(enum.IntEnum):
    """Why we close a connection. A client may always reconnect and resume, but after 4000, 4003, 4400 and 4401."""

    CALL_ENDED = 1000
    """The call that this connection was attached to is over."""

    GOING_AWAY = 1001
    """The gateway is shutting down, or the connection has lasted as long as one may (``session_expired``)."""

    INTERNAL_ERROR = 1011
    """The session could not go on; joining again reads it from its log."""

    BETA_SHAPE = 4000
    """The client speaks the beta of the protocol, which is not served."""

    FORBIDDEN = 4003
    """The right to read was taken away."""

    SESSION_NOT_FOUND = 4004
    """No session has this id."""

    SLOW_CONSUMER = 4008
    """The connection did not read what was sent to it; resume to get what it missed."""

    TOO_MANY_ERRORS = 4400
    """More than two events a second could not be taken, for longer than a burst of forty."""

    UNAUTHORISED = 4401
    """The connection's token has expired, or was revoked; come back with another one."""

    RATE_LIMITED = 4429
    """Far more events than a person or a microphone sends."""

    OVERLOADED = 4503
    """The gateway had to end a call; the session goes on, by text at once, by voice later."""
