"""4. To close the tab is not to cancel."""

from pathlib import Path

from gateway.agents.scripted import ScriptedAgent
from tests.acceptance.steering import HELD, output, served, session_of
from tests.transports.inbox import Json
from tests.transports.server import Gateway


def answer(done: Json) -> tuple[str, str]:
    """The one item of a response."""
    (only,) = output(done)
    return only


def test_an_answer_goes_on_when_everybody_has_left(tmp_path: Path) -> None:
    agent = ScriptedAgent(HELD, "A.", "Yes.")

    async def story(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            joining = await session_of(socket)
            await socket.ask("go")
            await agent.holding()
            await socket.send("response.create", on_active="queue", input="and letters?")
            await socket.get("queue.item.added")
        agent.release()
        async with gateway.socket(joining) as again:
            await again.send("response.create", on_active="queue", input="still there?")
            await again.inbox.until(
                lambda: [output(done)[0][1] for done in again.all("response.done")][-1:] == ["Yes."]
            )
            said = [message.text for message in agent.asked[-1].messages]
            assert said == ["go", "One two three.", "and letters?", "A.", "still there?"]
            assert agent.endings == ["finished", "finished", "finished"]

    served(tmp_path, story, agent)
