"""What is said of rights, and of the tokens that they come from: events of a connection, and bodies over HTTP."""

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, UnsetType

from gateway.protocol.realtime import ClientEvent, ServerEvent, SessionChanges

SECRET_LASTS_S = 600
"""How long there is to connect with a client secret, where nothing is said: OpenAI's own default."""

MAX_NAME = 256

# --- events ---


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


# --- bodies ---


class ExpiresAfter(msgspec.Struct):
    """How long there is to connect."""

    anchor: Literal["created_at"] = "created_at"
    seconds: Annotated[int, msgspec.Meta(ge=10, le=7200)] = SECRET_LASTS_S


class Narrowing(msgspec.Struct):
    """Ours: how much less than its minter's the secret's rights are."""

    session_id: str | UnsetType = UNSET
    """The only session that it is good for."""

    rights: list[str] | UnsetType = UNSET
    user: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)] | UnsetType = UNSET
    """Whose it is, where that is not its minter."""

    once: bool = False
    """Is it used up by the first connection?"""


class NewSecret(msgspec.Struct):
    """A client secret that is wanted, and the ``session`` that goes with it, as in a ``session.update``."""

    expires_after: ExpiresAfter = msgspec.field(default_factory=ExpiresAfter)
    session: SessionChanges = msgspec.field(default_factory=SessionChanges)
    bargein: Narrowing = msgspec.field(default_factory=Narrowing)


class ClientSecret(msgspec.Struct):
    """A client secret; ``session`` is the one that a client gets by it."""

    value: str
    expires_at: int
    """Seconds since 1970."""

    session: dict[str, Any]


Name = Annotated[str, msgspec.Meta(max_length=MAX_NAME)]


class NewRevocation(msgspec.Struct):
    """What is to be taken away: one of the first two. Without ``rights`` nothing is left."""

    token_id: Name = ""
    user: Name = ""
    rights: list[str] = msgspec.field(default_factory=list)


class Revoked(msgspec.Struct):
    """What was taken away, and the rights that are left."""

    token_id: str
    user: str
    rights: list[str]
    revoked_at: int
    """Seconds since 1970."""
