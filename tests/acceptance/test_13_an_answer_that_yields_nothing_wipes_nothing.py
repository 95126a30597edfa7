"""13. An answer that is given again and yields nothing does not take the good one away."""

import asyncio
from pathlib import Path

from gateway.agents.scripted import Fail, ScriptedAgent
from tests.transports.server import serving


def test_the_old_answer_stands_when_the_new_one_fails(tmp_path: Path) -> None:
    async def main() -> None:
        agent = ScriptedAgent("A good answer.", [Fail()])
        async with asyncio.timeout(30), serving(tmp_path, agent=agent) as gateway, gateway.socket() as socket:
            session = (await socket.get("session.created"))["session"]["id"]
            await socket.ask("tell me")
            good = (await socket.get("response.done"))["response"]["output"][0]["id"]
            await socket.send("response.create", replaces=good)
            failed = await socket.get("response.done", 2)
            assert failed["response"]["status"] == "failed"
            async with gateway.socket(f"session={session}") as other:
                snapshot = await other.get("session.snapshot")
                assert [item["content"][0]["text"] for item in snapshot["items"]] == ["tell me", "A good answer."]

    asyncio.run(main())
