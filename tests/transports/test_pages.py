"""Is it alive, is it ready, and nothing is served that is not there."""

import asyncio
from pathlib import Path

import pytest

from gateway.agents.scripted import ScriptedAgent
from tests.transports.server import serving


def test_it_is_alive_and_ready_and_says_who_answers(tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), serving(tmp_path, agent=ScriptedAgent()) as gateway:
            assert (await gateway.http("GET", "/healthz")).json == {"status": "ok"}
            ready = await gateway.http("GET", "/readyz")
            assert ready.status == 200
            assert (ready.json["status"], ready.json["agent"], ready.json["sessions"]) == ("ready", "scripted", 0)
            await gateway.session()
            assert (await gateway.http("GET", "/readyz")).json["sessions"] == 1

    asyncio.run(main())


def test_it_is_alive_but_not_ready_when_its_log_cannot_be_read(tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), serving(tmp_path) as gateway:
            await gateway.services.store.aclose()
            assert (await gateway.http("GET", "/healthz")).status == 200
            answer = await gateway.http("GET", "/readyz")
            assert (answer.status, answer.code) == (503, "store_unavailable")
            assert str(tmp_path) not in answer.body.decode()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nowhere", 404),
        ("GET", "/web/../app.py", 404),
        ("GET", "/web/%2e%2e/app.py", 404),
        ("GET", "/web/%2e%2e%2fapp.py", 404),
        ("POST", "/healthz", 405),
        ("GET", "/v1/realtime", 404),
        ("GET", "/v1/realtime/calls", 405),
    ],
)
def test_what_is_not_there_is_not_there(tmp_path: Path, method: str, path: str, status: int) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), serving(tmp_path) as gateway:
            answer = await gateway.http(method, path)
            assert answer.status == status
            assert b"import" not in answer.body

    asyncio.run(main())
