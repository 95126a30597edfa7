"""Speech by OpenAI's audio API, or any server that speaks it: the only home of ``openai`` in the audio plane.

Nothing is retried: by then the conversation has moved on. Messages of errors name the server and the status, never
what was said, nor the key, nor the server's own words, which may quote either.
"""

import io
import ssl
import wave
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import cache
from typing import Final, cast

import httpx2
import numpy as np
import openai

from media.frames import MIC_RATE_HZ, VOICE_FRAME, Pcm, from_bytes, samples
from media.speech import Recognition, Speech, SpeechError

CONNECT_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_S: Final = 10.0

MAX_UTTERANCE_S: Final = 300
"""Sound of one utterance that is kept; the oldest is dropped (a hand that commits turns may forget to)."""

_MIN_UTTERANCE: Final = samples(100, MIC_RATE_HZ)
"""OpenAI refuses less than 0.1 s."""

_QUIET: Final = 50
"""A peak below this (-56 dBFS) holds no voice; recognisers of this kind make up words for silence."""

_SAMPLE_BYTES: Final = 2
_MIN_PIECE_BYTES: Final = VOICE_FRAME * _SAMPLE_BYTES
_MAX_PIECE_BYTES: Final = 5 * _MIN_PIECE_BYTES

_RAW_AUDIO: Final = frozenset({"audio/pcm", "audio/x-pcm", "audio/l16", "audio/raw", "audio/x-raw"})

_PLACEHOLDER_KEY: Final = "none"
"""Sent to a given base URL when no key was given: most such servers want none, the client library wants one."""

_KEEP_IDLE_S: Final = 60.0
"""Clauses and turns lie further apart than httpx's 5 s; a new TLS connection costs 2-3 round trips."""

_NO_ADDRESS: Final = "The base URL of the speech server must begin with http:// or https://, and usually ends in /v1."

_FAILURES: Final = (openai.OpenAIError, httpx2.HTTPError, httpx2.InvalidURL, ValueError)
"""All that a request can raise on purpose; ``ValueError`` is an answer that is no JSON or no text."""


class OpenAISpeech:
    """A synthesizer that streams and knows no word times. Closing the iterator closes the HTTP connection."""

    exact_words = False

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        model: str = "gpt-4o-mini-tts",
        voice: str = "alloy",
        *,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        """Without *api_key* and *base_url* the environment is asked (``OPENAI_API_KEY``, ``OPENAI_BASE_URL``).

        The key in the environment is never sent to an explicit *base_url*. Raises :class:`SpeechError`
        (``engine_unavailable``) when there is no key or the address is none.
        """
        self._client = _connect(api_key, base_url, read_timeout_s)
        self._model = model
        self._voice = voice

    async def speak(self, text: str) -> AsyncGenerator[Speech, None]:
        """See :class:`media.speech.Synthesizer`. Pieces of 20 to 100 ms; nothing without a letter or digit to say."""
        if not any(char.isalnum() for char in text):
            return
        pieces = Pieces()
        try:
            async with self._client.audio.speech.with_streaming_response.create(
                model=self._model, voice=self._voice, input=text, response_format="pcm"
            ) as response:
                _check_type(response.headers.get("content-type", ""), self._client)
                # An iterator left to the garbage collector would be closed at any time, or not at all.
                async with aclosing(cast(AsyncGenerator[bytes, None], response.iter_bytes())) as chunks:
                    async for chunk in chunks:
                        for piece in pieces.take(chunk):
                            yield Speech(piece)
        except _FAILURES as error:
            raise _failure(error, self._client) from None
        if len(rest := pieces.rest()):
            yield Speech(rest)

    async def aclose(self) -> None:
        """Close idle connections. Calling it twice is harmless."""
        await self._client.close()


class Pieces:
    """Bytes of 16 bit samples, however cut, become pieces of sound of 20 to 100 ms."""

    def __init__(self) -> None:
        self._buffer = b""

    def take(self, data: bytes) -> list[Pcm]:
        """The pieces that *data* completes."""
        self._buffer += data
        pieces = []
        while len(self._buffer) >= _MIN_PIECE_BYTES:
            pieces.append(self._cut(_MAX_PIECE_BYTES))
        return pieces

    def rest(self) -> Pcm:
        """What is left at the end, less than 20 ms. Half a sample is no sound."""
        return self._cut(_MIN_PIECE_BYTES)

    def _cut(self, limit: int) -> Pcm:
        count = min(len(self._buffer) // _SAMPLE_BYTES * _SAMPLE_BYTES, limit)
        piece, self._buffer = self._buffer[:count], self._buffer[count:]
        return from_bytes(piece)


class OpenAITranscription:
    """A recognizer that uploads an utterance when it is complete; it knows nothing before."""

    live = False

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        model: str = "gpt-4o-mini-transcribe",
        language: str = "",
        *,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        """As :class:`OpenAISpeech`. *language* is an ISO 639-1 code; without one the model guesses."""
        self.name = model
        self._client = _connect(api_key, base_url, read_timeout_s)
        self._model = model
        self._language = language or openai.omit

    def listen(self) -> Recognition:
        """See :class:`media.speech.Recognizer`."""
        return _Utterance(self)

    async def transcribe(self, pcm: Pcm) -> str:
        """The words of 16 kHz sound. Raises :class:`SpeechError`."""
        try:
            answer = await self._client.audio.transcriptions.create(
                model=self._model,
                file=("speech.wav", _wav(pcm), "audio/wav"),
                language=self._language,
                response_format="json",
            )
        except _FAILURES as error:
            raise _failure(error, self._client) from None
        text = getattr(answer, "text", None)
        if not isinstance(text, str):
            raise SpeechError(
                "engine_failed", f"{_server(self._client)} answered with something that is no transcript."
            )
        return text.strip()

    async def aclose(self) -> None:
        """Close idle connections. Calling it twice is harmless."""
        await self._client.close()


class _Utterance:
    """Sound that waits for its end."""

    def __init__(self, recognizer: OpenAITranscription) -> None:
        self._recognizer = recognizer
        self._sound: deque[bytes] = deque()
        self._kept = 0
        self._text: str | None = None
        self._forgotten = False

    def feed(self, pcm: Pcm) -> None:
        """See :class:`media.speech.Recognition`."""
        if self._text is None:
            self._sound.append(pcm.astype("<i2").tobytes())
            self._kept += len(pcm)
        while self._kept > MAX_UTTERANCE_S * MIC_RATE_HZ:
            self._kept -= len(self._sound.popleft()) // _SAMPLE_BYTES

    async def partial(self) -> str:
        """See :class:`media.speech.Recognition`: an upload of its own, as these models only hear whole sounds."""
        return self._text if self._text is not None else await self._transcribe()

    async def judge(self) -> str:
        """See :class:`media.speech.Recognition`."""
        return await self.partial()

    async def finish(self) -> str:
        """See :class:`media.speech.Recognition`."""
        if self._text is None:
            self._text = await self._transcribe()
            self._sound.clear()
        return "" if self._forgotten else self._text

    async def _transcribe(self) -> str:
        pcm = from_bytes(b"".join(self._sound))
        audible = len(pcm) >= _MIN_UTTERANCE and int(np.abs(pcm.astype(np.int32)).max()) >= _QUIET
        return await self._recognizer.transcribe(pcm) if audible else ""

    def cancel(self) -> None:
        """See :class:`media.speech.Recognition`. An upload under way ends with the task that waits for it."""
        if self._text is None:
            self._text, self._forgotten = "", True
        self._sound.clear()


def _connect(api_key: str | None, base_url: str | None, read_timeout_s: float) -> openai.AsyncOpenAI:
    api_key, base_url = api_key or None, base_url or None
    if base_url is not None and not base_url.startswith(("http://", "https://")):
        raise SpeechError("engine_unavailable", _NO_ADDRESS)
    timeout = openai.Timeout(read_timeout_s, connect=CONNECT_TIMEOUT_S)
    limits = httpx2.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=_KEEP_IDLE_S)
    try:
        return openai.AsyncOpenAI(
            api_key=api_key if base_url is None else api_key or _PLACEHOLDER_KEY,
            base_url=base_url,
            timeout=timeout,
            max_retries=0,
            http_client=openai.DefaultAsyncHttpxClient(timeout=timeout, limits=limits, verify=_tls()),
        )
    except openai.OpenAIError:
        message = "Speech by the openai engines needs OPENAI_API_KEY, or the base URL of a server that needs no key."
        raise SpeechError("engine_unavailable", message) from None
    except httpx2.InvalidURL:
        raise SpeechError("engine_unavailable", _NO_ADDRESS) from None


@cache
def _tls() -> ssl.SSLContext:
    """What is trusted. Reading the certificates takes a tenth of a second, so once is enough."""
    return httpx2.create_ssl_context()


def _server(client: openai.AsyncOpenAI) -> str:
    return client.base_url.netloc.decode("ascii", "replace")


def _check_type(content_type: str, client: openai.AsyncOpenAI) -> None:
    """Refuse what would be noise when played as samples: a page, a JSON document, a compressed file."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind.startswith(("text/", "application/json", "audio/")) and kind not in _RAW_AUDIO:
        raise SpeechError(
            "engine_failed", f"{_server(client)} answered with {kind[:40]!r} where raw PCM was asked for."
        )


def _wav(pcm: Pcm) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(_SAMPLE_BYTES)
        wav.setframerate(MIC_RATE_HZ)
        wav.writeframes(pcm.astype("<i2").tobytes())
    return file.getvalue()


def _failure(error: Exception, client: openai.AsyncOpenAI) -> SpeechError:
    server = _server(client)
    cause = error.__cause__ if type(error) in (openai.APIConnectionError, openai.APITimeoutError) else error
    match cause:
        case openai.APIStatusError():
            return _refusal(cause.status_code, server)
        case httpx2.ConnectError() | httpx2.ConnectTimeout() | httpx2.ProxyError() | httpx2.UnsupportedProtocol():
            return SpeechError("engine_unavailable", f"No connection to {server}.")
        case httpx2.TimeoutException() | TimeoutError():
            return SpeechError("engine_timeout", f"{server} did not answer in time.")
        case httpx2.HTTPError():
            return SpeechError("engine_failed", f"{server} broke off the connection.")
        case _:
            return SpeechError("engine_failed", f"{server} gave an answer that cannot be read.")


def _refusal(status: int, server: str) -> SpeechError:
    match status:
        case 401 | 403:
            return SpeechError("engine_unavailable", f"The key was refused by {server} (HTTP {status}).")
        case 404:
            return SpeechError("engine_unavailable", f"No such model, voice or address at {server} (HTTP {status}).")
        case 408 | 504:
            return SpeechError("engine_timeout", f"{server} did not answer in time (HTTP {status}).")
        case _:
            return SpeechError("engine_failed", f"{server} refused the request (HTTP {status}).")
