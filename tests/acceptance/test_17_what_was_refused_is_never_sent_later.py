"""17. What was reported as refused never takes effect later."""

from pathlib import Path

from gateway.agents.scripted import ScriptedAgent
from tests.acceptance.steering import HELD, echoed, served, statuses
from tests.transports.server import Gateway


def test_a_refused_message_is_in_no_answer_and_in_no_history(tmp_path: Path) -> None:
    agent = ScriptedAgent(HELD, "A.")

    async def story(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            await socket.ask("go")
            await agent.holding()
            await socket.send("response.create", event_id="no", on_active="reject", input="refused")
            assert (await socket.get("command.rejected"))["command_id"] == "no"
            agent.release()
            await socket.get("response.done")
            await echoed(socket)
            assert statuses(socket) == ["completed"]
            await socket.ask("and letters?")
            await socket.get("response.done", 2)
            assert [message.text for message in agent.asked[1].messages] == ["go", "One two three.", "and letters?"]

    served(tmp_path, story, agent)


def test_what_a_full_queue_refused_is_not_answered_when_there_is_room(tmp_path: Path) -> None:
    agent = ScriptedAgent(HELD, "A.")

    async def story(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            await socket.ask("go")
            await agent.holding()
            for number in range(33):
                await socket.send("response.create", event_id=f"e{number}", on_active="queue", input=f"turn {number}")
            refused = await socket.get("command.rejected")
            assert (refused["command_id"], refused["code"]) == ("e32", "queue_full")
            await socket.send("response.create", on_active="latest", input="last")
            await socket.get("queue.item.added", 33)
            agent.release()
            await socket.get("response.done", 2)
            assert [message.text for message in agent.asked[1].messages] == ["go", "One two three.", "last"]

    served(tmp_path, story, agent)
