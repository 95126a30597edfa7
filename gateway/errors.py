"""Every error that crosses a room's door, as a tree::

    GatewayError
    ├── SettingsError        a setting is unknown or wrong; stops the start with its sentence
    ├── ProtocolViolation    the peer sent something it must not; becomes an ``error`` event
    ├── AuthError            a credential is missing or not accepted; becomes 401, or a closed connection
    ├── AgentError           the model, or the code that stands for it, failed
    └── StoreError           the log could not be read or written

Each carries a stable ``code``. Messages are for people and never hold user text or model output.
"""


class GatewayError(Exception):
    """Base of what the gateway raises on purpose."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class SettingsError(GatewayError):
    """A setting is unknown or has a wrong value; the message names it."""

    def __init__(self, message: str) -> None:
        super().__init__("invalid_setting", message)


class ProtocolViolation(GatewayError):
    """A client event that cannot be taken. ``param`` is the path of the field at fault, if one is."""

    def __init__(self, code: str, message: str, *, param: str | None = None, event_id: str | None = None) -> None:
        super().__init__(code, message)
        self.param = param
        self.event_id = event_id


class AuthError(GatewayError):
    """A credential is not accepted. Codes: ``invalid_api_key``, ``token_expired``, ``token_in_query``,
    ``issuer_unavailable``. ``reason`` is for our own counters.
    """

    def __init__(self, code: str, message: str, *, reason: str) -> None:
        super().__init__(code, message)
        self.reason = reason


class AgentError(GatewayError):
    """The model failed. Codes: ``model_unreachable``, ``model_timeout``, ``model_refused``,
    ``rate_limited``, ``model_failed``, ``agent_crashed``.
    """


class StoreError(GatewayError):
    """The log failed. Codes: ``store_unavailable``, ``store_conflict``, ``store_locked``, ``store_too_new``."""
