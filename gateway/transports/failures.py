"""Errors over HTTP, in the shape that OpenAI's clients read."""

from typing import Final

from starlette.responses import JSONResponse

from gateway.errors import ProtocolViolation

STATUS: Final = {"unsupported_content_type": 415, "offer_too_large": 413}
"""Codes for which HTTP has a status of its own."""


def failure(status: int, code: str, message: str, param: str | None = None) -> JSONResponse:
    """``{"error": {...}}`` with a stable code."""
    error = {"message": message, "type": "invalid_request_error", "code": code, "param": param}
    return JSONResponse({"error": error}, status)


def refusal(violation: ProtocolViolation) -> JSONResponse:
    """What is wrong with a request, with the status that fits: 400 unless there is a better one."""
    return failure(STATUS.get(violation.code, 400), violation.code, str(violation), violation.param)
