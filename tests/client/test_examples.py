"""The example programs do what they say, and the documentation names what there is."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

from examples.clients.chat import chat
from examples.clients.second_device import steer
from examples.clients.stock_resume import talk
from gateway.agents.scripted import Hold, Say, ScriptedAgent
from gateway.client import Conversation, connect
from tests.client.proxy import proxy
from tests.transports.server import serving

ROOT = Path(__file__).parents[2]


def test_a_chat_is_written_as_it_comes(tmp_path: Path) -> None:
    async def main() -> None:
        written: list[str] = []
        done = asyncio.Event()

        def write(text: str) -> None:
            written.append(text)
            if text == "\n":
                done.set()

        async def lines() -> AsyncIterator[str]:
            yield ""
            yield "Count."
            await done.wait()

        async with serving(tmp_path, agent=ScriptedAgent("One two.")) as gateway, asyncio.timeout(20):
            await chat(gateway.url, None, lines(), write)
        assert written[0].startswith("[sess_")
        assert written[1] == "[nothing to stop]\n"
        assert "".join(written[2:]) == "One two.\n"

    asyncio.run(main())


def test_a_second_device_steers_the_first_ones_answer(tmp_path: Path) -> None:
    async def main() -> None:
        written: list[str] = []
        agent = ScriptedAgent([Say("One "), Hold()], [Say("Ten "), Hold()])

        async def lines() -> AsyncIterator[str]:
            yield "Count from ten."
            await agent.holding()
            yield "stop"
            yield "stop"

        async with (
            serving(tmp_path, agent=agent) as gateway,
            asyncio.timeout(20),
            connect(gateway.url) as first,
        ):
            await first.send("Count.")
            await agent.holding()
            await steer(gateway.url, first.session_id, lines(), written.append)
            assert [item.status for item in first.items if item.role == "assistant"] == ["incomplete", "incomplete"]
        assert written[0].startswith("2 messages; answering: resp_")
        assert written[1].startswith("applied as ")
        assert "Ten" in written[2]
        assert written[3].startswith("nothing to do; ")

    asyncio.run(main())


def test_a_stock_client_comes_back_to_its_answer(tmp_path: Path) -> None:
    async def main() -> None:
        written: list[str] = []
        ended = asyncio.Event()
        agent = ScriptedAgent([Say("One "), Hold(), Say("two "), Say("three.")])

        def write(text: str) -> None:
            written.append(text)
            if text == "\n":
                ended.set()

        async def lines() -> AsyncIterator[str]:
            yield "Count."
            await agent.holding()
            way.cut()
            agent.release()
            await ended.wait()

        async with serving(tmp_path, agent=agent) as gateway, proxy(gateway.port) as way, asyncio.timeout(20):
            await talk(f"http://127.0.0.1:{way.port}", lines(), write)
            assert way.connections == 2
        assert "".join(written) == "One two three.\n"

    asyncio.run(main())


def test_the_document_names_what_there_is() -> None:
    text = (ROOT / "docs" / "clients.md").read_text("utf-8")
    python = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        compile(block, "clients.md", "exec")
    named = set(re.findall(r"conversation\.(\w+)", python))
    assert named
    assert [name for name in named if not hasattr(Conversation, name)] == []
    page = (ROOT / "gateway" / "web" / "bargein.js").read_text("utf-8")
    script = "\n".join(re.findall(r"```js\n(.*?)```", text, re.DOTALL))
    called = set(re.findall(r"conversation\.(\w+)", script)) - {"addEventListener"}
    assert called
    assert [name for name in called if not re.search(rf"^  (async |get )?{name}\(", page, re.MULTILINE)] == []
