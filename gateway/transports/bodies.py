"""JSON bodies of requests, no larger than they may be."""

from typing import Final, TypeVar

import msgspec
from starlette.requests import Request

from gateway.errors import ProtocolViolation

MAX_BODY_BYTES: Final = 64 * 1024

T = TypeVar("T")


async def read(request: Request, type: type[T]) -> T:
    """The body as *type*; an empty one is ``{}``.

    Raises ``ProtocolViolation``: ``body_too_large``, ``invalid_json``, ``invalid_value``.
    """
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise ProtocolViolation("body_too_large", f"A body may have {MAX_BODY_BYTES} bytes at most.")
    try:
        return msgspec.json.decode(body or b"{}", type=type)
    except msgspec.ValidationError as fault:
        where = str(fault).rpartition("`$.")[2].rstrip("`") if "`$." in str(fault) else None
        raise ProtocolViolation("invalid_value", "This value cannot be taken.", param=where) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise ProtocolViolation("invalid_json", "This is not a JSON object.") from None
