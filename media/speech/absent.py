"""Engines for who needs none: a model that hears and speaks by itself. Both say that they are missing when asked."""

from collections.abc import AsyncGenerator

from media.frames import Pcm, silence
from media.speech import Recognition, Speech, SpeechError


class NoSynthesizer:
    """Implements :class:`media.speech.Synthesizer`."""

    exact_words = False

    async def speak(self, text: str) -> AsyncGenerator[Speech, None]:
        """Raises :class:`SpeechError`."""
        if text:
            raise SpeechError("engine_unavailable", "No speech engine is set up.")
        yield Speech(silence(0))

    async def aclose(self) -> None:
        """Nothing to let go of."""


class NoRecognizer:
    """Implements :class:`media.speech.Recognizer`."""

    name = "none"
    live = False

    def listen(self) -> Recognition:
        """What is said is not written down."""
        return _Unheard()

    async def aclose(self) -> None:
        """Nothing to let go of."""


class _Unheard:
    """One utterance that nobody writes down."""

    def feed(self, pcm: Pcm) -> None:
        pass

    async def partial(self) -> str:
        raise SpeechError("engine_unavailable", "No speech recognizer is set up.")

    async def judge(self) -> str:
        return await self.partial()

    async def finish(self) -> str:
        return await self.partial()

    def cancel(self) -> None:
        pass
