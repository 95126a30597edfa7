"""Is it alive, and can it serve?"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.core.ids import SessionId
from gateway.errors import StoreError
from gateway.transports.connection import Services
from gateway.transports.failures import failure


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
    who = services.registry.agents.default.name
    return JSONResponse({"status": "ready", "sessions": len(services.registry), "agent": who, **services.about})
