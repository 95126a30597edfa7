"""The loudspeaker of a WebSocket caller, which gets sound ahead of time and must itself fall silent when told.

It behaves as a page should that speaks ``bargein.v1``: ``output_audio_buffer.paused`` holds a response's sound,
``resumed`` lets it go on, ``cleared`` throws it away. The queue is bounded by the gateway, which is at most
200 ms ahead of an extended client.
"""

from base64 import b64decode
from collections import deque

from gateway.replay.story import Event, text_at
from media.frames import VOICE_FRAME, VOICE_RATE_HZ, Pcm, from_bytes, milliseconds, silence


class Loudspeaker:
    """A queue of sound by response. Whoever ticks it every 20 ms gets the next 480 samples, or None."""

    __slots__ = ("_held", "_queue")

    def __init__(self) -> None:
        self._queue: deque[tuple[str, Pcm]] = deque()
        self._held: set[str] = set()

    def take(self, event: Event) -> bool:
        """Obey a server event; most mean nothing here. True for sound (dropped when it is not base64 PCM16)."""
        response_id = text_at(event, "response_id")
        match event.get("type"):
            case "response.output_audio.delta":
                self._append(response_id, text_at(event, "delta"))
                return True
            case "output_audio_buffer.paused":
                self._held.add(response_id)
            case "output_audio_buffer.resumed":
                self._held.discard(response_id)
            case "output_audio_buffer.cleared":
                self._held.discard(response_id)
                self._queue = deque(piece for piece in self._queue if piece[0] != response_id)
        return False

    def _append(self, response_id: str, delta: str) -> None:
        try:
            sound = b64decode(delta, validate=True)
        except ValueError:
            return
        if len(sound) >= 2:
            self._queue.append((response_id, from_bytes(sound[: len(sound) & ~1])))

    def tick(self) -> Pcm | None:
        """The next 20 ms; None while nothing is here or the first in the queue is held. A rest is filled up."""
        if not self._queue or self._queue[0][0] in self._held:
            return None
        frame, filled = silence(VOICE_FRAME), 0
        response_id = self._queue[0][0]
        while filled < VOICE_FRAME and self._queue and self._queue[0][0] == response_id:
            _, pcm = self._queue.popleft()
            part = pcm[: VOICE_FRAME - filled]
            frame[filled : filled + len(part)] = part
            filled += len(part)
            if len(part) < len(pcm):
                self._queue.appendleft((response_id, pcm[len(part) :]))
        return frame

    @property
    def queued_ms(self) -> int:
        """How much waits to be played."""
        return milliseconds(sum(len(pcm) for _, pcm in self._queue), VOICE_RATE_HZ)
