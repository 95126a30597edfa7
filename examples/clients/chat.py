"""Chat in the terminal. A line that is typed while an answer runs interrupts it; an empty line only stops it.

    .venv/bin/python -m examples.clients.chat http://127.0.0.1:8080 [SESSION]

Pull the network cable, or restart the gateway: the answer goes on where it was.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable

from gateway.client import CommandRejected, Conversation, connect, events
from gateway.protocol.realtime import ResponseDone, TextDelta


async def chat(url: str, session: str | None, lines: AsyncIterator[str], write: Callable[[str], object]) -> None:
    """Talk until there are no more *lines*."""
    async with connect(url, session=session) as conversation:
        write(f"[{conversation.session_id}]\n")
        for item in conversation.items:
            write(f"{item.role}: {item.text}\n")
        showing = asyncio.create_task(show(conversation, write))
        async for line in lines:
            try:
                if line:
                    await conversation.send(line, on_active="interrupt")
                else:
                    await conversation.cancel()
            except CommandRejected as rejected:
                write(f"[{rejected}]\n")
        showing.cancel()


async def show(conversation: Conversation, write: Callable[[str], object]) -> None:
    """Write answers as they come; of what is told again after a lost connection, only what is new."""
    shown: dict[str, int] = {}
    async for event in conversation:
        match event:
            case TextDelta(item_id=item_id, offset=offset, delta=delta):
                write(delta[max(0, shown.get(item_id, 0) - offset) :])
                shown[item_id] = max(shown.get(item_id, 0), offset + len(delta))
            case ResponseDone(response=response):
                write("\n" if response.status == "completed" else f" [{response.status}]\n")
            case events.Disconnected():
                write(f"\n[connection lost; trying again in {event.retry_in_s:.1f} s]\n")


async def typed() -> AsyncIterator[str]:
    """Lines from the keyboard."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        yield line.strip()


def main() -> None:
    url, session = [*sys.argv[1:], None, None][:2]
    asyncio.run(chat(url or "http://127.0.0.1:8080", session, typed(), sys.stdout.write))


if __name__ == "__main__":
    main()
