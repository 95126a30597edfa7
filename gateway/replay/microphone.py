"""The caller: a microphone that hears silence, or a clip from its first frame to its last."""

from dataclasses import dataclass

from gateway.replay.sound import Clip
from media.frames import VOICE_FRAME, Pcm


@dataclass(frozen=True, slots=True, eq=False)
class MicFrame:
    """20 ms of a microphone, and what it means for the clip that is being played."""

    pcm: Pcm | None
    """480 samples at 24 kHz; None is silence."""

    first: bool = False
    onset: bool = False
    """This frame holds the clip's first sample that counts as voice."""

    last: bool = False


SILENCE = MicFrame(None)


class Microphone:
    """Gives one frame per tick to whoever paces the line. One clip at a time."""

    __slots__ = ("_clip", "_next")

    def __init__(self) -> None:
        self._clip: Clip | None = None
        self._next = 0

    def play(self, clip: Clip) -> None:
        """Begin *clip* with the next frame. What was playing ends at once."""
        self._clip, self._next = clip, 0

    def take(self) -> MicFrame:
        """The next 20 ms."""
        if self._clip is None:
            return SILENCE
        at, clip = self._next, self._clip
        pcm = clip.pcm[at * VOICE_FRAME : (at + 1) * VOICE_FRAME]
        self._next += 1
        last = self._next == len(clip)
        if last:
            self._clip = None
        return MicFrame(pcm, first=at == 0, onset=at == clip.onset_frame, last=last)
