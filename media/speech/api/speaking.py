"""Text to speech by ``POST /audio/speech``, streamed."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final, cast

import openai

from media.speech import Manner, Speech, SpeechError
from media.speech.api.pieces import Pieces
from media.speech.api.server import FAILURES, READ_TIMEOUT_S, connect, failure, name_of

_RAW_AUDIO: Final = frozenset({"audio/pcm", "audio/x-pcm", "audio/l16", "audio/raw", "audio/x-raw"})


SLOWEST: Final = 0.25
FASTEST: Final = 4.0
"""What servers take for ``speed``."""


@dataclass(frozen=True, slots=True)
class Style:
    """How a server's voice speaks, unless an answer wants it otherwise. What is empty is not sent."""

    model: str = "gpt-4o-mini-tts"
    voice: str = "alloy"
    instructions: str = ""
    """How it should sound, in words; not every model takes them."""

    speed: float = 1.0
    """1 is the voice's own, and not sent."""

    def of(self, manner: Manner) -> "Style":
        """This style, for an answer in that manner."""
        speed = min(max(self.speed * manner.speed, SLOWEST), FASTEST)
        return replace(self, voice=manner.voice or self.voice, speed=speed)


class OpenAISpeech:
    """A synthesizer that streams and knows no word times. Closing the iterator closes the HTTP connection."""

    exact_words = False

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        style: Style | None = None,
        *,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        """Reached as :func:`media.speech.api.server.connect` says. Raises :class:`SpeechError`."""
        self._client = connect(api_key, base_url, read_timeout_s)
        self._server = name_of(self._client)
        self._style = style or Style()
        self.voice = self._style.voice

    def speak(self, text: str) -> AsyncGenerator[Speech, None]:
        """See :class:`media.speech.Synthesizer`. Pieces of 20 to 100 ms; nothing without a letter or digit to say."""
        return self.speak_as(text, Manner())

    async def speak_as(self, text: str, manner: Manner) -> AsyncGenerator[Speech, None]:
        """See :class:`media.speech.Versatile`."""
        if not any(char.isalnum() for char in text):
            return
        style, pieces = self._style.of(manner), Pieces(len(text), self._server)
        try:
            async with self._client.audio.speech.with_streaming_response.create(
                model=style.model,
                voice=style.voice,
                input=text,
                response_format="pcm",
                instructions=style.instructions or openai.omit,
                speed=openai.omit if style.speed == 1 else style.speed,
            ) as response:
                self._check_type(response.headers.get("content-type", ""))
                # An iterator left to the garbage collector would be closed at any time, or not at all.
                async with aclosing(cast(AsyncGenerator[bytes, None], response.iter_bytes())) as chunks:
                    async for chunk in chunks:
                        for piece in pieces.take(chunk):
                            yield Speech(piece)
        except FAILURES as error:
            raise failure(error, self._server) from None
        if len(rest := pieces.rest()):
            yield Speech(rest)

    async def aclose(self) -> None:
        """Close idle connections. Calling it twice is harmless."""
        await self._client.close()

    def _check_type(self, content_type: str) -> None:
        """Refuse what would be noise when played as samples: a page, a JSON document, a compressed file."""
        kind = content_type.partition(";")[0].strip().lower()
        if kind.startswith(("text/", "application/json", "audio/")) and kind not in _RAW_AUDIO:
            raise SpeechError(
                "engine_failed", f"{self._server} answered with {kind[:40]!r} where raw PCM was asked for."
            )
