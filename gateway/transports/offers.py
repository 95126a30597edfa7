"""The body of a request that opens a call: an SDP offer, and what its client wants of the session."""

from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

from gateway.errors import ProtocolViolation
from gateway.protocol import realtime as rt
from gateway.transports.incoming import in_time

MAX_OFFER_BYTES: Final = 16 * 1024
"""Three times what browsers send."""

MAX_BODY_BYTES: Final = MAX_OFFER_BYTES + 80 * 1024
"""An offer, the session's JSON (as long as an event may be), and what a form wraps around them."""


async def read_offer(request: Request) -> tuple[str, rt.SessionChanges]:
    """The offer and the session's wishes, from raw SDP or from a form; no more is read than may be sent.

    Raises ``ProtocolViolation`` with ``unsupported_content_type``, ``offer_too_large``, ``invalid_form``,
    ``invalid_sdp``, ``invalid_value`` or ``request_timeout``.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/sdp", "multipart/form-data"):
        raise ProtocolViolation("unsupported_content_type", "Send application/sdp, or a form with sdp and session.")
    bounded = _bounded(request)
    if kind == "application/sdp":
        sdp, session = (await in_time(bounded.body())).decode("utf-8", "replace"), ""
    else:
        sdp, session = await in_time(_form(bounded))
    if not sdp.strip():
        raise ProtocolViolation("invalid_sdp", "The offer is missing.", param="sdp")
    if len(sdp) > MAX_OFFER_BYTES:
        raise _too_large()
    return sdp, changes_of(session)


def _too_large() -> ProtocolViolation:
    return ProtocolViolation("offer_too_large", "An offer may have 16 KiB at most.", param="sdp")


def _bounded(request: Request) -> Request:
    taken = 0

    async def receive() -> Message:
        nonlocal taken
        message = await request.receive()
        taken += len(message.get("body", b""))
        if taken > MAX_BODY_BYTES:
            raise _too_large()
        return message

    return Request(request.scope, receive)


async def _form(request: Request) -> tuple[str, str]:
    try:
        async with request.form(max_files=2, max_fields=4, max_part_size=MAX_BODY_BYTES) as form:
            return await _text(form.get("sdp")), await _text(form.get("session"))
    except HTTPException:
        raise ProtocolViolation("invalid_form", "The form cannot be read.") from None


async def _text(part: object) -> str:
    """A form field's text, whether it came as a field or as a file."""
    if isinstance(part, str):
        return part
    read = getattr(part, "read", None)
    return (await read()).decode("utf-8", "replace") if read is not None else ""


def changes_of(session: str | bytes) -> rt.SessionChanges:
    """The JSON of a session, as what it changes; nothing for none. Raises ``ProtocolViolation``: ``invalid_value``."""
    if not session.strip():
        return rt.SessionChanges()
    try:
        return msgspec.json.decode(session, type=rt.SessionChanges)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise ProtocolViolation("invalid_value", "The session is not a valid JSON object.", param="session") from None
