"""Keeps the sound of turns, for whoever wants to hear them and not only read their words."""

from typing import Final

import numpy as np

from media.frames import MIC_RATE_HZ, VOICE_RATE_HZ, Pcm, samples, silence
from media.resample import resample
from media.speech import Recognition, Recognizer

KEPT_MS: Final = 120_000
"""Of all turns that are kept together, newest first: 3.8 MB a leg."""

TURNS: Final = 8


class Keeping:
    """A recognizer that keeps what it is fed. One for each leg; the engine behind it is shared."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer
        self.name = recognizer.name
        self.live = recognizer.live
        self._turns: dict[str, Pcm] = {}

    def listen(self) -> Recognition:
        """Begin a new utterance."""
        return _Listening(self._recognizer.listen())

    def keep(self, tag: str, recognition: Recognition | None) -> None:
        """The turn that was listened to has ended, and is called *tag* from now on."""
        if not isinstance(recognition, _Listening):
            return
        self._turns[tag] = recognition.sound()
        while len(self._turns) > TURNS or sum(map(len, self._turns.values())) > samples(KEPT_MS, MIC_RATE_HZ):
            del self._turns[next(iter(self._turns))]

    def has(self, tag: str) -> bool:
        """Is there any sound of this turn?"""
        return len(self._turns.get(tag, ())) > 0

    def sound_of(self, tag: str) -> Pcm | None:
        """A turn's sound at 24 kHz; None when it is not kept (any more)."""
        kept = self._turns.get(tag)
        return None if kept is None else resample(kept, MIC_RATE_HZ, VOICE_RATE_HZ)

    async def aclose(self) -> None:
        """Forget everything. The engine is not this one's to close."""
        self._turns.clear()


class _Listening:
    """One utterance: its sound is kept, and handed on."""

    def __init__(self, recognition: Recognition) -> None:
        self._recognition = recognition
        self._pieces: list[Pcm] = []

    def sound(self) -> Pcm:
        return np.concatenate(self._pieces) if self._pieces else silence(0)

    def feed(self, pcm: Pcm) -> None:
        self._pieces.append(pcm)
        self._recognition.feed(pcm)

    async def partial(self) -> str:
        return await self._recognition.partial()

    async def judge(self) -> str:
        return await self._recognition.judge()

    async def finish(self) -> str:
        return await self._recognition.finish()

    def cancel(self) -> None:
        self._recognition.cancel()
