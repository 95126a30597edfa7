"""6. Several steers before the next model call are in one call."""

import asyncio
from pathlib import Path

from gateway.agents.openai_chat import OpenAIChat
from tests.acceptance.steering import output, receipts, session_of
from tests.agents.fake_openai import Answer, FakeOpenAI, Request
from tests.transports.server import Gateway, serving


async def never(_number: int) -> None:
    await asyncio.Event().wait()


async def once(number: int) -> None:
    if number:
        await never(number)


def script(request: Request) -> Answer:
    """Only a call that holds all three is answered: one that began before the last came, on a slow machine, waits."""
    if request.number == 0:
        return Answer(tokens=("One", " two"), before_token=once)
    said = request.messages[-1][1]
    return Answer(tokens=(" Fox.",)) if set("abc") <= set(said) else Answer(before_token=never)


def test_three_steers_of_two_devices_are_answered_by_one_call(tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), FakeOpenAI(script) as server:
            agent = OpenAIChat("m", base_url=server.base_url)
            async with serving(tmp_path, agent=agent) as gateway:
                await story(gateway)
            *cut_off, last = server.requests
            assert sorted(last.messages[-1][1].split()) == ["a", "b", "c"]
            assert [it.request for it in server.disconnects] == [it.number for it in cut_off]

    async def story(gateway: Gateway) -> None:
        async with gateway.socket() as one, gateway.socket(await session_of(one)) as two:
            await one.ask("go")
            await two.get("response.output_text.delta")
            await one.send("response.steer", input="a")
            await two.send("response.steer", input="b")
            await one.send("response.steer", input="c")
            done = await two.get("response.done")
            first, *steers, rest = output(done)
            assert (first, rest) == (("assistant", "One"), ("assistant", " Fox."))
            assert sorted(steers) == [("user", "a"), ("user", "b"), ("user", "c")]
            assert receipts(two).count("consumed") == 3

    asyncio.run(main())
