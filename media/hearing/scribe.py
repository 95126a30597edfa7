"""Asks recognizers for words, each in a task of its own, and reports them."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeAlias

from media.speech import Recognition, SpeechError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a voice that goes on seems to say so far."""

    text: str


@dataclass(frozen=True, slots=True)
class SoFar:
    """What the turn that is being spoken seems to say."""

    text: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What the short utterance seems to say; ``""`` when no word is in it."""

    text: str


@dataclass(frozen=True, slots=True)
class Transcribed:
    """The words of the turn that was asked for under *tag*; ``""`` when there are none."""

    tag: str
    text: str


@dataclass(frozen=True, slots=True)
class TranscriptionFailed:
    """The words of the turn could not be had. ``code`` is a :class:`media.speech.SpeechError`'s."""

    tag: str
    code: str
    message: str


Words: TypeAlias = Heard | SoFar | Judged | Transcribed | TranscriptionFailed


class Scribe:
    """Belongs to one voice leg. *latest* gives the recognition of the turn being spoken, or that ended last."""

    def __init__(self, report: Callable[[Words], None], latest: Callable[[], Recognition | None]) -> None:
        self._report = report
        self._latest = latest
        self._tasks: set[asyncio.Task[None]] = set()
        self._glimpsing = False
        self._following = False

    def follow(self) -> None:
        """Report :class:`SoFar` if anything was said; one question at a time, and no loss if it cannot be answered."""
        recognition = self._latest()
        if recognition is not None and not self._following:
            self._following = True
            self._spawn(self._follow(recognition))

    def glimpse(self) -> None:
        """Report :class:`Heard` if anything was; one question at a time, and no loss if it cannot be answered."""
        recognition = self._latest()
        if recognition is not None and not self._glimpsing:
            self._glimpsing = True
            self._spawn(self._glimpse(recognition))

    def judge(self) -> None:
        """Report :class:`Judged`; nothing when the engine fails."""
        recognition = self._latest()
        if recognition is not None:
            self._spawn(self._judge(recognition))

    def transcribe(self, tag: str, recognition: Recognition | None) -> None:
        """Report :class:`Transcribed` or :class:`TranscriptionFailed`."""
        self._spawn(self._transcribe(tag, recognition))

    async def aclose(self) -> None:
        """Wait for the answers that are on their way."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow(self, recognition: Recognition) -> None:
        try:
            text = await recognition.partial()
        except SpeechError:
            return
        finally:
            self._following = False
        if text and recognition is self._latest():
            self._report(SoFar(text))

    async def _glimpse(self, recognition: Recognition) -> None:
        try:
            text = await recognition.partial()
        except SpeechError:
            return
        finally:
            self._glimpsing = False
        if text and recognition is self._latest():  # else another voice speaks by now
            self._report(Heard(text))

    async def _judge(self, recognition: Recognition) -> None:
        try:
            self._report(Judged(await recognition.judge()))
        except SpeechError as error:
            log.warning("an utterance could not be judged", extra={"code": error.code})

    async def _transcribe(self, tag: str, recognition: Recognition | None) -> None:
        try:
            # A turn whose sound was dropped in the meantime says nothing.
            self._report(Transcribed(tag, await recognition.finish() if recognition is not None else ""))
        except SpeechError as error:
            self._report(TranscriptionFailed(tag, error.code, str(error)))
