"""A gateway in the benchmark's own process, with engines and an agent of its choice."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvicorn

from gateway.app import create_app
from gateway.runtime.ports import Agent
from gateway.settings import Settings
from media.leg import Engines


class _Server(uvicorn.Server):
    """Says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


@contextlib.asynccontextmanager
async def serving(folder: Path, *, agent: Agent, engines: Engines, **settings: Any) -> AsyncIterator[str]:
    """Serve with the log in *folder*; the URL."""
    known = Settings(agent="offline", synthesizer="none", recognizer="none", data=str(folder), **settings)
    app = create_app(known, agent=agent, engines=engines)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, ws="websockets-sansio", log_config=None, access_log=False, timeout_graceful_shutdown=1)
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    await server.up.wait()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()
