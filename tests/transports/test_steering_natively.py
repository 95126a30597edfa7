"""A client steers, and the model server does it itself: the whole way, over real sockets."""

import asyncio
from pathlib import Path

from gateway.agents.openai_responses_socket import OpenAIResponsesSocket
from tests.agents.fake_openai import Request
from tests.agents.fake_responses import Answer, FakeResponses
from tests.transports.inbox import Json
from tests.transports.server import Socket, serving

STEER = "Let a fox come to her door."
STALLS = Answer(
    tokens=["Once", " upon", " a", " time"],
    fault="stall",
    fault_after=2,
    boundary=1,
    successor=[" came", " a", " fox."],
)


def shown(response: Json) -> list[tuple[str, str]]:
    return [(item["role"], item["content"][0]["text"]) for item in response["output"]]


def receipts(events: list[Json]) -> list[str]:
    kind = "response.steer."
    return [event["type"].removeprefix(kind) for event in events if event["type"].startswith(kind)]


async def until_shown(socket: Socket, text: str) -> None:
    def said() -> str:
        return "".join(event["delta"] for event in socket.all("response.output_text.delta"))

    await socket.inbox.until(lambda: said().endswith(text))


def test_the_model_server_hears_of_the_steer_and_goes_on_with_its_own_words(tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), FakeResponses(STALLS) as server:
            agent = OpenAIResponsesSocket("m", base_url=server.base_url)
            async with serving(tmp_path, agent=agent) as gateway, gateway.socket() as socket:
                await socket.ask("Tell me a story.")
                await until_shown(socket, "Once upon")
                await socket.send("response.steer", input=STEER)
                done = await socket.get("response.done")
                parts = [("assistant", "Once upon"), ("user", STEER), ("assistant", " a came a fox.")]
                assert shown(done["response"]) == parts
                assert receipts(socket.got) == ["accepted", "pending", "consumed"]
                assert (await server.steer())["input"][0]["content"][0]["text"] == STEER
                assert (len(server.requests), server.disconnects) == (1, [])

    asyncio.run(main())


def test_the_next_question_knows_all_that_was_said(tmp_path: Path) -> None:
    def script(request: Request) -> Answer:
        return STALLS if request.number == 0 else Answer(tokens=["Yes."])

    async def main() -> None:
        async with asyncio.timeout(20), FakeResponses(script) as server:
            agent = OpenAIResponsesSocket("m", base_url=server.base_url)
            async with serving(tmp_path, agent=agent) as gateway, gateway.socket() as socket:
                await socket.ask("Tell me a story.")
                await until_shown(socket, "Once upon")
                await socket.send("response.steer", input=STEER)
                await socket.get("response.done")
                await socket.ask("A real one?")
                await socket.get("response.done", 2)
                told = [item["content"][0]["text"] for item in (await server.request(1)).body["input"]]
                assert told[0] == "Tell me a story."
                assert told[1] == "Once upon"
                assert STEER in told[2]
                assert [text.strip() for text in told[3:]] == ["a came a fox.", "A real one?"]

    asyncio.run(main())


def test_cancelling_hangs_up_on_the_model_server(tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), FakeResponses(STALLS) as server:
            agent = OpenAIResponsesSocket("m", base_url=server.base_url)
            async with serving(tmp_path, agent=agent) as gateway, gateway.socket() as socket:
                await socket.ask("Tell me a story.")
                await until_shown(socket, "Once upon")
                await socket.send("response.cancel")
                assert (await server.disconnect()).tokens == 2

    asyncio.run(main())
