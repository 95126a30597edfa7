"""What a request carries: JSON within bounds, and query parameters."""

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

from starlette.requests import Request

from gateway.errors import ProtocolViolation
from gateway.protocol.decoding import Limits

BODY_WITHIN_S: Final = 15.0
"""The longest that we take, some 100 KB, comes by then over a line of 64 kbit/s."""

T = TypeVar("T")

_JSON: Final = ("", "application/json")


async def read_json(request: Request, limits: Limits) -> bytes:
    """The body; no more is read than may be sent.

    Raises ``ProtocolViolation`` with ``unsupported_content_type``, ``event_too_large`` or ``request_timeout``.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _JSON:
        raise ProtocolViolation("unsupported_content_type", "Send application/json.")
    return await in_time(_read(request, limits))


async def _read(request: Request, limits: Limits) -> bytes:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > limits.event_bytes:
            raise ProtocolViolation("event_too_large", f"A body may have {limits.event_bytes} bytes at most.")
    return body


async def in_time(reading: Awaitable[T]) -> T:
    """What *reading* a body gives. Raises ``ProtocolViolation`` (``request_timeout``)."""
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            return await reading
    except TimeoutError:
        raise ProtocolViolation("request_timeout", "The body did not come in time.") from None


def number(request: Request, name: str, default: int, most: int, *, least: int = 0) -> int:
    """A whole number of the query. Raises ``ProtocolViolation`` (``invalid_value``)."""
    given = request.query_params.get(name)
    if given is None:
        return default
    plain = given.isascii() and given.isdecimal() and len(given) < 10
    if not plain or not least <= int(given) <= most:
        raise ProtocolViolation("invalid_value", f"A whole number from {least} to {most}.", param=name)
    return int(given)
