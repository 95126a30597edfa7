"""Which words of a text a server's captions mean. Pure.

Servers caption what they speak, which is not what is written: marks are words of their own, "$5" is "five dollars".
So a caption is looked for in the next few words of the text only, and captions that are not found stand together for
the text between the words that were.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from media.frames import VOICE_RATE_HZ
from media.speech import Word

_AHEAD: Final = 3
"""Words of the text in which a caption is looked for: an earlier "one" must not be taken for a later one."""

_LONGEST_S: Final = 3600.0
"""A word that begins later has no time that means anything."""

_WORD: Final = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Caption:
    """A word as it was spoken, and when it begins, in seconds from the beginning of the text's sound."""

    word: str
    start_s: float


class Captions:
    """The captions of one text, in the order in which they are spoken."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._ends = [match.end() for match in _WORD.finditer(text)]
        self._at = 0
        """How far the text is captioned."""

        self._lost_s: float | None = None
        """When the first caption began that was not found since."""

    def take(self, captions: Iterable[Caption]) -> tuple[Word, ...]:
        """The words of the text that these captions tell the times of."""
        return tuple(word for caption in captions for word in self._take(caption))

    def rest(self) -> tuple[Word, ...]:
        """No more captions come: what was not found belongs to what is left of the text."""
        return tuple(self._gap(len(self._text)))

    def _take(self, caption: Caption) -> list[Word]:
        spoken = caption.word.strip()
        if not any(char.isalnum() for char in spoken):
            return []
        found = self._find(spoken)
        if found is None:
            self._lost_s = caption.start_s if self._lost_s is None else self._lost_s
            return []
        start, end = found
        words = [*self._gap(start), Word(start, end, _sample(caption.start_s))]
        self._at, self._lost_s = end, None
        return words

    def _find(self, spoken: str) -> tuple[int, int] | None:
        further = [end for end in self._ends if end > self._at]
        if not further:
            return None
        written, limit = re.escape(spoken), further[:_AHEAD][-1]
        # What follows the last caption at once may be the rest of its word ("do", "n't").
        match = re.compile(written, re.IGNORECASE).match(self._text, self._at, limit)
        match = match or re.compile(rf"(?<!\w){written}", re.IGNORECASE).search(self._text, self._at, limit)
        return match.span() if match else None

    def _gap(self, end: int) -> list[Word]:
        """The text from where it is captioned up to *end* as one word, if captions were lost there."""
        if self._lost_s is None:
            return []
        words = [match.span() for match in _WORD.finditer(self._text, self._at, end)]
        spoken = [span for span in words if any(char.isalnum() for char in self._text[slice(*span)])]
        return [Word(spoken[0][0], spoken[-1][1], _sample(self._lost_s))] if spoken else []


def _sample(seconds: float) -> int:
    return round(min(max(seconds, 0.0), _LONGEST_S) * VOICE_RATE_HZ)
