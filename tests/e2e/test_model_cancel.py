"""An interruption reaches the model's HTTP connection: a real server sees the cancelled request closed."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from websockets import Subprotocol
from websockets.asyncio.client import ClientConnection, connect

from tests.agents.fake_openai import Answer, FakeOpenAI, Request
from tests.e2e.gateway import gateway

pytestmark = pytest.mark.process

EXTENDED = [Subprotocol("bargein.v1")]
SLOW = Answer(tokens=[f"word{index} " for index in range(400)], delay_s=0.03)
QUICK = Answer(tokens=["Very", " well", "."])


def slow_then_quick(request: Request) -> Answer:
    return SLOW if request.number == 0 else QUICK


async def until(socket: ClientConnection, type: str) -> dict[str, Any]:
    async for message in socket:
        event: dict[str, Any] = json.loads(message)
        if event["type"] == type:
            return event
    raise AssertionError(f"the connection ended before {type}")


async def send(socket: ClientConnection, **event: Any) -> None:
    await socket.send(json.dumps(event))


async def say(socket: ClientConnection, text: str) -> None:
    content = [{"type": "input_text", "text": text}]
    await send(socket, type="conversation.item.create", item={"type": "message", "role": "user", "content": content})
    await send(socket, type="response.create", on_active="interrupt")


Story = Callable[[ClientConnection, FakeOpenAI], Awaitable[None]]


def against_a_slow_model(folder: Path, story: Story) -> None:
    async def main() -> None:
        async with FakeOpenAI(slow_then_quick) as model:
            options = ("--synthesizer", "none", "--recognizer", "none", "--base-url", model.base_url, "--model", "m")
            with gateway(folder, *options) as server:
                address = f"{server.url.replace('http', 'ws')}/v1/realtime"
                async with asyncio.timeout(30), connect(address, subprotocols=EXTENDED) as socket:
                    await until(socket, "session.snapshot")
                    await story(socket, model)

    asyncio.run(main())


def test_cancelling_closes_the_request(tmp_path: Path) -> None:
    async def story(socket: ClientConnection, model: FakeOpenAI) -> None:
        await say(socket, "tell me something")
        await until(socket, "response.output_text.delta")
        await send(socket, type="response.cancel")
        done = await until(socket, "response.done")
        assert done["response"]["status"] == "cancelled"
        assert done["response"]["status_details"]["reason"] == "client_cancelled"
        gone = await model.disconnect()
        assert gone.tokens < 400

    against_a_slow_model(tmp_path, story)


def test_typing_over_an_answer_closes_its_request_and_the_next_one_knows_what_was_shown(tmp_path: Path) -> None:
    async def story(socket: ClientConnection, model: FakeOpenAI) -> None:
        await say(socket, "tell me something")
        shown = (await until(socket, "response.output_text.delta"))["delta"]
        shown += (await until(socket, "response.output_text.delta"))["delta"]
        await say(socket, "no, something else")
        assert (await until(socket, "response.done"))["response"]["status"] == "cancelled"
        assert (await until(socket, "response.done"))["response"]["status"] == "completed"
        await model.disconnect()
        second = await model.request(1)
        roles = [role for role, _ in second.messages]
        assert roles == ["user", "assistant", "user"]
        assert second.messages[1][1].startswith(shown.strip())
        assert "something else" in second.messages[2][1]

    against_a_slow_model(tmp_path, story)


def test_cancelling_before_the_first_token_closes_the_request(tmp_path: Path) -> None:
    async def story(socket: ClientConnection, model: FakeOpenAI) -> None:
        await say(socket, "tell me something")
        await until(socket, "response.created")
        await model.request()
        await send(socket, type="response.cancel")
        done = await until(socket, "response.done")
        assert done["response"]["output"] == [] or done["response"]["output"][0]["status"] == "incomplete"
        await model.disconnect()

    against_a_slow_model(tmp_path, story)


def test_a_dropped_connection_does_not_cancel(tmp_path: Path) -> None:
    async def main() -> None:
        async with FakeOpenAI(["A ", "whole ", "answer."]) as model:
            options = ("--synthesizer", "none", "--recognizer", "none", "--base-url", model.base_url, "--model", "m")
            with gateway(tmp_path, *options) as server:
                address = f"{server.url.replace('http', 'ws')}/v1/realtime"
                async with asyncio.timeout(30):
                    async with connect(address, subprotocols=EXTENDED) as socket:
                        session = (await until(socket, "session.snapshot"))["session_id"]
                        await say(socket, "tell me something")
                        await until(socket, "response.created")
                    async with connect(f"{address}?session={session}", subprotocols=EXTENDED) as socket:
                        snapshot = await until(socket, "session.snapshot")
                        answer = snapshot["items"][-1]
                        if answer["role"] == "user" or answer["status"] != "completed":
                            await until(socket, "response.done")
                assert model.disconnects == []

    asyncio.run(main())
