"""The replay of a call that is talked over, with a model behind it for which a real server on the loopback stands."""

import asyncio
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest
from rich.console import Console

from gateway.agents.context import CUT
from gateway.replay import ReplayOptions, Report, parse, replay
from tests.agents import fake_openai, fake_responses
from tests.agents.fake_openai import FakeOpenAI, Request
from tests.agents.fake_responses import FakeResponses
from tests.e2e.gateway import gateway
from tests.e2e.test_replay import CALLERS, TIMEOUT_S, check_the_report

pytestmark = [pytest.mark.process, pytest.mark.alone]

STEPS = ("ask_long_story.wav", "no_something_else.wav@speaking+1500", "stop.wav@speaking+500")
STORY = " There was once a lighthouse keeper who counted the ships that passed her rock and gave each a name." * 3
TOKENS = [f" {word}" for word in STORY.split()]
DELAY_S = 0.15
"""Faster than anybody speaks, and so slow that the model has not finished when it is cut."""

Server: TypeAlias = FakeOpenAI | FakeResponses
Said: TypeAlias = list[tuple[str, str]]
"""Role and text, in order."""


def chat() -> Server:
    return FakeOpenAI(fake_openai.Answer(tokens=TOKENS, delay_s=DELAY_S))


def responses() -> Server:
    return FakeResponses(fake_responses.Answer(tokens=TOKENS, delay_s=DELAY_S))


def of_chat(request: Request) -> Said:
    return [(role, text) for role, text in request.messages if role != "system"]


def of_responses(request: Request) -> Said:
    return [(item["role"], item["content"][0]["text"]) for item in request.body["input"]]


@dataclass(frozen=True)
class Model:
    """An agent, what stands for its server, and how to read what it was asked."""

    options: Sequence[str]
    server: Callable[[], Server]
    said: Callable[[Request], Said]


MODELS = {
    "openai_chat": Model(("--agent", "openai_chat"), chat, of_chat),
    "openai_responses": Model(("--agent", "openai_responses"), responses, of_responses),
    "openai_responses over its WebSocket": Model(
        ("--agent", "openai_responses", "--steer", "native"), responses, of_responses
    ),
}


@dataclass(frozen=True)
class Called:
    """A call that is over, and what was seen of it at its model's server."""

    told: Report
    asked: list[Said]
    hung_up: int


async def call(folder: Path, model: Model) -> Called:
    steps = tuple(parse(str(CALLERS / step)) for step in STEPS)
    async with model.server() as server:
        with gateway(folder, *model.options, "--base-url", server.base_url, "--model", "m") as served:
            options = ReplayOptions(steps, url=served.url, listen_ms=None, timeout_s=TIMEOUT_S)
            told = await replay(options, Console(file=io.StringIO()))
        return Called(told, [model.said(request) for request in server.requests], len(server.disconnects))


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Called]:
    """One call to each model, all at the same time."""

    async def main() -> dict[str, Called]:
        calls = [call(tmp_path_factory.mktemp("call"), model) for model in MODELS.values()]
        done = await asyncio.gather(*calls)
        return dict(zip(MODELS, done, strict=True))

    return asyncio.run(main())


@pytest.mark.parametrize("name", MODELS)
def test_a_call_that_is_talked_over_goes_as_with_any_agent(name: str, calls: dict[str, Called]) -> None:
    assert calls[name].told.failure is None
    check_the_report(calls[name].told)


@pytest.mark.parametrize("name", MODELS)
def test_the_model_is_hung_up_on_and_told_what_was_heard(name: str, calls: dict[str, Called]) -> None:
    called = calls[name]
    story, _ = called.told.responses
    first, second = called.asked
    assert called.hung_up == 2
    assert [role for role, _ in second] == ["user", "assistant", "user"]
    assert second[0] == first[0]
    assert second[1][1] == story.heard_text.strip()
    assert second[2][1].startswith(CUT)
