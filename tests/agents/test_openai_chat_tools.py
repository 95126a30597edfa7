"""What a chat model gives beside text, over a real HTTP server: calls of tools, what it thinks, what it cost."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from gateway.agents.openai_chat import OpenAIChat
from gateway.core.values import Tool, Usage
from gateway.errors import AgentError
from gateway.runtime.ports import Conversation, Ended, Message, Piece, Reasoning, ToolCall
from tests.agents.fake_openai import Answer, FakeOpenAI, Request

CLOCK = Tool("clock", "Tells the time.", '{"type":"object"}')
ASKED = Conversation("session", "resp_1", "", (Message("user", "What time is it?"),), tools=(CLOCK,))


def asked(answer: Answer, conversation: Conversation = ASKED) -> tuple[list[Piece], Request]:
    async def main() -> tuple[list[Piece], Request]:
        async with FakeOpenAI(answer) as server:
            agent = OpenAIChat("small", base_url=server.base_url)
            try:
                return [piece async for piece in agent.reply(conversation)], server.requests[0]
            finally:
                await agent.aclose()

    return asyncio.run(main())


def deltas(*calls: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return [{"tool_calls": [call]} for call in calls]


def test_the_tools_of_a_session_are_offered_and_nothing_of_them_without_any() -> None:
    _, request = asked(Answer(), replace(ASKED, tool_choice="required"))
    assert request.body["tools"] == [
        {
            "type": "function",
            "function": {"name": "clock", "description": "Tells the time.", "parameters": {"type": "object"}},
        }
    ]
    assert request.body["tool_choice"] == "required"
    _, request = asked(Answer(), replace(ASKED, tools=()))
    assert not {"tools", "tool_choice"} & request.body.keys()


def test_one_tool_may_be_the_only_choice() -> None:
    _, request = asked(Answer(), replace(ASKED, tool_choice="required", forced_tool="clock"))
    assert request.body["tool_choice"] == {"type": "function", "function": {"name": "clock"}}


def test_a_call_comes_in_pieces_and_is_given_whole_at_the_end() -> None:
    begun = {"index": 0, "id": "call_1", "function": {"name": "clock", "arguments": ""}}
    more = [{"index": 0, "function": {"arguments": part}} for part in ('{"zone"', ':"UTC"}')]
    found, _ = asked(Answer(tokens=["One ", "moment."], deltas=deltas(begun, *more), finish_reason="tool_calls"))
    assert found == ["One ", "moment.", ToolCall("call_1", "clock", '{"zone":"UTC"}')]


@pytest.mark.parametrize(
    "calls",
    [
        # As OpenAI tells two; all with one index (Ollama); with none; without ids (some llama.cpp templates).
        [{"index": 0, "id": "a"}, {"index": 1, "id": "b"}],
        [{"index": 0, "id": "a"}, {"index": 0, "id": "b"}],
        [{"index": None, "id": "a"}, {"index": None, "id": "b"}],
        [{"index": 0, "id": None}, {"index": 1, "id": None}],
        [{"index": 0, "id": ""}, {"index": 0, "id": ""}],
    ],
)
def test_two_calls_stay_two_however_a_server_tells_them_apart(calls: list[dict[str, Any]]) -> None:
    functions = [{"name": "clock", "arguments": '{"n":1}'}, {"name": "clock", "arguments": '{"n":2}'}]
    told = [{**call, "function": function} for call, function in zip(calls, functions, strict=True)]
    found, _ = asked(Answer(tokens=(), deltas=deltas(*told), finish_reason="tool_calls"))
    assert [piece.arguments for piece in found if isinstance(piece, ToolCall)] == ['{"n":1}', '{"n":2}']
    assert len({piece.call_id for piece in found if isinstance(piece, ToolCall)}) == 2


def test_a_call_that_broke_off_is_none_and_an_answer_of_nothing_else_has_failed() -> None:
    begun = {"index": 0, "id": "call_1", "function": {"name": "clock", "arguments": '{"zo'}}
    found, _ = asked(Answer(tokens=["So"], deltas=deltas(begun), finish_reason="length"))
    assert found == ["So", Ended("max_output_tokens")]
    with pytest.raises(AgentError):
        asked(Answer(tokens=(), deltas=deltas(begun), finish_reason="length"))


def test_what_it_cost_is_told() -> None:
    usage = {
        "prompt_tokens": 90,
        "completion_tokens": 12,
        "total_tokens": 102,
        "prompt_tokens_details": {"cached_tokens": 64},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    found, request = asked(Answer(usage=usage))
    assert found[-1] == Usage(90, 12, 64, reasoning_tokens=5)
    assert request.body["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_what_it_thinks_is_no_part_of_what_it_says(name: str) -> None:
    found, _ = asked(Answer(tokens=["Nine."], deltas=[{name: "The clock says"}]))
    assert found == ["Nine.", Reasoning("The clock says")]


def test_fewer_tokens_than_allowed_may_be_asked_for() -> None:
    _, request = asked(Answer(), replace(ASKED, max_output_tokens=20))
    assert request.body["max_tokens"] == 20


def test_calls_and_what_came_of_them_are_told_to_the_model() -> None:
    call = Message("tool", '{"zone":"UTC"}', kind="function_call", call_id="call_1", name="clock")
    result = Message("tool", "09:15", kind="function_call_output", call_id="call_1")
    history = (*ASKED.messages, Message("assistant", "One moment."), call, result)
    _, request = asked(Answer(), replace(ASKED, messages=history))
    assert request.body["messages"] == [
        {"role": "user", "content": "What time is it?"},
        {
            "role": "assistant",
            "content": "One moment.",
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "clock", "arguments": '{"zone":"UTC"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "09:15"},
    ]


def test_a_picture_is_passed_on_with_its_words() -> None:
    picture = Message("user", "What is this?", images=("data:image/png;base64,AAAA",))
    _, request = asked(Answer(), replace(ASKED, messages=(picture,)))
    assert request.body["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            ],
        }
    ]
