"""15. An edit in the middle of an answer does what the session says, and never leaves two streams.

An edit as a stock client makes it: the message is deleted, another takes its place, and an answer is asked for. An
extended client says it in one command, and the message before stays as a sibling.
"""

from pathlib import Path

import pytest

from gateway.agents.scripted import ScriptedAgent
from tests.acceptance.steering import HELD, served, statuses, text_of
from tests.transports.server import Gateway, Socket


async def edit(socket: Socket) -> None:
    before = (await socket.get("conversation.item.added"))["item"]["id"]
    await socket.send("conversation.item.delete", item_id=before)
    content = [{"type": "input_text", "text": "letters"}]
    item = {"type": "message", "role": "user", "content": content}
    await socket.send("conversation.item.create", previous_item_id="root", item=item)
    await socket.send("response.create", event_id="again")


@pytest.mark.parametrize(
    ("policy", "ends"),
    [
        ("reject", ["completed"]),
        ("interrupt", ["cancelled", "completed"]),
        ("rollback", ["cancelled", "completed"]),
        ("queue", ["completed", "completed"]),
        ("steer", ["completed"]),
    ],
)
def test_an_edit_does_what_the_session_says(tmp_path: Path, policy: str, ends: list[str]) -> None:
    agent = ScriptedAgent(HELD, "A.")

    async def story(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            await socket.send("session.update", session={"bargein": {"on_active": {"text": policy}}})
            await socket.ask("numbers")
            await agent.holding()
            await edit(socket)
            if policy == "reject":
                assert (await socket.get("command.rejected"))["command_id"] == "again"
            if policy in ("reject", "queue"):
                agent.release()
            await socket.get("response.done", len(ends))
            assert statuses(socket) == ends
            kinds = [name for name in socket.types() if name in ("response.created", "response.done")]
            assert kinds == ["response.created", "response.done"] * len(ends)
            texts = [text_of(socket, it["response"]["id"]) for it in socket.all("response.created")]
            whole = "One two three." if policy in ("reject", "queue") else "One two"
            assert texts == ([f"{whole}A."] if policy == "steer" else [whole, "A."][: len(ends)])

    served(tmp_path, story, agent)


@pytest.mark.parametrize(("policy", "ends"), [("reject", ["completed"]), ("interrupt", ["cancelled", "completed"])])
def test_an_edit_in_one_command_does_too(tmp_path: Path, policy: str, ends: list[str]) -> None:
    agent = ScriptedAgent(HELD, "A.")

    async def story(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            await socket.send(
                "session.update", session={"bargein": {"on_edit": policy, "on_active": {"text": "queue"}}}
            )
            await socket.ask("numbers")
            await agent.holding()
            before = (await socket.get("conversation.item.added"))["item"]["id"]
            letters = [{"type": "input_text", "text": "letters"}]
            edit = {"item_id": before, "content": letters, "response": True}
            await socket.send("conversation.item.update", event_id="again", **edit)
            if policy == "reject":
                assert (await socket.get("command.rejected"))["command_id"] == "again"
                agent.release()
            await socket.get("response.done", len(ends))
            assert statuses(socket) == ends
            kinds = [name for name in socket.types() if name in ("response.created", "response.done")]
            assert kinds == ["response.created", "response.done"] * len(ends)
            asked = [[message.text for message in conversation.messages] for conversation in agent.asked]
            assert asked == [["numbers"], ["letters"]][: len(ends)]

    served(tmp_path, story, agent)


def test_what_waits_is_edited_in_mid_stream_and_asked_as_it_stands_then(tmp_path: Path) -> None:
    agent = ScriptedAgent(HELD, "A.")

    async def story(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            await socket.ask("numbers")
            await agent.holding()
            await socket.send("response.create", on_active="queue", input="latters")
            item_id = (await socket.get("queue.item.added"))["item"]["id"]
            await socket.send("queue.update", action="edit", item_id=item_id, text="letters")
            await socket.get("queue.item.edited")
            agent.release()
            await socket.get("response.done", 2)
            assert agent.asked[1].messages[-1].text == "letters"

    served(tmp_path, story, agent)
