"""Placing words in sound by their length, for speech engines that do not say where each word begins.

Lengths are in *letters*: what a letter takes, spaces take nothing. Measured against espeak-ng's word times (212
words, 165 words a minute, least squares): 62 ms a letter, five times that a digit, which is read as a word, and a
pause of 5.5 letters after a comma, 7.5 after a point; syllables explained nothing that letters did not. A script
without spaces has a word in each character: a Chinese syllable lasts some 220 ms, a kana 130.
"""

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from media.frames import VOICE_RATE_HZ

Span: TypeAlias = tuple[int, int]
"""First code point of a word, and the one after its last."""

LETTERS_PER_S: Final = 16.0

_DIGIT: Final = 5.0
_KANA: Final = 2.0
_HAN: Final = 3.5
_COMMA: Final = 5.5
_POINT: Final = 7.5

_HAN_CHARS: Final = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_KANA_CHARS: Final = "\u3040-\u30ff"
_INDIC_CHARS: Final = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
"""Thai, Lao, Burmese, Khmer: no spaces between words either."""

_BEFORE: Final = "\u0e40-\u0e44\u0ec0-\u0ec4"
"""Thai and Lao vowels that are written before the consonant they follow."""

_BEHIND: Final = "\u0e30\u0e32\u0e33\u0e45\u0eb0\u0eb2\u0eb3"

# Marks that combine with a character are no \w, so they stay with it, as its punctuation does.
_WORD: Final = re.compile(
    rf"[{_HAN_CHARS}{_KANA_CHARS}][^\s\w]*"
    rf"|[{_BEFORE}]*[{_INDIC_CHARS}](?:[{_BEHIND}]|[^\s\w])*"
    rf"|[^\s{_HAN_CHARS}{_KANA_CHARS}{_INDIC_CHARS}]+"
)
_HAN_CHAR: Final = re.compile(f"[{_HAN_CHARS}]")
_KANA_CHAR: Final = re.compile(f"[{_KANA_CHARS}]")
_TAIL: Final = re.compile(r"[^\w\s]*$")
_POINTS: Final = frozenset(".!?…。！？")
_COMMAS: Final = frozenset(",;:–—，、；：")

_NEAR_S: Final = 0.35
"""A pause in the sound is that of a mark in the text when it lies no farther from where that was expected."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A word of a text."""

    span: Span
    letters: float
    pause: float
    """What follows it, in letters; 0 when it has no mark at its end."""


class Pace:
    """How fast an engine speaks: the mean of what it has spoken, at first :data:`LETTERS_PER_S`."""

    def __init__(self) -> None:
        self._letters = 0.0
        self._samples = 0

    def learn(self, text: str, samples: int) -> None:
        """*text* took *samples* of sound. What made no sound teaches nothing."""
        letters = sum(word.letters + word.pause for word in measured(text))
        if samples and letters:
            self._letters += letters
            self._samples += samples

    @property
    def samples_per_letter(self) -> float:
        """Samples at 24 kHz."""
        return self._samples / self._letters if self._letters else VOICE_RATE_HZ / LETTERS_PER_S


def at_pace(text: str, pace: Pace) -> list[tuple[Span, int]]:
    """Each word of *text* and the sample at which it should begin."""
    return _spread(measured(text), 0, pace.samples_per_letter)


def within(text: str, duration: int, pauses: list[Span]) -> list[tuple[Span, int]]:
    """Each word of *text* and the sample at which it should begin, in *duration* samples that hold these *pauses*.

    The silence at either end is no word's. A pause that lies where one was expected is the one at that mark, and the
    words between two such pauses share out what lies between them.
    """
    words = measured(text)
    if not words:
        return []
    first, last = 0, duration
    inner = list(pauses)
    if inner and inner[0][0] <= 0:
        first = inner.pop(0)[1]
    if inner and inner[-1][1] >= duration:
        last = inner.pop()[0]
    placed: list[tuple[Span, int]] = []
    phrase: list[Measured] = []
    for index, word in enumerate(words):
        phrase.append(word)
        rest = words[index + 1 :]
        if not (word.pause and rest):
            continue
        found = _pause_after(phrase, rest, first, last, inner)
        if found is not None:
            placed += _fill(phrase, first, found[0])
            inner = [pause for pause in inner if pause[0] > found[0]]
            first, phrase = found[1], []
    return placed + _fill(phrase, first, last)


def _pause_after(
    phrase: list[Measured], rest: list[Measured], first: int, last: int, pauses: list[Span]
) -> Span | None:
    """The pause that stands behind *phrase*; None when none lies near to where it should."""
    spoken = _letters(phrase)
    whole = spoken + phrase[-1].pause + _letters(rest)
    expected = first + (last - first) * spoken / whole if whole else first
    near = [pause for pause in pauses if abs(pause[0] - expected) <= _NEAR_S * VOICE_RATE_HZ]
    return min(near, key=lambda pause: abs(pause[0] - expected), default=None)


def _fill(words: list[Measured], first: int, last: int) -> list[tuple[Span, int]]:
    letters = _letters(words)
    return _spread(words, first, (last - first) / letters if letters else 0.0)


def _letters(words: list[Measured]) -> float:
    """What they last, less the pause after the last one."""
    return sum(word.letters + word.pause for word in words) - (words[-1].pause if words else 0)


def _spread(words: list[Measured], first: int, samples_per_letter: float) -> list[tuple[Span, int]]:
    placed, letters = [], 0.0
    for word in words:
        placed.append((word.span, first + round(letters * samples_per_letter)))
        letters += word.letters + word.pause
    return placed


def measured(text: str) -> list[Measured]:
    """The words of *text*, and how long each lasts."""
    return [_measure(match.span(), match.group()) for match in _WORD.finditer(text)]


def _measure(span: Span, word: str) -> Measured:
    han, kana = len(_HAN_CHAR.findall(word)), len(_KANA_CHAR.findall(word))
    digits = sum(char.isdigit() for char in word)
    letters = sum(char.isalnum() for char in word) - digits - han - kana
    tail = _TAIL.search(word)
    marks = set(tail.group()) if tail else set()
    pause = _POINT if marks & _POINTS else _COMMA if marks & _COMMAS else 0.0
    return Measured(span, letters + _DIGIT * digits + _HAN * han + _KANA * kana, pause)
