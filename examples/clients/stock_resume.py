"""OpenAI's own Python client, which comes back to its conversation after a lost connection.

    .venv/bin/python -m examples.clients.stock_resume http://127.0.0.1:8080

Type a line to ask. Pull the network cable or restart the gateway, and ask again: it still knows what was said.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from openai.types.websocket_reconnection import ReconnectingEvent, ReconnectingOverrides


class Place:
    """Where this client is in its conversation: the session, and the last event of its log that came."""

    def __init__(self) -> None:
        self.session = ""
        self._cursor = ""
        self._shown: dict[str, int] = {}

    def follow(self, event: dict[str, Any]) -> None:
        """Every event goes through here."""
        if event["type"] == "session.created":
            self.session = event["session"]["id"]
            told = event["session"]["bargein"]
            self._cursor = self._cursor or f"{told['epoch']}.{told['seq']}"
        elif "seq" in event:
            self._cursor = f"{event['epoch']}.{event['seq']}"

    def new(self, event: dict[str, Any]) -> str:
        """What of a text has not come before.

        On resuming, an answer that is open is told from its beginning, and of one that ended meanwhile only the whole.
        """
        item, offset, text = event["item_id"], event.get("offset", 0), str(event.get("delta", event.get("text")))
        known = self._shown.get(item, 0)
        self._shown[item] = max(known, offset + len(text))
        return text[max(0, known - offset) :]

    def reconnect(self, event: ReconnectingEvent) -> ReconnectingOverrides:
        """The query with which the package connects again."""
        return {"extra_query": {**event.extra_query, "session": self.session, "resume": self._cursor}}


async def talk(url: str, lines: AsyncIterator[str], write: Callable[[str], object]) -> None:
    """Ask what the *lines* say, and write the answers."""
    place = Place()
    async with (
        AsyncOpenAI(base_url=f"{url}/v1", api_key="none") as client,
        client.realtime.connect(model="local", on_reconnecting=place.reconnect) as connection,
    ):
        await connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        answers = asyncio.create_task(show(connection, place, write))
        async for line in lines:
            await connection.conversation.item.create(
                item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": line}]}
            )
            await connection.response.create()
        answers.cancel()


async def show(connection: AsyncRealtimeConnection, place: Place, write: Callable[[str], object]) -> None:
    """Write answers as they come."""
    async for event in connection:
        known = event.to_dict()
        place.follow(known)
        match event.type:
            case "response.output_text.delta" | "response.output_text.done":
                write(place.new(known))
            case "response.done":
                write("\n")


async def typed() -> AsyncIterator[str]:
    """Lines from the keyboard."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        yield line.strip()


def main() -> None:
    asyncio.run(talk(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080", typed(), sys.stdout.write))


if __name__ == "__main__":
    main()
