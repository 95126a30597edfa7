"""Text to speech with word times, as Kokoro-FastAPI gives them: ``POST /dev/captioned_speech``.

The answer is lines of JSON, each with a piece of sound in base64 and the words that are spoken in it; its times count
from the beginning of the text. For languages without word times it gives none, and words are placed by length.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Final, cast

import msgspec

from media.frames import silence
from media.speech import Manner, Speech, SpeechError, Word
from media.speech.api.captions import Caption, Captions
from media.speech.api.pieces import Pieces
from media.speech.api.server import FAILURES, READ_TIMEOUT_S, failure, open_client, refusal
from media.speech.api.speaking import Style

MAX_LINE_BYTES: Final = 16 << 20
"""A longer line is nonsense: it would hold four minutes of sound."""

_VERSION: Final = "/v1"
"""Base URLs end in it; the address for captions does not stand below it."""


class _Stamp(msgspec.Struct):
    word: str
    start_time: float


class _Line(msgspec.Struct):
    audio: bytes
    timestamps: list[_Stamp] | None = None


class CaptionedSpeech:
    """A synthesizer that streams and knows where each word begins."""

    exact_words = True

    def __init__(
        self,
        api_key: str | None,
        base_url: str,
        style: Style | None = None,
        *,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        """*base_url* is that of the server's other endpoints. Raises :class:`SpeechError` when it is no address."""
        self._client = open_client(base_url.rstrip("/").removesuffix(_VERSION), read_timeout_s)
        if api_key:
            self._client.headers["authorization"] = f"Bearer {api_key}"
        self._server = self._client.base_url.netloc.decode("ascii", "replace")
        self._style = style or Style(model="kokoro", voice="af_heart")
        self.voice = self._style.voice

    def speak(self, text: str) -> AsyncGenerator[Speech, None]:
        """See :class:`media.speech.Synthesizer`. Pieces of 20 to 100 ms; nothing without a letter or digit to say."""
        return self.speak_as(text, Manner())

    async def speak_as(self, text: str, manner: Manner) -> AsyncGenerator[Speech, None]:
        """See :class:`media.speech.Versatile`."""
        if not any(char.isalnum() for char in text):
            return
        pieces, captions = Pieces(len(text), self._server), Captions(text)
        words: tuple[Word, ...] = ()
        try:
            async with self._client.stream("POST", _PATH, json=_asked(self._style.of(manner), text)) as response:
                if not response.is_success:
                    raise refusal(response.status_code, self._server)
                async with aclosing(self._lines(response.aiter_bytes())) as lines:
                    async for line in lines:
                        words += captions.take(Caption(it.word, it.start_time) for it in line.timestamps or ())
                        for piece in pieces.take(line.audio):
                            yield Speech(piece, words)
                            words = ()
        except (*FAILURES, msgspec.MsgspecError) as error:
            raise failure(error, self._server) from None
        rest, words = pieces.rest(), words + captions.rest()
        if len(rest) or words:
            yield Speech(rest if len(rest) else silence(0), words)

    async def aclose(self) -> None:
        """Close idle connections. Calling it twice is harmless."""
        await self._client.aclose()

    async def _lines(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[_Line, None]:
        buffer = bytearray()
        async with aclosing(cast(AsyncGenerator[bytes, None], chunks)) as closing:
            async for chunk in closing:
                buffer += chunk
                while (end := buffer.find(b"\n")) >= 0:
                    line = bytes(buffer[:end])
                    del buffer[: end + 1]
                    if line.strip():
                        yield _DECODER.decode(line)
                if len(buffer) > MAX_LINE_BYTES:
                    raise SpeechError("engine_failed", f"{self._server} sends a line without end.")
        if buffer.strip():
            yield _DECODER.decode(bytes(buffer))


def _asked(style: Style, text: str) -> dict[str, Any]:
    speed = {} if style.speed == 1 else {"speed": style.speed}
    return {
        "model": style.model,
        "voice": style.voice,
        "input": text,
        "response_format": "pcm",
        "stream": True,
        **speed,
    }


_PATH: Final = "/dev/captioned_speech"
_DECODER: Final = msgspec.json.Decoder(_Line)
