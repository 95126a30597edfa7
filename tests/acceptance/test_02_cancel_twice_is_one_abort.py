"""2. Cancelled twice, and from two devices: one abort."""

import asyncio
from pathlib import Path

from gateway.agents.openai_chat import OpenAIChat
from tests.acceptance.steering import served, session_of, statuses
from tests.agents.fake_openai import Answer, FakeOpenAI
from tests.transports.server import Gateway, serving


def test_two_devices_that_cancel_abort_once(tmp_path: Path) -> None:
    async def hold(number: int) -> None:
        if number:
            await asyncio.Event().wait()

    async def main() -> None:
        async with asyncio.timeout(20), FakeOpenAI(Answer(tokens=("One", " two"), before_token=hold)) as server:
            agent = OpenAIChat("m", base_url=server.base_url)
            async with serving(tmp_path, agent=agent) as gateway:
                await story(gateway)
            assert [disconnect.tokens for disconnect in server.disconnects] == [1]

    async def story(gateway: Gateway) -> None:
        async with gateway.socket() as one, gateway.socket(await session_of(one)) as two:
            await one.ask("go")
            response_id = (await one.get("response.created"))["response"]["id"]
            await one.get("response.output_text.delta")
            await one.send("response.cancel", response_id=response_id, event_id="first")
            await two.get("response.done")
            await two.send("response.cancel", response_id=response_id, event_id="second")
            await one.send("response.cancel", response_id=response_id, event_id="third")
            second = await two.get("command.accepted")
            assert (second["command_id"], second["duplicate"]) == ("second", True)
            await one.inbox.until(lambda: any(it["command_id"] == "third" for it in one.all("command.accepted")))
            assert statuses(one) == statuses(two) == ["cancelled"]

    asyncio.run(main())


def test_a_cancel_of_nothing_is_harmless(tmp_path: Path) -> None:
    async def story(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            await socket.send("response.cancel", event_id="e1", all=True)
            assert (await socket.get("command.accepted"))["effect"] == "none"

    served(tmp_path, story)
