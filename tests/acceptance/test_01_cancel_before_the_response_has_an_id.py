"""1. A cancel before the response has an id is honoured, once."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

from gateway.agents.scripted import ScriptedAgent
from gateway.runtime.ports import Conversation, SteerMode
from tests.acceptance.steering import HELD, echoed, served, session_of, statuses
from tests.transports.server import Gateway


class Slow:
    """Never begins the first answer. Whether it is asked for it at all is a matter of microseconds."""

    name = "slow"
    steer: SteerMode = "instruction"
    speaks = hears = False

    async def reply(self, conversation: Conversation) -> AsyncGenerator[str, None]:
        if len(conversation.messages) == 1:
            await asyncio.Event().wait()
        yield "Yes."

    async def aclose(self) -> None:
        pass


def test_a_cancel_right_behind_the_question_is_honoured_once(tmp_path: Path) -> None:
    async def story(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            await socket.say("go")
            await socket.send("response.create", event_id="ask")
            await socket.send("response.cancel", event_id="stop", command_id="ask")
            await socket.get("command.accepted", 2)
            await echoed(socket)
            assert statuses(socket) == ["cancelled"]
            assert socket.all("response.output_text.delta") == []
            await socket.ask("and now?")
            assert (await socket.get("response.done", 2))["response"]["status"] == "completed"

    served(tmp_path, story, Slow())


def test_a_cancel_reaches_what_waits_and_has_no_id_at_all(tmp_path: Path) -> None:
    agent = ScriptedAgent(HELD)

    async def story(gateway: Gateway) -> None:
        async with gateway.socket() as one, gateway.socket(await session_of(one)) as two:
            await one.ask("go")
            await agent.holding()
            await one.send("response.create", event_id="later", on_active="queue", input="and letters?")
            await two.get("queue.item.added")
            await two.send("response.cancel", command_id="later")
            assert (await one.get("queue.item.withdrawn"))["reason"] == "cancelled"
            agent.release()
            await one.get("response.done")
            await echoed(one)
            assert statuses(one) == ["completed"]

    served(tmp_path, story, agent)
