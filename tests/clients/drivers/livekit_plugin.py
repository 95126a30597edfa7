"""LiveKit's OpenAI Realtime plugin in a whole agent session; a microphone and a loudspeaker of our own are its room."""

import asyncio
import logging
import time

from livekit import rtc
from livekit.agents import Agent, AgentSession, function_tool
from livekit.agents.voice import io
from livekit.plugins import openai

from tests.clients.drivers.kit import RATE_HZ, Heard, Microphone, NotApplicable, Stage, case
from tests.clients.drivers.script import FORECAST, hold


class Room(io.AudioInput):
    """What the microphone hears."""

    def __init__(self):
        super().__init__(label="microphone")
        self._frames = asyncio.Queue()

    async def hear(self, sound):
        self._frames.put_nowait(rtc.AudioFrame(sound, RATE_HZ, 1, len(sound) // 2))

    async def __anext__(self):
        return await self._frames.get()


class Loudspeaker(io.AudioOutput):
    """Plays into nothing, in real time, and says how far it has come."""

    def __init__(self):
        super().__init__(label="loudspeaker", capabilities=io.AudioOutputCapabilities(pause=False), sample_rate=RATE_HZ)
        self.played = 0
        self._pushed_s = self._began = 0.0
        self._ending = None

    async def capture_frame(self, frame):
        await super().capture_frame(frame)
        if not self._pushed_s:
            self._began = time.monotonic()
            self.on_playback_started(created_at=time.time())  # noqa: TID251  the package counts so
        self._pushed_s += frame.duration
        self.played += len(frame.data) * 2

    def flush(self):
        super().flush()
        if self._pushed_s and self._ending is None:
            rest_s = self._pushed_s - (time.monotonic() - self._began)
            self._ending = asyncio.get_running_loop().call_later(max(0.0, rest_s), self._finish, False)

    def clear_buffer(self):
        if self._pushed_s:
            self._finish(True)

    def _finish(self, interrupted):
        if self._ending is not None:
            self._ending.cancel()
        position_s = min(time.monotonic() - self._began, self._pushed_s)
        self._pushed_s, self._ending = 0.0, None
        self.on_playback_finished(playback_position=position_s, interrupted=interrupted)


class Application:
    """What an application on top of the package does."""

    def __init__(self, session, room, loudspeaker):
        self._session = session
        self._loudspeaker = loudspeaker
        self.heard = Heard()
        self.microphone = Microphone(room.hear)
        self.asked, self.sent, self.complaints = [], [], []
        # It cancels what it takes to be running still, also when the gateway has cut it: the two cross on the way.
        self.ignores = frozenset({"response_cancel_not_active"})
        session.on("error", lambda event: self.complaints.append(str(event.error)))

    @property
    def sound(self):
        """Bytes that were to be played."""
        return self._loudspeaker.played

    def watch(self, realtime):
        """Follow what the plugin gets and sends."""
        realtime.on("openai_server_event_received", self.heard.add)
        realtime.on("openai_client_event_queued", lambda event: self.sent.append(_plain(event)))

    async def say(self, text):
        """Type this, and ask for an answer."""
        self._session.generate_reply(user_input=text)

    async def cancel(self):
        """Stop the answer."""
        await self._session.interrupt()

    def remembered(self, item):
        """Without a room the session's history is not cut: its transcripts follow no loudspeaker."""
        return None


def _plain(event):
    return event if isinstance(event, dict) else event.model_dump()


class Watched(openai.realtime.RealtimeModel):
    """The plugin's model, whose session is watched from its first event on."""

    def session(self, *arguments, **options):
        made = super().session(*arguments, **options)
        self.application.watch(made)
        return made


async def main():
    """All cases."""
    stage = Stage()
    model = Watched(base_url=f"{stage.url}/v1", api_key=stage.key, model="local")
    session = AgentSession(llm=model)
    room, loudspeaker = Room(), Loudspeaker()
    application = model.application = Application(session, room, loudspeaker)

    @function_tool
    async def get_weather(city: str) -> str:
        """Tells the weather in a city."""
        application.asked.append({"city": city})
        return FORECAST

    session.input.audio, session.output.audio = room, loudspeaker
    await session.start(Agent(instructions="Be brief.", tools=[get_weather]), record=False)
    async with application.microphone.on():
        await hold(application, stage)
    await session.aclose()
    async with case("resume"):
        raise NotApplicable("the package begins a new session, and tells it the old one's history")


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(main())
