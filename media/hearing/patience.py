"""How long a silence must last before it ends a turn: a timer, or a rule that looks at what was said before it.

A better judge (a model of prosody, say) needs only :class:`Patience`.
"""

from dataclasses import dataclass
from typing import Final, Literal, Protocol

Eagerness = Literal["low", "medium", "high", "auto"]

LONGEST_MS: Final[dict[Eagerness, int]] = {"low": 8_000, "medium": 4_000, "high": 2_000, "auto": 4_000}
"""The longest a semantic endpointer waits, by Realtime's ``eagerness`` (its documentation's figures)."""

_UNKNOWN: Final = 4
"""Without words a quarter of the longest wait: 1 s in the middle, twice a plain timer's half second, since nothing
tells a pause for breath from an end."""

_FINISHED: Final = 8
"""After a sentence that sounds finished an eighth of it: half a second in the middle, which is a plain timer's."""

_SHORTEST_MS: Final = 300
"""Pauses between the words of one sentence are shorter than this; nobody wants to be cut off in one."""

_UNFINISHED_WORDS: Final = frozenset(
    # What an English sentence does not end with: conjunctions, articles, prepositions, fillers, auxiliaries.
    {"and", "or", "but", "so", "because", "if", "when", "while", "that", "which", "who", "than", "then", "as", "like"}
    | {"a", "an", "the", "my", "your", "his", "her", "our", "their", "this", "these", "some", "any", "every"}
    | {"of", "to", "in", "on", "at", "for", "from", "with", "about", "into", "by", "between", "until"}
    | {"um", "uh", "er", "hmm", "well", "is", "are", "was", "were", "i", "i'm", "we", "can", "could", "would", "will"}
    # German, French, Spanish, Italian: the commonest of the same kinds.
    | {"und", "oder", "aber", "weil", "dass", "wenn", "der", "die", "das", "ein", "eine", "mit", "für", "äh", "ähm"}
    | {"et", "ou", "mais", "parce", "que", "le", "la", "les", "un", "une", "de", "du", "des", "avec", "pour", "euh"}
    | {"y", "o", "pero", "porque", "el", "los", "las", "una", "con", "para", "por", "eh", "del", "al"}
    | {"e", "ma", "perché", "che", "il", "lo", "gli", "uno", "di", "del", "della", "per", "tra"}
)

_UNFINISHED_MARKS: Final = (",", ";", ":", "-", "\N{EN DASH}", "\N{EM DASH}", "...", "\N{HORIZONTAL ELLIPSIS}")
_FINISHED_MARKS: Final = (".", "?", "!", "\N{IDEOGRAPHIC FULL STOP}", "\N{FULLWIDTH QUESTION MARK}")


class Patience(Protocol):
    """Decides how long a silence must last."""

    @property
    def wants_words(self) -> bool:
        """True when the words so far would help."""
        ...

    def silence_ms(self, words: str | None) -> int:
        """Silence that ends the turn, in milliseconds, after *words*; None when they are not known."""
        ...


@dataclass(frozen=True, slots=True)
class Timer:
    """Realtime's ``server_vad``: always as long."""

    duration_ms: int
    wants_words: bool = False

    def silence_ms(self, words: str | None) -> int:
        """See :class:`Patience`."""
        return self.duration_ms


@dataclass(frozen=True, slots=True)
class Semantic:
    """Realtime's ``semantic_vad``: longer after what sounds unfinished, shorter after what sounds finished."""

    eagerness: Eagerness = "auto"
    wants_words: bool = True

    def silence_ms(self, words: str | None) -> int:
        """See :class:`Patience`."""
        longest_ms = LONGEST_MS[self.eagerness]
        text = (words or "").strip().lower()
        if not text:
            return max(_SHORTEST_MS, longest_ms // _UNKNOWN)
        return longest_ms if _unfinished(text) else max(_SHORTEST_MS, longest_ms // _FINISHED)


def _unfinished(text: str) -> bool:
    if text.endswith(_UNFINISHED_MARKS):
        return True
    return not text.endswith(_FINISHED_MARKS) and text.split()[-1] in _UNFINISHED_WORDS
