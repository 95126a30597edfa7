"""The floor: aiortc's own audio path and Silero, and nothing else. Runs in the project's environment.

What such a server pays for: aiortc's jitter buffer, decoder thread and resampler on the way in; a track that returns
frames, and aiortc's encoder, on the way out. Silero interrupts at 0.5 for 0.1 s; the sound comes back a second after
the voice ended. ``--speech`` speaks instead of humming.
"""

import asyncio
import json
import socket
import sys
from fractions import Fraction
from typing import Any, Final

import av
import numpy as np
import uvicorn
import uvloop
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from benchmarks.engines import recorded_speech, rising_tone
from media.frames import MIC_RATE_HZ, VOICE_FRAME, VOICE_RATE_HZ, Pcm, silence
from media.vad import WINDOW
from media.vad.silero import load_model

THRESHOLD: Final = 0.5
START_S: Final = 0.1
BACK_AFTER_S: Final = 1.0


class Voice(MediaStreamTrack):
    """A track as aiortc's examples write one: a frame each 20 ms, zeros for silence."""

    kind = "audio"

    def __init__(self, sound: Pcm) -> None:
        super().__init__()
        self.speaking = True
        self._sound = sound
        self._count = 0
        self._started: float | None = None

    async def recv(self) -> av.AudioFrame:
        loop = asyncio.get_running_loop()
        self._started = self._started or loop.time()
        due = self._started + self._count * 0.02
        if due > loop.time():
            await asyncio.sleep(due - loop.time())
        at = self._count * VOICE_FRAME % (len(self._sound) - VOICE_FRAME)
        pcm = self._sound[at : at + VOICE_FRAME] if self.speaking else silence(VOICE_FRAME)
        frame = av.AudioFrame(format="s16", layout="mono", samples=VOICE_FRAME)
        frame.planes[0].update(pcm.tobytes())
        frame.sample_rate, frame.pts, frame.time_base = VOICE_RATE_HZ, self._count * VOICE_FRAME, Fraction(1, 24_000)
        self._count += 1
        return frame


async def listen(track: Any, voice: Voice) -> None:
    """Feed what is heard to Silero, and silence the voice while somebody speaks."""
    model = load_model()
    assert model is not None, "the project's environment has Silero"
    resampler, heard = av.AudioResampler("s16", "mono", MIC_RATE_HZ), np.empty(0, np.int16)
    run_s = quiet_s = 0.0
    while True:
        try:
            frame = await track.recv()
        except MediaStreamError:
            return
        for piece in resampler.resample(frame):
            heard = np.concatenate((heard, piece.to_ndarray().reshape(-1)))
        while len(heard) >= WINDOW:
            window, heard = heard[:WINDOW], heard[WINDOW:]
            is_voice = model.probability(window) >= THRESHOLD
            seconds = WINDOW / MIC_RATE_HZ
            run_s, quiet_s = (run_s + seconds, 0.0) if is_voice else (0.0, quiet_s + seconds)
            if run_s >= START_S:
                voice.speaking = False
            elif quiet_s >= BACK_AFTER_S:
                voice.speaking = True


def main() -> None:
    sound = recorded_speech() if "--speech" in sys.argv else rising_tone()
    calls: set[RTCPeerConnection] = set()
    tasks: set[asyncio.Task[None]] = set()

    async def offer(request: Request) -> JSONResponse:
        body = json.loads(await request.body())
        pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        calls.add(pc)
        voice = Voice(sound)

        @pc.on("track")
        def on_track(track: Any) -> None:
            task = asyncio.ensure_future(listen(track, voice))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        @pc.on("connectionstatechange")
        async def on_change() -> None:
            if pc.connectionState in ("failed", "closed"):
                calls.discard(pc)
                await pc.close()

        await pc.setRemoteDescription(RTCSessionDescription(body["sdp"], "offer"))
        pc.addTrack(voice)
        await pc.setLocalDescription(await pc.createAnswer())
        return JSONResponse({"sdp": pc.localDescription.sdp, "type": "answer"})

    async def serve() -> None:
        listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        sys.stdout.write(f"listening on http://127.0.0.1:{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        app = Starlette(routes=[Route("/offer", offer, methods=["POST"])])
        await uvicorn.Server(uvicorn.Config(app, log_level="warning")).serve(sockets=[listener])

    uvloop.run(serve())


if __name__ == "__main__":
    main()
