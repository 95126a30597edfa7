"""Cuts an answer's text, as it streams in, into clauses short enough to speak at once and whole enough to sound right.

A sentence mark ends a clause when white space follows it, so that 3.14, 10:30, 1,000 and example.com stay whole; an
abbreviation's point does not end one. The first clause may be short, because silence lasts until it is complete.
Every character is judged by those before it alone: how the text is cut into deltas changes nothing but the moment.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

FIRST_MAX_CHARS: Final = 80
"""The first clause is cut at a word rather than let the listener wait for more text than this."""

_CLOSERS: Final = frozenset("\"'”’)]}»›」』）】*_")
_POINTS: Final = frozenset(".!?…;:")
_COMMAS: Final = frozenset(",–—")
_WIDE_POINTS: Final = frozenset("。！？；：")
_WIDE_COMMAS: Final = frozenset("，、")
_OPENERS: Final = "\"'“‘([{«‹*_"

_ABBREVIATION: Final = re.compile(
    r"(?:[a-z]\.)+[a-z]|[a-hj-z]|dr|mrs?|ms|prof|st|jr|sr|vs|approx|fig|vol|pp|cf|ltd|inc|dept", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Clause:
    """A piece of an item's text: ``text`` is what stands from code point ``start`` up to ``end`` (exclusive)."""

    start: int
    end: int
    text: str


class _Mark(Enum):
    """What a clause may end at."""

    POINT = auto()
    COMMA = auto()
    WIDE_POINT = auto()
    WIDE_COMMA = auto()


class Clauses:
    """The clauses of one text, in order and without gaps: joined they are the text.

    A clause ends after . ! ? ; : … with at least *min_chars*, after a comma or dash with twice as many (the first
    one: any, and half as many), at a line break, and at a word when *max_chars* are reached. White space after a
    mark belongs to the clause it ends. No clause is longer than *max_chars*, and none lacks a letter or digit but
    for the last one, or where a longer row of marks leaves no choice.
    """

    def __init__(self, min_chars: int = 24, max_chars: int = 240) -> None:
        if not 1 <= min_chars <= max_chars:
            raise ValueError("min_chars must lie between 1 and max_chars")
        self._min_chars = min_chars
        self._max_chars = max_chars
        self._text = ""
        self._start = 0
        self._speakable = False
        self._mark: _Mark | None = None
        """Set from a mark until the character that decides whether it ends the clause."""

    def feed(self, delta: str) -> list[Clause]:
        """The clauses that *delta* completes."""
        return [clause for char in delta for clause in self._take(char)]

    def finish(self) -> list[Clause]:
        """What is left of the text, which is complete: one clause, or none."""
        return [self._cut(len(self._text))] if self._text else []

    def _take(self, char: str) -> list[Clause]:
        clauses = []
        if self._ends_before(char):
            clauses.append(self._cut(len(self._text)))
        self._text += char
        self._speakable = self._speakable or char.isalnum()
        if self._speakable and (char == "\n" or (char.isspace() and self._ends())):
            clauses.append(self._cut(len(self._text)))
        elif char.isspace() or char not in _CLOSERS:
            self._mark = _mark(char)
        if len(self._text) >= self._limit():
            clauses.append(self._cut(self._last_word()))
        return clauses

    def _ends_before(self, char: str) -> bool:
        # Scripts with wide marks put no space behind them: whatever is neither a mark nor a quote begins anew.
        wide = self._mark in (_Mark.WIDE_POINT, _Mark.WIDE_COMMA)
        return wide and not char.isspace() and char not in _CLOSERS and _mark(char) is None and self._long_enough()

    def _ends(self) -> bool:
        return self._mark is not None and self._long_enough() and not self._abbreviated()

    def _long_enough(self) -> bool:
        if not self._speakable:
            return False
        length, first = len(self._text.strip()), self._start == 0
        match self._mark:
            case _Mark.POINT | _Mark.WIDE_POINT:
                return first or length >= self._min_chars
            case _:
                return length >= (self._min_chars // 2 if first else 2 * self._min_chars)

    def _abbreviated(self) -> bool:
        words = self._text.split()
        word = words[-1].lstrip(_OPENERS)
        if not word.endswith("."):
            return False
        numbered = len(words) == 1 and word[:-1].isdigit()
        return numbered or _ABBREVIATION.fullmatch(word[:-1]) is not None

    def _limit(self) -> int:
        return min(FIRST_MAX_CHARS, self._max_chars) if self._start == 0 else self._max_chars

    def _last_word(self) -> int:
        """Where the last word begins, if it can be left for the next clause, else the end."""
        at = len(self._text)
        while at and not self._text[at - 1].isspace():
            at -= 1
        return at if any(char.isalnum() for char in self._text[:at]) else len(self._text)

    def _cut(self, count: int) -> Clause:
        clause = Clause(self._start, self._start + count, self._text[:count])
        self._text = self._text[count:]
        self._start = clause.end
        self._speakable = any(char.isalnum() for char in self._text)
        if not self._text:
            self._mark = None
        return clause


def _mark(char: str) -> _Mark | None:
    if char in _POINTS:
        return _Mark.POINT
    if char in _COMMAS:
        return _Mark.COMMA
    if char in _WIDE_POINTS:
        return _Mark.WIDE_POINT
    return _Mark.WIDE_COMMA if char in _WIDE_COMMAS else None
