"""Sound for a client that buffers it itself: paced by a clock of 20 ms, a little ahead of it."""

import asyncio
import base64
from collections.abc import Callable
from typing import Protocol

from gateway.protocol import realtime as rt
from gateway.transports.sound import SoundFormat, encoder
from media.frames import PTIME_MS, Pcm
from media.speaking.device import Device


class Source(Protocol):
    """What a pump needs of a voice."""

    @property
    def held(self) -> bool: ...

    @property
    def device(self) -> Device: ...

    def tick(self, *, playing: bool = True) -> None: ...

    def send(self) -> Pcm | None: ...


class SocketPump:
    """Takes a voice leg's answer and sends it as ``response.output_audio.delta``.

    *lead_ms* of sound lie ahead of the clock: what the client may buffer, and what it loses at a cut. The voice knows
    how much does, by our clock and by what the client reports: a sound card that is slower than our clock is sent
    less, and does not fall behind in a long answer.

    *form* gives the format that the client wants; what it is as an answer begins to sound holds for that answer.
    """

    def __init__(
        self,
        tell: Callable[[rt.AudioDelta], None],
        *,
        lead_ms: int,
        client_pauses: bool,
        form: Callable[[], SoundFormat] = lambda: "audio/pcm",
    ) -> None:
        self._tell = tell
        self._form = form
        self._encode = encoder("audio/pcm")
        self._lead_ms = max(PTIME_MS, lead_ms)
        self._client_pauses = client_pauses
        self._sounding = ("", "")

    def sounds(self, response_id: str, item_id: str) -> None:
        """The next frames belong to this answer."""
        self._encode = encoder(self._form())
        self._sounding = (response_id, item_id)

    async def run(self, voice: Source) -> None:
        """Send until cancelled. A late tick is made up for at once, so that the client never starves."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += PTIME_MS / 1000
            await asyncio.sleep(max(0.0, due - loop.time()))
            self.tick(voice)

    def tick(self, voice: Source) -> None:
        """20 ms have passed: fill the client's buffer up again."""
        if voice.held and self._client_pauses:
            voice.tick(playing=False)
            return  # the client holds what it has; its buffer does not drain meanwhile
        voice.tick()
        while voice.device.ahead_ms + PTIME_MS <= self._lead_ms:
            frame = voice.send()
            if frame is None:
                return
            response_id, item_id = self._sounding
            delta = base64.b64encode(self._encode(frame)).decode()
            self._tell(rt.AudioDelta(response_id=response_id, item_id=item_id, delta=delta))
