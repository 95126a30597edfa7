"""The examples of agents: by rules here, and with libraries where ``scripts/test --clients`` has installed them."""

import asyncio
import json
import os
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from examples.agents import retrieval
from gateway.agents.callable import load
from gateway.runtime.ports import Conversation, Message, Piece, ToolRun
from tests.agents import fake_openai, fake_responses
from tests.agents.fake_openai import FakeOpenAI, Request
from tests.agents.fake_responses import FakeResponses
from tests.transports.server import serving

ROOT = Path(__file__).parents[2]
Server: TypeAlias = FakeOpenAI | FakeResponses


# --- retrieval ---


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "cats.md").write_text("# Cats\n\nA cat **sleeps** [all day](http://x), says the vet.\n\nCats purr.")
    (tmp_path / "dogs.md").write_text("# Dogs\n\nA dog barks at the postman.\n\nThe dog sleeps at night.")
    (tmp_path / "notes.txt").write_text("The postman has a parrot.")
    monkeypatch.setenv("LIBRARY", str(tmp_path))
    retrieval.library.cache_clear()
    return tmp_path


def looked_up(*messages: Message) -> list[Piece]:
    async def main() -> list[Piece]:
        async with aclosing(load("examples.agents.retrieval:reply").reply(asked)) as reply:
            return [piece async for piece in reply]

    asked = Conversation("session", "response", "", messages)
    return asyncio.run(main())


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    ("question", "source", "passage"),
    [
        ("When does the vet say that a cat sleeps?", "cats.md", "A cat sleeps all day, says the vet."),
        ("Who barks at the POSTMAN?", "dogs.md", "A dog barks at the postman."),
    ],
)
def test_an_answer_is_looked_up_and_says_where(question: str, source: str, passage: str) -> None:
    ran, said = looked_up(Message("user", question))
    assert isinstance(ran, ToolRun)
    assert (ran.name, json.loads(ran.arguments)) == ("search", {"question": question})
    assert ran.output == f"{source}: {passage}"
    assert said == f"In {source} I have found this: {passage}"


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("question", ["Has anybody a parrot?", "?", "the"])
def test_what_is_not_there_is_not_made_up(question: str) -> None:
    ran, said = looked_up(Message("user", question))
    assert isinstance(ran, ToolRun)
    assert (ran.output, said) == ("nothing", "I have found nothing about that.")


@pytest.mark.usefixtures("library")
def test_the_last_thing_that_the_user_said_is_the_question() -> None:
    said = looked_up(Message("user", "cats purr"), Message("assistant", "In cats.md"), Message("user", "postman"))
    assert "barks" in str(said[-1])


@pytest.mark.usefixtures("library")
def test_what_was_looked_up_stands_in_the_conversation(tmp_path: Path) -> None:
    async def main() -> None:
        agent = "examples.agents.retrieval:reply"
        async with serving(tmp_path / "data", agent=agent) as gateway, gateway.socket() as socket:
            await socket.ask("Who barks at the postman?")
            done = (await socket.get("response.done"))["response"]
            added = {event["item"]["type"]: event["item"] for event in socket.all("conversation.item.added")}
            assert (added["function_call"]["name"], done["status"]) == ("search", "completed")
            assert "barks" in added["function_call_output"]["output"]
            assert "barks" in done["output"][0]["content"][0]["text"]

    asyncio.run(main())


# --- libraries ---


def responses(request: Request) -> fake_responses.Answer:
    if request.number == 0:
        return fake_responses.Answer(tokens=["Let me see."], calls=[("call_1", "time_of_day", "{}")], usage=USAGE)
    return fake_responses.Answer(tokens=["It is", " late."], usage=USAGE)


def chat(request: Request) -> fake_openai.Answer:
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "time_of_day", "arguments": "{}"}}
    if request.number == 0:
        return fake_openai.Answer(tokens=["Let me see."], deltas=[{"tool_calls": [call]}], finish_reason="tool_calls")
    return fake_openai.Answer(tokens=["It is", " late."])


def of_responses(request: Request) -> list[str]:
    return [item.get("role", item["type"]) for item in request.body["input"]]


def of_chat(request: Request) -> list[str]:
    calls = {True: "function_call", False: "assistant"}
    roles = {"tool": "function_call_output"}
    said = [it for it in request.body["messages"] if it["role"] != "system"]
    return [
        calls["tool_calls" in it] if it["role"] == "assistant" else roles.get(it["role"], it["role"]) for it in said
    ]


USAGE = {
    "input_tokens": 3,
    "output_tokens": 2,
    "total_tokens": 5,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens_details": {"reasoning_tokens": 0},
}


@dataclass(frozen=True)
class Library:
    """An example, where its library is installed, and what stands for its model's server."""

    agent: str
    environment: str
    server: Callable[[], Server]
    stalling: Callable[[], Server]
    asked: Callable[[Request], list[str]]

    @property
    def python(self) -> Path:
        return ROOT / ".clients" / self.environment / "bin" / "python"


LIBRARIES = (
    Library(
        "examples.agents.openai_agents_sdk:reply",
        "agents",
        lambda: FakeResponses(responses),
        lambda: FakeResponses(fake_responses.Answer(tokens=["One"], fault="stall", fault_after=1)),
        of_responses,
    ),
    Library(
        "examples.agents.langgraph_agent:reply",
        "langgraph",
        lambda: FakeOpenAI(chat),
        lambda: FakeOpenAI(fake_openai.Answer(tokens=["One"], fault="stall", fault_after=1)),
        of_chat,
    ),
)


@asynccontextmanager
async def answering(library: Library, server: Server, *options: str) -> AsyncIterator[Process]:
    """The agent in the environment of its library; skipped where that is not installed."""
    model = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "k3y", "LANGSMITH_TRACING": "false"}
    process = await asyncio.create_subprocess_exec(
        *(str(library.python), "-m", "tests.agents.answering", library.agent, *options),
        cwd=ROOT,
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        env={**os.environ, **model},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.fixture(params=LIBRARIES, ids=lambda library: library.environment)
def example(request: pytest.FixtureRequest) -> Library:
    library: Library = request.param
    if not library.python.exists():
        pytest.skip(f"{library.environment} is not installed: scripts/test --clients does it")
    return library


@pytest.mark.process
def test_a_library_runs_its_tool_and_answers(example: Library) -> None:
    async def main() -> None:
        async with asyncio.timeout(50), example.server() as server, answering(example, server) as process:
            printed, _ = await process.communicate()
            pieces: list[Any] = [json.loads(line) for line in printed.splitlines()]
            assert [it for it in pieces if isinstance(it, str)] == ["Let me see.", "It is", " late."]
            ran = next(it["ToolRun"] for it in pieces if "ToolRun" in it)
            assert (ran["call_id"], ran["name"], ran["arguments"]) == ("call_1", "time_of_day", "{}")
            first, second = (example.asked(request) for request in server.requests)
            assert first == ["user", "function_call", "function_call_output", "assistant", "user"]
            assert second[-2:] == ["function_call", "function_call_output"]

    asyncio.run(main())


@pytest.mark.process
def test_leaving_a_library_hangs_up_on_its_model(example: Library) -> None:
    async def main() -> None:
        async with (
            asyncio.timeout(50),
            example.stalling() as server,
            answering(example, server, "--leave") as process,
        ):
            assert process.stdout is not None, "it was asked for as a pipe"
            said = [json.loads(await process.stdout.readline()) for _ in range(2)]
            assert said == ["One", "left"]
            assert (await server.disconnect()).tokens == 1

    asyncio.run(main())
