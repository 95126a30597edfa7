"""The chat model against a real HTTP server on the loopback."""

import asyncio
import socket
import traceback
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import pytest

from gateway.agents.context import CUT
from gateway.agents.openai_chat import OpenAIChat
from gateway.agents.patience import Patience
from gateway.agents.upstream import PLACEHOLDER_KEY
from gateway.errors import AgentError, SettingsError
from gateway.runtime.ports import Conversation, Message
from tests.agents.fake_openai import Answer, FakeOpenAI, Fault, Script

ASKED = Conversation("session", "response", "Be brief.", (Message("user", "how are you"),))


def run(script: Script, use: Callable[[FakeOpenAI, OpenAIChat], Awaitable[None]], **options: object) -> None:
    async def main() -> None:
        async with FakeOpenAI(script) as server:
            patience = options.get("patience", Patience())
            assert isinstance(patience, Patience)
            agent = OpenAIChat("small", base_url=server.base_url, api_key="sk-test", patience=patience)
            await use(server, agent)
            await agent.aclose()

    asyncio.run(main())


async def answered(agent: OpenAIChat, conversation: Conversation = ASKED) -> list[str]:
    return [piece async for piece in agent.reply(conversation) if isinstance(piece, str)]


async def failure(agent: OpenAIChat) -> AgentError:
    with pytest.raises(AgentError) as caught:
        await answered(agent)
    return caught.value


def test_an_answer_comes_in_the_model_s_pieces() -> None:
    async def use(_server: FakeOpenAI, agent: OpenAIChat) -> None:
        assert await answered(agent) == ["Fine", ", thank", " you."]

    run(["Fine", ", thank", " you."], use)


def test_the_request_holds_the_conversation_as_it_was_heard() -> None:
    heard = Message("assistant", "Once upon", interrupted=True, unheard=" a time")
    history = (Message("user", "a story"), heard, Message("user", "shorter"))

    async def use(server: FakeOpenAI, agent: OpenAIChat) -> None:
        await answered(agent, Conversation("session", "response", "Be brief.", history))
        request = await server.request()
        assert request.body["stream"] is True
        assert request.body["model"] == "small"
        assert request.messages == [
            ("system", "Be brief."),
            ("user", "a story"),
            ("assistant", "Once upon"),
            ("user", f"{CUT}\nshorter"),
        ]

    run(["ok"], use)


def test_only_settings_that_were_given_are_sent() -> None:
    async def main() -> None:
        async with FakeOpenAI(["ok"]) as server:
            plain = OpenAIChat("small", base_url=server.base_url)
            tuned = OpenAIChat("small", base_url=server.base_url, temperature=0.0, max_tokens=50)
            await answered(plain)
            await answered(tuned)
            await plain.aclose()
            await tuned.aclose()
            assert set(server.requests[0].body) == {"model", "messages", "stream", "stream_options"}
            body = server.requests[1].body
            assert (body["temperature"], body["max_tokens"], "max_completion_tokens" in body) == (0.0, 50, False)

    asyncio.run(main())


def test_cancelling_before_the_first_token_hangs_up_on_the_model() -> None:
    async def never(_number: int) -> None:
        await asyncio.Event().wait()

    async def use(server: FakeOpenAI, agent: OpenAIChat) -> None:
        task = asyncio.create_task(answered(agent))
        await server.request()
        task.cancel()
        assert (await server.disconnect()).tokens == 0
        with pytest.raises(asyncio.CancelledError):
            await task

    run(Answer(before_token=never), use)
    run(Answer(fault="hang"), use)


def test_cancelling_in_the_middle_hangs_up_on_the_model() -> None:
    spoken = asyncio.Event()

    async def consume(agent: OpenAIChat) -> None:
        async for _ in agent.reply(ASKED):
            spoken.set()

    async def use(server: FakeOpenAI, agent: OpenAIChat) -> None:
        task = asyncio.create_task(consume(agent))
        await spoken.wait()
        task.cancel()
        assert (await server.disconnect()).tokens == 2
        with pytest.raises(asyncio.CancelledError):
            await task

    run(Answer(tokens=["a", "b", "c"], fault="stall", fault_after=2), use)


def test_cancelling_whoever_is_busy_with_a_piece_hangs_up_on_the_model() -> None:
    spoken = asyncio.Event()

    async def consume(agent: OpenAIChat) -> None:
        async for _ in agent.reply(ASKED):
            spoken.set()
            await asyncio.Event().wait()

    async def use(server: FakeOpenAI, agent: OpenAIChat) -> None:
        task = asyncio.create_task(consume(agent))
        await spoken.wait()
        task.cancel()
        assert (await server.disconnect()).tokens == 1
        with pytest.raises(asyncio.CancelledError):
            await task

    run(Answer(tokens=["a"], fault="stall", fault_after=1), use)


def test_closing_the_iterator_hangs_up_on_the_model() -> None:
    async def use(server: FakeOpenAI, agent: OpenAIChat) -> None:
        async with aclosing(agent.reply(ASKED)) as reply:
            async for _ in reply:
                break
        assert (await server.disconnect()).tokens == 1

    run(Answer(tokens=["a"], fault="stall", fault_after=1), use)


def test_cancelling_one_answer_leaves_the_others_alone() -> None:
    gate = asyncio.Event()

    async def wait(_number: int) -> None:
        await gate.wait()

    async def use(server: FakeOpenAI, agent: OpenAIChat) -> None:
        first = asyncio.create_task(answered(agent))
        await server.request(0)
        second = asyncio.create_task(answered(agent))
        await server.request(1)
        first.cancel()
        assert (await server.disconnect()).request == 0
        gate.set()
        assert await second == ["yes"]
        assert len(server.disconnects) == 1

    run(Answer(tokens=["yes"], before_token=wait), use)


def test_a_completed_answer_leaves_its_connection_for_the_next() -> None:
    async def use(server: FakeOpenAI, agent: OpenAIChat) -> None:
        await answered(agent)
        await answered(agent)
        assert server.connections_accepted == 1

    run(["ok"], use)


@pytest.mark.parametrize(
    ("status", "code", "advice"),
    [
        (400, "model_refused", "settings"),
        (401, "model_refused", "OPENAI_API_KEY"),
        (403, "model_refused", "may not use small"),
        (404, "model_refused", "/v1"),
        (429, "rate_limited", "try again later"),
    ],
)
def test_a_refusal_says_what_to_do_and_is_not_retried(status: int, code: str, advice: str) -> None:
    async def use(server: FakeOpenAI, agent: OpenAIChat) -> None:
        error = await failure(agent)
        assert error.code == code
        assert advice in str(error)
        assert len(server.requests) == 1

    run(Answer(status=status), use)


@pytest.mark.parametrize(
    ("answer", "code", "advice"),
    [
        (Answer(status=429, headers={"retry-after": "7"}), "rate_limited", "try again in 7 s"),
        (Answer(status=429, headers={"retry-after": "soon"}), "rate_limited", "try again later"),
        (Answer(status=429, error={"code": "insufficient_quota"}), "rate_limited", "billing"),
        (Answer(status=400, error={"code": "context_length_exceeded"}), "model_refused", "too long"),
        (Answer(tokens=[], finish_reason="length"), "model_failed", "raise max tokens"),
        (Answer(tokens=[], finish_reason="content_filter"), "model_refused", "content filter"),
        (Answer(tokens=[]), "model_failed", "without a word"),
    ],
)
def test_known_reasons_have_their_own_sentence(answer: Answer, code: str, advice: str) -> None:
    async def use(_server: FakeOpenAI, agent: OpenAIChat) -> None:
        error = await failure(agent)
        assert error.code == code
        assert advice in str(error)

    run(answer, use)


@pytest.mark.parametrize("after", [0, 2])
@pytest.mark.parametrize("fault", ["garbage", "reset", "error"])
def test_a_broken_stream_is_a_failed_model(fault: Fault, after: int) -> None:
    async def use(_server: FakeOpenAI, agent: OpenAIChat) -> None:
        assert (await failure(agent)).code == "model_failed"

    run(Answer(tokens=["a", "b", "c"], fault=fault, fault_after=after), use)


def test_an_answer_that_is_no_stream_is_a_failed_model() -> None:
    async def use(_server: FakeOpenAI, agent: OpenAIChat) -> None:
        error = await failure(agent)
        assert (error.code, "stream" in str(error)) == ("model_failed", True)

    run(Answer(fault="whole"), use)


@pytest.mark.parametrize(
    ("answer", "patience", "sentence"),
    [
        (Answer(fault="hang"), Patience(first_token_s=0.05), "did not begin"),
        (Answer(fault="stall"), Patience(first_token_s=0.05), "did not begin"),
        (Answer(fault="stall", fault_after=1), Patience(next_token_s=0.05), "fell silent"),
    ],
)
def test_a_model_that_keeps_us_waiting_is_hung_up_on(answer: Answer, patience: Patience, sentence: str) -> None:
    async def use(server: FakeOpenAI, agent: OpenAIChat) -> None:
        error = await failure(agent)
        assert error.code == "model_timeout"
        assert sentence in str(error)
        await server.disconnect()

    run(answer, use, patience=patience)


def test_a_server_that_is_not_there_is_unreachable() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]

    async def main() -> None:
        agent = OpenAIChat("small", base_url=f"http://user:hunter2@127.0.0.1:{port}/v1")
        error = await failure(agent)
        await agent.aclose()
        assert error.code == "model_unreachable"
        assert f"127.0.0.1:{port}" in str(error)
        assert "hunter2" not in str(error)

    asyncio.run(main())


def test_an_error_never_repeats_the_server_s_words() -> None:
    async def use(_server: FakeOpenAI, agent: OpenAIChat) -> None:
        error = await failure(agent)
        told = "".join(traceback.format_exception(error))
        assert "how are you" not in told
        assert "sk-test" not in told

    said = {"message": "sk-test may not ask: how are you", "code": "how are you"}
    run(Answer(status=401, error=said), use)
    run(Answer(status=400, error=said), use)


def test_a_key_from_the_environment_is_not_sent_to_another_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")

    async def main() -> None:
        async with FakeOpenAI(["ok"]) as server:
            agent = OpenAIChat("small", base_url=server.base_url)
            await answered(agent)
            await agent.aclose()
            assert server.requests[0].headers["authorization"] == f"Bearer {PLACEHOLDER_KEY}"

    asyncio.run(main())


def test_the_environment_names_the_server_when_nothing_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with FakeOpenAI(["ok"]) as server:
            monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
            monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
            agent = OpenAIChat("small")
            await answered(agent)
            await agent.aclose()
            assert server.requests[0].headers["authorization"] == "Bearer sk-env"

    asyncio.run(main())


def test_without_a_key_and_without_a_server_it_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SettingsError, match="OPENAI_API_KEY"):
        OpenAIChat("small")


@pytest.mark.parametrize("address", ["localhost:8000/v1", "ftp://host/v1", "http://[::1/v1"])
def test_an_address_that_is_none_does_not_start(address: str) -> None:
    with pytest.raises(SettingsError, match="base URL"):
        OpenAIChat("small", base_url=address)


def test_warming_up_touches_no_network() -> None:
    async def use(server: FakeOpenAI, agent: OpenAIChat) -> None:
        await agent.warm_up()
        assert server.connections_accepted == 0
        assert await answered(agent) == ["ok"]

    run(["ok"], use)


def test_closing_twice_is_harmless() -> None:
    async def use(_server: FakeOpenAI, agent: OpenAIChat) -> None:
        await agent.aclose()

    run(["ok"], use)


def test_its_name_tells_the_model() -> None:
    assert OpenAIChat("small", base_url="http://127.0.0.1:9/v1").name == "openai_chat small"
