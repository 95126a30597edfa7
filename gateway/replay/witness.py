"""Who is told everything: writes the story and the recording, prints the timeline, and wakes who waits for a change."""

import asyncio
from collections.abc import Callable

from gateway.replay.microphone import MicFrame
from gateway.replay.narration import Narrator
from gateway.replay.sound import AUDIBLE, Recording
from gateway.replay.steps import Step
from gateway.replay.story import Event, Played, Story
from media.frames import PTIME_MS, VOICE_FRAME, Pcm, silence
from media.levels import peak


class ConnectionLost(Exception):
    """The connection ended though the replay had not; the message is a part of a sentence."""


class Witness:
    """Implements :class:`gateway.replay.line.Witness`. Its zero is when it was made; *clock* is the loop's."""

    def __init__(self, narrator: Narrator, recording: Recording | None, clock: Callable[[], float]) -> None:
        self.story = Story()
        self._narrator = narrator
        self._recording = recording
        self._clock = clock
        self._zero = clock()
        self._changed = asyncio.Event()
        self._lost: str | None = None
        self._sent = 0

    def now_ms(self) -> float:
        """The time of the replay."""
        return self._ms(self._clock())

    async def change(self, timeout_s: float | None) -> None:
        """Wait until something has happened since the last call, at most *timeout_s*.

        Raises :class:`ConnectionLost`.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            return
        self._changed.clear()
        if self._lost is not None:
            raise ConnectionLost(self._lost)

    def plays(self, step: Step) -> None:
        """The microphone plays *step* from its next frame on."""
        now_ms = self.now_ms()
        self.story.played.append(Played(step, now_ms))
        self._narrator.say(now_ms, "caller", f"▶ {step.path.name}")

    def on_ready(self, at: float) -> None:
        self.story.ready(self._ms(at))
        self._changed.set()

    def on_sent(self, frame: MicFrame, at: float) -> None:
        at_ms = self._ms(at)
        if self._recording is not None:
            pcm = frame.pcm if frame.pcm is not None else silence(VOICE_FRAME)
            self._recording.caller.put(at_ms, self._sent * VOICE_FRAME, pcm)
        self._sent += 1
        playing = self.story.played[-1] if self.story.played else None
        if playing is None:
            return
        if frame.first:
            playing.began_ms = at_ms
        if frame.onset:
            playing.onset_ms = at_ms
        if frame.last:
            playing.ended_ms = at_ms + PTIME_MS
            self._changed.set()

    def on_heard(self, pcm: Pcm, stream_sample: int, at: float) -> None:
        at_ms, loudest = self._ms(at), peak(pcm)
        if self._recording is not None:
            self._recording.answer.put(at_ms, stream_sample, pcm)
        self.story.hear(at_ms, loudest)
        if loudest > AUDIBLE:
            self._narrator.audible(at_ms)
            self._changed.set()

    def on_event(self, event: Event, at: float) -> None:
        at_ms = self._ms(at)
        self.story.see(at_ms, event)
        self._narrator.tell(at_ms, event, self.story)
        self._changed.set()

    def on_lost(self, why: str, at: float) -> None:
        self._lost = why
        self._changed.set()

    def _ms(self, at: float) -> float:
        return (at - self._zero) * 1000
