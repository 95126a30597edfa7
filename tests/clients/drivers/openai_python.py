"""openai-python: the package's own Realtime client. The application truncates, since the package leaves that to it."""

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection

from examples.clients.stock_resume import Place
from tests.client.proxy import proxy
from tests.clients.drivers.kit import Event, Heard, Microphone, Played, Stage, case, ensure
from tests.clients.drivers.script import FORECAST, WEATHER, answer, hold


class Application:
    """What an application on top of the package does."""

    def __init__(self, connection: AsyncRealtimeConnection, follow: Callable[[Event], None] = lambda _: None) -> None:
        """*follow* is shown every event."""
        self._connection = connection
        self._follow = follow
        self._played = Played()
        self.heard = Heard()
        self.microphone = Microphone(self._hear)
        self.sound = 0
        self.asked: list[Any] = []
        self.sent: list[Event] = []
        self.complaints: list[str] = []
        self.ignores: frozenset[str] = frozenset()

    async def listen(self) -> None:
        """Take events until the connection ends."""
        async for event in self._connection:
            known = event.to_dict()
            self._follow(known)
            self.heard.add(known)
            match event.type:
                case "response.output_audio.delta":
                    sound = base64.b64decode(event.delta)
                    self.sound += len(sound)
                    self._played.take(event.item_id, sound)
                case "input_audio_buffer.speech_started" if self._played.item:
                    await self._truncate()
                case "response.function_call_arguments.done":
                    self.asked.append(json.loads(event.arguments))
                    await self._connection.conversation.item.create(
                        item={"type": "function_call_output", "call_id": event.call_id, "output": FORECAST}
                    )
                case "response.done" if any(item.type == "function_call" for item in event.response.output or ()):
                    await self._connection.response.create()

    async def _truncate(self) -> None:
        item, played_ms = self._played.item, self._played.ms
        self.sent.append({"type": "conversation.item.truncate", "item_id": item})
        self._played.item = ""
        await self._connection.conversation.item.truncate(item_id=item, content_index=0, audio_end_ms=played_ms)

    async def _hear(self, sound: bytes) -> None:
        await self._connection.input_audio_buffer.append(audio=base64.b64encode(sound).decode())

    async def say(self, text: str) -> None:
        """Type this, and ask for an answer."""
        await self._connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        )
        await self._connection.response.create()

    async def cancel(self) -> None:
        """Stop the answer."""
        await self._connection.response.cancel()
        self._played.item = ""

    def remembered(self, item: str) -> str | None:
        """The package keeps no history."""
        return None


async def converse(client: AsyncOpenAI, stage: Stage) -> None:
    """The session of all clients."""
    async with client.realtime.connect(model="gpt-realtime") as connection:
        application = Application(connection)
        listening = asyncio.create_task(application.listen())
        await connection.session.update(
            session={
                "type": "realtime",
                "instructions": "Be brief.",
                "tools": [WEATHER],  # type: ignore[list-item]  # a dictionary of the same shape
                "audio": {"input": {"transcription": {"model": "gpt-4o-mini-transcribe"}}},
            }
        )
        async with application.microphone.on():
            await hold(application, stage)
        listening.cancel()


async def resume(stage: Stage) -> None:
    """Lose the connection in the middle of a conversation, and go on where it was."""
    place = Place()
    async with (
        proxy(int(stage.url.rpartition(":")[2])) as way,
        AsyncOpenAI(base_url=f"http://127.0.0.1:{way.port}/v1", api_key=stage.key) as client,
        client.realtime.connect(model="gpt-realtime", on_reconnecting=place.reconnect) as connection,
    ):
        application = Application(connection, place.follow)
        listening = asyncio.create_task(application.listen())
        heard = application.heard
        first = await heard.until("session.created")
        await connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        await application.say("Tell me a long story.")
        await heard.until("response.output_text.delta")
        way.cut()
        again = await heard.until("session.created")
        ensure(again["session"]["id"] == first["session"]["id"], "it came back to another session")
        said = await answer(heard)
        deltas = [event for event in heard.events if event["type"] == "response.output_text.delta"]
        ensure("".join(map(place.new, deltas)) == said, "a part of the answer is missing, or came twice")
        ensure(not heard.errors, f"errors: {', '.join(heard.errors)}")
        listening.cancel()


async def main() -> None:
    """All cases; the one with a connection of its own at the same time."""
    stage = Stage()

    async def apart() -> None:
        async with case("resume"):
            await resume(stage)

    async with AsyncOpenAI(base_url=f"{stage.url}/v1", api_key=stage.key) as client:
        await asyncio.gather(converse(client, stage), apart())


if __name__ == "__main__":
    asyncio.run(main())
