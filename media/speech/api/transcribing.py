"""Speech to text by ``POST /audio/transcriptions``: an utterance is uploaded when it is complete.

Its words are asked for as a stream. Models that cannot stream answer with one document, which is as good; a server
that refuses the request for a stream is asked again without, and never asked for one afterwards.
"""

import io
import wave
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec
import openai

from media.frames import MIC_RATE_HZ, Pcm, from_bytes, samples
from media.levels import peak
from media.speech import Recognition, SpeechError
from media.speech.api.pieces import SAMPLE_BYTES
from media.speech.api.server import FAILURES, READ_TIMEOUT_S, connect, failure, name_of

MAX_UTTERANCE_S: Final = 300
"""Sound of one utterance that is kept; the oldest is dropped (a hand that commits turns may forget to)."""

MIN_UTTERANCE: Final = samples(100, MIC_RATE_HZ)
"""OpenAI refuses less than 0.1 s."""

QUIET: Final = 50
"""A peak below this (-56 dBFS) holds no voice; recognisers of this kind make up words for silence."""

SEVERAL_LANGUAGES: Final = ("gpt-transcribe", "gpt-live-transcribe")
"""How the models begin that are told a list of languages in place of one."""

REFUSES_STREAMS: Final = frozenset({400, 415, 422, 501})
"""What servers answer to a field that they do not know or cannot follow."""


class OpenAITranscription:
    """A recognizer that knows nothing before an utterance is complete."""

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
        """Reached as :func:`media.speech.api.server.connect` says; *language* is an ISO 639-1 code, else a guess.

        Raises :class:`SpeechError`.
        """
        self.name = model
        self._client = connect(api_key, base_url, read_timeout_s)
        self._server = name_of(self._client)
        self._model = model
        several = model.startswith(SEVERAL_LANGUAGES)
        self._language = language if language and not several else openai.omit
        self._languages = [language] if language and several else openai.omit
        self._streams = True

    def listen(self) -> Recognition:
        """See :class:`media.speech.Recognizer`."""
        return _Utterance(self)

    async def transcribe(self, pcm: Pcm, so_far: Callable[[str], None] = lambda _: None) -> str:
        """The words of 16 kHz sound; *so_far* is told those that have come. Raises :class:`SpeechError`."""
        try:
            if self._streams:
                try:
                    return await self._transcribe(pcm, so_far, stream=True)
                except openai.APIStatusError as error:
                    if error.status_code not in REFUSES_STREAMS:
                        raise
                    text = await self._transcribe(pcm, so_far, stream=False)
                    self._streams = False
                    return text
            return await self._transcribe(pcm, so_far, stream=False)
        except FAILURES as error:
            raise failure(error, self._server) from None

    async def _transcribe(self, pcm: Pcm, so_far: Callable[[str], None], *, stream: bool) -> str:
        async with self._client.audio.transcriptions.with_streaming_response.create(
            model=self._model,
            file=("speech.wav", _wav(pcm), "audio/wav"),
            language=self._language,
            languages=self._languages,
            response_format="json",
            stream=True if stream else openai.omit,
        ) as response:
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                return self._document(await response.read())
            words = Words()
            async with await response.parse(to=openai.AsyncStream[object]) as events:
                async for event in events:
                    words.take(event)
                    so_far(words.text)
            if words.complete is None:
                raise self._no_transcript()
            return words.complete.strip()

    def _document(self, body: bytes) -> str:
        try:
            return msgspec.json.decode(body, type=_Document).text.strip()
        except msgspec.MsgspecError:
            raise self._no_transcript() from None

    def _no_transcript(self) -> SpeechError:
        return SpeechError("engine_failed", f"{self._server} answered with something that is no transcript.")

    async def aclose(self) -> None:
        """Close idle connections. Calling it twice is harmless."""
        await self._client.close()


class Words:
    """The words of a streamed answer: OpenAI's events, or the chunks that vLLM sends in their place."""

    def __init__(self) -> None:
        self.text = ""
        self.complete: str | None = None
        """All words, when nothing but the end is missing; None before any came."""

    def take(self, event: object) -> None:
        """The next event; one that is not known is nothing."""
        match event:
            case {"type": "transcript.text.delta", "delta": str(delta)}:
                self._add(delta)
            case {"type": "transcript.text.done", "text": str(text)}:
                self.text = self.complete = text
            case {"choices": [{"delta": {"content": str(delta)}}, *_]}:
                self._add(delta)

    def _add(self, delta: str) -> None:
        self.text += delta
        self.complete = self.text


class _Document(msgspec.Struct):
    text: str


class _Utterance:
    """Sound that waits for its end."""

    def __init__(self, recognizer: OpenAITranscription) -> None:
        self._recognizer = recognizer
        self._sound: deque[bytes] = deque()
        self._kept = 0
        self._text: str | None = None
        self._coming: str | None = None
        """Its words so far, while it is uploaded as a whole; None before that."""

        self._forgotten = False

    def feed(self, pcm: Pcm) -> None:
        """See :class:`media.speech.Recognition`."""
        if self._text is None:
            self._sound.append(pcm.astype("<i2").tobytes())
            self._kept += len(pcm)
        while self._kept > MAX_UTTERANCE_S * MIC_RATE_HZ:
            self._kept -= len(self._sound.popleft()) // SAMPLE_BYTES

    async def partial(self) -> str:
        """See :class:`media.speech.Recognition`: an upload of its own, unless that of the whole is under way."""
        if self._text is not None:
            return self._text
        return self._coming if self._coming is not None else await self._transcribe()

    async def judge(self) -> str:
        """See :class:`media.speech.Recognition`."""
        return await self._transcribe() if self._text is None else self._text

    async def finish(self) -> str:
        """See :class:`media.speech.Recognition`."""
        if self._text is None:
            self._coming = ""
            self._text = await self._transcribe(self._came)
            self._sound.clear()
        return "" if self._forgotten else self._text

    def _came(self, words: str) -> None:
        self._coming = words

    async def _transcribe(self, so_far: Callable[[str], None] = lambda _: None) -> str:
        pcm = from_bytes(b"".join(self._sound))
        return await self._recognizer.transcribe(pcm, so_far) if audible(pcm) else ""

    def cancel(self) -> None:
        """See :class:`media.speech.Recognition`. An upload under way ends with the task that waits for it."""
        if self._text is None:
            self._text, self._forgotten = "", True
        self._sound.clear()


def audible(pcm: Pcm) -> bool:
    """May there be a word in this 16 kHz sound?"""
    return len(pcm) >= MIN_UTTERANCE and peak(pcm) >= QUIET


def _wav(pcm: Pcm) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(SAMPLE_BYTES)
        wav.setframerate(MIC_RATE_HZ)
        wav.writeframes(pcm.astype("<i2").tobytes())
    return file.getvalue()
