"""Which words of an item's text lie where in the sound of one utterance.

An utterance is spoken clause by clause. A synthesizer that reports word times gives a clause's words; for any
other the clause's sound is shared out among its words by length: at the pace of the clauses before it (at first
:data:`CHARS_PER_S`) while it is still being spoken, in proportion to its real duration once it is complete.
A word ends where the next one begins, and the last word of a clause ends with the clause.

All samples count from the first one of the utterance, all offsets are code points of the item's text.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from media.frames import VOICE_RATE_HZ
from media.speech import Word

CHARS_PER_S: Final = 15
"""Code points per second of unhurried English speech (about 150 words a minute of 5 letters and a space)."""

_IDEOGRAPH: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"

# Chinese and Japanese put no spaces between words: there each character is one, or a cut would lose a whole clause.
_WORD: Final = re.compile(rf"[{_IDEOGRAPH}][^\s\w]*|[^\s{_IDEOGRAPH}]+")


@dataclass(slots=True, eq=False)
class _Clause:
    """A stretch of text and of sound."""

    text: str
    text_start: int
    exact: bool
    first: int
    heard_before: int
    """What was heard of the text when everything before this clause was heard."""

    end: int | None = None
    """The sample after the last one; None while more sound may come."""

    spans: list[tuple[int, int]] = field(default_factory=list)
    """Of each word known so far its first code point in ``text`` and the one after its last."""

    starts: list[int] = field(default_factory=list)
    """Of each word its first sample; never decreasing."""

    def heard(self, samples: int) -> int:
        """The offset after the last word that ends within the first *samples* of the utterance."""
        complete = len(self.spans) if self._over(samples) else bisect_right(self.starts, samples) - 1
        return self._after(complete - 1) if complete > 0 else self.heard_before

    def word_start(self, sample: int) -> int:
        """The first sample of the word that *sample* lies in, or *sample* where there is no word."""
        index = -1 if self._over(sample) else bisect_right(self.starts, sample) - 1
        return self.starts[index] if index >= 0 else sample

    def add(self, word: Word) -> None:
        """Append a word from the engine; one that is empty, repeated or outside the text is ignored."""
        known = self.spans[-1][1] if self.spans else 0
        end = min(word.end, len(self.text))
        if known <= word.start < end:
            self.spans.append((word.start, end))
            self.starts.append(max(self.first + word.sample, self.starts[-1] if self.starts else self.first))

    def share_out(self, samples_per_char: float) -> None:
        """Place every word of the text by its length."""
        self.spans = [match.span() for match in _WORD.finditer(self.text)]
        self.starts = [self.first + round((start - self.spans[0][0]) * samples_per_char) for start, _ in self.spans]

    def _over(self, sample: int) -> bool:
        return self.end is not None and sample >= self.end

    def _after(self, index: int) -> int:
        end = self.spans[index][1]
        limit = self.spans[index + 1][0] if index + 1 < len(self.spans) else len(self.text)
        while end < limit and not self.text[end].isspace():
            end += 1
        return self.text_start + end


class WordMap:
    """The words of one utterance. Clauses are added in the order of their sound, one open at a time."""

    def __init__(self, text_base: int = 0) -> None:
        self._clauses: list[_Clause] = []
        self._open: _Clause | None = None
        self._text_end = text_base
        self._end: int | None = None
        self._heard = text_base
        self._measured_chars = 0
        self._measured_samples = 0

    def begin_clause(self, text: str, text_start: int, sample: int, *, exact: bool) -> None:
        """*text* stands at *text_start* of the item and sounds from *sample* on.

        With *exact* its words are announced with :meth:`add`; without, they are placed by length.
        An open clause ends here.
        """
        self.end_clause(sample)
        before = self._clauses[-1].heard(sample) if self._clauses else self._text_end
        clause = _Clause(text, text_start, exact, sample, before)
        if not exact:
            clause.share_out(self._samples_per_char())
        self._clauses.append(clause)
        self._open = clause
        self._text_end = text_start + len(text)

    def add(self, words: Iterable[Word]) -> None:
        """More words of the open clause, in order, counted from its beginning. Ignored when none is open."""
        if self._open is not None:
            for word in words:
                self._open.add(word)

    def end_clause(self, sample: int) -> None:
        """The open clause's sound ends before *sample*. Harmless when none is open."""
        clause, self._open = self._open, None
        if clause is None:
            return
        clause.end = sample
        chars, duration = len(clause.text.strip()), sample - clause.first
        if chars and not (clause.exact and clause.spans):
            clause.share_out(duration / chars)
        if duration:
            self._measured_chars += chars
            self._measured_samples += duration

    def finish(self, sample: int) -> None:
        """The utterance ends before *sample*."""
        self.end_clause(sample)
        self._end = sample

    def heard(self, samples: int) -> int:
        """How far in the item's text the first *samples* reach: after the last word heard whole.

        That includes its punctuation up to the next white space; a finished utterance heard whole reaches the
        end of its text. Never less than what an earlier call returned, as a guess by length might be.
        """
        self._heard = max(self._heard, self._reached(samples))
        return self._heard

    def word_start(self, sample: int) -> int:
        """The first sample of the word that *sample* lies in; *sample* itself in a silence before a clause's words."""
        clause = self._clause_at(sample)
        return clause.word_start(sample) if clause else sample

    def _reached(self, samples: int) -> int:
        clause = self._clause_at(samples)
        if samples <= 0 or clause is None:
            return self._heard
        return self._text_end if samples == self._end else clause.heard(samples)

    def _clause_at(self, sample: int) -> _Clause | None:
        index = bisect_right(self._clauses, sample, key=lambda clause: clause.first)
        return self._clauses[index - 1] if index else None

    def _samples_per_char(self) -> float:
        if self._measured_chars:
            return self._measured_samples / self._measured_chars
        return VOICE_RATE_HZ / CHARS_PER_S
