"""Which words lie where in sound that came with them: of an answer that its model spoke itself.

Text and sound come side by side, either of them ahead, and nobody says which word belongs to which sample. So words
are placed by their length (:mod:`.lengths`), at the pace of what was placed before. A mark in the text and a pause in
the sound that lie near to each other are taken for the same: there the words before are placed for good, and those
after it are counted from the end of the pause. When both are complete, what is left of the words shares what is left
of the sound.

All samples count from the first one of the utterance, all offsets are code points of the item's text.
"""

from bisect import bisect_right
from math import inf
from typing import Final

from media.frames import VOICE_RATE_HZ, Pcm, samples
from media.speaking import lengths
from media.speaking.pauses import Pauses

_NEAR: Final = samples(350, VOICE_RATE_HZ)
"""A pause that begins no farther than this from where a mark's was expected is that mark's."""

_LETTER: Final = VOICE_RATE_HZ / lengths.LETTERS_PER_S
_USUAL: Final = 40.0
"""As many letters at the usual pace count as if they had been placed before: one slow word makes no slow voice."""


class Captions:
    """The words of one utterance that has its own sound."""

    def __init__(self, text_base: int = 0) -> None:
        self._base = text_base
        self._said = ""
        self._open_from = 0
        """Where the last word begins, which the next text may go on with."""

        self._ends: list[int] = []
        self._pauses_after: list[float] = []
        self._reach: list[float] = [0.0]
        """In letters: where each word begins, and where the next one will."""

        self._placed: list[int] = []
        """The first sample of each word that was placed for good."""

        self._anchor = 0
        """The sample from which the words that are not placed yet are counted."""

        self._gaps: list[tuple[int, int]] = []
        """The pauses at marks: what follows each begins a placed word, or those that are counted."""

        self._looked_at = 0
        """Words whose mark was looked for in the sound already."""

        self._pauses = Pauses()
        self._length = 0
        self._letters, self._voiced, self._usual = 0.0, 0, _USUAL
        self._end: int | None = None
        self._broken = False

    # --- what comes ---

    def add_text(self, text: str) -> None:
        """More of the text."""
        self._said += text
        words = lengths.measured(self._said[self._open_from :])
        for word in words[:-1]:
            self._append(word)
        if words:
            self._open_from += words[-1].span[0]

    def sound(self, pcm: Pcm) -> None:
        """The next piece of the sound."""
        self._pauses.add(pcm)
        self._length += len(pcm)
        self._settle()

    def finish(self, sample: int) -> None:
        """Both are complete, and end before *sample*."""
        if self._end is not None:
            return
        self._complete()
        self._end = sample
        # The words that are left share what is left of the sound, but for the silence at its end.
        left = self._reach[-1] - self._reach[len(self._placed)] - (self._pauses_after[-1] if self._ends else 0)
        voiced = next((start for start, end in self._pauses.within(self._anchor, sample) if end >= sample), sample)
        if left > 0 and voiced > self._anchor:
            self._letters, self._voiced = left, voiced - self._anchor
            self._usual = 0.0

    def break_off(self, sample: int) -> None:
        """The sound ends before *sample*, and perhaps before its text does."""
        self._complete()
        self._end, self._broken = sample, True

    def _complete(self) -> None:
        for word in lengths.measured(self._said[self._open_from :]):
            self._append(word)
        self._settle()

    # --- what was heard ---

    def heard(self, sample: int) -> int:
        """How far in the item's text the first *sample* samples reach: after the last word heard whole."""
        if self._end is not None and sample >= self._end and not self._broken:
            return self._base + len(self._said)
        complete = self._begun(self._over_the_gap(sample)) - 1 if sample > 0 else 0
        return self._base + self._ends[complete - 1] if complete > 0 else self._base

    def word_start(self, sample: int) -> int:
        """The first sample of the word that *sample* lies in; *sample* itself in a pause between two words."""
        reach = self._over_the_gap(sample)
        index = self._begun(reach) - 1
        start = self._start(index) if 0 <= index < len(self._ends) else sample
        return sample if start > sample else start

    # --- where words lie ---

    @property
    def _pace(self) -> float:
        """Samples a letter: what was placed so far, and what voices usually take."""
        return (self._voiced + self._usual * _LETTER) / (self._letters + self._usual)

    def _append(self, word: lengths.Measured) -> None:
        self._ends.append(self._open_from + word.span[1])
        self._pauses_after.append(word.pause)
        self._reach.append(self._reach[-1] + word.letters + word.pause)

    def _start(self, index: int) -> int:
        """The first sample of a word; that of the next one, which is not known yet, too."""
        if index < len(self._placed):
            return self._placed[index]
        return self._anchor + round((self._reach[index] - self._reach[len(self._placed)]) * self._pace)

    def _begun(self, sample: int) -> int:
        """How many words begin at or before *sample*; one more when all of them are over."""
        if sample < self._anchor:
            return bisect_right(self._placed, sample)
        letters = (sample - self._anchor) / self._pace + self._reach[len(self._placed)]
        return bisect_right(self._reach, letters, lo=len(self._placed))

    def _over_the_gap(self, sample: int) -> int:
        """Where the pause at a mark ends that *sample* lies in; *sample* where there is none."""
        at = bisect_right(self._gaps, (sample, inf)) - 1
        return max(sample, self._gaps[at][1]) if at >= 0 else sample

    def _settle(self) -> None:
        """Place words for good, as far as the sound shows where their marks are."""
        if not self._placed:
            self._anchor = next((end for start, end in self._pauses.within(0, 1) if start == 0), 0)
        while self._looked_at < len(self._ends):
            at = self._looked_at
            if self._pauses_after[at]:
                expected = self._start(at + 1) - round(self._pauses_after[at] * self._pace)
                if self._length < expected + _NEAR:
                    return
                pause = self._pause_near(expected)
                if pause is not None and pause[1] >= self._length:
                    return  # it may go on
                if pause is not None:
                    self._place(at + 1, *pause)
            self._looked_at += 1

    def _pause_near(self, expected: int) -> tuple[int, int] | None:
        near = self._pauses.within(max(self._anchor, expected - _NEAR), expected + _NEAR)
        found = [pause for pause in near if pause[0] > self._anchor and abs(pause[0] - expected) <= _NEAR]
        return min(found, key=lambda pause: abs(pause[0] - expected), default=None)

    def _place(self, count: int, voiced_until: int, goes_on: int) -> None:
        """The first *count* words are over by *voiced_until*, and the next one begins at *goes_on*."""
        first = len(self._placed)
        letters = self._reach[count] - self._pauses_after[count - 1] - self._reach[first]
        spoken = voiced_until - self._anchor
        share = spoken / letters if letters else 0.0
        self._placed += [
            self._anchor + round((self._reach[it] - self._reach[first]) * share) for it in range(first, count)
        ]
        self._letters += letters
        self._voiced += spoken
        self._anchor = goes_on
        self._gaps.append((voiced_until, goes_on))
