"""The defence against one's own voice: what a loudspeaker plays comes back through the microphone.

A browser's echo canceller is the first line. Where it is absent or fails, the gateway knows every sample it plays. A
:class:`Defence` is told them and hands out what the microphone holds beside them; it belongs to one microphone, and
whichever loudspeaker stands near it can be its reference. :class:`media.echo.guard.EchoGuard` is the one we ship.
"""

from dataclasses import dataclass
from typing import Protocol

from media.frames import Pcm


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What is left of the microphone's sound, 16 kHz. Both hold as many samples as were taken, but for a few ms."""

    judged: Pcm
    """For the detector: echo removed, and what may still be echo subdued."""

    words: Pcm
    """For the recognizer: only the echo that is surely one is removed, so that no word suffers."""


class Defence(Protocol):
    """Removes the echo of a known sound from a microphone."""

    def reference(self, frame: Pcm | None) -> None:
        """The next 20 ms that the loudspeaker is sent: 480 samples at 24 kHz, None for silence."""
        ...

    def hear(self, pcm: Pcm) -> Heard:
        """Take the microphone's next samples, 16 kHz, any number of them."""
        ...


class NoDefence:
    """Lets everything through."""

    def reference(self, frame: Pcm | None) -> None:
        """See :class:`Defence`."""

    def hear(self, pcm: Pcm) -> Heard:
        """See :class:`Defence`."""
        return Heard(pcm, pcm)
