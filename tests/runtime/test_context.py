"""What a model is given of a long conversation, with a real store and a scripted model."""

import asyncio
from pathlib import Path
from typing import Any

from gateway.agents.scripted import ScriptedAgent
from gateway.core.values import Context
from gateway.runtime.context import fitted, tokens
from gateway.runtime.ports import Message
from tests.transports.server import serving

SAID = [Message("user", "a" * 40), Message("assistant", "b" * 40), Message("user", "c" * 40)]
EACH = tokens(SAID[0])


def texts(*bounds: int) -> list[list[str]]:
    return [[it.text[0] for it in fitted(SAID, Context("window", bound))] for bound in bounds]


def test_a_window_holds_the_newest_from_a_user_s_message_on() -> None:
    assert texts(3 * EACH, 3 * EACH - 1, EACH, 1) == [["a", "b", "c"], ["c"], ["c"], ["c"]]


def test_a_window_keeps_what_the_system_said() -> None:
    said = [Message("system", "s" * 400), *SAID]
    assert [it.text[0] for it in fitted(said, Context("window", EACH))] == ["s", "c"]


def test_the_whole_is_the_whole() -> None:
    assert fitted(SAID, Context("whole", 1)) == SAID


def talk(folder: Path, agent: ScriptedAgent, policy: dict[str, Any], *asked: str) -> list[list[str]]:
    """What the model was given, call by call."""

    async def main() -> None:
        async with asyncio.timeout(30), serving(folder, agent=agent) as gateway, gateway.socket() as socket:
            await socket.send("session.update", session={"bargein": {"context": policy}})
            for number, text in enumerate(asked):
                await socket.ask(text)
                await socket.get("response.done", number + 1)
                if policy["policy"] in ("summarise", "reset") and number == 0:
                    shortened = await socket.get("conversation.context.shortened")
                    assert shortened.get("summary") == ("They met." if policy["policy"] == "summarise" else None)

    asyncio.run(main())
    return [[message.text for message in conversation.messages] for conversation in agent.asked]


def test_what_leaves_is_summed_up_once_and_told_in_its_place(tmp_path: Path) -> None:
    long = "I am Ada. " + "x" * 400
    agent = ScriptedAgent("Hello Ada.", "They met.", "You are Ada.")
    given = talk(tmp_path, agent, {"policy": "summarise", "max_tokens": 100}, long, "Who am I?")
    assert given[1] == [f"user: {long}\nassistant: Hello Ada."]
    assert given[2] == ["What was said so far, in short: They met.", "Who am I?"]
    assert agent.asked[1].beside


def test_a_reset_begins_anew_once_so_much_was_said(tmp_path: Path) -> None:
    given = talk(
        tmp_path, ScriptedAgent("One.", "Two."), {"policy": "reset", "max_tokens": 100}, "x" * 400, "Who am I?"
    )
    assert given[1] == ["Who am I?"]
