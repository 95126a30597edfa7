"""Lets an agent answer in the environment of its library: ``python -m tests.agents.answering examples.agents.x:reply``.

Prints each piece as a line of JSON. With ``--leave`` it leaves after the first one, as an interruption would.
"""

import asyncio
import dataclasses
import json
import sys
from collections.abc import Sequence
from contextlib import aclosing

from gateway.agents.callable import load
from gateway.runtime.ports import Conversation, Message, Piece

CALLED = Message("tool", "{}", kind="function_call", call_id="call_0", name="time_of_day")
CAME = Message("tool", "11:00", kind="function_call_output", call_id="call_0")
SAID = (
    Message("user", "What time is it?"),
    CALLED,
    CAME,
    Message("assistant", "It is eleven", interrupted=True),
    Message("user", "And now?"),
)


async def main(arguments: Sequence[str]) -> None:
    """Answer, and stay until whoever reads has seen enough of it."""
    agent = load(arguments[0])
    async with aclosing(agent.reply(Conversation("session", "response", "Be brief.", SAID))) as reply:
        async for piece in reply:
            say(piece)
            if "--leave" in arguments:
                break
    if "--leave" in arguments:
        say("left")
        await asyncio.to_thread(sys.stdin.read)


def say(piece: Piece) -> None:
    """One line."""
    fields = piece if isinstance(piece, str) else {type(piece).__name__: dataclasses.asdict(piece)}
    sys.stdout.write(f"{json.dumps(fields)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
