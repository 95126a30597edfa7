"""Plain HTTP: is it alive, what was said, and the page."""

from pathlib import Path
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles

from gateway.auth.rights import Right
from gateway.core.ids import SessionId
from gateway.errors import ProtocolViolation, StoreError
from gateway.runtime.actor import SessionEnded
from gateway.transports import history
from gateway.transports.connection import Services
from gateway.transports.doors import found
from gateway.transports.failures import failure, refusal
from gateway.transports.permits import demand

WEB: Final = Path(__file__).parent.parent / "web"


async def healthz(request: Request) -> Response:
    """The process is alive."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> Response:
    """The log can be read, and who answers and speaks is known; 503 otherwise."""
    services: Services = request.app.state.services
    try:
        await services.store.contents(SessionId("sess_00ready"), [])
    except StoreError as error:
        return failure(503, error.code, "The log of sessions cannot be read now.")
    return JSONResponse({"status": "ready", "sessions": len(services.registry), **services.about})


async def items(request: Request) -> Response:
    """The active path of a session, as ``{session_id, epoch, seq, items}``."""
    services: Services = request.app.state.services
    try:
        actor, rights = await found(request, services.registry, SessionId(request.path_params["session_id"]))
        demand(rights, Right.READ)
        glance = await actor.glance()
        shown = await history.items(services.store, actor.session_id, glance)
    except ProtocolViolation as refused:
        return refusal(refused)
    except (StoreError, SessionEnded):
        return failure(503, "store_unavailable", "The log of sessions cannot be read now.")
    body = {"session_id": actor.session_id, "epoch": actor.epoch, "seq": glance.seq, "items": shown}
    return Response(msgspec.json.encode(body), media_type="application/json")


class Files(StaticFiles):
    """The page's modules. Always asked for anew: old ones beside a new page would not fit."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


async def page(request: Request) -> Response:
    """The page where one can talk."""
    return FileResponse(WEB / "index.html", headers={"Cache-Control": "no-cache"})
