"""One call of the barge-in benchmark: a caller with a microphone, and everything that was heard, with its time."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from aiortc.rtp import RtpPacket

from benchmarks.caller import Answer, called, level_of
from benchmarks.relay import PERFECT, Conditions, relay
from gateway.replay.line import Target, target
from gateway.replay.microphone import MicFrame, Microphone
from gateway.replay.sound import AUDIBLE, Clip
from gateway.replay.story import Event
from gateway.replay.websocket import websocket_line
from media.codecs.opus import Decoder, Encoder, OpusError
from media.frames import PTIME_MS, VOICE_FRAME, VOICE_RATE_HZ, Pcm
from media.levels import peak
from media.rtp.metronome import Pacer

QUIET_LINE: Final = np.random.default_rng(1).normal(0, 8, VOICE_FRAME).astype(np.int16)
"""What a microphone hears where nobody speaks: not nothing."""


@dataclass(slots=True)
class Scene:
    """What one call has sent and heard. Implements :class:`gateway.replay.line.Witness`; times are monotonic.

    Not the loop's: uvloop's clock stands still within a turn of the loop, and counts whole ms.
    """

    microphone: Microphone = field(default_factory=Microphone)
    arrivals: list[float] = field(default_factory=list)
    packets: list[Pcm] = field(default_factory=list)
    audible: list[float] = field(default_factory=list)
    events: list[tuple[float, str]] = field(default_factory=list)
    onset: float | None = None
    """When the frame with the clip's first voice was handed to the encoder; None before."""

    ended: float | None = None
    """When the clip's last frame had been handed over; None before."""

    tell: Callable[[str], None] | None = None
    """Sends a client event without fields, where the server has a channel for it."""

    async def play(self, clip: Clip) -> None:
        """Play *clip* to its end. Raises :class:`TimeoutError` when nobody takes it: the call is over."""
        self.onset = self.ended = None
        self.microphone.play(clip)
        async with asyncio.timeout(len(clip) * PTIME_MS / 1000 + 5):
            while self.ended is None:
                await asyncio.sleep(PTIME_MS / 1000)

    async def wait(self, holds: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until *holds*; False when it did not in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not holds():
                    await asyncio.sleep(0.01)
                return True
        return False

    def count(self, kind: str, after: float) -> int:
        """How many events of that type came after a time."""
        return sum(1 for at, name in self.events if at >= after and name == kind)

    def on_ready(self, at: float) -> None: ...

    def on_sent(self, frame: MicFrame, at: float) -> None:
        if frame.onset:
            self.onset = at
        if frame.last:
            self.ended = at + PTIME_MS / 1000

    def on_heard(self, pcm: Pcm, stream_sample: int, at: float) -> None:
        self.arrivals.append(at)
        self.packets.append(pcm)
        if peak(pcm) > AUDIBLE:
            self.audible.append(at)

    def on_event(self, event: Event, at: float) -> None:
        self.events.append((at, str(event.get("type"))))

    def on_lost(self, why: str, at: float) -> None: ...


@asynccontextmanager
async def over_webrtc(answer: Answer, seed: int) -> AsyncIterator[tuple[Scene, Callable[[Conditions], None]]]:
    """A call over WebRTC, and how to change the network in between. The network is perfect while it connects."""
    scene, decoder = Scene(), Decoder(VOICE_RATE_HZ)

    def on_packet(packet: RtpPacket, at: float) -> None:
        with suppress(OpusError):
            scene.on_heard(decoder.decode(packet.payload), 0, at)

    async with relay(seed) as network, called(answer, on_packet, scene.on_event, network) as caller:
        scene.tell = caller.tell

        def change(conditions: Conditions) -> None:
            network.conditions = conditions

        speaking = asyncio.create_task(_speak(scene, caller.send))
        try:
            yield scene, change
        finally:
            change(PERFECT)
            speaking.cancel()


async def _speak(scene: Scene, send: Callable[[bytes, int], None]) -> None:
    loop, encoder = asyncio.get_running_loop(), Encoder(VOICE_RATE_HZ)
    pacer = Pacer(loop.time())
    while True:
        _, due = pacer.next(loop.time())
        await asyncio.sleep(due - loop.time())
        frame, at = scene.microphone.take(), time.monotonic()
        scene.on_sent(frame, at)
        sound = QUIET_LINE if frame.pcm is None else frame.pcm
        send(encoder.encode(sound), level_of(sound))


@asynccontextmanager
async def over_websocket(url: str) -> AsyncIterator[Scene]:
    """A call over an extended WebSocket, whose loudspeaker plays at the pace of speech and obeys."""
    scene = Scene()
    there: Target = target(url)
    async with websocket_line(there, scene.microphone, scene):
        yield scene


def spoken_ms(clip: Clip) -> float:
    """From the frame with *clip*'s first voice to the end of its last one: up to the last sample near its loudness."""
    loud = np.flatnonzero(np.abs(clip.pcm.astype(np.int32)) > max(300, int(peak(clip.pcm)) // 10))
    last_frame = int(loud[-1]) // VOICE_FRAME + 1
    return float((last_frame - (clip.onset_frame or 0)) * PTIME_MS)
