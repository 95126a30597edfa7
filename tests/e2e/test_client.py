"""The Python client and a gateway process that is killed under it."""

import asyncio
import json
from pathlib import Path
from typing import Final
from urllib.request import urlopen

import msgspec
import pytest

from gateway.client import Backoff, Conversation, Item, connect
from gateway.client.events import Disconnected
from gateway.client.items import from_wire
from gateway.protocol import realtime as rt
from tests.e2e.gateway import gateway

pytestmark = pytest.mark.process

PATIENCE_S: Final = 40.0


async def answer_is_over(conversation: Conversation) -> None:
    async for event in conversation:
        if isinstance(event, rt.ResponseDone):
            return


async def lost(conversation: Conversation) -> None:
    async for event in conversation:
        if isinstance(event, Disconnected):
            return


def shown(url: str, session: str) -> tuple[Item, ...]:
    with urlopen(f"{url}/v1/sessions/{session}/items") as answer:
        return tuple(from_wire(msgspec.convert(item, rt.Item)) for item in json.load(answer)["items"])


def test_a_gateway_that_is_killed_in_mid_answer_is_joined_again_and_nothing_is_lost(tmp_path: Path) -> None:
    with gateway(tmp_path, "--agent", "offline", "--synthesizer", "none", "--recognizer", "none") as served:

        async def main() -> None:
            soon = Backoff(lambda: 1.0, first_s=0.05, longest_s=0.2)
            async with asyncio.timeout(PATIENCE_S), connect(served.url, device="phone", backoff=soon) as conversation:
                await conversation.send("Tell me a long story.")
                async for event in conversation:
                    if isinstance(event, rt.TextDelta) and event.offset > 40:
                        break
                begun = conversation.items[-1].text
                await asyncio.to_thread(served.kill)
                await lost(conversation)
                asked = asyncio.create_task(conversation.send("What is two plus two?", on_active="interrupt"))
                await asyncio.to_thread(served.start)
                sent = await asked
                while len(conversation.items) < 4 or conversation.running:
                    await answer_is_over(conversation)
                assert conversation.items == await asyncio.to_thread(shown, served.url, conversation.session_id)
                story, question, answer = conversation.items[1:]
                assert (story.role, story.status) == ("assistant", "incomplete")
                assert begun.startswith(story.text) or story.text.startswith(begun)
                assert (question.id, question.text) == (sent.item_id, "What is two plus two?")
                assert "two plus two" in answer.text

        asyncio.run(main())
