"""16. A call without a result never reaches the model as such: servers refuse the whole conversation for it."""

import asyncio
from pathlib import Path

from gateway.agents.openai_chat import OpenAIChat
from tests.agents.fake_openai import Answer, FakeOpenAI, Request
from tests.transports.server import serving

CALL = {"tool_calls": [{"index": 0, "id": "call_1", "function": {"name": "clock", "arguments": "{}"}}]}
CLOCK = {"type": "function", "name": "clock", "parameters": {"type": "object", "properties": {}}}


def complete(request: Request) -> bool:
    """Does a result follow each call, as OpenAI wants it?"""
    waiting: list[str] = []
    for message in request.body["messages"]:
        if message["role"] == "tool":
            waiting.remove(message["tool_call_id"])
        elif waiting:
            return False
        waiting += [call["id"] for call in message.get("tool_calls", ())]
    return not waiting


def test_the_user_speaks_before_the_tool_comes_back(tmp_path: Path) -> None:
    answers = [Answer(tokens=["One moment."], deltas=[CALL], finish_reason="tool_calls"), Answer(), Answer()]

    async def main() -> None:
        async with asyncio.timeout(30), FakeOpenAI(lambda request: answers[request.number]) as model:
            agent = OpenAIChat("small", base_url=model.base_url)
            async with serving(tmp_path, agent=agent) as gateway, gateway.socket() as socket:
                await socket.send("session.update", session={"tools": [CLOCK]})
                await socket.ask("What time is it?")
                done = await socket.get("response.function_call_arguments.done")
                assert (done["name"], done["arguments"]) == ("clock", "{}")
                await socket.get("response.done")
                await socket.ask("Never mind.")
                await socket.get("response.done", 2)
                result = {"type": "function_call_output", "call_id": "call_1", "output": "09:15"}
                await socket.send("conversation.item.create", item=result)
                await socket.ask("And now?")
                await socket.get("response.done", 3)
            await agent.aclose()
            assert [complete(request) for request in model.requests] == [True, True, True]
            told = [message["content"] for message in model.requests[2].body["messages"] if message["role"] == "tool"]
            assert told == ["09:15"]

    asyncio.run(main())
