"""A client's tools with a model of the Responses API behind the gateway: the whole way, over real sockets."""

import asyncio
from pathlib import Path

from gateway.agents.openai_responses import OpenAIResponses
from tests.agents.fake_openai import Request
from tests.agents.fake_responses import Answer, FakeResponses
from tests.transports.server import serving

TOOL = {"type": "function", "name": "weather", "description": "Tells it.", "parameters": {"type": "object"}}


def script(request: Request) -> Answer:
    if request.number == 0:
        usage = {"input_tokens": 9, "output_tokens": 5, "total_tokens": 14}
        return Answer(tokens=["Let me see."], calls=[("call_1", "weather", '{"city": "Rome"}')], usage=usage)
    return Answer(tokens=["Sunny."])


def test_a_tool_is_called_by_the_model_run_by_the_client_and_its_result_answered(tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), FakeResponses(script) as server:
            agent = OpenAIResponses("m", base_url=server.base_url)
            async with serving(tmp_path, agent=agent) as gateway, gateway.socket() as socket:
                await socket.send("session.update", session={"type": "realtime", "tools": [TOOL]})
                await socket.ask("How is the weather in Rome?")
                done = (await socket.get("response.done"))["response"]
                message, call = done["output"]
                assert message["content"][0]["text"] == "Let me see."
                assert (call["type"], call["call_id"], call["name"]) == ("function_call", "call_1", "weather")
                assert call["arguments"] == '{"city": "Rome"}'
                assert (done["usage"]["input_tokens"], done["usage"]["output_tokens"]) == (9, 5)
                output = {"type": "function_call_output", "call_id": "call_1", "output": "sunny"}
                await socket.send("conversation.item.create", item=output)
                await socket.send("response.create")
                done = (await socket.get("response.done", 2))["response"]
                assert done["output"][0]["content"][0]["text"] == "Sunny."
            first, second = server.requests
            assert [tool["name"] for tool in first.body["tools"]] == ["weather"]
            assert [item["type"] for item in second.body["input"]] == [
                "message",
                "message",
                "function_call",
                "function_call_output",
            ]
            assert second.body["input"][3]["output"] == "sunny"

    asyncio.run(main())
