"""The sessions that somebody may read, newest first, and those among them that are about something."""

from collections.abc import Mapping
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.auth.rights import Right
from gateway.core.events import SessionOpened
from gateway.core.ids import UserId
from gateway.protocol import http as wire
from gateway.runtime.ports import SessionInfo, Store
from gateway.transports.connection import Services
from gateway.transports.doors import authority_of, visitor_of
from gateway.transports.failures import told
from gateway.transports.incoming import number

MAX_SESSIONS: Final = 100
USUAL_SESSIONS: Final = 20

MOST_LOOKED_AT: Final = 500
"""Of others' sessions: who may read few among many goes on from the cursor."""

LAST: Final = 999_999_999

ABOUT: Final = "metadata."
"""What a query asks of a session's metadata begins with this."""


@told
async def sessions(request: Request) -> Response:
    """``GET /v1/sessions``: a page of those that who asks may read."""
    services: Services = request.app.state.services
    limit = number(request, "limit", USUAL_SESSIONS, MAX_SESSIONS, least=1)
    before = number(request, "before", 0, LAST) or None
    about = {name.removeprefix(ABOUT): value for name, value in request.query_params.items() if name.startswith(ABOUT)}
    page = await _page(request, services.store, about, before, limit)
    return Response(msgspec.json.encode(page), media_type="application/json")


async def _page(
    request: Request, store: Store, about: Mapping[str, str], before: int | None, limit: int
) -> wire.SessionPage:
    principal = visitor_of(request).principal
    shown: list[wire.SessionSummary] = []
    looked_at = 0
    while looked_at < MOST_LOOKED_AT:
        found = await store.sessions(about, tenant=principal.tenant, before=before, limit=MAX_SESSIONS)
        for info in found:
            before, looked_at = info.number, looked_at + 1
            rights = authority_of(request).rights(principal, info.session, await _opened_by(store, info))
            if Right.READ in rights:
                shown.append(_summary(info))
                if len(shown) == limit:
                    return wire.SessionPage(shown, before)
        if len(found) < MAX_SESSIONS:
            return wire.SessionPage(shown, None)
    return wire.SessionPage(shown, before)


async def _opened_by(store: Store, info: SessionInfo) -> UserId:
    first = await store.read(info.session, 0, limit=1)
    opened = first[0].fact if first else None
    return opened.user if isinstance(opened, SessionOpened) else UserId("")


def _summary(info: SessionInfo) -> wire.SessionSummary:
    return wire.SessionSummary(
        info.session, info.epoch, info.seq, int(info.created), int(info.used), dict(info.metadata)
    )
