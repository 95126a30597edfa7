"""Which words of an item's text lie where in the sound of one utterance.

An utterance is spoken clause by clause. A synthesizer that reports word times gives a clause's words; for any other
they are placed by length (:mod:`.lengths`): at the pace of the clauses before it while a clause is still being
spoken, in its real duration and between its real pauses once it is complete. A word ends where the next one begins,
or where the pause before that one does, and the last word of a clause ends with the clause.

All samples count from the first one of the utterance, all offsets are code points of the item's text.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from media.frames import Pcm
from media.speaking import lengths
from media.speaking.pauses import Pauses
from media.speech import Word


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
        complete = len(self.spans) if self.over(samples) else bisect_right(self.starts, samples) - 1
        return self._after(complete - 1) if complete > 0 else self.heard_before

    def word_start(self, sample: int) -> int:
        """The first sample of the word that *sample* lies in, or *sample* where there is no word."""
        index = -1 if self.over(sample) else bisect_right(self.starts, sample) - 1
        return self.starts[index] if index >= 0 else sample

    def add(self, word: Word) -> None:
        """Append a word from the engine; one that is empty, repeated or outside the text is ignored."""
        known = self.spans[-1][1] if self.spans else 0
        end = min(word.end, len(self.text))
        if known <= word.start < end:
            self.spans.append((word.start, end))
            self.starts.append(max(self.first + word.sample, self.starts[-1] if self.starts else self.first))

    def place(self, starts: list[tuple[lengths.Span, int]]) -> None:
        """Take words that were placed by length."""
        self.spans = [span for span, _ in starts]
        self.starts = [self.first + start for _, start in starts]

    def break_off(self, sample: int) -> None:
        """It ends here, before its text does: the word that was being spoken, and those after it, have no sound."""
        whole = max(bisect_right(self.starts, sample) - 1, 0)
        del self.spans[whole:], self.starts[whole + 1 :]  # where the broken word begins, the one before it ends
        self.end = sample

    def over(self, sample: int) -> bool:
        """Is all of its sound heard by *sample*?"""
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
        self._base = text_base
        self._clauses: list[_Clause] = []
        self._open: _Clause | None = None
        self._pauses = Pauses()
        self._text_end = text_base
        self._end: int | None = None
        self._pace = lengths.Pace()

    def begin_clause(self, text: str, text_start: int, sample: int, *, exact: bool) -> None:
        """*text* stands at *text_start* of the item and sounds from *sample* on.

        With *exact* its words are announced with :meth:`add`; without, they are placed by length.
        An open clause ends here.
        """
        self.end_clause(sample)
        before = self._clauses[-1].heard(sample) if self._clauses else self._text_end
        clause = _Clause(text, text_start, exact, sample, before)
        if not exact:
            clause.place(lengths.at_pace(text, self._pace))
        self._clauses.append(clause)
        self._open = clause
        self._text_end = text_start + len(text)

    def sound(self, pcm: Pcm) -> None:
        """The next piece of the utterance's sound, in which pauses are looked for."""
        self._pauses.add(pcm)

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
        pauses = [
            (start - clause.first, end - clause.first) for start, end in self._pauses.within(clause.first, sample)
        ]
        if not (clause.exact and clause.spans):
            clause.place(lengths.within(clause.text, sample - clause.first, pauses))
        self._pace.learn(clause.text, sample - clause.first)

    def break_off(self, sample: int) -> None:
        """The open clause breaks off before *sample*, and nothing comes after it. Harmless when none is open."""
        clause, self._open = self._open, None
        if clause is not None:
            clause.break_off(sample)
            self._text_end = clause.heard(sample)

    def finish(self, sample: int) -> None:
        """The utterance ends before *sample*."""
        self.end_clause(sample)
        self._end = sample

    def heard(self, samples: int) -> int:
        """How far in the item's text the first *samples* reach: after the last word heard whole.

        That includes its punctuation up to the next white space; a finished utterance heard whole reaches the
        end of its text.
        """
        clause = self._clause_at(samples)
        if samples <= 0 or clause is None:
            return self._base
        return self._text_end if samples == self._end else clause.heard(self._pauses.reach(samples))

    def word_start(self, sample: int) -> int:
        """The first sample of the word that *sample* lies in; *sample* itself in a pause between two words."""
        clause = self._clause_at(sample)
        if clause is None:
            return sample
        reach = self._pauses.reach(sample)
        between = clause.over(reach) or clause.word_start(reach) > sample
        return sample if between else clause.word_start(sample)

    def _clause_at(self, sample: int) -> _Clause | None:
        index = bisect_right(self._clauses, sample, key=lambda clause: clause.first)
        return self._clauses[index - 1] if index else None
