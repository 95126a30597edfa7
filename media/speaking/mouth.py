"""The mouth of a voice leg: answers are spoken into the playout, and pulled out of it by whoever carries the sound."""

from collections.abc import Callable

from media.frames import Pcm
from media.speaking.device import Device
from media.speaking.playout import Cleared, Edge, Holder, Left, Playout, PlayoutOptions, Stopped
from media.speaking.relay import Relay
from media.speaking.speaker import Speaker
from media.speech import Manner, Synthesizer


class Mouth:
    """Speaks. *now* is the monotonic clock, in seconds; pauses are measured with it. *manner* tells how, each time."""

    def __init__(
        self,
        synthesizer: Synthesizer,
        now: Callable[[], float],
        client_buffer_ms: int,
        manner: Callable[[], Manner] = Manner,
    ) -> None:
        self._now = now
        self._playout = Playout(PlayoutOptions(client_buffer_ms=client_buffer_ms))
        self._speaker = Speaker(synthesizer, self._playout, manner)
        self._relay = Relay(self._playout)
        self._spoken: set[int] = set()
        """Answers that were begun here and have neither stopped nor been cleared."""

    @property
    def busy(self) -> bool:
        """True while an answer sounds, or is about to."""
        return bool(self._spoken)

    @property
    def device(self) -> Device:
        """The device that listens: tell it what the client says of its playing."""
        return self._playout.device

    @property
    def held(self) -> bool:
        """True while somebody holds the loudspeaker silent."""
        return bool(self._playout.paused)

    # --- answers ---

    def begin(
        self,
        generation: int,
        response_id: str,
        item_id: str,
        base: int = 0,
        base_ms: int = 0,
        *,
        own_sound: bool = False,
    ) -> None:
        """An answer is about to be spoken, from the code point *base* of its item on.

        With *own_sound* its sound is given (:meth:`play`), and its text says only what that says.
        """
        begin = self._relay.begin if own_sound else self._speaker.begin
        if begin(generation, response_id, item_id, base, base_ms):
            self._spoken.add(generation)

    def pace(self, speed: float) -> None:
        """Speak answers that begin from now on *speed* times as fast as the engine does."""
        self._speaker.speed = speed

    def speak(self, generation: int, text: str) -> None:
        """More of an answer's text: speak it, if it has no sound of its own."""
        if self._relay.knows(generation):
            self._relay.caption(generation, text)
        else:
            self._speaker.speak(generation, text)

    def play(self, generation: int, pcm: Pcm) -> None:
        """More of an answer's own sound, 24 kHz."""
        self._relay.play(generation, pcm)

    def finish(self, generation: int, *, whole: bool = True) -> None:
        """No more of that answer comes. Not *whole*: its own sound may end before its text does."""
        if self._relay.knows(generation):
            self._relay.finish(generation, whole=whole)
        else:
            self._speaker.finish(generation)

    def flush(self, generation: int) -> Cleared | None:
        """Silence that answer and tell where it stood; None when it is not here (any more)."""
        self._spoken.discard(generation)
        self._stop(generation)
        cleared = self._playout.flush(generation)
        return cleared[0] if cleared else None

    def leave(self, generation: int, finish_ms: int, *, recalled: bool) -> None:
        """Give that answer away, at the word: see :meth:`Playout.leave`."""
        self._playout.leave(generation, finish_ms, recalled=recalled)

    async def aclose(self) -> tuple[Cleared, ...]:
        """Fall silent for good; returns where each answer stood."""
        cleared = tuple(it for it in self._playout.flush() if it.generation in self._spoken)
        self._spoken.clear()
        await self._speaker.aclose()
        return cleared

    # --- who holds it ---

    def pause(self, holder: Holder = Holder.BUTTON) -> None:
        """*holder* holds the loudspeaker."""
        self._playout.pause(holder, self._now())

    def resume(self, holder: Holder = Holder.BUTTON) -> None:
        """*holder* lets go of it."""
        self._playout.resume(holder, self._now())

    # --- sound ---

    def pull(self) -> Pcm | None:
        """The next 480 samples, 24 kHz; None for silence. Once every 20 ms."""
        return self._playout.pull()

    def send(self) -> Pcm | None:
        """As :meth:`pull`, for a device that is sent sound ahead of its playing: no time passes."""
        return self._playout.send()

    def tick(self) -> None:
        """20 ms have passed at the device that is sent sound ahead."""
        self._playout.tick()

    def drain(self) -> list[Edge]:
        """What happened since the last call. To be called after each of the three above, and after :meth:`leave`."""
        edges = self._playout.drain()
        self._spoken.difference_update(edge.generation for edge in edges if isinstance(edge, Stopped | Left))
        for edge in edges:
            if isinstance(edge, Left):
                self._stop(edge.generation)
        self._speaker.made_room()
        self._relay.made_room()
        return edges

    def _stop(self, generation: int) -> None:
        self._speaker.stop(generation)
        self._relay.stop(generation)
