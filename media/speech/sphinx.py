"""Speech to text with pocketsphinx, which runs in a process of its own (:mod:`media.speech.sphinx_worker`)."""

import asyncio
import importlib.util
import struct
from typing import Final

from media.frames import MIC_RATE_HZ, Pcm
from media.speech import Recognition, SpeechError
from media.speech.pipe import Frame, Kind
from media.speech.sphinx_spotter import LONGEST_S, SPOT
from media.speech.worker import Call, Worker

SPOT_TIMEOUT_S: Final = 1.5
"""In seconds. Then words must do: the session decides a doubt after 2 s."""

_QUESTION: Final = struct.Struct(">I")


def available() -> bool:
    """True when pocketsphinx is installed (the extra ``offline``)."""
    return importlib.util.find_spec("pocketsphinx") is not None


class Sphinx:
    """A recognizer for demonstrations: plain English, one clear voice. Its words are lower case, without marks.

    Any number of utterances may be open; as many as there are *decoders* (90 MB each) are decoded while they are
    spoken, further ones wait for a decoder and are caught up with. An utterance begins with its first voice, however
    long the silence before it, and is listened to for 60 s.
    """

    name = "pocketsphinx (demo quality)"
    live = True

    def __init__(self, decoders: int = 2) -> None:
        if decoders < 1:
            raise ValueError("at least one decoder is needed")
        self._worker = Worker("pocketsphinx", "media.speech.sphinx_worker", str(decoders))
        self._spotter = Worker("pocketsphinx", "media.speech.sphinx_worker", SPOT)

    async def warm_up(self) -> None:
        """Start the processes and load their models now. Raises :class:`SpeechError`."""
        await asyncio.gather(self._worker.warm_up(), self._spotter.warm_up())

    def listen(self) -> Recognition:
        """See :class:`media.speech.Recognizer`."""
        return _Utterance(self._worker.call(), self._spotter)

    async def aclose(self) -> None:
        """End the processes. Calling it twice is harmless."""
        await asyncio.gather(self._worker.aclose(), self._spotter.aclose())


class _Utterance:
    """What is fed is sent on at once, so that little is left to do when it ends."""

    def __init__(self, call: Call, spotter: Worker) -> None:
        self._call = call
        self._spotter = spotter
        self._short: list[bytes] | None = []
        """All of its sound, as long as that is short; None from then on."""

        self._length = 0
        self._reading = asyncio.Lock()
        self._asked = 0
        self._text: str | None = None
        self._forgotten = False

    def feed(self, pcm: Pcm) -> None:
        """See :class:`media.speech.Recognition`."""
        self._length += len(pcm)
        if self._length > LONGEST_S * MIC_RATE_HZ:
            self._short = None
        for at in range(0, len(pcm), MIC_RATE_HZ):
            piece = pcm[at : at + MIC_RATE_HZ].astype("<i2").tobytes()
            self._call.send(Kind.SOUND, piece)
            if self._short is not None:
                self._short.append(piece)

    async def partial(self) -> str:
        """See :class:`media.speech.Recognition`."""
        try:
            answer = await self._ask(Kind.ASK)
        except SpeechError:
            return ""
        return (self._text or "") if answer is None else answer.decode()

    async def judge(self) -> str:
        """See :class:`media.speech.Recognition`. A few sounds that are no words are told apart from words."""
        sound = await self._spot()
        if sound:
            return sound
        answer = await self._ask(Kind.JUDGE)
        if answer is None:
            return self._text or ""
        if not answer[0]:
            raise SpeechError("engine_timeout", "All decoders are busy with other voices.")
        return answer[1:].decode()

    async def _spot(self) -> str:
        """The sound that is no word, if it is one; ``""`` also when that cannot be told."""
        if not self._short or self._forgotten:
            return ""
        call = self._spotter.call()
        try:
            for piece in self._short:
                call.send(Kind.SOUND, piece)
            call.send(Kind.FINISH)
            async with asyncio.timeout(SPOT_TIMEOUT_S):
                return (await call.receive()).body.decode()
        except (SpeechError, TimeoutError):
            return ""
        finally:
            call.cancel()

    async def _ask(self, kind: Kind) -> bytes | None:
        """The answer to a question; None when the utterance was over before it came. Raises :class:`SpeechError`."""
        async with self._reading:
            self._asked += 1
            question = _QUESTION.pack(self._asked)
            self._call.send(kind, question)
            while self._text is None and not self._forgotten:
                answer = await self._answer()
                # An earlier question may have been given up by the task that asked it.
                if answer and answer.kind is kind and answer.body.startswith(question):
                    return answer.body[_QUESTION.size :]
            return None

    async def finish(self) -> str:
        """See :class:`media.speech.Recognition`."""
        self._call.send(Kind.FINISH)
        async with self._reading:
            while self._text is None and not self._forgotten:
                await self._answer()
            return self._text or ""

    def cancel(self) -> None:
        """See :class:`media.speech.Recognition`."""
        self._forgotten = True
        self._call.cancel()

    async def _answer(self) -> Frame | None:
        """The engine's next words; None when the utterance was forgotten meanwhile."""
        try:
            answer = await self._call.receive()
        except SpeechError:
            if self._forgotten:
                return None
            raise
        if answer.kind is Kind.FINISH:
            self._text = answer.body.decode()
        return answer
