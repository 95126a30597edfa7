"""A LangGraph behind the gateway: a model that may call a tool, as often as it likes. Needs ``langgraph`` and
``langchain-openai``.

From the repository's root its name is ``examples.agents.langgraph_agent:reply``. Key and address are LangChain's own:
``OPENAI_API_KEY``, ``OPENAI_BASE_URL``.
"""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from functools import cache
from typing import Any

from langchain_core.messages import AIMessageChunk
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from gateway.agents.context import ChatMessage, chat_messages
from gateway.runtime.ports import Conversation, Piece, ToolRun

MODEL = "gpt-4o-mini"


@tool
def time_of_day() -> str:
    """The time in UTC."""
    return datetime.now(UTC).strftime("%H:%M")


@cache
def graph() -> Any:
    """The model, and the tools that it comes back from. Made when it is first needed, as it wants a key."""
    model = ChatOpenAI(model=MODEL).bind_tools([time_of_day])

    async def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    building = StateGraph(MessagesState)
    building.add_node("model", ask)
    building.add_node("tools", ToolNode([time_of_day]))
    building.add_edge(START, "model")
    building.add_conditional_edges("model", tools_condition)
    building.add_edge("tools", "model")
    return building.compile()


def as_dict(message: ChatMessage) -> dict[str, Any]:
    """A message as LangChain takes it; what it calls a tool's message is what came of a call."""
    calls = [{"id": it.call_id, "name": it.name, "args": json.loads(it.text or "{}")} for it in message.calls]
    fields = {"tool_calls": calls} if calls else {"tool_call_id": message.call_id} if message.call_id else {}
    return {"role": message.role, "content": message.content, **fields}


async def reply(conversation: Conversation) -> AsyncIterator[Piece]:
    """Run the graph on what was heard. An interruption ends it, and the model's request with it."""
    asked = [as_dict(message) for message in chat_messages(conversation)]
    calls: dict[str, Any] = {}
    steps = graph().astream({"messages": asked}, stream_mode=["messages", "updates"])
    async with aclosing(steps):
        async for kind, step in steps:
            if kind == "messages" and isinstance(step[0], AIMessageChunk) and step[0].text:
                yield step[0].text
            elif kind == "updates":
                for message in (it for update in step.values() for it in update["messages"]):
                    if message.type == "ai":
                        calls |= {call["id"]: call for call in message.tool_calls}
                    else:
                        call = calls[message.tool_call_id]
                        yield ToolRun(call["id"], call["name"], json.dumps(call["args"]), message.text)
