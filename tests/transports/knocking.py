"""How clients with tokens come to a gateway that asks for them."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from gateway.runtime.clock import SystemClock
from gateway.runtime.ports import Agent
from tests.auth.keys import SECRET, signed
from tests.transports.server import Answer, Gateway, Socket, serving

Talk = Callable[[Gateway], Awaitable[None]]
NOW = SystemClock().wall()
EVERYTHING = {"*": ["*"]}


def served(folder: Path, talk: Talk, agent: Agent | None = None, **settings: Any) -> None:
    given = {"auth_secret": SECRET.decode(), **settings}

    async def main() -> None:
        async with asyncio.timeout(20), serving(folder, agent=agent, **given) as gateway:
            await talk(gateway)

    asyncio.run(main())


def token(user: str = "ada", rights: dict[str, list[str]] | None = None, **changes: Any) -> str:
    return signed(NOW, sub=user, bargein=rights or EVERYTHING, **{"jti": f"{user}-token", **changes})


def bearer(value: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {value}"}


def by(value: str) -> dict[str, Any]:
    """How a WebSocket presents a token."""
    return {"additional_headers": bearer(value)}


async def post(gateway: Gateway, path: str, body: object, value: str) -> Answer:
    return await gateway.http("POST", path, json.dumps(body), {**bearer(value), "Content-Type": "application/json"})


async def secret_of(gateway: Gateway, value: str, **wish: Any) -> str:
    answer = await post(gateway, "/v1/realtime/client_secrets", wish, value)
    assert answer.status == 200, answer.body
    return str(answer.json["value"])


async def opened(socket: Socket) -> str:
    return str((await socket.get("session.created"))["session"]["id"])


async def refused(gateway: Gateway, query: str = "", *protocols: str, **options: Any) -> tuple[int, str]:
    """Status and code with which a handshake is refused."""
    offered = [Subprotocol(name) for name in protocols] or None
    uri = f"ws://127.0.0.1:{gateway.port}/v1/realtime?{query}"
    with pytest.raises(InvalidStatus) as caught:
        async with connect(uri, subprotocols=offered, **options):
            pass
    response = caught.value.response
    return response.status_code, json.loads(response.body)["error"]["code"]
