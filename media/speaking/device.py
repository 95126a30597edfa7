"""The device at which a leg's loudspeaker is listened to: how far behind our sending it plays, as far as we know."""

from collections.abc import Callable, Iterable
from typing import Final

from media.frames import VOICE_FRAME, VOICE_RATE_HZ, milliseconds, samples
from media.speaking.utterance import Utterance

MAX_CLIENT_BUFFER_MS: Final = 5_000
"""A device that claims to buffer more is not believed: its utterances would never count as heard."""


class Listener:
    """The listener's device, by our own clock: plays what it is sent in order, a fixed time after it could.

    A device that buffers nothing plays a frame when it is sent, or when it has played those before. A real one does
    so later by its *buffer*: the way there, its jitter buffer, its sound card.
    """

    def __init__(self, buffer_ms: int) -> None:
        self._expected = self._delay = samples(buffer_ms, VOICE_RATE_HZ)
        self._clock = 0
        self._free: int | None = None
        """When a device without a buffer has played all that was sent; None before anything was."""

    @property
    def now(self) -> int:
        """Where a device without a buffer was, when it played what this one plays now."""
        return self._clock - self._delay

    @property
    def clock(self) -> int:
        """Where a device without a buffer is. What it has played cannot be taken back from any other."""
        return self._clock

    @property
    def ahead(self) -> int:
        """Samples that lie at the device beyond the buffer that was expected of it."""
        return max(0, (self._free or 0) - self._clock) + max(0, self._delay - self._expected)

    @property
    def audible(self) -> bool:
        """The last frame held sound, or the device still plays what it buffered."""
        return self._free is not None and self._clock - self._free < max(self._delay, VOICE_FRAME)

    def set_buffer(self, buffer_ms: int) -> None:
        """The device has *buffer_ms* of sound that it has not played yet, what it was sent ahead among them."""
        queued = max(0, (self._free or 0) - self._clock)
        self._delay = max(0, samples(min(max(buffer_ms, 0), MAX_CLIENT_BUFFER_MS), VOICE_RATE_HZ) - queued)

    def send(self, utterance: Utterance | None, count: int, *, still: bool = False) -> None:
        """The next frame begins with *count* samples that end at the utterance's position, or (*still*) with a fade."""
        due = max(self._clock, self._free or 0)
        self._free = due + VOICE_FRAME
        if utterance is not None:
            position = utterance.tape.position
            utterance.left(position if still else position - count, due, count, still=still)

    def tick(self) -> None:
        """20 ms have passed."""
        self._clock += VOICE_FRAME

    def report(self, utterance: Utterance, played: int) -> None:
        """The device says that it has played the first *played* samples that were sent of *utterance*.

        That tells its buffer; where it had nothing left to play, only bounds of it. It can have played no more than
        was sent, nor before that, nor less than it said before: an older word that comes late is no news.
        """
        played = min(played, utterance.streamed)
        if played < utterance.reported or not played:
            return
        utterance.reported = played
        since, until = utterance.played_at(played)
        at_least = self._clock - until if until is not None else 0
        self._delay = min(
            max(self._delay, at_least, 0), max(0, self._clock - since), samples(MAX_CLIENT_BUFFER_MS, VOICE_RATE_HZ)
        )


class Device:
    """What the listener's device says of its playing, in its own measures.

    *known* gives the utterances that are here or were lately, those that are here first.
    """

    def __init__(self, listener: Listener, known: Callable[[], Iterable[Utterance]], buffered_ms: int) -> None:
        self._listener = listener
        self._known = known
        self._buffered_ms = buffered_ms
        self._way_ms = 0.0

    def buffers(self, ms: int) -> None:
        """It has received this much that it has not played yet. The way there comes on top."""
        self._buffered_ms = ms
        self._listener.set_buffer(round(ms + self._way_ms))

    def round_trip(self, ms: float | None) -> None:
        """Sound takes half of it to the device; None while it is not known."""
        self._way_ms = (ms or 0.0) / 2
        self._listener.set_buffer(round(self._buffered_ms + self._way_ms))

    def lost_since(self, ms: float) -> None:
        """It is gone, and gave its last sign of life so long ago: what it was sent since then was not heard."""
        self._listener.set_buffer(round(self._buffered_ms + self._way_ms + ms))

    def played(self, item_id: str, ms: int) -> bool:
        """It has played this much of what it was sent of an item. False for one that never was here.

        It is not believed to have played more than it was sent.
        """
        utterance = self._of(item_id)
        if utterance is not None:
            self._listener.report(utterance, samples(ms, VOICE_RATE_HZ))
        return utterance is not None

    def located(self, item_id: str, ms: int) -> tuple[int, int] | None:
        """Where *ms* of what was sent of an item lie: the code points heard whole, and the ms of its sound.

        Also for items that were cut or stopped lately; None for any other.
        """
        utterance = self._of(item_id)
        if utterance is None:
            return None
        reached = utterance.furthest(samples(ms, VOICE_RATE_HZ))
        return utterance.words.heard(reached), utterance.base_ms + milliseconds(reached, VOICE_RATE_HZ)

    @property
    def ahead_ms(self) -> int:
        """How much lies at a device that is sent sound ahead of its playing, by our clock and its own word."""
        return milliseconds(self._listener.ahead, VOICE_RATE_HZ)

    def _of(self, item_id: str) -> Utterance | None:
        return next((it for it in self._known() if it.item_id == item_id), None)
