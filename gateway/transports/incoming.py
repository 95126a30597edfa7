"""What a request carries: JSON within bounds, and query parameters."""

from typing import Final

from starlette.requests import Request

from gateway.errors import ProtocolViolation
from gateway.protocol.decoding import Limits

_JSON: Final = ("", "application/json")


async def read_json(request: Request, limits: Limits) -> bytes:
    """The body; no more is read than may be sent.

    Raises ``ProtocolViolation`` with ``unsupported_content_type`` or ``event_too_large``.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _JSON:
        raise ProtocolViolation("unsupported_content_type", "Send application/json.")
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > limits.event_bytes:
            raise ProtocolViolation("event_too_large", f"A body may have {limits.event_bytes} bytes at most.")
    return body


def number(request: Request, name: str, default: int, most: int, *, least: int = 0) -> int:
    """A whole number of the query. Raises ``ProtocolViolation`` (``invalid_value``)."""
    given = request.query_params.get(name)
    if given is None:
        return default
    plain = given.isascii() and given.isdecimal() and len(given) < 10
    if not plain or not least <= int(given) <= most:
        raise ProtocolViolation("invalid_value", f"A whole number from {least} to {most}.", param=name)
    return int(given)
