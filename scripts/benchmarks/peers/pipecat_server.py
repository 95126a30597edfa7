"""Pipecat with its defaults, speaking a tone that never ends. Runs in an environment of its own.

``SmallWebRTCTransport``, ``SileroVADAnalyzer``, ``VADProcessor`` and ``UserTurnProcessor`` are Pipecat's, as they
come. The turn starts by voice (a default strategy; the other one needs a transcript) and stops after a silence.
"""

import asyncio
import math
import socket
import struct
import sys

import uvicorn
from fastapi import FastAPI
from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import InterruptionFrame, StartFrame, TTSAudioRawFrame, UserStoppedSpeakingFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.task import PipelineParams, PipelineTask
from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.base_transport import TransportParams
from pipecat.transports.smallwebrtc.connection import SmallWebRTCConnection
from pipecat.transports.smallwebrtc.transport import SmallWebRTCTransport
from pipecat.turns.user_start import VADUserTurnStartStrategy
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_processor import UserTurnProcessor
from pipecat.turns.user_turn_strategies import UserTurnStrategies

RATE_HZ = 24_000
CHUNK_S = 0.1
AHEAD_S = 5.0
"""How far a synthesizer that streams faster than speech runs ahead."""

TONE = b"".join(
    struct.pack("<h", int(8000 * math.sin(2 * math.pi * 440 * at / RATE_HZ))) for at in range(int(RATE_HZ * CHUNK_S))
)


class Voice(FrameProcessor):
    """Speaks a tone from the start, until it is interrupted; and again when the user has finished."""

    def __init__(self):
        super().__init__()
        self._speaking = None

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            await self._stop()
        elif isinstance(frame, (StartFrame, UserStoppedSpeakingFrame)) and self._speaking is None:
            self._speaking = self.create_task(self._speak())

    async def cleanup(self):
        await self._stop()
        await super().cleanup()

    async def _stop(self):
        speaking, self._speaking = self._speaking, None
        if speaking is not None:
            await self.cancel_task(speaking)

    async def _speak(self):
        loop = asyncio.get_running_loop()
        started, sent_s = loop.time(), 0.0
        while True:
            await self.push_frame(TTSAudioRawFrame(audio=TONE, sample_rate=RATE_HZ, num_channels=1))
            sent_s += CHUNK_S
            await asyncio.sleep(max(0.0, started + sent_s - AHEAD_S - loop.time()))


async def converse(connection):
    transport = SmallWebRTCTransport(connection, TransportParams(audio_in_enabled=True, audio_out_enabled=True))
    turns = UserTurnStrategies(
        start=[VADUserTurnStartStrategy()], stop=[SpeechTimeoutUserTurnStopStrategy(wait_for_transcript=False)]
    )
    task = PipelineTask(
        Pipeline(
            [
                transport.input(),
                VADProcessor(vad_analyzer=SileroVADAnalyzer()),
                UserTurnProcessor(user_turn_strategies=turns),
                Voice(),
                transport.output(),
            ]
        ),
        params=PipelineParams(audio_out_sample_rate=RATE_HZ),
    )

    @transport.event_handler("on_client_disconnected")
    async def on_client_disconnected(transport, client):
        await task.cancel()

    await PipelineRunner(handle_sigint=False).run(task)


app = FastAPI()
running = set()


@app.post("/api/offer")
async def offer(body: dict):
    connection = SmallWebRTCConnection()
    await connection.initialize(sdp=body["sdp"], type=body["type"])
    conversation = asyncio.create_task(converse(connection))
    running.add(conversation)
    conversation.add_done_callback(running.discard)
    return connection.get_answer()


if __name__ == "__main__":
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
