"""A conversation as a request of OpenAI's Responses API, complete in itself: nothing is kept at the server. Pure.

What is said in it is decided in :mod:`gateway.agents.context`, for every kind of model alike. How it is written is the
strictest form that servers of other makes want: an answer of the model with type, id and status and its text as a part
(vLLM takes it for nothing else), instructions outside the input, a tool's ``strict`` always said (llama.cpp takes it
for true). A call has no item id: OpenAI would look for the thoughts that belong to it.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from gateway.agents.context import ChatMessage, chat_messages
from gateway.core.values import Tool
from gateway.runtime.ports import Conversation

Body: TypeAlias = dict[str, Any]


def request(conversation: Conversation, model: str, reasoning_effort: str | None = None) -> Body:
    """The body of a request, but for how its answer is to come."""
    messages = chat_messages(conversation)
    body: Body = {"model": model, "store": False, "input": list(_items(messages))}
    instructions = "".join(message.content for message in messages if message.role == "system")
    if instructions:
        body["instructions"] = instructions
    if conversation.tools:
        body["tools"] = [_tool(tool) for tool in conversation.tools]
        forced = {"type": "function", "name": conversation.forced_tool}
        body["tool_choice"] = forced if conversation.forced_tool else conversation.tool_choice
    if conversation.max_output_tokens is not None:
        body["max_output_tokens"] = conversation.max_output_tokens
    if reasoning_effort is not None:
        body["reasoning"] = {"effort": reasoning_effort, "summary": "auto"}
    return body


def said_by_user(text: str, images: Iterable[str] = ()) -> Body:
    """A message of the user, as an item."""
    content: list[Body] = [{"type": "input_text", "text": text}] if text else []
    content += [{"type": "input_image", "image_url": image, "detail": "auto"} for image in images]
    return {"type": "message", "role": "user", "content": content}


def _items(messages: tuple[ChatMessage, ...]) -> Iterator[Body]:
    for place, message in enumerate(messages):
        match message.role:
            case "user":
                yield said_by_user(message.content, message.images)
            case "assistant":
                if message.content:
                    yield _said_by_model(message.content, place)
                for call in message.calls:
                    called = {"call_id": call.call_id, "name": call.name, "arguments": call.text or "{}"}
                    yield {"type": "function_call", **called}
            case "tool":
                yield {"type": "function_call_output", "call_id": message.call_id, "output": message.content}


def _said_by_model(text: str, place: int) -> Body:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "id": f"msg_{place}", "role": "assistant", "status": "completed", "content": content}


def _tool(tool: Tool) -> Body:
    parameters = json.loads(tool.parameters)
    described = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return {"type": "function", **described, "strict": False}
