"""A caller on a WebSocket: PCM16 at 24 kHz both ways, 20 ms per event, with a virtual loudspeaker.

The gateway sends sound ahead of time, so what arrives is not what is heard: the loudspeaker plays a frame per tick
and obeys pause, resume and clear (see :mod:`.loudspeaker`).
"""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from gateway.client.errors import ConnectionRefused, GatewayUnreachable
from gateway.client.wire import Wire, dial
from gateway.replay.errors import ReplayError
from gateway.replay.line import Target, Witness, read_event
from gateway.replay.loudspeaker import Loudspeaker
from gateway.replay.microphone import Microphone
from media.frames import VOICE_FRAME, Pcm, silence
from media.rtp.metronome import Pacer

_AUDIO: Final = msgspec.json.encode(
    {"type": "session.update", "session": {"type": "realtime", "output_modalities": ["audio"]}}
).decode()
"""Makes this connection a voice leg: without it an extended socket only controls (docs/protocol.md)."""


def _append(pcm: Pcm) -> str:
    audio = b64encode(pcm.astype("<i2").tobytes()).decode()
    return f'{{"type":"input_audio_buffer.append","audio":"{audio}"}}'


_SILENCE: Final = _append(silence(VOICE_FRAME))


@asynccontextmanager
async def websocket_line(target: Target, microphone: Microphone, witness: Witness) -> AsyncIterator[None]:
    """A :data:`gateway.replay.line.Line` over WebSocket. It does not come back: a lost call is a finding."""
    wire = await _dial(target)
    call = _Call(wire, microphone, witness)
    reading = asyncio.create_task(call.read())
    try:
        yield
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await wire.aclose()


async def _dial(target: Target) -> Wire:
    url = f"{'wss' if target.secure else 'ws'}://{target.netloc}{target.path}"
    try:
        return await dial(url, token=target.token)
    except ConnectionRefused as error:
        raise ReplayError("gateway_refused", f"{url} did not take the connection: {error}") from error
    except GatewayUnreachable as error:
        raise ReplayError("gateway_unreachable", f"There is no gateway at {url}.") from error


class _Call:
    """One connection: reads until it ends, and ticks from the moment the session is ready."""

    def __init__(self, wire: Wire, microphone: Microphone, witness: Witness) -> None:
        self._wire = wire
        self._microphone = microphone
        self._witness = witness
        self._loudspeaker = Loudspeaker()

    async def read(self) -> None:
        """Read events to the end of the connection, which is told to the witness."""
        loop = asyncio.get_running_loop()
        ticking: asyncio.Task[None] | None = None
        try:
            async for message in self._wire:
                event, at = read_event(message), loop.time()
                if self._loudspeaker.take(event):
                    continue
                self._witness.on_event(event, at)
                if event.get("type") == "session.created":
                    await self._wire.send(_AUDIO)
                elif event.get("type") == "session.updated" and ticking is None:
                    self._witness.on_ready(at)
                    ticking = asyncio.create_task(self._tick())
        finally:
            if ticking is not None:
                ticking.cancel()
                await asyncio.gather(ticking, return_exceptions=True)
        self._witness.on_lost(f"close code {self._wire.close_code}", loop.time())

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        pacer = Pacer(loop.time())
        while True:
            tick, due = pacer.next(loop.time())
            await asyncio.sleep(due - loop.time())
            at = loop.time()
            heard = self._loudspeaker.tick()
            if heard is not None:
                self._witness.on_heard(heard, tick * VOICE_FRAME, at)
            frame = self._microphone.take()
            self._witness.on_sent(frame, at)
            if not await self._wire.send(_SILENCE if frame.pcm is None else _append(frame.pcm)):
                return
