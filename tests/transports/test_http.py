"""Plain HTTP: is it alive, is it ready, what was said."""

import asyncio
from pathlib import Path

import pytest

from gateway.agents.scripted import Hold, Say, ScriptedAgent
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
            session = await gateway.session()
            await gateway.services.store.aclose()
            assert (await gateway.http("GET", "/healthz")).status == 200
            for path in ("/readyz", f"/v1/sessions/{session}/items"):
                answer = await gateway.http("GET", path)
                assert (answer.status, answer.code) == (503, "store_unavailable")
                assert str(tmp_path) not in answer.body.decode()

    asyncio.run(main())


def test_what_was_said_can_be_read(tmp_path: Path) -> None:
    async def main() -> None:
        agent = ScriptedAgent("One.", [Say("Two "), Hold()])
        async with asyncio.timeout(20), serving(tmp_path, agent=agent) as gateway, gateway.socket() as socket:
            session = (await socket.get("session.created"))["session"]
            await socket.ask("hello")
            await socket.get("response.done")
            await socket.ask("more")
            await socket.get("response.output_text.delta", 2)
            found = (await gateway.http("GET", f"/v1/sessions/{session['id']}/items")).json
            assert (found["session_id"], found["epoch"]) == (session["id"], session["bargein"]["epoch"])
            assert found["seq"] == max(event.get("seq", 0) for event in socket.got)
            said = [(item["role"], item["status"], item["content"][0]["text"]) for item in found["items"]]
            assert said == [
                ("user", "completed", "hello"),
                ("assistant", "completed", "One."),
                ("user", "completed", "more"),
                ("assistant", "in_progress", "Two "),
            ]

    asyncio.run(main())


@pytest.mark.parametrize(
    "session", ["sess_00nobody", "nonsense", "%00", "sess_00%ff", "sess_00%F0%9F%98%80", "x" * 3000]
)
def test_a_session_that_nobody_knows_is_not_found(tmp_path: Path, session: str) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), serving(tmp_path) as gateway:
            answer = await gateway.http("GET", f"/v1/sessions/{session}/items")
            assert (answer.status, answer.code) == (404, "session_not_found")

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
