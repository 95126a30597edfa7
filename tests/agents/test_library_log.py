"""An app that mounts the gateway may log all that any library says: no key of an upstream, and no word, is in it."""

import asyncio
import logging
from collections.abc import Callable, Coroutine

import pytest

from gateway.agents.openai_realtime import OpenAIRealtime
from gateway.agents.openai_responses_socket import OpenAIResponsesSocket
from gateway.runtime.ports import Agent, Conversation, Message
from tests.agents.fake_realtime import FakeRealtime
from tests.agents.fake_responses import FakeResponses

KEY, WORDS = "sk-canary-4711", "What is my canary called?"
ASKED = Conversation("session", "resp_1", "", (Message("user", WORDS, item_id="item_1"),))


async def answered(agent: Agent) -> None:
    async with asyncio.timeout(20):
        assert [piece async for piece in agent.reply(ASKED)]
    await agent.aclose()


async def over_realtime() -> None:
    async with FakeRealtime() as upstream:
        await answered(OpenAIRealtime("voice", KEY, upstream.base_url))


async def over_responses() -> None:
    async with FakeResponses() as upstream:
        await answered(OpenAIResponsesSocket("small", KEY, upstream.base_url))
        assert upstream.requests


@pytest.mark.parametrize("talk", [over_realtime, over_responses])
def test_neither_the_key_nor_the_words_are_logged(
    talk: Callable[[], Coroutine[None, None, None]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    asyncio.run(talk())
    ours = [it.getMessage() for it in caplog.records if it.name.startswith(("gateway", "websockets.client"))]
    assert not [line for line in ours if KEY in line or WORDS in line]
