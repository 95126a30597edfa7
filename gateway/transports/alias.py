"""``/openai/v1/…``: the same as ``/v1/…``, where the clients of Azure look for it."""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX: Final = "/openai"

_ALIASED: Final = f"{PREFIX}/v1/"


class Alias:
    """ASGI middleware that stands before all others, so that nothing behind it knows of a second address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and scope["path"].startswith(_ALIASED):
            scope = {**scope, "path": scope["path"].removeprefix(PREFIX)}
            scope["raw_path"] = scope.get("raw_path", b"").removeprefix(PREFIX.encode())
        await self._app(scope, receive, send)
