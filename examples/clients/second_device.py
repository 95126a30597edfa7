"""A second device in somebody's conversation: it sees what they see, and steers.

    .venv/bin/python -m examples.clients.second_device http://127.0.0.1:8080 SESSION

SESSION is what chat.py writes first, or the ``session`` of the page's "Copy link". Type ``stop``, ``pause``, ``resume``
or a new instruction.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable

from gateway.client import CommandRejected, Conversation, Receipt, connect
from gateway.client.items import Item


async def steer(url: str, session: str, lines: AsyncIterator[str], write: Callable[[str], object]) -> None:
    """Join *session* and do what the *lines* say."""
    async with connect(url, session=session, device="second-device") as conversation:
        write(f"{len(conversation.items)} messages; answering: {', '.join(conversation.running) or 'no'}\n")
        async for line in lines:
            try:
                receipt = await do(conversation, line)
            except CommandRejected as rejected:
                write(f"refused: {rejected.code}\n")
                continue
            write(f"applied as {receipt.seq}; {last_words(conversation.items)}\n")


async def do(conversation: Conversation, line: str) -> Receipt:
    """One line, as a command. What is an instruction takes the place of the answer that runs."""
    match line:
        case "stop":
            return await conversation.cancel()
        case "pause":
            return await conversation.pause()
        case "resume":
            return await conversation.resume()
        case _:
            sent = await conversation.send(line, on_active="interrupt")
            return sent.receipt


def last_words(items: tuple[Item, ...]) -> str:
    """What the newest answer has come to, and what of it nobody heard."""
    answer = next((item for item in reversed(items) if item.role == "assistant"), None)
    if answer is None:
        return "nothing was answered yet"
    return f"“…{answer.text[-40:]}” ({answer.status})"


async def typed() -> AsyncIterator[str]:
    """Lines from the keyboard."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        yield line.strip()


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    asyncio.run(steer(sys.argv[1], sys.argv[2], typed(), sys.stdout.write))


if __name__ == "__main__":
    main()
