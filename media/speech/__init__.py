"""Speech engines stand behind two small protocols: a synthesizer speaks, a recognizer listens.

An engine is shared by all voice legs of a process; what it returns belongs to one utterance.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from media.frames import Pcm


class SpeechError(Exception):
    """A speech engine failed. ``code`` is stable; the message never holds the text or the sound.

    Codes: ``engine_unavailable`` (not installed, cannot start), ``engine_failed`` (crashed,
    refused, answered nonsense), ``engine_timeout``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Word:
    """Where a word of the text begins in the sound.

    ``start`` and ``end`` count Unicode code points of the text that was given to the engine
    (``end`` is exclusive); ``sample`` counts 24 kHz samples from the first one of that text's sound.
    """

    start: int
    end: int
    sample: int


@dataclass(frozen=True, slots=True)
class Speech:
    """A piece of sound, in order: 24 kHz samples and the words that begin in this piece or later."""

    pcm: Pcm
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Manner:
    """How one answer is to be spoken."""

    voice: str = ""
    """A voice of the engine; empty for its own."""

    speed: float = 1.0
    """Times as fast as that voice speaks."""


class Synthesizer(Protocol):
    """Text to speech."""

    exact_words: bool
    """True when :class:`Word` positions come from the engine; otherwise no words are returned."""

    def speak(self, text: str) -> AsyncGenerator[Speech, None]:
        """Speak *text*, yielding sound as it becomes available.

        Closing the iterator (``aclose()``, or cancelling the task that iterates) stops the
        engine's work for this text. Raises :class:`SpeechError`.
        """
        ...

    async def aclose(self) -> None:
        """Stop the engine. Calling it twice is harmless."""
        ...


@runtime_checkable
class Versatile(Protocol):
    """A synthesizer that can speak each text in another manner."""

    voice: str
    """Its own."""

    def speak_as(self, text: str, manner: Manner) -> AsyncGenerator[Speech, None]:
        """As :meth:`Synthesizer.speak`, in that manner."""
        ...


def spoken(synthesizer: Synthesizer, text: str, manner: Manner) -> AsyncGenerator[Speech, None]:
    """*text* in that manner, as far as the engine can."""
    return synthesizer.speak_as(text, manner) if isinstance(synthesizer, Versatile) else synthesizer.speak(text)


class Recognition(Protocol):
    """One utterance on its way to text."""

    def feed(self, pcm: Pcm) -> None:
        """Take more 16 kHz sound. Never blocks, never raises."""
        ...

    async def partial(self) -> str:
        """What the engine makes of the sound so far, ``""`` when it finds no word. Raises :class:`SpeechError`."""
        ...

    async def judge(self) -> str:
        """What a short utterance that has just ended says, heard as well as the engine can; ``""`` when nothing.

        Decides whether it was only a backchannel. Raises :class:`SpeechError`, also when the engine cannot tell now.
        """
        ...

    async def finish(self) -> str:
        """End the utterance and return its text, ``""`` when no word was recognised.

        Raises :class:`SpeechError`.
        """
        ...

    def cancel(self) -> None:
        """Forget the utterance. Harmless after :meth:`finish`, and twice."""
        ...


class Recognizer(Protocol):
    """Speech to text."""

    name: str
    """What a person should read, with its quality: ``pocketsphinx (demo quality)``."""

    live: bool
    """True when :meth:`Recognition.partial` costs next to nothing, so that it may be asked while a voice goes on."""

    def listen(self) -> Recognition:
        """Begin a new utterance. Never blocks."""
        ...

    async def aclose(self) -> None:
        """Stop the engine. Calling it twice is harmless."""
        ...
