"""Pipecat's OpenAI Realtime service in a whole pipeline, whose loudspeaker takes as long as the sound lasts."""

import asyncio
import json
import sys

from loguru import logger
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import ErrorFrame, InputAudioRawFrame, LLMMessagesAppendFrame, LLMRunFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.services.openai.realtime import events
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner

from tests.clients.drivers.kit import RATE_HZ, Heard, Microphone, NotApplicable, Stage, case
from tests.clients.drivers.script import FORECAST, WEATHER, hold


class Service(OpenAIRealtimeLLMService):
    """The service, which tells what it sends."""

    def __init__(self, sent, **options):
        super().__init__(**options)
        self._sent = sent

    async def send_client_event(self, event):
        self._sent.append(event.model_dump(exclude_none=True))
        await super().send_client_event(event)


class Loudspeaker(BaseOutputTransport):
    """Plays into nothing, in real time."""

    def __init__(self):
        super().__init__(TransportParams(audio_out_enabled=True, audio_out_sample_rate=RATE_HZ))
        self.played = 0

    async def start(self, frame):
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame):
        self.played += len(frame.audio)
        await asyncio.sleep(len(frame.audio) / 2 / RATE_HZ)
        return True


class Application:
    """What an application on top of the package does."""

    def __init__(self, stage):
        self.heard = Heard()
        self.microphone = Microphone(self._hear)
        self.asked, self.sent, self.complaints = [], [], []
        self.ignores = frozenset()
        self._loudspeaker = Loudspeaker()
        self._spoke = False
        self._context = LLMContext(tools=ToolsSchema(standard_tools=[_function()]))
        self._service = Service(
            self.sent,
            api_key=stage.key,
            base_url=stage.websocket,
            settings=OpenAIRealtimeLLMService.Settings(
                model="local",
                system_instruction="Be brief.",
                session_properties=events.SessionProperties(
                    audio=events.AudioConfiguration(
                        input=events.AudioInput(transcription=events.InputAudioTranscription())
                    )
                ),
            ),
        )
        self._service.register_function("get_weather", self._weather)
        users, assistants = LLMContextAggregatorPair(self._context)
        self.worker = PipelineWorker(
            Pipeline([users, self._service, self._loudspeaker, assistants]),
            params=PipelineParams(audio_in_sample_rate=RATE_HZ, audio_out_sample_rate=RATE_HZ),
        )
        self.worker.add_reached_upstream_filter((ErrorFrame,))
        self.worker.event_handler("on_frame_reached_upstream")(self._complain)
        _listen(self.heard)

    @property
    def sound(self):
        """Bytes that were played."""
        return self._loudspeaker.played

    async def say(self, text):
        """Type this: the first time as what the conversation begins with."""
        message = {"role": "user", "content": text}
        if self._spoke:
            await self._service.queue_frame(LLMMessagesAppendFrame([message], run_llm=True))
        else:
            self._spoke = True
            self._context.add_message(message)
            await self.worker.queue_frame(LLMRunFrame())

    async def cancel(self):
        """Stop the answer: where the server finds the turns, the package leaves that to it."""
        await self._service.send_client_event(events.ResponseCancelEvent())

    def remembered(self, item):
        """The package's context is made of what was played, by sentences, and names no items."""
        return None

    async def _hear(self, sound):
        await self.worker.queue_frame(InputAudioRawFrame(audio=sound, sample_rate=RATE_HZ, num_channels=1))

    async def _weather(self, call):
        self.asked.append(dict(call.arguments))
        await call.result_callback(FORECAST)

    async def _complain(self, _worker, frame):
        self.complaints.append(frame.error)


def _function():
    described = WEATHER["parameters"]
    return FunctionSchema(
        name=WEATHER["name"],
        description=WEATHER["description"],
        properties=described["properties"],
        required=described["required"],
    )


def _listen(heard):
    """Note what comes: the package shows its events to nobody."""
    parse = events.parse_server_event

    def noting(message):
        heard.add(json.loads(message))
        return parse(message)

    events.parse_server_event = noting


async def main():
    """All cases."""
    stage = Stage()
    application = Application(stage)
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(application.worker)
    running = asyncio.create_task(runner.run())
    async with application.microphone.on():
        await hold(application, stage)
    await application.worker.cancel()
    await running
    async with case("resume"):
        raise NotApplicable("the package begins a new session")


if __name__ == "__main__":
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    asyncio.run(main())
