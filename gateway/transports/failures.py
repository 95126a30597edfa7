"""Errors over HTTP, in the shape that OpenAI's clients read."""

from typing import Final

from starlette.responses import JSONResponse

from gateway.auth.rights import Right
from gateway.errors import GatewayError, ProtocolViolation

STATUS: Final = {
    "unsupported_content_type": 415,
    "offer_too_large": 413,
    "body_too_large": 413,
    "session_not_found": 404,
    "invalid_api_key": 401,
    "token_expired": 401,
    "token_in_query": 401,
    "issuer_unavailable": 503,
    "overloaded": 503,
    "store_unavailable": 503,
    **{f"missing_right_{right.value}": 403 for right in Right},
}
"""Codes for which HTTP has a status of its own."""


def failure(status: int, code: str, message: str, param: str | None = None) -> JSONResponse:
    """``{"error": {...}}`` with a stable code."""
    error = {"message": message, "type": "invalid_request_error", "code": code, "param": param}
    return JSONResponse({"error": error}, status)


def refusal(error: GatewayError) -> JSONResponse:
    """What is wrong with a request, with the status that fits: 400 unless there is a better one."""
    param = error.param if isinstance(error, ProtocolViolation) else None
    return failure(STATUS.get(error.code, 400), error.code, str(error), param)
