"""What every agent does alike that asks a server of OpenAI's kind: deadlines, another attempt, bounds."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from gateway.agents import upstream
from gateway.agents.openai_chat import OpenAIChat
from gateway.agents.patience import Patience
from gateway.errors import AgentError
from gateway.runtime.ports import Conversation, Message
from tests.agents.fake_openai import Answer, FakeOpenAI, Fault, Request, Script

ASKED = Conversation("session", "response", "", (Message("user", "how are you"),))
HASTY = Patience(first_token_s=1.0, next_token_s=0.1, retry_after_s=0.0)


def run(script: Script, use: Callable[[FakeOpenAI, OpenAIChat], Awaitable[None]], patience: Patience = HASTY) -> None:
    async def main() -> None:
        async with FakeOpenAI(script) as server:
            agent = OpenAIChat("small", base_url=server.base_url, patience=patience)
            await use(server, agent)
            await agent.aclose()

    asyncio.run(main())


async def answered(agent: OpenAIChat) -> tuple[str, str]:
    """What came, and the code of what went wrong."""
    text = ""
    try:
        async for piece in agent.reply(ASKED):
            text += str(piece)
    except AgentError as error:
        return text, error.code
    return text, ""


def by_turns(answers: Sequence[Answer]) -> Callable[[Request], Answer]:
    return lambda request: answers[request.number]


# --- another attempt ---


@pytest.mark.parametrize(
    "first",
    [
        Answer(status=500),
        Answer(status=503, headers={"retry-after": "0"}),
        Answer(status=529),
        Answer(status=429, headers={"retry-after": "0"}),
        Answer(fault="reset"),
    ],
)
def test_what_may_pass_by_itself_is_asked_again_before_the_first_token(first: Answer) -> None:
    async def use(server: FakeOpenAI, agent: OpenAIChat) -> None:
        assert await answered(agent) == ("Fine.", "")
        assert len(server.requests) == 2

    run(by_turns([first, Answer(tokens=["Fine."])]), use)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(status=400), "model_refused"),
        (Answer(status=401), "model_refused"),
        (Answer(status=429), "rate_limited"),
        (Answer(status=429, headers={"retry-after": "3"}), "rate_limited"),
        (Answer(status=503, headers={"retry-after": "3"}), "model_failed"),
        (Answer(status=429, headers={"retry-after": "0"}, error={"code": "insufficient_quota"}), "rate_limited"),
        (Answer(fault="garbage"), "model_failed"),
        (Answer(fault="error"), "model_failed"),
        (Answer(fault="page"), "model_failed"),
    ],
)
def test_what_stays_as_it_is_or_takes_long_is_not_asked_again(answer: Answer, code: str) -> None:
    async def use(server: FakeOpenAI, agent: OpenAIChat) -> None:
        assert await answered(agent) == ("", code)
        assert len(server.requests) == 1

    run(answer, use)


def test_there_is_one_other_attempt_and_no_more() -> None:
    async def use(server: FakeOpenAI, agent: OpenAIChat) -> None:
        assert await answered(agent) == ("", "model_failed")
        assert len(server.requests) == 2

    run(Answer(status=500), use)


def test_the_other_attempt_has_what_is_left_of_the_time() -> None:
    async def use(server: FakeOpenAI, agent: OpenAIChat) -> None:
        assert await answered(agent) == ("", "model_failed")
        assert len(server.requests) == 1  # the wait would end beyond it

    run(Answer(status=500), use, Patience(first_token_s=0.2, retry_after_s=0.3))


@pytest.mark.parametrize("fault", ["reset", "error", "garbage", "stall", "end"])
def test_after_a_token_nothing_is_asked_again(fault: Fault) -> None:
    async def use(server: FakeOpenAI, agent: OpenAIChat) -> None:
        text, code = await answered(agent)
        assert (text, code) == ("Well", "model_timeout" if fault == "stall" else "model_failed")
        assert len(server.requests) == 1

    run(Answer(tokens=["Well"], fault=fault, fault_after=1), use)


# --- what says nothing does not count ---


@pytest.mark.parametrize("fault", ["comments", "empty", "stall", "hang"])
def test_nothing_prolongs_the_first_token_but_a_token(fault: Fault) -> None:
    async def use(server: FakeOpenAI, agent: OpenAIChat) -> None:
        assert await answered(agent) == ("", "model_timeout")
        await server.disconnect()

    run(Answer(fault=fault), use, Patience(first_token_s=0.2))


@pytest.mark.parametrize("fault", ["comments", "empty"])
def test_nothing_prolongs_the_next_one_either(fault: Fault) -> None:
    async def use(server: FakeOpenAI, agent: OpenAIChat) -> None:
        assert await answered(agent) == ("Well", "model_timeout")
        await server.disconnect()

    run(Answer(tokens=["Well"], fault=fault, fault_after=1), use)


def test_whoever_takes_long_over_a_token_does_not_take_it_from_the_model_s_time() -> None:
    async def use(_server: FakeOpenAI, agent: OpenAIChat) -> None:
        said = ""
        async for piece in agent.reply(ASKED):
            await asyncio.sleep(0.15)
            said += str(piece)
        assert said == "One two"

    run(Answer(tokens=["One", " two"], delay_s=0.05), use, Patience(next_token_s=0.1))


# --- bounds ---


def test_an_event_without_an_end_is_not_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "MAX_ANSWER_BYTES", 2**40)

    async def use(server: FakeOpenAI, agent: OpenAIChat) -> None:
        assert await answered(agent) == ("Well", "model_failed")
        await server.disconnect()
        assert len(server.requests) == 1

    run(Answer(tokens=["Well"], fault="line", fault_after=1), use, Patience(next_token_s=3.0))


def test_an_answer_without_an_end_is_not_collected_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """The arguments of a call, say, of which nothing is yielded before they are whole."""
    monkeypatch.setattr(upstream, "MAX_ANSWER_BYTES", 100_000)

    async def use(server: FakeOpenAI, agent: OpenAIChat) -> None:
        assert await answered(agent) == ("Well", "model_failed")
        await server.disconnect()

    run(Answer(tokens=["Well"], fault="empty", fault_after=1), use, Patience())


def test_an_answer_of_many_small_events_may_be_larger_than_one_event() -> None:
    word = "x" * 100_000

    async def use(_server: FakeOpenAI, agent: OpenAIChat) -> None:
        assert await answered(agent) == (word * 30, "")

    run(Answer(tokens=[word] * 30), use, Patience())


def test_what_fails_after_the_end_of_an_answer_is_no_failure() -> None:
    async def use(_server: FakeOpenAI, agent: OpenAIChat) -> None:
        assert await answered(agent) == ("Well", "")

    for fault in ("reset", "garbage", "comments"):
        run(Answer(tokens=["Well"], fault=fault, ends_first=True), use)


def test_a_stream_that_says_done_needs_no_reason() -> None:
    async def use(_server: FakeOpenAI, agent: OpenAIChat) -> None:
        assert await answered(agent) == ("Well", "")

    run(Answer(tokens=["Well"], finish_reason=None), use)
