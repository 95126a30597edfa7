"""Where the rest of a steered answer joins the part that was given: what is said again is left out. Pure.

A model that is asked to go on often repeats the last words, or starts over. Words are compared without case and marks.
Nothing is held back longer than it may still be a repetition, so that a continuation which is new from its first word
on loses no time.
"""

import re
from typing import Final

LONG: Final = 4
"""Words in a row that are no coincidence, wherever in the answer they stood before."""

_WORD: Final = re.compile(r"\S+")
_MARKS: Final = re.compile(r"[^\w]+|_")


class Seam:
    """Takes the rest piece by piece and gives out what is new in it."""

    def __init__(self, said: str, least: int) -> None:
        """*said* is the answer so far. Its last words are known again when at least *least* of them are repeated."""
        self._said = [_plain(word) for word in said.split()]
        self._least = least
        self._held = ""
        self._through = not self._said

    def feed(self, piece: str) -> str:
        """More of the rest; what of it, and of what was held back, is new."""
        if self._through:
            return piece
        self._held += piece
        return self._new(whole=False)

    def end(self) -> str:
        """Nothing more comes: what was held back and is new."""
        return "" if self._through else self._new(whole=True)

    def _new(self, *, whole: bool) -> str:
        while True:
            found = list(_WORD.finditer(self._held))
            words = [_plain(match.group()) for match in found]
            unfinished = bool(found) and not whole and found[-1].end() == len(self._held)
            if not whole and self._may_repeat(words, unfinished=unfinished):
                return ""
            repeated = self._repeated(words[:-1] if unfinished else words)
            if not repeated:
                self._through = True
                held, self._held = self._held, ""
                return held
            self._held = self._held[found[repeated - 1].end() :]
            self._least = LONG  # from here on it is the rest: one word that comes twice there is meant

    def _may_repeat(self, words: list[str], *, unfinished: bool) -> bool:
        """Could what is held back, with what follows it, be a repetition (or a longer one)?"""
        sure = words[:-1] if unfinished else words
        begun = words[-1] if unfinished else ""
        for at in range(len(self._said)):
            run = self._run(at, sure)
            next_word = self._said[at + run] if at + run < len(self._said) else None
            if run == len(sure) and next_word is not None and next_word.startswith(begun):
                return True
        return False

    def _repeated(self, words: list[str]) -> int:
        """How many of *words* at their beginning were said before."""
        found = 0
        for at in range(len(self._said)):
            run = self._run(at, words)
            ends = at + run == len(self._said) and run >= self._least
            starts_over = at == 0 and run == min(len(self._said), LONG - 1)
            if ends or starts_over or run >= LONG:
                found = max(found, run)
        return found

    def _run(self, at: int, words: list[str]) -> int:
        run = 0
        while run < len(words) and at + run < len(self._said) and self._said[at + run] == words[run]:
            run += 1
        return run


def _plain(word: str) -> str:
    return _MARKS.sub("", word.casefold()) or word
