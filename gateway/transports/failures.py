"""Errors over HTTP, in the shape that OpenAI's clients read."""

from collections.abc import Awaitable, Callable
from functools import wraps
from http import HTTPStatus
from typing import Final, TypeAlias

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.auth.rights import Right
from gateway.errors import AuthError, GatewayError, ProtocolViolation, StoreError
from gateway.runtime.actor import SessionEnded

STATUS: Final = {
    "session_not_found": 404,
    "not_reachable": 409,
    "item_not_found": 404,
    "request_timeout": 408,
    "event_too_large": 413,
    "offer_too_large": 413,
    "unsupported_content_type": 415,
    "idempotency_conflict": 422,
    "rate_limited": 429,
    "too_many_connections": 429,
    "invalid_api_key": 401,
    "token_expired": 401,
    "token_in_query": 401,
    "issuer_unavailable": 503,
    "overloaded": 503,
    "store_unavailable": 503,
    **{f"missing_right_{right.value}": 403 for right in Right},
}
"""Codes for which HTTP has a status of its own."""

RESUME_TOKEN: Final = "Bargein-Resume-Token"

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


def failure(
    status: int, code: str, message: str, param: str | None = None, event_id: str | None = None
) -> JSONResponse:
    """``{"error": {...}}`` with a stable code."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    error = {"message": message, "type": kind, "code": code, "param": param, "event_id": event_id}
    return JSONResponse({"error": error}, status)


def refusal(error: GatewayError, otherwise: int = 400) -> JSONResponse:
    """What is wrong with a request, with the status that fits; *otherwise* where no other does."""
    status = STATUS.get(error.code, otherwise)
    at = (error.param, error.event_id) if isinstance(error, ProtocolViolation) else ()
    response = failure(status, error.code, str(error), *at)
    if status == 429:
        response.headers["Retry-After"] = "1"
    if status == 408:
        response.headers["Connection"] = "close"  # what is still to come is no next request
    return response


def told(endpoint: Endpoint) -> Endpoint:
    """Tell what an endpoint cannot do: a request that is wrong, or that may not be made, a session that is unknown, a
    log that fails. Tell with whatever answer the token that follows a client secret, if one was used up."""

    @wraps(endpoint)
    async def answered(request: Request) -> Response:
        response = await attempted(request)
        if follows := getattr(request.state, "resume_token", ""):
            response.headers[RESUME_TOKEN] = follows
        return response

    async def attempted(request: Request) -> Response:
        try:
            return await endpoint(request)
        except (AuthError, ProtocolViolation) as refused:
            return refusal(refused)
        except (StoreError, SessionEnded):
            return failure(503, "store_unavailable", "The log of sessions cannot be read or written now.")

    return answered


async def fault_of_ours(_request: Request, _error: Exception) -> Response:
    """What nobody foresaw; who serves us logs it."""
    return failure(500, "internal_error", "This is a fault of the gateway.")


async def no_such_thing(request: Request, error: Exception) -> Response:
    """What nobody serves: 404, or 405 for another method than those that are served."""
    assert isinstance(error, HTTPException), "registered for this kind alone"
    status = HTTPStatus(error.status_code)
    response = failure(status, status.name.lower(), f"{status.phrase}.")
    response.headers.update(error.headers or {})
    return response
