"""Engines for a gateway that is measured: real ones, with word times, that cost next to nothing.

The agent counts: its words are ``w0 w1 w2 …``, each :data:`WORD_MS` long, so that a word says where in the recording
its sound stands. Give them to ``bargein serve`` as ``--agent benchmarks.engines:count`` and
``--synthesizer benchmarks.engines:chirp`` or ``:speech``.
"""

import asyncio
import re
from collections.abc import AsyncGenerator
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import ask_clips
from gateway.replay.sound import read_clip
from gateway.runtime.ports import Conversation
from media.frames import VOICE_RATE_HZ, Pcm
from media.speech import Recognizer, Speech, Synthesizer, Word

WORD_MS: Final = 200
ANSWER_S: Final = 60
WORD: Final = WORD_MS * VOICE_RATE_HZ // 1000
START_HZ: Final = 400.0
SLOPE_HZ_S: Final = 40.0
"""A tone that rises by 40 Hz a second: 100 ms of it tell the place in the answer to a few ms."""

_AHEAD_WORDS: Final = 25
_NUMBERED: Final = re.compile(r"w(\d+)[.]?")


async def count(conversation: Conversation) -> AsyncGenerator[str, None]:
    """Answer anything with a minute of numbered words, in sentences of five seconds, as fast as they are taken."""
    words = ANSWER_S * 1000 // WORD_MS
    for start in range(0, words, _AHEAD_WORDS):
        yield " ".join(f"w{number}" for number in range(start, min(words, start + _AHEAD_WORDS))) + ". "
        await asyncio.sleep(0)


class Recorded:
    """Implements :class:`media.speech.Synthesizer` with a recording, from which each numbered word takes its part."""

    exact_words = True

    def __init__(self, recording: Pcm) -> None:
        self._recording = recording
        self._words = len(recording) // WORD

    async def speak(self, text: str) -> AsyncGenerator[Speech, None]:
        for index, word in enumerate(re.finditer(r"\S+", text)):
            numbered = _NUMBERED.fullmatch(word.group())
            start = (int(numbered[1]) if numbered else 0) % self._words * WORD
            yield Speech(self._recording[start : start + WORD], (Word(word.start(), word.end(), index * WORD),))
            await asyncio.sleep(0)

    async def aclose(self) -> None: ...


class _Heard:
    """One utterance, whose words are known before it is spoken."""

    def feed(self, pcm: Pcm) -> None: ...

    async def partial(self) -> str:
        return "something"

    async def judge(self) -> str:
        return "something"

    async def finish(self) -> str:
        return "something was said"

    def cancel(self) -> None: ...


class Deaf:
    """Implements :class:`media.speech.Recognizer` without listening: each turn has the same words."""

    name = "none (the benchmarks' own)"
    live = False

    def listen(self) -> _Heard:
        return _Heard()

    async def aclose(self) -> None: ...


def phase_at(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Phase of the rising tone."""
    phase: NDArray[np.float64] = 2 * np.pi * (START_HZ * seconds + SLOPE_HZ_S / 2 * seconds**2)
    return phase


@cache
def rising_tone() -> Pcm:
    """:data:`ANSWER_S` of a tone whose pitch tells the time."""
    seconds = np.arange(ANSWER_S * VOICE_RATE_HZ) / VOICE_RATE_HZ
    return (8000 * np.sin(phase_at(seconds))).astype(np.int16)


@cache
def recorded_speech() -> Pcm:
    """The callers' recordings, one after another, without their quiet ends."""
    clips = [read_clip(Path(path)).pcm for path in ask_clips()]
    return np.concatenate([clip[: len(clip) // WORD * WORD] for clip in clips])


def chirp() -> Synthesizer:
    """A voice that never draws breath, and tells where it is."""
    return Recorded(rising_tone())


def speech() -> Synthesizer:
    """A voice that costs what a voice costs the encoder."""
    return Recorded(recorded_speech())


def deaf() -> Recognizer:
    """Ears that cost nothing."""
    return Deaf()
