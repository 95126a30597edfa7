"""When to ask a recognizer what a voice has said so far: a word may settle what sound cannot. Pure."""

from collections.abc import Iterable
from typing import Final

from media.hearing.ears import Edge
from media.hearing.edges import Confirmed, Ended, Sustained

FIRST_MS: Final = 350
"""After the onset: the shortest stop word is over by then, and a recognizer needs 100 ms more than the word."""

EVERY_MS: Final = 150
"""Between questions: a third of a short word, so that a stop word cuts at most that much later."""

LAST_MS: Final = 2_000
"""After the onset nobody asks any more: by then the session has decided."""


FOLLOW_MS: Final = 400
"""Between questions about a turn that goes on: somebody reads along, and a word lasts about as long."""


class Pace:
    """When to ask for the words of a turn, so that they can be read while it is being spoken."""

    def __init__(self) -> None:
        self._due_ms: int | None = None

    def due(self, clock_ms: int, *, in_turn: bool) -> bool:
        """Is it time to ask?"""
        if in_turn and self._due_ms is not None and clock_ms < self._due_ms:
            return False
        asks = in_turn and self._due_ms is not None
        self._due_ms = clock_ms + FOLLOW_MS if in_turn else None
        return asks


class Glimpses:
    """Which moments of one microphone are worth a question. Times are milliseconds on its clock."""

    def __init__(self) -> None:
        self._due_ms: int | None = None
        self._onset_ms = 0

    def due(self, edges: Iterable[Edge], clock_ms: int, *, in_doubt: bool, at_the_end: bool) -> bool:
        """Is it time to ask? *in_doubt* while a voice over an answer is undecided.

        *at_the_end* where the words decide how long a silence must last: then each end of a voice is worth a question.
        """
        ended = False
        for edge in edges:
            match edge:
                case Confirmed(onset_ms=onset_ms):
                    self._onset_ms, self._due_ms = onset_ms, onset_ms + FIRST_MS
                case Sustained():
                    self._due_ms = None
                case Ended():
                    self._due_ms, ended = None, True
        if ended and at_the_end:
            return True
        if self._due_ms is None or not in_doubt or clock_ms < self._due_ms:
            return False
        self._due_ms = clock_ms + EVERY_MS if clock_ms + EVERY_MS <= self._onset_ms + LAST_MS else None
        return True
