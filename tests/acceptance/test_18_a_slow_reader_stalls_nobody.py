"""18. Who does not read is let go, and nobody else waits for that."""

import asyncio
from pathlib import Path

from gateway.agents.scripted import Pause, Say, ScriptedAgent
from tests.transports.server import serving

PIECES = 100


def test_others_get_their_answer_while_one_device_reads_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        agent = ScriptedAgent([step for _ in range(PIECES) for step in (Say("x" * 1_000), Pause(0.002))])
        async with asyncio.timeout(60), serving(tmp_path, agent=agent) as gateway, gateway.socket() as reader:
            session = (await reader.get("session.created"))["session"]["id"]
            async with gateway.socket(f"session={session}", reads=False) as sleeper:
                await reader.ask("talk")
                done = await reader.get("response.done")
                assert done["response"]["status"] == "completed"
                deltas = reader.all("response.output_text.delta")
                assert sum(len(each["delta"]) for each in deltas) == PIECES * 1_000
                sleeper.connection.transport.abort()

    asyncio.run(main())
