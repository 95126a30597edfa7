"""A voice leg: one device's ears and mouth, and the reflex between them.

Whoever carries the sound pushes the microphone in (:meth:`VoiceLeg.hear`) and pulls the answer out
every 20 ms (:meth:`VoiceLeg.pull`). The *reflex* is local: the moment the ears suspect a voice the
playout is held, before anybody is asked. It lets go by itself when the suspicion proves to be
nothing, or when the turn is over and no answer is in doubt; over an answer, once the voice was
confirmed, only the session lets go (:meth:`release`) or cuts (:meth:`flush`).
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeAlias

from media.detector import SpeechDetector, standard
from media.device import Device
from media.ears import Ears, Edge as EarEdge
from media.edges import Dismissed, Ended, Suspected
from media.endpoint import TurnEnded, TurnOptions
from media.frames import Pcm
from media.playout import Cleared, Edge as PlayoutEdge, Holder, Playout, PlayoutOptions, Stopped
from media.speaker import Speaker
from media.speech import Recognition, Recognizer, SpeechError, Synthesizer
from media.vad import SpeechModel

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Engines:
    """What a process has to hear and speak with.

    ``new_model`` gives each leg a stream of its own, ``new_detector`` what judges by it.
    """

    synthesizer: Synthesizer
    recognizer: Recognizer
    new_model: Callable[[], SpeechModel | None]
    new_detector: Callable[[SpeechModel | None], SpeechDetector] = standard


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


Report: TypeAlias = EarEdge | PlayoutEdge | Judged | Transcribed | TranscriptionFailed


class VoiceLeg:
    """Belongs to one event loop; nothing in it waits but what an engine is asked for."""

    def __init__(
        self,
        engines: Engines,
        report: Callable[[Report], None],
        now: Callable[[], float],
        *,
        turns: TurnOptions | None,
        client_buffer_ms: int,
        interruptible: bool = True,
    ) -> None:
        self._report = report
        self._interruptible = interruptible
        self._now = now
        self._ears = Ears(engines.new_detector(engines.new_model()), engines.recognizer, turns)
        self._playout = Playout(PlayoutOptions(client_buffer_ms=client_buffer_ms))
        self._speaker = Speaker(engines.synthesizer, self._playout)
        self._tasks: set[asyncio.Task[None]] = set()
        self._spoken: set[int] = set()
        """Answers that were begun here and have neither stopped nor been cleared."""

        self._in_doubt = False
        """A voice was suspected over an answer, and the session has not decided yet."""

    # --- sound ---

    def hear(self, pcm: Pcm) -> None:
        """Take the microphone's next samples, 16 kHz."""
        for edge in self._ears.hear(pcm, sounding=bool(self._spoken)):
            self._reflex(edge)
            self._report(edge)

    def repair(self, pcm: Pcm) -> None:
        """The last samples heard were these: a packet of them came late."""
        self._ears.repair(pcm)

    def pull(self) -> Pcm | None:
        """The answer's next 480 samples, 24 kHz; None for silence. Once every 20 ms."""
        frame = self._playout.pull()
        self._tell_edges()
        return frame

    def send(self) -> Pcm | None:
        """As :meth:`pull`, for a device that is sent sound ahead of its playing: no time passes."""
        frame = self._playout.send()
        self._tell_edges()
        return frame

    def tick(self) -> None:
        """20 ms have passed at the device that is sent sound ahead."""
        self._playout.tick()
        self._tell_edges()

    def _tell_edges(self) -> None:
        for edge in self._playout.drain():
            if isinstance(edge, Stopped):
                self._spoken.discard(edge.generation)
            self._report(edge)
        self._speaker.made_room()

    @property
    def device(self) -> Device:
        """The device that listens: tell it what the client says of its playing."""
        return self._playout.device

    @property
    def held(self) -> bool:
        """True while somebody holds the loudspeaker silent."""
        return bool(self._playout.paused)

    def configure(self, turns: TurnOptions | None, *, interruptible: bool = True) -> None:
        """Detect turns with other options; None leaves them to :meth:`commit`.

        An answer that is not *interruptible* is not held for a voice over it.
        """
        self._interruptible = interruptible
        self._ears.configure(turns)
        self._in_doubt = self._in_doubt and interruptible
        self._let_go_if_settled()

    def commit(self) -> bool:
        """End the turn by hand. False when nothing was heard since the last one."""
        edges = self._ears.commit()
        for edge in edges:
            self._reflex(edge)
            self._report(edge)
        return bool(edges)

    # --- the answer ---

    def begin(self, generation: int, response_id: str, item_id: str) -> None:
        """An answer is about to be spoken."""
        if self._speaker.begin(generation, response_id, item_id):
            self._spoken.add(generation)

    def speak(self, generation: int, text: str) -> None:
        """Speak more of an answer's text."""
        self._speaker.speak(generation, text)

    def finish(self, generation: int) -> None:
        """No more text of that answer comes."""
        self._speaker.finish(generation)

    def flush(self, generation: int) -> Cleared | None:
        """Silence that answer and tell where it stood; None when it is not here (any more)."""
        self._spoken.discard(generation)
        self._speaker.stop(generation)
        cleared = self._playout.flush(generation)
        if not self._spoken:
            self._in_doubt = False
            self._let_go_if_settled()
        return cleared[0] if cleared else None

    # --- what the session decides about a voice ---

    def release(self) -> None:
        """It was nothing to fall silent for."""
        self._in_doubt = False
        self._let_go_if_settled()

    def drop_utterance(self) -> None:
        """The sound of the current turn was no turn."""
        self._ears.forget()

    def judge(self) -> None:
        """Report :class:`Judged` for the sound of the current turn; nothing when the engine fails."""
        self._spawn(self._judge(self._ears.latest))

    def transcribe(self, tag: str) -> None:
        """Report the words of the oldest ended turn, under *tag*."""
        self._spawn(self._transcribe(tag, self._ears.take_ended()))

    async def aclose(self) -> tuple[Cleared, ...]:
        """Fall silent for good; returns where each answer stood. Transcriptions under way are finished."""
        cleared = tuple(it for it in self._playout.flush() if it.generation in self._spoken)
        self._spoken.clear()
        await self._speaker.aclose()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._ears.forget()
        return cleared

    def _reflex(self, edge: EarEdge) -> None:
        match edge:
            case Suspected() if self._interruptible:
                self._in_doubt = self._in_doubt or bool(self._spoken)
                self._playout.pause(Holder.REFLEX, self._now())
            case Dismissed():
                if not self._ears.in_turn:
                    self._in_doubt = False
                self._let_go_if_settled()
            case Ended() | TurnEnded():
                self._let_go_if_settled()

    def _let_go_if_settled(self) -> None:
        if not (self._in_doubt or self._ears.voice_on or self._ears.in_turn):
            self._playout.resume(Holder.REFLEX, self._now())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _judge(self, recognition: Recognition | None) -> None:
        if recognition is None:
            return
        try:
            self._report(Judged(await recognition.partial()))
        except SpeechError as error:
            log.warning("an utterance could not be judged", extra={"code": error.code})

    async def _transcribe(self, tag: str, recognition: Recognition | None) -> None:
        try:
            # A turn whose sound was dropped in the meantime says nothing.
            self._report(Transcribed(tag, await recognition.finish() if recognition is not None else ""))
        except SpeechError as error:
            self._report(TranscriptionFailed(tag, error.code, str(error)))
