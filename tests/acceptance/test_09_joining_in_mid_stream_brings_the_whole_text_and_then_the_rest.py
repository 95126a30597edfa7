"""9. Who joins in mid-stream is told the whole text so far in one event, then what follows, and nothing twice."""

import asyncio
from pathlib import Path

from gateway.agents.scripted import Hold, Say, ScriptedAgent
from tests.transports.server import serving

DELTA = "response.output_text.delta"


def test_a_late_joiner_holds_what_those_hold_who_were_there(tmp_path: Path) -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One "), Say("two "), Hold(), Say("three "), Say("four.")])
        async with asyncio.timeout(30), serving(tmp_path, agent=agent) as gateway, gateway.socket() as first:
            session = (await first.get("session.created"))["session"]["id"]
            await first.ask("count")
            await first.get(DELTA, 2)
            async with gateway.socket(f"session={session}") as late:
                snapshot = await late.get("session.snapshot")
                held = snapshot["items"][-1]["content"][0]["text"]
                assert held == "One two "
                agent.release()
                await late.get("response.done")
                await first.get("response.done")
                told = late.all(DELTA)
                assert [each["offset"] for each in told] == [len("One two "), len("One two three ")]
                whole = "".join(each["delta"] for each in first.all(DELTA))
                assert held + "".join(each["delta"] for each in told) == whole == "One two three four."
                done = [socket.all("conversation.item.done")[-1]["item"] for socket in (late, first)]
                assert done[0] == done[1]

    asyncio.run(main())
