"""One engine for sessions that want different voices."""

from collections.abc import AsyncGenerator, Callable

from media.speech import ManyVoiced, Speech


class WantedVoice:
    """Speaks each text in the voice that is wanted when it begins."""

    def __init__(self, engine: ManyVoiced, wanted: Callable[[], str]) -> None:
        """*wanted* is asked for a voice of the engine's, ``""`` for its usual one."""
        self._engine = engine
        self._wanted = wanted
        self.exact_words = engine.exact_words

    def speak(self, text: str) -> AsyncGenerator[Speech, None]:
        """See :class:`media.speech.Synthesizer`."""
        voice = self._wanted()
        engine = self._engine.in_voice(voice) if voice and voice != self._engine.voice else self._engine
        return engine.speak(text)

    async def aclose(self) -> None:
        """Nothing to let go of: the engine is everybody's."""
