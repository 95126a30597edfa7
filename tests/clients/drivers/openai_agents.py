"""openai-agents for Python: it truncates by itself, calls the function itself, and keeps a history of its own."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from agents.realtime import RealtimeAgent, RealtimeRunner, RealtimeSession
from agents.realtime.model_events import RealtimeModelRawServerEvent
from agents.realtime.model_inputs import RealtimeModelSendRawMessage
from agents.tool import function_tool

from tests.clients.drivers.kit import Event, Heard, Microphone, Stage, case, ensure
from tests.clients.drivers.script import FORECAST, answer, hold


class Application:
    """What an application on top of the package does."""

    def __init__(self, session: RealtimeSession, asked: list[Any]) -> None:
        self._session = session
        self.heard = Heard()
        self.microphone = Microphone(session.send_audio)
        self.sound = 0
        self.asked = asked
        self.sent: list[Event] = []
        self.complaints: list[str] = []
        self.ignores: frozenset[str] = frozenset()
        self._history: list[Any] = []
        _watch(session.model, self.sent)

    async def listen(self) -> None:
        """Take events until the session ends."""
        async for event in self._session:
            match event.type:
                case "raw_model_event" if isinstance(event.data, RealtimeModelRawServerEvent):
                    self.heard.add(event.data.data)
                case "audio":
                    self.sound += len(event.audio.data)
                case "error":
                    self.complaints.append(str(event.error))
                case "history_updated":
                    self._history = event.history

    async def say(self, text: str) -> None:
        """Type this; the package asks for an answer."""
        await self._session.send_message(text)

    async def cancel(self) -> None:
        """Stop the answer. `interrupt` only truncates where the gateway interrupts by itself."""
        await self._session.model.send_event(RealtimeModelSendRawMessage(message={"type": "response.cancel"}))

    def remembered(self, item: str) -> str | None:
        """What the package's history holds."""
        kept = [each.content for each in self._history if each.item_id == item]
        return "".join(part.transcript or "" for part in kept[0]) if kept else ""


def _watch(model: Any, sent: list[Event]) -> None:
    """Note what the package sends: it tells nobody."""
    send = model._send_raw_message

    async def noting(event: Any) -> None:
        sent.append(event.model_dump())
        await send(event)

    model._send_raw_message = noting


@asynccontextmanager
async def conversing(stage: Stage, address: str) -> AsyncIterator[Application]:
    """A session at this address."""
    asked: list[Any] = []

    @function_tool
    def get_weather(city: str) -> str:
        """Tells the weather in a city."""
        asked.append({"city": city})
        return FORECAST

    agent = RealtimeAgent(name="assistant", instructions="Be brief.", tools=[get_weather])
    session = await RealtimeRunner(agent).run(model_config={"url": address, "api_key": stage.key})
    async with session:
        application = Application(session, asked)
        listening = asyncio.create_task(application.listen())
        yield application
        listening.cancel()


async def main() -> None:
    """All cases."""
    stage = Stage()
    address = f"{stage.websocket}?model=local"
    async with conversing(stage, address) as first, first.microphone.on():
        story = await hold(first, stage)
        created = first.heard.events[0]
    async with case("resume") as notes, conversing(stage, f"{address}&session={created['session']['id']}") as second:
        await second.heard.until("conversation.item.done")
        await second.say("Good morning.")
        await answer(second.heard)
        now, before = (each.remembered(story).strip() for each in (second, first))
        ensure(now == before, f"the history holds something else: {now}, not {before}")
        ensure(not second.complaints, f"complaints: {'; '.join(second.complaints)}")
        notes.append("the application connects again, with `session=` in the address")


if __name__ == "__main__":
    os.environ["OPENAI_AGENTS_DISABLE_TRACING"] = "1"
    asyncio.run(main())
