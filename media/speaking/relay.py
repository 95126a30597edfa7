"""Sound that came with an answer, on its way into the playout."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from media.frames import VOICE_RATE_HZ, Pcm, samples
from media.speaking.loudness import Loudness
from media.speaking.playout import Playout

_PIECE: Final = samples(100, VOICE_RATE_HZ)
"""What the playout is offered at a time: it is not to be filled by one piece of many seconds."""


@dataclass(slots=True)
class _Answer:
    """One answer whose sound is given."""

    waiting: deque[Pcm] = field(default_factory=deque)
    """Bounded where the sound comes in."""

    levelled: Pcm | None = None
    """The next piece, which the playout had no room for."""

    finished: bool = False
    whole: bool = True


class Relay:
    """Hands given sound on, no further ahead than the playout has room. One voice's loudness, as every other's."""

    def __init__(self, playout: Playout) -> None:
        self._playout = playout
        self._answers: dict[int, _Answer] = {}
        self._loudness = Loudness()

    def begin(self, generation: int, response_id: str, item_id: str, base: int = 0, base_ms: int = 0) -> bool:
        """An answer is about to come; it sounds after those begun before. False when it was cut already."""
        if not self._playout.begin(generation, item_id, response_id, base, base_ms, own_sound=True):
            return False
        self._answers[generation] = _Answer()
        return True

    def knows(self, generation: int) -> bool:
        """Is this an answer with its own sound, which has not been handed on whole?"""
        return generation in self._answers

    def play(self, generation: int, pcm: Pcm) -> None:
        """More sound of an answer, 24 kHz; that of an unknown or stopped one is dropped."""
        answer = self._answers.get(generation)
        if answer is not None:
            answer.waiting += [pcm[at : at + _PIECE] for at in range(0, len(pcm), _PIECE)]
            self._hand_on(generation, answer)

    def caption(self, generation: int, text: str) -> None:
        """More of its text."""
        self._playout.caption(generation, text)

    def finish(self, generation: int, *, whole: bool) -> None:
        """Neither sound nor text of that answer comes any more. Not *whole*: its sound may end before its text."""
        answer = self._answers.get(generation)
        if answer is not None:
            answer.finished, answer.whole = True, whole
            self._hand_on(generation, answer)

    def stop(self, generation: int) -> None:
        """Hand on no more of this answer."""
        self._answers.pop(generation, None)

    def made_room(self) -> None:
        """The playout has sent something: there may be room for more."""
        for generation, answer in list(self._answers.items()):
            self._hand_on(generation, answer)

    def _hand_on(self, generation: int, answer: _Answer) -> None:
        while answer.waiting or answer.levelled is not None:
            if answer.levelled is None:
                answer.levelled = self._loudness.level(answer.waiting.popleft())
            if not self._playout.enqueue(generation, answer.levelled):
                return
            answer.levelled = None
        if answer.finished:
            del self._answers[generation]
            if not answer.whole:
                self._playout.break_off(generation)
            self._playout.finish(generation)
