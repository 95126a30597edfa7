"""5. A steer that lands after the last model call is never lost silently."""

from pathlib import Path

from gateway.agents.scripted import ScriptedAgent
from tests.acceptance.steering import HELD, receipts, served, statuses
from tests.transports.server import Gateway


def test_a_steer_whose_answer_has_no_next_step_is_answered_afterwards(tmp_path: Path) -> None:
    agent = ScriptedAgent(HELD, "Un.")

    async def story(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            await socket.ask("go")
            await agent.holding()
            await socket.send("response.steer", input="In French.", when="next_step")
            await socket.get("response.steer.pending")
            assert receipts(socket) == ["accepted", "pending"]
            agent.release()
            await socket.get("response.done", 2)
            assert receipts(socket) == ["accepted", "pending", "consumed"]
            assert [message.text for message in agent.asked[1].messages] == ["go", "One two three.", "In French."]
            assert statuses(socket) == ["completed", "completed"]

    served(tmp_path, story, agent)


def test_a_steer_of_an_answer_that_is_over_is_refused(tmp_path: Path) -> None:
    async def story(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            await socket.ask("go")
            over = (await socket.get("response.done"))["response"]["id"]
            await socket.send("response.steer", input="In French.", previous_response_id=over, event_id="late")
            refused = await socket.get("command.rejected")
            assert (refused["command_id"], refused["code"]) == ("late", "steer_not_active")
            assert receipts(socket) == []

    served(tmp_path, story, ScriptedAgent("One."))


def test_a_steer_whose_answer_is_cancelled_gives_its_words_back(tmp_path: Path) -> None:
    agent = ScriptedAgent(HELD)

    async def story(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            await socket.ask("go")
            await agent.holding()
            await socket.send("response.steer", input="In French.", when="next_step")
            await socket.send("response.cancel")
            failed = await socket.get("response.steer.failed")
            assert (failed["code"], failed["input"]) == ("cancelled", "In French.")

    served(tmp_path, story, agent)
