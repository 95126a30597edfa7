"""How a loudspeaker behaves."""

from dataclasses import dataclass

from media.frames import PTIME_MS


@dataclass(frozen=True, slots=True)
class PlayoutOptions:
    """How a loudspeaker behaves. Raises :class:`ValueError` for what cannot be done."""

    client_buffer_ms: int = 60
    """What the listener's device still buffers of what was sent: a browser's jitter buffer on a quiet network."""

    fade_ms: int = 10
    """Length of a fade, 1 to 20: below 5 a cut clicks, above 20 it would not fit the one frame it lives in."""

    resume_in_place_ms: int = 500
    """After a longer pause half a word is no longer understood, and is spoken again from its start."""

    max_queued_ms: int = 6_000
    """Bound of what waits per utterance: one sentence sounding, one ready. The producer waits when it is full."""

    def __post_init__(self) -> None:
        if not 1 <= self.fade_ms <= PTIME_MS:
            raise ValueError("fade_ms: a fade lasts 1 ms to one frame")
        if min(self.client_buffer_ms, self.resume_in_place_ms) < 0 or self.max_queued_ms < PTIME_MS:
            raise ValueError("durations are not negative, and the queue holds a frame")
