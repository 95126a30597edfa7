"""The Responses API over its WebSocket, against a real server on the loopback: steering, and what stands in for it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from gateway.agents.openai_responses_socket import OpenAIResponsesSocket
from gateway.agents.patience import PATIENCE, Patience
from gateway.agents.responses_line import SPARES
from gateway.errors import AgentError
from gateway.runtime.closing import closing
from gateway.runtime.ports import STEERED, Conversation, Message, Piece, Steered, ToolCall
from tests.agents.fake_openai import Request
from tests.agents.fake_responses import Answer, FakeResponses, Script, SteerFault

ASKED = Conversation("session", "response", "Be brief.", (Message("user", "a story"),))
HASTY = Patience(first_token_s=0.2, next_token_s=0.2, retry_after_s=0.01)

Use = Callable[[FakeResponses, OpenAIResponsesSocket], Awaitable[None]]


def run(script: Script, use: Use, patience: Patience = PATIENCE, kept_s: float = 60.0) -> None:
    async def main() -> None:
        async with FakeResponses(script) as server:
            agent = OpenAIResponsesSocket("small", base_url=server.base_url, patience=patience, kept_s=kept_s)
            await use(server, agent)
            await agent.aclose()

    asyncio.run(main())


async def answered(agent: OpenAIResponsesSocket, conversation: Conversation = ASKED) -> list[Piece]:
    return [piece async for piece in agent.reply(conversation)]


class Reply:
    """A reply as the runtime consumes it: a task that can be cancelled with a word."""

    def __init__(
        self, agent: OpenAIResponsesSocket, conversation: Conversation, *, busy_with: int | None = None
    ) -> None:
        """*busy_with* is the number of the piece that its consumer never comes back from."""
        self.pieces: list[Piece] = []
        self._busy_with = busy_with
        self._news = asyncio.Event()
        self.task = asyncio.create_task(self._consume(agent.reply(conversation)))

    async def _consume(self, reply: AsyncGenerator[Piece, None]) -> None:
        async with closing(reply) as answer:
            async for piece in answer:
                self.pieces.append(piece)
                self._news.set()
                if len(self.pieces) == self._busy_with:
                    await asyncio.Event().wait()

    async def has(self, count: int) -> None:
        while len(self.pieces) < count:
            self._news.clear()
            await self._news.wait()

    async def cancel(self, why: str | None) -> None:
        self.task.cancel(why)
        with suppress(asyncio.CancelledError):
            await self.task


def steered(heard: str, *added: str, conversation: Conversation = ASKED) -> Conversation:
    """What the runtime gives to the reply that goes on."""
    since = conversation.steered.since if conversation.steered else len(conversation.messages)
    part = Message("assistant", heard, interrupted=True)
    messages = (*conversation.messages, part, *(Message("user", text) for text in added))
    partial = " ".join(it.text.strip() for it in messages[since:] if it.role == "assistant")
    return replace(conversation, messages=messages, steered=Steered("native", since, partial))


def story(**more: object) -> Answer:
    return Answer(tokens=["Once", " upon", " a", " time", "."], fault="stall", fault_after=2, **more)  # type: ignore[arg-type]


def test_an_answer_comes_over_the_websocket() -> None:
    async def use(server: FakeResponses, agent: OpenAIResponsesSocket) -> None:
        assert await answered(agent) == ["Fine", "."]
        request = await server.request()
        assert request.method == "WS"
        assert set(request.body) == {"model", "store", "input", "instructions"}
        assert request.body["store"] is False

    run(["Fine", "."], use)


def test_a_completed_answer_leaves_its_connection_for_the_next() -> None:
    async def use(server: FakeResponses, agent: OpenAIResponsesSocket) -> None:
        assert [await answered(agent) for _ in range(3)] == [["ok"]] * 3
        assert (len(server.requests), server.connections_accepted) == (3, 1)

    run(["ok"], use)


def test_no_more_connections_are_kept_than_are_of_use() -> None:
    async def use(server: FakeResponses, agent: OpenAIResponsesSocket) -> None:
        replies = [Reply(agent, replace(ASKED, response_id=f"r{number}")) for number in range(SPARES + 2)]
        await server.request(SPARES + 1)
        gate.set()
        for reply in replies:
            await reply.task
        await asyncio.gather(*(answered(agent, replace(ASKED, response_id=f"s{it}")) for it in range(SPARES + 1)))
        assert server.connections_accepted == SPARES + 3

    gate = asyncio.Event()

    async def wait(_number: int) -> None:
        await gate.wait()

    run(Answer(tokens=["ok"], before_token=wait), use)


def test_a_kept_connection_that_was_lost_does_not_cost_the_answer() -> None:
    def script(request: Request) -> Answer:
        return Answer(tokens=["ok"], fault="reset" if request.number == 1 else "")

    async def use(server: FakeResponses, agent: OpenAIResponsesSocket) -> None:
        assert await answered(agent) == ["ok"]
        assert await answered(agent) == ["ok"]
        assert [request.method for request in server.requests] == ["WS", "WS", "POST"]

    run(script, use)


def test_tools_are_called_over_the_websocket() -> None:
    async def use(_server: FakeResponses, agent: OpenAIResponsesSocket) -> None:
        assert await answered(agent) == [ToolCall("call_1", "time", "{}")]

    run(Answer(tokens=[], calls=[("call_1", "time", "{}")]), use)


def test_a_plain_cancellation_hangs_up_at_once() -> None:
    async def use(server: FakeResponses, agent: OpenAIResponsesSocket) -> None:
        reply = Reply(agent, ASKED)
        await reply.has(2)
        await reply.cancel(None)
        assert (await server.disconnect()).tokens == 2

    run(story(), use)


@pytest.mark.parametrize("fault", ["hang", "stall"])
def test_a_plain_cancellation_before_the_first_token_hangs_up(fault: str) -> None:
    async def use(server: FakeResponses, agent: OpenAIResponsesSocket) -> None:
        reply = Reply(agent, ASKED)
        await server.request()
        await reply.cancel(None)
        assert (await server.disconnect()).tokens == 0

    run(Answer(fault=fault), use)  # type: ignore[arg-type]


# --- steered ---


@pytest.mark.parametrize("busy_with", [None, 2])
def test_the_server_goes_on_with_what_the_user_added(busy_with: int | None) -> None:
    async def use(server: FakeResponses, agent: OpenAIResponsesSocket) -> None:
        first = Reply(agent, ASKED, busy_with=busy_with)
        await first.has(2)
        await first.cancel(STEERED)
        rest = Reply(agent, steered("Once upon", "with a fox"))
        await rest.task
        assert rest.pieces == ["Then", " this", "."]
        content = [{"type": "input_text", "text": "with a fox"}]
        assert await server.steer() == {
            "type": "response.steer",
            "previous_response_id": "resp_1",
            "input": [{"type": "message", "role": "user", "content": content}],
        }
        assert len(server.requests) == 1
        assert server.connections_accepted == 1

    run(story(), use)


def test_what_it_still_said_up_to_its_boundary_comes_first() -> None:
    async def use(_server: FakeResponses, agent: OpenAIResponsesSocket) -> None:
        first = Reply(agent, ASKED)
        await first.has(2)
        await first.cancel(STEERED)
        assert await answered(agent, steered("Once upon", "with a fox")) == [" a", " time", "Then", " this", "."]

    run(story(boundary=2), use)


def test_a_piece_that_did_not_arrive_is_given_out_again() -> None:
    async def use(_server: FakeResponses, agent: OpenAIResponsesSocket) -> None:
        first = Reply(agent, ASKED, busy_with=2)
        await first.has(2)
        await first.cancel(STEERED)
        assert await answered(agent, steered("Once", "with a fox")) == [" upon", "Then", " this", "."]

    run(story(), use)


def test_steers_that_came_together_go_together() -> None:
    async def use(server: FakeResponses, agent: OpenAIResponsesSocket) -> None:
        first = Reply(agent, ASKED)
        await first.has(2)
        await first.cancel(STEERED)
        await answered(agent, steered("Once upon", "with a fox", "and a hen"))
        sent = [message["content"][0]["text"] for message in (await server.steer())["input"]]
        assert sent == ["with a fox", "and a hen"]

    run(story(), use)


def test_an_answer_is_steered_again() -> None:
    servers: list[FakeResponses] = []

    async def until_steered_again(number: int) -> None:
        if number == 1 and len(servers[0].steers) == 1:
            await asyncio.Event().wait()

    async def use(server: FakeResponses, agent: OpenAIResponsesSocket) -> None:
        servers.append(server)
        first = Reply(agent, ASKED)
        await first.has(2)
        await first.cancel(STEERED)
        with_a_fox = steered("Once upon", "with a fox")
        second = Reply(agent, with_a_fox)
        await second.has(1)
        await second.cancel(STEERED)
        assert await answered(agent, steered("Then", "and a hen", conversation=with_a_fox)) == ["Then", " this", "."]
        again = await server.steer(1)
        assert again["previous_response_id"] == "resp_2"
        assert [message["content"][0]["text"] for message in again["input"]] == ["and a hen"]

    run(story(before_token=until_steered_again), use)


# --- not steered by the server ---


def first_stalls(request: Request) -> Answer:
    return story() if request.number == 0 else Answer(tokens=["Told", " so", "."])


def stalls_and(steer: SteerFault) -> Callable[[Request], Answer]:
    return lambda request: (
        story(steer=steer, boundary=1) if request.number == 0 else Answer(tokens=["Told", " so", "."])
    )


@pytest.mark.parametrize("steer", ["refused", "pending", "no successor", "failed", "reset"])
def test_where_the_server_cannot_the_model_is_told_to_go_on(steer: SteerFault) -> None:
    async def use(server: FakeResponses, agent: OpenAIResponsesSocket) -> None:
        first = Reply(agent, ASKED)
        await first.has(2)
        await first.cancel(STEERED)
        assert await answered(agent, steered("Once upon", "with a fox")) == ["Told", " so", "."]
        again = await server.request(1)
        assert "“Once upon”" in again.body["instructions"]
        assert [item["content"][0]["text"] for item in again.body["input"]] == ["a story", "Once upon", "with a fox"]

    run(stalls_and(steer), use)


def test_a_server_that_says_nothing_of_a_steer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.agents.responses_turn.ACCEPTED_WITHIN_S", 0.05)

    async def use(_server: FakeResponses, agent: OpenAIResponsesSocket) -> None:
        first = Reply(agent, ASKED)
        await first.has(2)
        await first.cancel(STEERED)
        assert await answered(agent, steered("Once upon", "with a fox")) == ["Told", " so", "."]

    run(stalls_and("silent"), use)


def test_a_server_that_said_more_than_was_heard_is_not_asked_to_go_on() -> None:
    async def use(server: FakeResponses, agent: OpenAIResponsesSocket) -> None:
        first = Reply(agent, ASKED)
        await first.has(2)
        await first.cancel(STEERED)
        voice = replace(steered("On", "with a fox"))
        assert await answered(agent, voice) == ["Told", " so", "."]
        assert server.steers == []
        assert (await server.disconnect()).request == 0

    run(first_stalls, use)


def test_a_conversation_that_was_changed_meanwhile_is_told_anew() -> None:
    async def use(server: FakeResponses, agent: OpenAIResponsesSocket) -> None:
        first = Reply(agent, ASKED)
        await first.has(2)
        await first.cancel(STEERED)
        corrected = replace(ASKED, messages=(Message("user", "a poem"),))
        assert await answered(agent, steered("Once upon", "with a fox", conversation=corrected)) == ["Told", " so", "."]
        assert server.steers == []

    run(first_stalls, use)


def test_a_response_waits_for_what_steers_it_no_longer_than_a_moment() -> None:
    async def use(server: FakeResponses, agent: OpenAIResponsesSocket) -> None:
        first = Reply(agent, ASKED)
        await first.has(2)
        await first.cancel(STEERED)
        assert (await server.disconnect()).tokens == 2
        assert await answered(agent, steered("Once upon", "with a fox")) == ["Told", " so", "."]

    run(first_stalls, use, kept_s=0.05)


def test_a_response_that_has_not_begun_is_hung_up_on_when_it_is_steered() -> None:
    async def use(server: FakeResponses, agent: OpenAIResponsesSocket) -> None:
        first = Reply(agent, ASKED)
        await server.request()
        await first.cancel(STEERED)
        assert (await server.disconnect()).tokens == 0

    run(Answer(fault="hang"), use)


def test_a_steer_before_the_one_before_it_was_taken_goes_with_it_to_the_model() -> None:
    async def use(server: FakeResponses, agent: OpenAIResponsesSocket) -> None:
        first = Reply(agent, ASKED)
        await first.has(2)
        await first.cancel(STEERED)
        second = Reply(agent, steered("Once upon", "with a fox"))
        await server.steer()
        await second.cancel(STEERED)
        assert (await server.disconnect()).request == 0
        both = steered("Once upon", "with a fox", "and a hen")
        assert await answered(agent, both) == ["Told", " so", "."]
        assert (await server.request(1)).body["input"][-1]["content"][0]["text"] == "with a fox\nand a hen"

    run(stalls_and("late"), use)


def test_closing_the_agent_hangs_up_on_what_waits() -> None:
    async def use(server: FakeResponses, agent: OpenAIResponsesSocket) -> None:
        first = Reply(agent, ASKED)
        await first.has(2)
        await first.cancel(STEERED)
        await agent.aclose()
        assert (await server.disconnect()).tokens == 2

    run(story(), use)


# --- no WebSocket, or a broken one ---


@pytest.mark.parametrize("status", [400, 403, 404, 405, 426, 501])
def test_a_server_without_a_websocket_is_asked_over_http_from_then_on(status: int) -> None:
    async def use(server: FakeResponses, agent: OpenAIResponsesSocket) -> None:
        modes = []
        for _ in range(2):
            modes.append(agent.steer)
            assert await answered(agent) == ["ok"]
        assert modes == ["native", "instruction"]
        assert [request.method for request in server.requests] == ["POST", "POST"]
        assert server.connections_accepted == 3

    run(lambda request: Answer(status=status) if request.method == "GET" else Answer(tokens=["ok"]), use)


@pytest.mark.parametrize("busy", [Answer(status=429), Answer(status=503), Answer(fault="reset")])
def test_a_server_that_is_busy_keeps_its_websocket(busy: Answer) -> None:
    async def use(_server: FakeResponses, agent: OpenAIResponsesSocket) -> None:
        assert await answered(agent) == ["ok"]
        assert agent.steer == "native"

    run(lambda request: busy if request.method == "GET" else Answer(tokens=["ok"]), use)


@pytest.mark.parametrize("fault", ["reset", "garbage", "error", "failed"])
def test_what_fails_before_the_first_token_is_asked_over_http(fault: str) -> None:
    def script(request: Request) -> Answer:
        return Answer(fault=fault) if request.method == "WS" else Answer(tokens=["ok"])  # type: ignore[arg-type]

    async def use(server: FakeResponses, agent: OpenAIResponsesSocket) -> None:
        assert await answered(agent) == ["ok"]
        assert [request.method for request in server.requests] == ["WS", "POST"]

    run(script, use)


def test_a_connection_that_is_too_old_is_not_asked_again() -> None:
    error = {"code": "websocket_connection_limit_reached"}

    def script(request: Request) -> Answer:
        return Answer(status=400, error=error) if request.method == "WS" else Answer(tokens=["ok"])

    async def use(_server: FakeResponses, agent: OpenAIResponsesSocket) -> None:
        assert await answered(agent) == ["ok"]

    run(script, use)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(status=400), "model_refused"),
        (Answer(status=429), "rate_limited"),
        (Answer(fault="reset", fault_after=1), "model_failed"),
        (Answer(fault="garbage", fault_after=1), "model_failed"),
        (Answer(fault="error", fault_after=1), "model_failed"),
        (Answer(fault="failed", fault_after=1, error={"code": "rate_limit_exceeded"}), "rate_limited"),
        (Answer(fault="stall", fault_after=1), "model_timeout"),
        (Answer(fault="hang"), "model_timeout"),
    ],
)
def test_what_fails_for_good_is_told(answer: Answer, code: str) -> None:
    async def use(server: FakeResponses, agent: OpenAIResponsesSocket) -> None:
        with pytest.raises(AgentError) as caught:
            await answered(agent)
        assert caught.value.code == code
        assert len(server.requests) == 1

    run(lambda request: Answer() if request.method == "GET" else answer, use, HASTY)


def test_a_refused_key_is_told_as_by_any_model() -> None:
    async def use(_server: FakeResponses, agent: OpenAIResponsesSocket) -> None:
        with pytest.raises(AgentError) as caught:
            await answered(agent)
        assert caught.value.code == "model_refused"

    run(Answer(status=401), use)
