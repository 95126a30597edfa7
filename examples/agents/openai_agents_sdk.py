"""An agent of the OpenAI Agents SDK behind the gateway, with a tool that the SDK runs. Needs ``openai-agents``.

From the repository's root its name is ``examples.agents.openai_agents_sdk:reply``. Key and address are the SDK's own:
``OPENAI_API_KEY``, ``OPENAI_BASE_URL``. The SDK sends traces to OpenAI, words and all; here that is off.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from agents import Agent, Runner, function_tool, set_tracing_disabled

from gateway.agents.responses_request import request
from gateway.core.values import Usage
from gateway.runtime.ports import Conversation, Piece, ToolRun

MODEL = "gpt-4o-mini"

set_tracing_disabled(True)


@function_tool
def time_of_day() -> str:
    """The time in UTC."""
    return datetime.now(UTC).strftime("%H:%M")


async def reply(conversation: Conversation) -> AsyncIterator[Piece]:
    """Run the agent on what was heard. An interruption ends the run, and the model's request with it."""
    asked = request(conversation, MODEL)
    agent = Agent("voice", instructions=asked.get("instructions"), tools=[time_of_day], model=MODEL)
    run = Runner.run_streamed(agent, input=asked["input"])
    calls = {}
    try:
        async for event in run.stream_events():
            if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
                yield event.data.delta
            elif event.type == "run_item_stream_event" and event.name == "tool_called":
                calls[event.item.raw_item.call_id] = event.item.raw_item
            elif event.type == "run_item_stream_event" and event.name == "tool_output":
                call = calls[event.item.raw_item["call_id"]]
                yield ToolRun(call.call_id, call.name, call.arguments, str(event.item.output))
        spent = run.context_wrapper.usage
        yield Usage(spent.input_tokens, spent.output_tokens)
    finally:
        run.cancel()
