"""The Responses API against a real server on the loopback, over HTTP."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing

import pytest

from gateway.agents.context import CUT
from gateway.agents.openai_responses import OpenAIResponses
from gateway.agents.patience import PATIENCE, Patience
from gateway.core.values import Tool, Usage
from gateway.errors import AgentError
from gateway.runtime.ports import Conversation, Ended, Message, Piece, Reasoning, ToolCall
from tests.agents.fake_responses import Answer, FakeResponses, Script

ASKED = Conversation("session", "response", "Be brief.", (Message("user", "how are you"),))
HASTY = Patience(first_token_s=0.2, next_token_s=0.2, retry_after_s=0.01)


def run(
    script: Script, use: Callable[[FakeResponses, OpenAIResponses], Awaitable[None]], patience: Patience = PATIENCE
) -> None:
    async def main() -> None:
        async with FakeResponses(script) as server:
            agent = OpenAIResponses("small", base_url=server.base_url, api_key="sk-test", patience=patience)
            await use(server, agent)
            await agent.aclose()

    asyncio.run(main())


async def answered(agent: OpenAIResponses, conversation: Conversation = ASKED) -> list[Piece]:
    return [piece async for piece in agent.reply(conversation)]


def pieces(script: Script, conversation: Conversation = ASKED) -> list[Piece]:
    given: list[Piece] = []

    async def use(_server: FakeResponses, agent: OpenAIResponses) -> None:
        given.extend(await answered(agent, conversation))

    run(script, use)
    return given


def failure(script: Script, patience: Patience = PATIENCE) -> AgentError:
    caught: list[AgentError] = []

    async def use(_server: FakeResponses, agent: OpenAIResponses) -> None:
        with pytest.raises(AgentError) as raised:
            await answered(agent)
        caught.append(raised.value)

    run(script, use, patience)
    return caught[0]


def test_an_answer_comes_in_the_model_s_pieces() -> None:
    assert pieces(["Fine", ", thank", " you."]) == ["Fine", ", thank", " you."]


def test_nothing_is_kept_at_the_server() -> None:
    async def use(server: FakeResponses, agent: OpenAIResponses) -> None:
        await answered(agent)
        body = (await server.request()).body
        assert set(body) == {"model", "store", "stream", "input", "instructions"}
        assert (body["model"], body["store"], body["stream"], body["instructions"]) == (
            "small",
            False,
            True,
            "Be brief.",
        )

    run(["ok"], use)


def test_the_input_is_the_conversation_as_it_was_heard() -> None:
    heard = Message("assistant", "Once upon", interrupted=True, unheard=" a time")
    history = (Message("user", "a story"), heard, Message("user", "shorter"))

    async def use(server: FakeResponses, agent: OpenAIResponses) -> None:
        await answered(agent, Conversation("session", "response", "", history))
        body = (await server.request()).body
        assert "instructions" not in body
        assert [(item["role"], item["content"][0]["text"]) for item in body["input"]] == [
            ("user", "a story"),
            ("assistant", "Once upon"),
            ("user", f"{CUT}\nshorter"),
        ]
        assert [item["content"][0]["type"] for item in body["input"]] == ["input_text", "output_text", "input_text"]

    run(["ok"], use)


def test_an_answer_of_the_model_is_written_out_in_full() -> None:
    history = (Message("user", "hi"), Message("assistant", "Hello."), Message("user", "bye"))

    async def use(server: FakeResponses, agent: OpenAIResponses) -> None:
        await answered(agent, Conversation("session", "response", "", history))
        answer = (await server.request()).body["input"][1]
        assert (answer["type"], answer["id"], answer["status"]) == ("message", "msg_1", "completed")
        assert answer["content"] == [{"type": "output_text", "text": "Hello.", "annotations": []}]

    run(["ok"], use)


def test_tools_limit_and_effort_are_asked_for() -> None:
    schema = '{"type": "object", "properties": {"city": {"type": "string"}}}'
    tools = (Tool("weather", "Tells the weather.", schema), Tool("time"))
    asked = Conversation(
        "s", "r", "", ASKED.messages, tools=tools, tool_choice="required", forced_tool="", max_output_tokens=50
    )

    async def main() -> None:
        async with FakeResponses(["ok"]) as server:
            agent = OpenAIResponses("small", base_url=server.base_url, reasoning_effort="low")
            await answered(agent, asked)
            await agent.aclose()
            body = (await server.request()).body
            assert [tool["name"] for tool in body["tools"]] == ["weather", "time"]
            assert body["tools"][0]["parameters"]["properties"] == {"city": {"type": "string"}}
            assert all(tool["strict"] is False for tool in body["tools"])
            assert (body["tool_choice"], body["max_output_tokens"]) == ("required", 50)
            assert body["reasoning"] == {"effort": "low", "summary": "auto"}

    asyncio.run(main())


def test_one_tool_can_be_forced() -> None:
    asked = Conversation("s", "r", "", ASKED.messages, tools=(Tool("weather"),), forced_tool="weather")

    async def use(server: FakeResponses, agent: OpenAIResponses) -> None:
        await answered(agent, asked)
        assert (await server.request()).body["tool_choice"] == {"type": "function", "name": "weather"}

    run(["ok"], use)


def test_calls_of_tools_come_whole() -> None:
    calls = (("call_1", "weather", '{"city": "Rome"}'), ("call_2", "time", "{}"))
    assert pieces(Answer(tokens=["Let me see."], calls=calls)) == [
        "Let me see.",
        ToolCall("call_1", "weather", '{"city": "Rome"}'),
        ToolCall("call_2", "time", "{}"),
    ]


def test_a_call_without_a_word_is_an_answer() -> None:
    assert pieces(Answer(tokens=[], calls=[("call_1", "time", "{}")])) == [ToolCall("call_1", "time", "{}")]


def test_thoughts_come_before_the_words() -> None:
    assert pieces(Answer(tokens=["Four."], thoughts=["Two and two", "is four"])) == [
        Reasoning("Two and two"),
        Reasoning("\n\n"),
        Reasoning("is four"),
        "Four.",
    ]


def test_what_it_cost_is_told() -> None:
    usage = {
        "input_tokens": 10,
        "output_tokens": 7,
        "total_tokens": 17,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens_details": {"reasoning_tokens": 5},
    }
    assert pieces(Answer(tokens=["ok"], usage=usage))[-1] == Usage(10, 7, cached_tokens=4, reasoning_tokens=5)


@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter"])
def test_why_an_answer_is_incomplete_comes_last(reason: str) -> None:
    given = pieces(Answer(tokens=["Once upon"], incomplete=reason, usage={"input_tokens": 1, "output_tokens": 2}))
    assert given == ["Once upon", Usage(1, 2), Ended(reason)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reason", "code"), [("max_output_tokens", "model_failed"), ("content_filter", "model_refused")]
)
def test_an_answer_that_ends_before_its_first_word_has_failed(reason: str, code: str) -> None:
    assert failure(Answer(tokens=[], incomplete=reason)).code == code


def test_calls_and_what_came_of_them_are_told_to_the_model() -> None:
    call = Message("tool", '{"city": "Rome"}', kind="function_call", call_id="call_1", name="weather")
    result = Message("tool", "sunny", kind="function_call_output", call_id="call_1")
    history = (Message("user", "weather?"), Message("assistant", "Let me see."), call, result)

    async def use(server: FakeResponses, agent: OpenAIResponses) -> None:
        await answered(agent, Conversation("session", "response", "", history))
        user, said, called, came = (await server.request()).body["input"]
        assert (user["role"], said["role"]) == ("user", "assistant")
        arguments = '{"city": "Rome"}'
        assert called == {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": arguments}
        assert came == {"type": "function_call_output", "call_id": "call_1", "output": "sunny"}

    run(["Sunny."], use)


def test_a_picture_is_passed_on_with_its_words() -> None:
    history = (Message("user", "what is it?", images=("data:image/png;base64,AAAA",)),)

    async def use(server: FakeResponses, agent: OpenAIResponses) -> None:
        await answered(agent, Conversation("session", "response", "", history))
        assert (await server.request()).body["input"][0]["content"] == [
            {"type": "input_text", "text": "what is it?"},
            {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"},
        ]

    run(["A cat."], use)


def test_warming_up_touches_no_network() -> None:
    async def use(server: FakeResponses, agent: OpenAIResponses) -> None:
        await agent.warm_up()
        assert server.connections_accepted == 0

    run(["ok"], use)


# --- hanging up ---


@pytest.mark.parametrize("stalled", [Answer(fault="stall", fault_after=0), Answer(fault="hang")])
def test_cancelling_before_the_first_token_hangs_up_on_the_model(stalled: Answer) -> None:
    async def use(server: FakeResponses, agent: OpenAIResponses) -> None:
        task = asyncio.create_task(answered(agent))
        await server.request()
        task.cancel()
        assert (await server.disconnect()).tokens == 0
        with pytest.raises(asyncio.CancelledError):
            await task

    run(stalled, use)


def test_cancelling_in_the_middle_hangs_up_on_the_model() -> None:
    spoken = asyncio.Event()

    async def consume(agent: OpenAIResponses) -> None:
        async for _ in agent.reply(ASKED):
            spoken.set()

    async def use(server: FakeResponses, agent: OpenAIResponses) -> None:
        task = asyncio.create_task(consume(agent))
        await spoken.wait()
        task.cancel()
        assert (await server.disconnect()).tokens == 2
        with pytest.raises(asyncio.CancelledError):
            await task

    run(Answer(tokens=["a", "b", "c"], fault="stall", fault_after=2), use)


def test_closing_the_iterator_hangs_up_on_the_model() -> None:
    async def use(server: FakeResponses, agent: OpenAIResponses) -> None:
        async with aclosing(agent.reply(ASKED)) as reply:
            async for _ in reply:
                break
        assert (await server.disconnect()).tokens == 1

    run(Answer(tokens=["a"], fault="stall", fault_after=1), use)


# --- what goes wrong ---


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "model_refused"),
        (401, "model_refused"),
        (404, "model_refused"),
        (429, "rate_limited"),
        (500, "model_failed"),
    ],
)
def test_a_refusal_has_the_codes_of_every_model(status: int, code: str) -> None:
    assert failure(Answer(status=status), HASTY).code == code


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(fault="hang"), "model_timeout"),
        (Answer(fault="stall", fault_after=1), "model_timeout"),
        (Answer(fault="garbage", fault_after=1), "model_failed"),
        (Answer(fault="reset", fault_after=1), "model_failed"),
        (Answer(fault="ends", fault_after=1), "model_failed"),
        (Answer(fault="ends", fault_after=0), "model_failed"),
        (Answer(fault="whole"), "model_failed"),
        (Answer(fault="error", fault_after=1), "model_failed"),
        (Answer(fault="failed", fault_after=1), "model_failed"),
        (Answer(tokens=[]), "model_failed"),
    ],
)
def test_a_broken_answer_ends_in_an_error(answer: Answer, code: str) -> None:
    assert failure(answer, HASTY).code == code


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("server_error", "model_failed"),
        ("rate_limit_exceeded", "rate_limited"),
        ("insufficient_quota", "rate_limited"),
        ("invalid_prompt", "model_refused"),
        ("bio_policy", "model_refused"),
        ("context_length_exceeded", "model_refused"),
        ("something_new", "model_failed"),
    ],
)
@pytest.mark.parametrize("fault", ["error", "failed"])
def test_a_failure_in_the_stream_is_told_by_its_code(said: str, code: str, fault: str) -> None:
    error = {"code": said, "message": "how are you, says sk-test"}
    answer = Answer(fault=fault, fault_after=1, error=error)  # type: ignore[arg-type]
    told = failure(answer)
    assert told.code == code
    shown = "".join(traceback.format_exception(told))
    assert "sk-test" not in shown
    assert "how are you" not in shown


def test_it_is_asked_once_more_before_the_first_token() -> None:
    async def use(server: FakeResponses, agent: OpenAIResponses) -> None:
        assert await answered(agent) == ["ok"]
        assert len(server.requests) == 2

    run(lambda request: Answer(status=500) if request.number == 0 else Answer(tokens=["ok"]), use, HASTY)


# --- servers of other makes ---


def delta(text: object) -> dict[str, object]:
    return {"type": "response.output_text.delta", "delta": text}


COMPLETED = {"type": "response.completed", "response": {"id": "r", "status": "completed"}}


@pytest.mark.parametrize(
    ("events", "given"),
    [
        pytest.param([delta("Hi"), COMPLETED], ["Hi"], id="neither created, nor indices, nor ids (llama.cpp)"),
        pytest.param([delta("Hi"), delta(None), delta(""), delta(7), COMPLETED], ["Hi"], id="deltas of nothing"),
        pytest.param(
            [{"type": "response.reasoning_text.delta", "delta": "Hm"}, delta("Hi"), COMPLETED],
            [Reasoning("Hm"), "Hi"],
            id="the thoughts themselves (vLLM, gpt-oss)",
        ),
        pytest.param(
            [{"type": "response.something.new"}, {"no": "type"}, [], delta("Hi"), COMPLETED],
            ["Hi"],
            id="events that mean nothing",
        ),
        pytest.param([{"type": "response.refusal.delta", "delta": "No."}, COMPLETED], ["No."], id="a refusal"),
        pytest.param(
            [
                {
                    "type": "response.output_item.done",
                    "item": {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]},
                },
                COMPLETED,
            ],
            ["Hi"],
            id="a message that is only told whole",
        ),
        pytest.param(
            [
                {
                    "type": "response.completed",
                    "response": {
                        "status": "completed",
                        "output": [{"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}],
                        "usage": {"input_tokens": 3, "output_tokens": None, "input_tokens_details": None},
                    },
                },
            ],
            ["Hi", Usage(3)],
            id="everything at the end, and nulls",
        ),
    ],
)
def test_servers_of_other_makes_are_understood(events: Sequence[dict[str, object]], given: list[Piece]) -> None:
    assert pieces(Answer(events=events)) == given


@pytest.mark.parametrize(
    ("item", "call"),
    [
        ({"call_id": "call_9", "arguments": "{}"}, ToolCall("call_9", "time", "{}")),
        ({"id": "fc_1", "arguments": "{}"}, ToolCall("fc_1", "time", "{}")),
        ({"id": None, "call_id": None, "arguments": ""}, ToolCall("call_response_1", "time", "{}")),
        ({"call_id": "call_9"}, ToolCall("call_9", "time", "{}")),
        ({"call_id": "call_9", "arguments": {"zone": 1}}, ToolCall("call_9", "time", '{"zone": 1}')),
    ],
)
def test_calls_of_other_makes_are_understood(item: dict[str, object], call: ToolCall) -> None:
    done = {"type": "response.output_item.done", "item": {"type": "function_call", "name": "time", **item}}
    assert pieces(Answer(events=[done, COMPLETED])) == [call]


def test_a_call_that_broke_off_is_none() -> None:
    item = {"type": "function_call", "name": "time", "call_id": "c", "arguments": '{"zo', "status": "incomplete"}
    done: dict[str, object] = {"type": "response.output_item.done", "item": item}
    over = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    ended: dict[str, object] = {"type": "response.incomplete", "response": over}
    assert pieces(Answer(events=[delta("Well"), done, ended])) == ["Well", Ended("max_output_tokens")]


@pytest.mark.parametrize("response", [{"error": {"message": "no"}}, {"status": "failed"}])
def test_a_failure_is_known_by_its_error_or_its_status(response: dict[str, object]) -> None:
    assert (
        failure(Answer(events=[delta("Hi"), {"type": "response.failed", "response": response}])).code == "model_failed"
    )


def test_an_error_under_a_status_of_success_is_an_error() -> None:
    told = failure(
        Answer(events=[{"error": {"code": 400, "message": "too long", "type": "exceed_context_size_error"}}])
    )
    assert told.code == "model_failed"
