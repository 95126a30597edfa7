"""What can go wrong for a client, below :class:`gateway.errors.GatewayError`::

ClientError
├── CommandRejected       the gateway refused a command; it changed nothing
├── CommandFailed         no answer came, and the command will not be sent again
├── ConnectionRefused     the gateway does not let this client in, or does not know the session
└── GatewayUnreachable    nobody answers at this address
"""

from gateway.errors import GatewayError


class ClientError(GatewayError):
    """Base of what the client raises on purpose."""


class CommandRejected(ClientError):
    """The gateway refused a command. ``code`` is one of the protocol's, ``param`` the field at fault, if one is."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(code, message)
        self.param = param


class CommandFailed(ClientError):
    """A command got no answer, and is not sent (again) from now on.

    Codes: ``outbox_full``, ``event_too_large``, ``key_expired``, ``closed``, and those of a :class:`ConnectionRefused`.
    """

    def __init__(self, code: str, message: str, *, uncertain: bool = False) -> None:
        super().__init__(code, message)
        self.uncertain = uncertain
        """True when it was sent before, so that the gateway may have applied it."""


class ConnectionRefused(ClientError):
    """The gateway does not let this client in. Codes: the gateway's, or ``gateway_refused`` where it gave none."""

    def __init__(self, code: str, message: str, *, retry_after_s: float | None = None, for_good: bool = True) -> None:
        super().__init__(code, message)
        self.retry_after_s = retry_after_s
        """When the gateway asks to be tried again, in seconds; None when it does not say."""

        self.for_good = for_good
        """True when trying again would be refused again."""


class GatewayUnreachable(ClientError):
    """Nobody answers at this address, or not in time. Code: ``gateway_unreachable``."""

    def __init__(self, message: str) -> None:
        super().__init__("gateway_unreachable", message)
