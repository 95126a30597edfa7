"""The least that a server must do to tell many clients the same: Starlette on uvicorn, and nothing else.

``python -m benchmarks.broadcast`` prints where it listens. Any message makes it send :data:`MESSAGES` to everyone.
"""

import asyncio
import json
import socket
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

MESSAGES: Final = 14
"""As many as an answer of the benchmark's agent has."""

TEXT: Final = json.dumps({"type": "response.output_text.delta", "delta": "x" * 140, "offset": 1, "item_id": "i" * 30})

_everyone: set[WebSocket] = set()


async def _serve(websocket: WebSocket) -> None:
    await websocket.accept()
    _everyone.add(websocket)
    try:
        while True:
            await websocket.receive_text()
            for _ in range(MESSAGES):
                for each in list(_everyone):
                    await each.send_text(TEXT)
                await asyncio.sleep(0)
    except WebSocketDisconnect:
        _everyone.discard(websocket)


def main() -> None:
    """Serve until interrupted."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    app = Starlette(routes=[WebSocketRoute("/", _serve)])
    config = uvicorn.Config(
        app, ws="websockets-sansio", log_config=None, ws_per_message_deflate=False, ws_ping_interval=None
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
