"""Voice activity models. Each third-party model has one module here, behind one protocol."""

from typing import Final, Protocol, Self

from media.frames import Pcm

WINDOW: Final = 512
"""Samples of one window of a speech model: 32 ms at 16 kHz (what Silero was trained on)."""


class SpeechModel(Protocol):
    """Tells how likely a window of sound holds speech. Holds one stream's state."""

    name: str
    """Model file and the first 12 hex digits of its SHA-256, for logs and benches."""

    def probability(self, window: Pcm) -> float:
        """The probability of speech, 0 to 1, in the next :data:`WINDOW` 16 kHz samples of the stream."""
        ...

    def reset(self) -> None:
        """Forget the stream: the next window begins a new one."""
        ...

    def fork(self, before: Pcm) -> Self:
        """A stream of its own that remembers what this one has heard; neither hears the other's windows.

        Its first window follows *before*, a window of sound of which this stream has heard at least the beginning.
        """
        ...
