"""The fake model server as a process of its own."""

import asyncio
import json
import sys

from gateway.agents.openai_chat import OpenAIChat
from gateway.runtime.ports import Conversation, Message

ASKED = Conversation("session", "response", "", (Message("user", "hello"),))


def test_as_a_process_it_prints_its_address_each_request_and_each_disconnect() -> None:
    async def main() -> None:
        command = (sys.executable, "-m", "tests.agents.fake_openai", "--text", "one two", "--fault", "stall")
        process = await asyncio.create_subprocess_exec(*command, "--fault-after", "1", stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        address = (await process.stdout.readline()).decode().removeprefix("listening on ").strip()
        agent = OpenAIChat("small", base_url=address)
        spoken = asyncio.Event()

        async def consume() -> None:
            async for _ in agent.reply(ASKED):
                spoken.set()

        task = asyncio.create_task(consume())
        await spoken.wait()
        task.cancel()
        assert json.loads(await process.stdout.readline())["request"] == 0
        assert json.loads(await process.stdout.readline()) == {"disconnect": 0, "tokens": 1}
        await agent.aclose()
        process.terminate()
        assert await process.wait() == 0

    asyncio.run(main())
