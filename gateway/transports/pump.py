"""Sound for a client that buffers it itself: paced by a clock of 20 ms, a little ahead of it."""

import asyncio
import base64
from collections.abc import Callable

from gateway.protocol import realtime as rt
from gateway.transports.voice import Voice
from media.frames import PTIME_MS


class SocketPump:
    """Pulls a voice leg's answer and sends it as ``response.output_audio.delta``.

    *lead_ms* of sound lie ahead of the clock: what the client may buffer, and what it loses at a cut.
    """

    def __init__(self, tell: Callable[[rt.AudioDelta], None], *, lead_ms: int, client_pauses: bool) -> None:
        self._tell = tell
        self._lead = max(1, lead_ms // PTIME_MS)
        self._client_pauses = client_pauses
        self._sounding = ("", "")
        self._ahead = 0

    def sounds(self, response_id: str, item_id: str) -> None:
        """The next frames belong to this answer."""
        self._sounding = (response_id, item_id)

    async def run(self, voice: Voice) -> None:
        """Send until cancelled. A late tick is made up for at once, so that the client never starves."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += PTIME_MS / 1000
            await asyncio.sleep(max(0.0, due - loop.time()))
            self._tick(voice)

    def _tick(self, voice: Voice) -> None:
        if voice.held and self._client_pauses:
            return  # the client holds what it has; its buffer does not drain meanwhile
        self._ahead = max(0, self._ahead - 1)
        while self._ahead < self._lead:
            frame = voice.pull()
            if frame is None:
                return
            self._ahead += 1
            response_id, item_id = self._sounding
            delta = base64.b64encode(frame.astype("<i2").tobytes()).decode()
            self._tell(rt.AudioDelta(response_id=response_id, item_id=item_id, delta=delta))
