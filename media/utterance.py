"""One utterance on its way to a listener: its sound, its words, and how far it got.

Sound is 24 kHz; samples and milliseconds count from the first sample of the utterance.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from media.frames import VOICE_FRAME, VOICE_RATE_HZ, Pcm, milliseconds, samples, silence
from media.wordmap import WordMap

Gain: TypeAlias = NDArray[np.float64]
"""Factors of samples, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Playhead:
    """How far an utterance is: ``heard_ms`` ≤ ``sent_ms``, both the furthest points so far, from its first sample."""

    generation: int
    response_id: str
    item_id: str
    heard_chars: int
    heard_ms: int
    sent_ms: int
    started: bool
    paused: bool


class Tape:
    """Sound in pieces, taken from the front; what was taken is kept for stepping back until it is forgotten."""

    def __init__(self) -> None:
        self._ahead: deque[Pcm] = deque()
        self._behind: deque[Pcm] = deque()
        self._kept_from = 0
        self.position = 0
        self.end = 0

    @property
    def ahead(self) -> int:
        """How many samples are left to take."""
        return self.end - self.position

    def append(self, pcm: Pcm) -> None:
        """Add sound at the end."""
        if len(pcm):
            self._ahead.append(pcm)
            self.end += len(pcm)

    def take(self, count: int) -> Pcm:
        """The next *count* samples, of which there must be as many."""
        parts = []
        target = self.position + count
        while self.position < target:
            piece = self._ahead.popleft()
            missing = target - self.position
            if len(piece) > missing:
                self._ahead.appendleft(piece[missing:])
                piece = piece[:missing]
            parts.append(piece)
            self._behind.append(piece)
            self.position += len(piece)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def rewind(self, position: int) -> None:
        """Step back to *position*, or as far back as sound is kept."""
        while self._behind and self.position > position:
            piece = self._behind.pop()
            start = self.position - len(piece)
            if start < position:
                self._behind.append(piece[: position - start])
                piece = piece[position - start :]
            self._ahead.appendleft(piece)
            self.position -= len(piece)

    def forget(self, before: int) -> None:
        """Let go of pieces that lie wholly before *before*, but for the last."""
        while len(self._behind) > 1 and self._kept_from + len(self._behind[0]) <= before:
            self._kept_from += len(self._behind.popleft())

    def dying(self, gain: Gain) -> Pcm:
        """The frame in which the signal dies away, without taking anything; something must have been taken.

        Where sound is missing the last sample is held: a step down to nothing would click.
        """
        position, count = self.position, min(len(gain), self.ahead)
        pcm = self.take(count) if count else self._behind[-1][-1:]
        self.rewind(position)
        held = np.full(len(gain) - count, pcm[-1])
        return padded(_scaled(np.concatenate((pcm[:count], held)), gain))


@dataclass(slots=True, eq=False)
class Utterance:
    """An answer's sound and words. ``heard`` ≤ ``sent`` ≤ ``tape.end``, in samples."""

    generation: int
    response_id: str
    item_id: str
    words: WordMap
    tape: Tape = field(default_factory=Tape)

    finished: bool = False
    """Nothing more comes."""

    started: bool = False
    """Some of it was sent."""

    sent: int = 0
    """The furthest sample sent. Stepping back does not undo it, nor ``heard``."""

    heard: int = 0
    """The furthest sample the listener's device has played."""

    in_flight: int = 0
    """Frames that the listener's device still buffers."""

    @property
    def spent(self) -> bool:
        """All of it was sent."""
        return self.finished and not self.tape.ahead

    def next_frame(self) -> Pcm:
        """Take the next frame, shorter only at the end of the utterance."""
        pcm = self.tape.take(min(VOICE_FRAME, self.tape.ahead))
        self.tape.forget(self.words.word_start(self.tape.position))
        self.started = True
        self.sent = max(self.sent, self.tape.position)
        return pcm

    def playhead(self, *, held: bool) -> Playhead:
        """Where it is; *held* when somebody holds the loudspeaker."""
        return Playhead(
            self.generation,
            self.response_id,
            self.item_id,
            self.words.heard(self.heard),
            milliseconds(self.heard, VOICE_RATE_HZ),
            milliseconds(self.sent, VOICE_RATE_HZ),
            self.started,
            paused=held and not self.spent,
        )


class Listener:
    """The listener's device: hears what was sent a fixed number of samples later."""

    def __init__(self, buffer_ms: int) -> None:
        self._delay = samples(buffer_ms, VOICE_RATE_HZ)
        self._clock = 0
        self._silent_from: int | None = None
        self._line: deque[tuple[int, Utterance, int, int]] = deque()

    def set_buffer(self, buffer_ms: int) -> None:
        """Hear what was sent *buffer_ms* later from now on. What was heard stays heard."""
        self._delay = samples(buffer_ms, VOICE_RATE_HZ)
        self._hear()

    def send(self, utterance: Utterance, count: int) -> None:
        """The next frame begins with the *count* samples just taken from *utterance*."""
        utterance.in_flight += 1
        self._line.append((self._clock, utterance, utterance.tape.position - count, count))

    def tick(self, *, audible: bool) -> None:
        """A frame was pulled."""
        self._clock += VOICE_FRAME
        if audible:
            self._silent_from = self._clock
        self._hear()

    @property
    def audible(self) -> bool:
        """The last frame held sound, or the device still plays what it buffered."""
        return self._silent_from is not None and self._clock - self._silent_from < max(self._delay, VOICE_FRAME)

    def _hear(self) -> None:
        now = self._clock - self._delay
        while self._line and self._line[0][0] < now:
            at, utterance, start, count = self._line[0]
            utterance.heard = max(utterance.heard, start + min(count, now - at))
            if now - at < count:
                break
            utterance.in_flight -= 1
            self._line.popleft()


def faded_in(pcm: Pcm, gain: Gain) -> Pcm:
    """*pcm*, its first samples times *gain*."""
    faded = pcm[: len(gain)]
    return np.concatenate((_scaled(faded, gain[: len(faded)]), pcm[len(gain) :]))


def padded(pcm: Pcm) -> Pcm:
    """At most a frame of *pcm*, filled up with silence."""
    missing = VOICE_FRAME - len(pcm)
    return np.concatenate((pcm, silence(missing))) if missing else pcm


def _scaled(pcm: Pcm, gain: Gain) -> Pcm:
    return (pcm * gain).astype(np.int16)
