"""Text to speech with espeak-ng, which runs in a process of its own (:mod:`media.speech.espeak_worker`)."""

import asyncio
import importlib.util
from collections.abc import AsyncGenerator
from typing import Final

from media.speech import Manner, Speech, Word
from media.speech.clauses import Clause, Clauses
from media.speech.pipe import Kind, unpack
from media.speech.worker import Worker

_PART_MIN_CHARS: Final = 200
_PART_MAX_CHARS: Final = 500
"""Code points given to the process at once: half a minute of sound, made in a tenth of a second, waits at most."""


def available() -> bool:
    """True when espeak-ng is installed (the extra ``offline``)."""
    return importlib.util.find_spec("espeakng_loader") is not None


class Espeak:
    """A synthesizer that knows where each word begins. Demo quality, at once and anywhere.

    A text that ends in a mark is followed by the pause that mark asks for, so that clauses sound as one text. A
    character that cannot be spoken is passed over, and so are marks of Markdown; a text without words has no sound.
    """

    exact_words = True

    def __init__(self, voice: str = "en-us", rate_wpm: int = 165) -> None:
        self.voice = voice
        self._rate_wpm = rate_wpm
        self._others: dict[str, Espeak] = {}
        self._worker = Worker("espeak-ng", "media.speech.espeak_worker", voice, str(rate_wpm))

    async def warm_up(self) -> None:
        """Start the process now, so that the first text need not wait for it. Raises :class:`SpeechError`."""
        await self._worker.warm_up()

    async def speak(self, text: str) -> AsyncGenerator[Speech, None]:
        """See :class:`media.speech.Synthesizer`. Pieces of about 60 ms; a long text is spoken part by part."""
        sample = 0
        for part in _parts(text):
            call = self._worker.call(part.text.encode("utf-8", "surrogatepass"))
            first = sample
            try:
                while (frame := await call.receive()).kind is not Kind.FINISH:
                    speech = unpack(frame.body)
                    sample += len(speech.pcm)
                    yield _moved(speech, part.start, first)
            finally:
                call.cancel()

    def speak_as(self, text: str, manner: Manner) -> AsyncGenerator[Speech, None]:
        """See :class:`media.speech.Versatile`. A voice has a process of its own, from its first text on; its speed is
        always the same.
        """
        if manner.voice in ("", self.voice):
            return self.speak(text)
        return self._others.setdefault(manner.voice, Espeak(manner.voice, self._rate_wpm)).speak(text)

    async def aclose(self) -> None:
        """End the processes. Calling it twice is harmless."""
        await asyncio.gather(self._worker.aclose(), *(other.aclose() for other in self._others.values()))


def _parts(text: str) -> list[Clause]:
    if len(text) <= _PART_MAX_CHARS:
        return [Clause(0, len(text), text)] if text.strip() else []
    clauses = Clauses(_PART_MIN_CHARS, _PART_MAX_CHARS)
    return [*clauses.feed(text), *clauses.finish()]


def _moved(speech: Speech, chars: int, samples: int) -> Speech:
    """*speech* with its words counted from the beginning of the whole text."""
    words = tuple(Word(word.start + chars, word.end + chars, word.sample + samples) for word in speech.words)
    return Speech(speech.pcm, words)
