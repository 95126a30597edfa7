"""English numbers, between words and ints, from 0 to 9999; counting, and the time of day in words."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

_UNITS: Final = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS: Final = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SMALL: Final = {word: value for value, word in enumerate(_UNITS)} | {
    word: value * 10 for value, word in enumerate(_TENS) if value >= 2
}
_SCALES: Final = {"hundred": 100, "thousand": 1000}
_PARTS_OF_DAY: Final = ((5, "at night"), (12, "in the morning"), (18, "in the afternoon"), (22, "in the evening"))
_DEFAULT_COUNT: Final = 20
_LONGEST_COUNT: Final = 120
LARGEST: Final = 9999


def spell(number: int) -> str:
    """*number* in words. Raises ``ValueError`` outside 0..9999."""
    if not 0 <= number <= LARGEST:
        raise ValueError(f"cannot spell {number}")
    for scale, size in (("thousand", 1000), ("hundred", 100)):
        if number >= size:
            rest = number % size
            return f"{spell(number // size)} {scale}" + (f" {spell(rest)}" if rest else "")
    if number < 20:
        return _UNITS[number]
    return _TENS[number // 10] + (f" {_UNITS[number % 10]}" if number % 10 else "")


def read_numbers(words: Iterable[str]) -> tuple[int, ...]:
    """The numbers among *words* (lower case), in order; those over 9999 are taken as 9999."""
    found: list[int] = []
    current: int | None = None
    for word in words:
        if word == "and" and current is not None and current % 100 == 0:
            continue
        joined = _join(current, word)
        if joined is None and current is not None:
            found.append(current)
            joined = _join(None, word)
        current = joined
    if current is not None:
        found.append(current)
    return tuple(min(number, LARGEST) for number in found)


def _join(current: int | None, word: str) -> int | None:
    """*current* continued by *word* ("twenty" + "five"), or None when they are not one number."""
    if word.isascii() and word.isdigit():
        return int(word[:5]) if current is None else None
    if word in _SCALES:
        size = _SCALES[word]
        if current is None:
            return size
        low = current % (size * 10)
        return current + low * (size - 1) if 0 < low < size else None
    value = _SMALL.get(word)
    if value is None or current is None:
        return value
    room = 100 if current % 100 == 0 else 10 if current % 10 == 0 and current % 100 >= 20 else 0
    return current + value if current > 0 and 0 < value < room else None


def clock_time(now: datetime) -> str:
    """The time of day in words: ``two oh five in the afternoon``."""
    part = next((name for end, name in _PARTS_OF_DAY if now.hour < end), "at night")
    hour = spell(now.hour % 12 or 12)
    if now.minute == 0:
        return f"{hour} o'clock {part}"
    return f"{hour} {'oh ' if now.minute < 10 else ''}{spell(now.minute)} {part}"


def count_aloud(words: Sequence[str]) -> str:
    """The count that *words* ask for ("from five to twelve", "down from ten"), at most 120 numbers."""
    first, last = _bounds(words)
    step = 1 if last >= first else -1
    end = min(last, first + _LONGEST_COUNT - 1) if step > 0 else max(last, first - _LONGEST_COUNT + 1)
    numbers = [spell(number) for number in range(first, end + step, step)]
    # A full stop after every ten: speech is made sentence by sentence.
    tens = [", ".join(numbers[at : at + 10]).capitalize() for at in range(0, len(numbers), 10)]
    return ". ".join(tens) + ("." if end == last else ". And so on. That is enough for a demo.")


def _bounds(words: Sequence[str]) -> tuple[int, int]:
    down = "down" in words or "backwards" in words
    match read_numbers(words):
        case ():
            first, last = 1, _DEFAULT_COUNT
        case (only,) if "from" in words:
            first, last = (only, 1) if down else (only, min(only + _DEFAULT_COUNT - 1, LARGEST))
        case (only,):
            first, last = min(1, only), only
        case (first, *_, last):
            pass
    return (last, first) if down and last > first else (first, last)
