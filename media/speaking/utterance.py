"""One utterance on its way to a listener: its sound, its words, and how far it got.

Sound is 24 kHz; samples and milliseconds count from the first sample of the utterance.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from media.frames import VOICE_FRAME, VOICE_RATE_HZ, Pcm, milliseconds, silence
from media.speaking.captions import Captions
from media.speaking.wordmap import WordMap

Gain: TypeAlias = NDArray[np.float64]
"""Factors of samples, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Playhead:
    """How far an utterance is: ``heard_ms`` ≤ ``sent_ms``, both the furthest points so far in the item."""

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


@dataclass(slots=True)
class _Stretch:
    """Sound that was sent without a break, so that it lies alike on every clock. All in samples."""

    sent: int
    """Where it begins in all that was sent of its utterance: what a device counts that counts what it played."""

    tape: int
    """Where it begins in the utterance's sound."""

    due: int
    """When a device that buffers nothing begins to play it, on the listener's clock."""

    count: int
    still: bool = False
    """True for a fade: it is played, but none of the utterance with it."""

    def goes_on(self, tape: int, due: int, *, still: bool) -> bool:
        """Does what is sent next continue it?"""
        return (self.tape + self.count, self.due + self.count, self.still) == (tape, due, still) and not still


@dataclass(slots=True, eq=False)
class Utterance:
    """An answer's sound and words. ``sent`` ≤ ``tape.end``, in samples."""

    generation: int
    response_id: str
    item_id: str
    words: WordMap | Captions
    """Captions where the sound came with its words, from an answer that speaks for itself."""

    base_ms: int = 0
    """How much sound of the item was heard elsewhere before: all milliseconds that are told count it."""

    leaves_at: int | None = None
    """The sample at which it is given away to another loudspeaker; None while it stays."""

    recalled: bool = False
    """Then the device drops what it has not played, else it plays what it was sent."""

    tape: Tape = field(default_factory=Tape)

    finished: bool = False
    """Nothing more comes."""

    broken: bool = False
    """Its synthesizer failed: not all of its text has sound."""

    started: bool = False
    """Some of it was sent."""

    sent: int = 0
    """The furthest sample sent. Stepping back does not undo it."""

    streamed: int = 0
    """How many samples were sent in all: repeated ones and fades count again."""

    reported: int = 0
    """How many of those the device has said it played, the highest word so far."""

    route: list[_Stretch] = field(default_factory=list)
    """What was sent when. A pause, a gap or a step back begins a new stretch."""

    @property
    def spent(self) -> bool:
        """All of it was sent."""
        return self.finished and not self.tape.ahead

    @property
    def ready(self) -> bool:
        """A frame can be sent, and one that is given away is not yet where it is to be left."""
        if self.leaves_at is not None and self.tape.position >= self.leaves_at:
            return False
        return self.finished or self.tape.ahead >= VOICE_FRAME

    def next_frame(self) -> Pcm:
        """Take the next frame, shorter only at the end of the utterance."""
        pcm = self.tape.take(min(VOICE_FRAME, self.tape.ahead))
        self.tape.forget(self.words.word_start(self.tape.position))
        self.started = True
        self.sent = max(self.sent, self.tape.position)
        return pcm

    def left(self, tape: int, due: int, count: int, *, still: bool) -> None:
        """*count* samples from *tape* on were sent, and are played from *due* on at the earliest."""
        if self.route and self.route[-1].goes_on(tape, due, still=still):
            self.route[-1].count += count
        else:
            self.route.append(_Stretch(self.streamed, tape, due, count, still))
        self.streamed += count

    def heard_by(self, now: int) -> int:
        """The furthest sample that a device without a buffer has played at *now*."""
        return max((it.tape + min(it.count, now - it.due) for it in self._moving() if it.due < now), default=0)

    def furthest(self, streamed: int) -> int:
        """The furthest sample among the first *streamed* ones that were sent."""
        reached = (it.tape + min(it.count, streamed - it.sent) for it in self._moving() if it.sent < streamed)
        return max(reached, default=0)

    def played_at(self, streamed: int) -> tuple[int, int | None]:
        """When a device without a buffer has played the first *streamed* samples, and when it plays the next one.

        Both are the same inside of a stretch; the latter is None when nothing more was sent.
        """
        index = bisect_left(self.route, streamed, key=lambda it: it.sent + it.count)
        at = self.route[index]
        played = at.due + streamed - at.sent
        if streamed < at.sent + at.count:
            return played, played
        return played, self.route[index + 1].due if index + 1 < len(self.route) else None

    def in_flight(self, now: int) -> bool:
        """Does a device without a buffer still play some of it at *now*?"""
        return bool(self.route) and self.route[-1].due + self.route[-1].count > now

    def forget_sound(self) -> None:
        """It is over: only its words are needed any more, should its device still say how far it played."""
        self.tape = Tape()

    def playhead(self, now: int, *, held: bool) -> Playhead:
        """Where it is when the device has played what a device without a buffer had at *now*.

        *held*: somebody holds the loudspeaker.
        """
        heard = self.heard_by(now)
        return Playhead(
            self.generation,
            self.response_id,
            self.item_id,
            self.words.heard(heard),
            self.base_ms + milliseconds(heard, VOICE_RATE_HZ),
            self.base_ms + milliseconds(self.sent, VOICE_RATE_HZ),
            self.started,
            paused=held and not self.spent,
        )

    def _moving(self) -> Iterator[_Stretch]:
        return (it for it in self.route if not it.still)


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
