"""3. What a model says after its cancel belongs to the old answer, and is not told at all once that was announced."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

from gateway.runtime.ports import Conversation, SteerMode
from tests.acceptance.steering import served, text_of
from tests.transports.server import Gateway


class Stubborn:
    """Goes on talking when it is told to stop."""

    name = "stubborn"
    steer: SteerMode = "instruction"
    speaks = hears = False

    async def reply(self, conversation: Conversation) -> AsyncGenerator[str, None]:
        yield "One"
        if len(conversation.messages) == 1:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                yield " tail"

    async def aclose(self) -> None:
        pass


def test_the_tail_of_a_cancelled_answer_is_in_no_answer(tmp_path: Path) -> None:
    async def story(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            await socket.ask("go")
            await socket.get("response.output_text.delta")
            await socket.ask("and now?", on_active="interrupt")
            await socket.get("response.done", 2)
            old, new = [created["response"]["id"] for created in socket.all("response.created")]
            assert (text_of(socket, old), text_of(socket, new)) == ("One", "One")

    served(tmp_path, story, Stubborn())
