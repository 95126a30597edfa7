"""Chat completions as servers of other makes stream them: their shapes, from their documents and their issues."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.agents.openai_chat import OpenAIChat
from gateway.core.values import Usage
from gateway.errors import AgentError
from gateway.runtime.ports import Conversation, Message, Piece, Reasoning, ToolCall

ASKED = Conversation("session", "response", "", (Message("user", "weather?"),))
DONE = "data: [DONE]\n\n"


def chunk(delta: Any, finish: str | None = None, **more: Any) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
    return data({"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice], **more})


def data(value: Any) -> str:
    return f"data: {json.dumps(value)}\n\n"


def called(**fields: Any) -> dict[str, Any]:
    return {"tool_calls": [{"index": 0, "type": "function", **fields}]}


@asynccontextmanager
async def sending(lines: Sequence[str]) -> AsyncIterator[str]:
    """A server that answers each request with these lines; its base URL."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
            writer.write("".join(lines).encode())
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


def given(*lines: str) -> list[Piece]:
    async def main() -> list[Piece]:
        async with sending(lines) as address:
            agent = OpenAIChat("m", base_url=address)
            try:
                return [piece async for piece in agent.reply(ASKED)]
            finally:
                await agent.aclose()

    return asyncio.run(main())


def test_openrouter_sends_comments_thoughts_and_the_cost_beside_an_empty_choice() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12, "cost": 0.001}
    assert given(
        ": OPENROUTER PROCESSING\n\n",
        chunk({"role": "assistant", "content": "", "reasoning": "Hm."}, provider="P"),
        ": OPENROUTER PROCESSING\n\n",
        chunk({"role": "assistant", "content": "Sunny."}, provider="P"),
        chunk({"role": "assistant", "content": ""}, "stop", native_finish_reason="STOP"),
        chunk({"role": "assistant", "content": ""}, usage=usage),
        DONE,
    ) == [Reasoning("Hm."), "Sunny.", Usage(9, 3)]


def test_openrouter_tells_in_mid_answer_what_went_wrong_at_its_provider() -> None:
    with pytest.raises(AgentError) as caught:
        given(
            chunk({"role": "assistant", "content": "Sun"}),
            chunk({"content": ""}, "error", error={"code": 502, "message": "Provider disconnected"}),
            DONE,
        )
    assert caught.value.code == "model_failed"


def test_vllm_sends_nulls_and_a_call_in_pieces() -> None:
    assert given(
        chunk({"role": "assistant", "content": ""}, usage=None),
        chunk({"content": "Let me see.", "tool_calls": None, "reasoning_content": None}),
        chunk({"content": None, **called(id="chatcmpl-tool-1", function={"name": "weather", "arguments": None})}),
        chunk({"content": None, **called(id=None, function={"name": None, "arguments": '{"city": '})}),
        chunk({"content": None, **called(function={"arguments": '"Rome"}'})}),
        chunk({"content": ""}, "tool_calls", stop_reason=None),
        data({"object": "chat.completion.chunk", "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 3}}),
        DONE,
    ) == ["Let me see.", Usage(9, 3), ToolCall("chatcmpl-tool-1", "weather", '{"city": "Rome"}')]


def test_vllm_tells_an_error_without_calling_it_one() -> None:
    with pytest.raises(AgentError) as caught:
        given(data({"object": "error", "message": "weather?", "type": "BadRequestError", "code": 400}), DONE)
    assert caught.value.code == "model_failed"


def test_llama_cpp_begins_a_call_with_its_arguments_and_sends_timings() -> None:
    timings = {"prompt_n": 9, "predicted_n": 3}
    assert given(
        chunk({"role": "assistant", "content": None}),
        chunk(called(id="x1", function={"name": "weather", "arguments": "{"})),
        chunk(called(function={"arguments": "}"})),
        chunk({}, "tool_calls"),
        data({"object": "chat.completion.chunk", "choices": [], "usage": {"prompt_tokens": 9}, "timings": timings}),
        DONE,
    ) == [Usage(9), ToolCall("x1", "weather", "{}")]


def test_ollama_sends_each_call_whole_and_all_under_one_index() -> None:
    assert given(
        chunk(
            {"role": "assistant", "content": "", **called(id="call_a", function={"name": "weather", "arguments": "{}"})}
        ),
        chunk(
            {"role": "assistant", "content": "", **called(id="call_b", function={"name": "time", "arguments": "{}"})}
        ),
        chunk({"role": "assistant", "content": ""}, "tool_calls"),
        DONE,
    ) == [ToolCall("call_a", "weather", "{}"), ToolCall("call_b", "time", "{}")]


def test_some_send_arguments_as_an_object() -> None:
    arguments = {"city": "Rome"}
    assert given(
        chunk(called(id="call_a", function={"name": "weather", "arguments": arguments})), chunk({}, "stop"), DONE
    ) == [ToolCall("call_a", "weather", '{"city": "Rome"}')]


def test_some_end_without_a_reason_or_a_delta() -> None:
    assert given(chunk({"content": "Sunny."}), chunk(None), DONE) == ["Sunny."]
