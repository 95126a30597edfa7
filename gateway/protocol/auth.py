"""Events of the extension about a connection's own rights, and about the token that they come from."""

from typing import ClassVar

from gateway.protocol.realtime import ClientEvent, ServerEvent


class AuthRefresh(ClientEvent, tag="auth.refresh"):
    """Another token of the same user, by which this connection goes from now on."""

    token: str


class AuthRefreshRequired(ServerEvent, tag="auth.refresh_required"):
    """The connection's token expires soon; the connection ends with it."""

    extension: ClassVar[bool] = True
    expires_at: int
    """Seconds since the epoch."""


class AuthChanged(ServerEvent, tag="auth.changed"):
    """What this connection may do from now on, and what it may not."""

    extension: ClassVar[bool] = True
    rights: list[str]
    missing: list[str]
