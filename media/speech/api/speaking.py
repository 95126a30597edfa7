"""Text to speech by ``POST /audio/speech``, streamed."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, cast

import openai

from media.speech import Speech, SpeechError
from media.speech.api.pieces import Pieces
from media.speech.api.server import FAILURES, READ_TIMEOUT_S, connect, failure, name_of

_RAW_AUDIO: Final = frozenset({"audio/pcm", "audio/x-pcm", "audio/l16", "audio/raw", "audio/x-raw"})


@dataclass(frozen=True, slots=True)
class Manner:
    """How a server's voice speaks. What is empty or None is not sent, so that the server decides."""

    model: str = "gpt-4o-mini-tts"
    voice: str = "alloy"
    instructions: str = ""
    """How it should sound, in words; not every model takes them."""

    speed: float | None = None
    """1 is the voice's own; OpenAI takes 0.25 to 4."""


class OpenAISpeech:
    """A synthesizer that streams and knows no word times. Closing the iterator closes the HTTP connection."""

    exact_words = False

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        manner: Manner | None = None,
        *,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        """Reached as :func:`media.speech.api.server.connect` says. Raises :class:`SpeechError`."""
        self._client = connect(api_key, base_url, read_timeout_s)
        self._server = name_of(self._client)
        self._manner = manner or Manner()

    async def speak(self, text: str) -> AsyncGenerator[Speech, None]:
        """See :class:`media.speech.Synthesizer`. Pieces of 20 to 100 ms; nothing without a letter or digit to say."""
        if not any(char.isalnum() for char in text):
            return
        manner, pieces = self._manner, Pieces(len(text), self._server)
        try:
            async with self._client.audio.speech.with_streaming_response.create(
                model=manner.model,
                voice=manner.voice,
                input=text,
                response_format="pcm",
                instructions=manner.instructions or openai.omit,
                speed=openai.omit if manner.speed is None else manner.speed,
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
