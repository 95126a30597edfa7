"""A recognizer whose words come while they are spoken: sound is sent to a Realtime session as it is heard.

A session serves one utterance at a time, and another one only after every word of the first was told: nothing that
somebody said may turn up in what somebody else says. Sessions are kept for the next utterance, replaced between turns
before the server would end them, and opened again, more and more slowly, when there is no server. An utterance whose
session breaks off has failed; the next one gets another session.
"""

import asyncio
import base64
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import numpy as np

from media.frames import MIC_RATE_HZ, VOICE_RATE_HZ, Pcm, samples
from media.levels import peak
from media.resample import Resampler
from media.speech import Recognition, SpeechError
from media.speech.api.server import READ_TIMEOUT_S, connect
from media.speech.api.transcribing import QUIET
from media.speech.live.transcript import Transcript
from media.speech.live.upstream import RefusedError, Target, Upstream

MODEL: Final = "gpt-live-transcribe"

SEND: Final = samples(60, VOICE_RATE_HZ)
"""Sound is sent in pieces of so many samples: three frames of a microphone an event."""

MIN_PART: Final = samples(100, VOICE_RATE_HZ)
"""OpenAI refuses to commit less than 0.1 s."""

MIN_VOICE: Final = samples(60, VOICE_RATE_HZ)
"""Less that is not quiet is no word."""

FAINT: Final = 1 / 10
"""What follows a part whose words are known, and is quieter by 20 dB, is the silence that ends a turn."""

PREROLL: Final = samples(360, VOICE_RATE_HZ)
"""Sound that is kept until there is a voice: 300 ms before it, as words begin softly, and :data:`MIN_VOICE` of it."""

MAX_WAITING_S: Final = 30
"""Sound that waits for a session, or for one that does not take it."""

MAX_IDLE: Final = 4
"""Sessions that are kept for the next utterance."""

_COMMIT: Final = '{"type":"input_audio_buffer.commit"}'


@dataclass(frozen=True, slots=True)
class Patience:
    """How long what may take. All in seconds."""

    connect: float = 5.0
    answer: float = READ_TIMEOUT_S
    """From a commit to its words."""

    first_retry: float = 0.25
    last_retry: float = 30.0
    """Waited before another attempt to connect: twice as long after each, up to the latter."""

    session: float = 50 * 60.0
    """A session that is older serves no new utterance: OpenAI ends each after 60 minutes."""


class LiveTranscription:
    """Any number of utterances at a time, each over a session of its own."""

    live = True

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        model: str = MODEL,
        language: str = "",
        *,
        patience: Patience | None = None,
    ) -> None:
        """Reached as :func:`media.speech.api.server.connect` says; *language* is an ISO 639-1 code, else a guess.

        Raises :class:`SpeechError`.
        """
        self.name = model
        self.patience = patience or Patience()
        known = connect(api_key, base_url, self.patience.answer)
        self._target = Target(str(known.base_url), known.api_key, model, language, self.patience.connect)
        self._idle: list[Upstream] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._retry_s = 0.0
        self._retry_at = 0.0
        self._closed = False
        self.trouble: SpeechError | None = None
        """Why there is no session, while there is none."""

    async def warm_up(self) -> None:
        """Open a session now, so that the first utterance need not wait for it. Raises :class:`SpeechError`."""
        self.give_back(await Upstream.open(self._target), clean=True)

    def listen(self) -> Recognition:
        """See :class:`media.speech.Recognizer`."""
        return _Utterance(self)

    async def take(self) -> Upstream:
        """A session that nobody uses; waits for one as long as it takes. Raises :class:`RefusedError`."""
        loop = asyncio.get_running_loop()
        while True:
            while self._idle:
                upstream = self._idle.pop()
                if self._usable(upstream):
                    return upstream
                self._discard(upstream)
            await asyncio.sleep(max(0.0, self._retry_at - loop.time()))
            try:
                upstream = await Upstream.open(self._target)
            except RefusedError:
                raise
            except SpeechError as error:
                self.trouble = error
                if loop.time() >= self._retry_at:  # else others have noticed at the same time
                    self._retry_s = min(max(2 * self._retry_s, self.patience.first_retry), self.patience.last_retry)
                    self._retry_at = loop.time() + self._retry_s
            else:
                self.trouble, self._retry_s = None, 0.0
                return upstream

    def give_back(self, upstream: Upstream, *, clean: bool) -> None:
        """A session is not used any more. *clean*: all that was sent was committed, and all its words have come."""
        upstream.take_back()
        if clean and self._usable(upstream) and len(self._idle) < MAX_IDLE and not self._closed:
            self._idle.append(upstream)
        else:
            self._discard(upstream)

    def keep(self, task: asyncio.Task[None]) -> None:
        """End *task* when the engine is stopped."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """End every session and utterance. Calling it twice is harmless."""
        self._closed = True
        for upstream in self._idle:
            self._discard(upstream)
        self._idle.clear()
        for task in self._tasks:
            if task.get_name() == _UTTERANCE:
                task.cancel()
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _usable(self, upstream: Upstream) -> bool:
        return not upstream.gone and upstream.age_s < self.patience.session

    def _discard(self, upstream: Upstream) -> None:
        self.keep(asyncio.create_task(upstream.aclose(), name="close realtime transcription"))


_UTTERANCE: Final = "transcribe live"


@dataclass(slots=True)
class _Stretch:
    """The sound since the last commit, at 24 kHz. What is quiet before its first voice is not sent.

    All is counted in samples.
    """

    floor: float = QUIET
    """A piece whose peak is below holds no voice."""

    voiced: int = 0
    loudest: int = 0
    sent: int = 0
    waiting: int = 0
    unsent: deque[Pcm] = field(default_factory=deque)

    @property
    def begun(self) -> bool:
        """May a word be in it?"""
        return self.voiced >= MIN_VOICE

    @property
    def whole(self) -> bool:
        """Can it be committed, and is it worth it?"""
        return self.begun and self.sent + self.waiting >= MIN_PART

    def add(self, pcm: Pcm) -> None:
        """More of it."""
        self.loudest = max(self.loudest, peak(pcm))
        self.voiced += self._voiced(pcm)
        self.unsent.append(pcm)
        self.waiting += len(pcm)
        while not self.begun and self.waiting - len(self.unsent[0]) >= PREROLL:
            early = self.unsent.popleft()
            self.waiting -= len(early)
            self.voiced -= self._voiced(early)

    def _voiced(self, pcm: Pcm) -> int:
        return len(pcm) if peak(pcm) >= self.floor else 0

    def take(self) -> str:
        """What waits to be sent, as an event."""
        sound = base64.b64encode(np.concatenate(self.unsent).astype("<i2").tobytes()).decode()
        self.unsent.clear()
        self.sent, self.waiting = self.sent + self.waiting, 0
        return msgspec.json.encode({"type": "input_audio_buffer.append", "audio": sound}).decode()


class _Utterance:
    """Sound on its way to an upstream, and what comes back."""

    def __init__(self, recognizer: LiveTranscription) -> None:
        self._recognizer = recognizer
        self._resampler = Resampler(MIC_RATE_HZ, VOICE_RATE_HZ)
        self._transcript = Transcript()
        self._stretch = _Stretch()
        self._outgoing: asyncio.Queue[str] = asyncio.Queue(MAX_WAITING_S * VOICE_RATE_HZ // SEND)
        self._news = asyncio.Event()
        self._failure: SpeechError | None = None
        self._text: str | None = None
        self._forgotten = False
        self._task: asyncio.Task[None] | None = None
        """Has a session, or waits for one; None before the first voice."""

    def feed(self, pcm: Pcm) -> None:
        """See :class:`media.speech.Recognition`."""
        if self._over:
            return
        stretch = self._stretch
        stretch.add(self._resampler.process(pcm))
        if stretch.begun and stretch.waiting >= SEND:
            self._send(stretch.take())

    async def partial(self) -> str:
        """See :class:`media.speech.Recognition`: what has come by now."""
        return self._transcript.text if self._text is None else self._text

    async def judge(self) -> str:
        """See :class:`media.speech.Recognition`: what was said so far is committed, as it may be all."""
        if self._text is not None:
            return self._text
        self._commit()
        return await self._words()

    async def finish(self) -> str:
        """See :class:`media.speech.Recognition`."""
        if self._text is None:
            self._commit()
            try:
                words = await self._words()
            except SpeechError as error:
                self._fail(error)
                raise
            self._text = "" if self._forgotten else words
            self._let_go()
        return self._text

    def cancel(self) -> None:
        """See :class:`media.speech.Recognition`."""
        if self._text is None:
            self._text, self._forgotten = "", True
            self._let_go()

    @property
    def _over(self) -> bool:
        return self._text is not None or self._failure is not None

    @property
    def _clean(self) -> bool:
        return not self._stretch.sent and self._transcript.complete and self._failure is None

    def _commit(self) -> None:
        """End a part, unless nothing was said in it."""
        stretch = self._stretch
        if self._over or not stretch.whole:
            return
        if stretch.waiting:
            self._send(stretch.take())
        self._stretch = _Stretch(max(stretch.floor, stretch.loudest * FAINT))
        self._transcript.commit()
        self._send(_COMMIT)

    async def _words(self) -> str:
        try:
            async with asyncio.timeout(self._recognizer.patience.answer):
                while not (self._over or self._transcript.complete):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            late = SpeechError("engine_timeout", "The speech server did not say in time what it heard.")
            raise self._recognizer.trouble or late from None
        if self._failure is not None:
            raise self._failure
        return self._transcript.text

    def _send(self, event: str) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=_UTTERANCE)
            self._recognizer.keep(self._task)
        try:
            self._outgoing.put_nowait(event)
        except asyncio.QueueFull:
            late = SpeechError("engine_timeout", "The speech server does not take what it is sent.")
            self._fail(self._recognizer.trouble or late)

    async def _run(self) -> None:
        """Ends by being cancelled, when the utterance is over."""
        try:
            upstream = await self._recognizer.take()
            try:
                upstream.lend(self._heard)
                while True:
                    await upstream.send(await self._outgoing.get())
            finally:
                self._recognizer.give_back(upstream, clean=self._clean)
        except SpeechError as error:
            self._fail(error)
        except asyncio.CancelledError:
            self._fail(SpeechError("engine_unavailable", "The speech engine was stopped."))
            raise

    def _heard(self, event: Mapping[str, Any] | None) -> None:
        if event is None:
            self._fail(SpeechError("engine_failed", "The speech server broke off the connection."))
            return
        try:
            self._transcript.take(event)
        except SpeechError as error:
            self._fail(error)
        self._news.set()

    def _fail(self, error: SpeechError) -> None:
        if not self._over:
            self._failure = error
            self._let_go()

    def _let_go(self) -> None:
        """It is over, for whoever waits and for its session."""
        self._news.set()
        if self._task is not None:
            self._task.cancel()
