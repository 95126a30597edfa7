"""Engines that behave, for tests of what stands on them: speech is a tone, words come as they are told to."""

import asyncio
import re
from collections.abc import AsyncGenerator

import numpy as np

from media.frames import MIC_RATE_HZ, VOICE_RATE_HZ, Pcm
from media.speech import Recognition, Speech, SpeechError, Word
from media.vad import WINDOW

WORD_MS = 200


class ToneSynthesizer:
    """Speaks each word as a tone of :data:`WORD_MS`, and can fail at a word."""

    exact_words = True

    def __init__(self, fail_at: str | None = None, error: Exception | None = None) -> None:
        self.fail_at = fail_at
        self.error = error or SpeechError("engine_failed", "told to")
        self.closed = 0
        self.spoken: list[str] = []

    async def speak(self, text: str) -> AsyncGenerator[Speech, None]:
        length = WORD_MS * VOICE_RATE_HZ // 1000
        tone = (8000 * np.sin(2 * np.pi * 400 * np.arange(length) / VOICE_RATE_HZ)).astype(np.int16)
        try:
            for index, word in enumerate(re.finditer(r"\S+", text)):
                if word.group() == self.fail_at:
                    raise self.error
                await asyncio.sleep(0)
                self.spoken.append(word.group())
                yield Speech(tone, (Word(word.start(), word.end(), index * length),))
        finally:
            self.closed += 1

    async def aclose(self) -> None:
        pass


class ScriptedRecognition:
    """Says what it was told to, and remembers how much sound it was given."""

    def __init__(self, text: str, fails: bool) -> None:
        self.text = text
        self.fails = fails
        self.heard: list[Pcm] = []
        self.cancelled = False

    @property
    def heard_ms(self) -> int:
        return sum(len(pcm) for pcm in self.heard) * 1000 // MIC_RATE_HZ

    def feed(self, pcm: Pcm) -> None:
        self.heard.append(pcm)

    async def partial(self) -> str:
        return await self.finish()

    async def judge(self) -> str:
        return await self.finish()

    async def finish(self) -> str:
        if self.fails:
            raise SpeechError("engine_failed", "told to")
        return self.text

    def cancel(self) -> None:
        self.cancelled = True


class ScriptedRecognizer:
    """Hands out one recognition for each turn, in the order of *texts*; None fails."""

    name = "scripted"
    live = True

    def __init__(self, *texts: str | None) -> None:
        self.texts = list(texts)
        self.opened: list[ScriptedRecognition] = []

    def listen(self) -> Recognition:
        text = self.texts.pop(0) if self.texts else ""
        recognition = ScriptedRecognition(text or "", fails=text is None)
        self.opened.append(recognition)
        return recognition

    async def aclose(self) -> None:
        pass


class LoudnessModel:
    """A speech model for which loud is voice: probability 1 above a peak of 1000, else 0."""

    name = "loudness"

    def probability(self, window: Pcm) -> float:
        assert window.shape == (WINDOW,)
        return 1.0 if int(np.abs(window.astype(np.int32)).max()) > 1000 else 0.0

    def reset(self) -> None:
        pass

    def fork(self, before: Pcm) -> "LoudnessModel":
        return self
