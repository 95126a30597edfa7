"""8. The model call that a steer ends is not reported as a cancel."""

import asyncio
from pathlib import Path

from gateway.agents.openai_chat import OpenAIChat
from tests.acceptance.steering import output, statuses
from tests.agents.fake_openai import Answer, FakeOpenAI, Request
from tests.transports.server import Gateway, serving


def test_a_steered_answer_completes(tmp_path: Path) -> None:
    async def hold(number: int) -> None:
        if number:
            await asyncio.Event().wait()

    def script(request: Request) -> Answer:
        return Answer(tokens=("One", " two"), before_token=hold) if request.number == 0 else Answer(tokens=(" Fox.",))

    async def main() -> None:
        async with asyncio.timeout(20), FakeOpenAI(script) as server:
            agent = OpenAIChat("m", base_url=server.base_url)
            async with serving(tmp_path, agent=agent) as gateway:
                await story(gateway)
            assert (await server.disconnect()).request == 0

    async def story(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            await socket.ask("go")
            await socket.get("response.output_text.delta")
            await socket.send("response.steer", input="A fox.")
            done = await socket.get("response.done")
            assert statuses(socket) == ["completed"]
            assert done["response"]["status_details"] is None
            assert output(done) == [("assistant", "One"), ("user", "A fox."), ("assistant", " Fox.")]
            assert socket.all("error") == []

    asyncio.run(main())
