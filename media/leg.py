"""A voice leg: one device's ears and mouth, and the reflex between them.

Whoever carries the sound pushes the microphone in (:meth:`VoiceLeg.hear`) and pulls the answer out
every 20 ms (:meth:`VoiceLeg.pull`). The *reflex* is local: the moment the ears suspect a voice the
playout is held, before anybody is asked. It lets go by itself when the suspicion proves to be
nothing, or when the turn is over and no answer is in doubt; over an answer, once the voice was
confirmed, only the session lets go (:meth:`release`) or cuts (:meth:`flush`).

A microphone may fall silent without a word: a network that is gone, a client that sends nothing while it is muted.
What was going on must end all the same, so :meth:`VoiceLeg.pull` and :meth:`VoiceLeg.tick`, one of which is called on
time, stand in for it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from media.echo import Defence
from media.echo.guard import EchoGuard
from media.frames import MIC_FRAME, MIC_RATE_HZ, Pcm, silence
from media.hearing.detector import SpeechDetector, standard
from media.hearing.ears import Ears, Edge as EarEdge
from media.hearing.edges import Confirmed, Dismissed, Ended, Suspected
from media.hearing.endpoint import Discarded, Pressed, TurnEnded, TurnOptions
from media.hearing.glimpses import Glimpses, Pace
from media.hearing.idleness import Idle, Idleness
from media.hearing.keeping import Keeping
from media.hearing.scribe import Heard, Scribe, Words
from media.speaking.mouth import Mouth
from media.speaking.playout import Cleared, Edge as PlayoutEdge, Holder, Left, Stopped
from media.speech import Manner, Recognizer, Synthesizer
from media.vad import SpeechModel


@dataclass(frozen=True, slots=True)
class Engines:
    """What a process has to hear and speak with.

    ``new_model`` gives each leg a stream of its own, ``new_detector`` what judges by it.
    """

    synthesizer: Synthesizer
    recognizer: Recognizer
    new_model: Callable[[], SpeechModel | None]
    new_detector: Callable[[SpeechModel | None], SpeechDetector] = standard
    new_echo: Callable[[], Defence] = EchoGuard
    keeps_turns: bool = False
    """The sound of turns is wanted too, beside their words."""


Report: TypeAlias = EarEdge | PlayoutEdge | Idle | Words

STARVED_S: Final = 1.0
"""A microphone that has sent nothing for so long, in mid-voice, has fallen silent: longer than a network's hiccup, and
with the silence that ends a turn still within a listener's patience."""

STARVED_MUTED_S: Final = 0.06
"""The same for one that is muted, where silence is no surprise: a browser's packets come at most 60 ms apart."""


class VoiceLeg:
    """Belongs to one event loop; nothing in it waits but what an engine is asked for.

    *near* is told each frame that is handed out, and says what plays near the microphone then. *manner* tells how an
    answer is to be spoken, when one begins.
    """

    def __init__(
        self,
        engines: Engines,
        report: Callable[[Report], None],
        now: Callable[[], float],
        *,
        turns: TurnOptions | None,
        client_buffer_ms: int,
        interruptible: bool = True,
        near: Callable[[Pcm | None], Pcm | None] = lambda frame: frame,
        manner: Callable[[], Manner] = Manner,
    ) -> None:
        self._near = near
        self._report = report
        self._interruptible = interruptible
        self._now = now
        self.kept = Keeping(engines.recognizer) if engines.keeps_turns else None
        """The sound of turns, by the tag under which they were transcribed; None where nobody wants it."""

        recognizer = self.kept or engines.recognizer
        self._ears = Ears(engines.new_detector(engines.new_model()), recognizer, turns, engines.new_echo())
        self.mouth = Mouth(engines.synthesizer, now, client_buffer_ms, manner)
        self._scribe = Scribe(self._said, lambda: self._ears.latest)
        self._in_doubt = False
        """A voice was suspected over an answer, and the session has not decided yet."""

        self._live = engines.recognizer.live
        self._glimpses = Glimpses()
        self._pace = Pace()
        self._heard_until = 0.0
        """When the sound that has come so far will have lasted, on the clock of *now*."""

        self._idleness = Idleness()

    # --- sound ---

    def hear(self, pcm: Pcm) -> None:
        """Take the microphone's next samples, 16 kHz."""
        self._heard_until = max(self._now(), self._heard_until) + len(pcm) / MIC_RATE_HZ
        self._take(pcm)

    def _take(self, pcm: Pcm) -> None:
        edges = self._ears.hear(pcm, sounding=self.mouth.busy)
        self._tell(edges)
        at_the_end = self._ears.wants_words
        due = self._glimpses.due(edges, self._ears.clock_ms, in_doubt=self._in_doubt, at_the_end=at_the_end)
        if due and self._live:
            self._scribe.glimpse()
        if self._pace.due(self._ears.clock_ms, in_turn=self._ears.in_turn) and self._live:
            self._scribe.follow()

    def _tell(self, edges: Iterable[EarEdge]) -> None:
        for edge in edges:
            self._reflex(edge)
            self._report(edge)

    @property
    def attentive(self) -> bool:
        """Whether quiet sound matters now; else silence may take its place."""
        return self._ears.attentive

    def repair(self, pcm: Pcm) -> None:
        """The last samples heard were these: a packet of them came late."""
        self._ears.repair(pcm)

    def _said(self, words: Words) -> None:
        if isinstance(words, Heard):
            self._ears.said(words.text)
        self._report(words)

    def _passed(self) -> None:
        """20 ms have passed: notice what does not happen.

        A microphone that sends nothing while something waits for its end counts as silent.
        """
        options = self._ears.options
        idle = self._idleness.due(self._now(), self._ears.clock_ms, options.idle_timeout_ms if options else None)
        if idle is not None:
            self._report(idle)
        limit = STARVED_MUTED_S if self._ears.muted else STARVED_S
        if (self._ears.voice_on or self._ears.in_turn) and self._now() - self._heard_until > limit:
            self._take(silence(MIC_FRAME))

    def pull(self) -> Pcm | None:
        """The answer's next 480 samples, 24 kHz; None for silence. Once every 20 ms."""
        frame = self.mouth.pull()
        self._ears.reference(self._near(frame))
        self.tell_edges()
        self._passed()
        return frame

    def send(self) -> Pcm | None:
        """As :meth:`pull`, for a device that is sent sound ahead of its playing: no time passes."""
        frame = self.mouth.send()
        self._ears.reference(self._near(frame))
        self.tell_edges()
        return frame

    def tick(self, *, playing: bool = True) -> None:
        """20 ms have passed at a device that is sent sound ahead; not *playing*, it holds what it has."""
        if playing:
            self.mouth.tick()
            self.tell_edges()
        self._passed()

    def tell_edges(self) -> None:
        """Report what happened to answers. By itself after each frame; sooner for who cannot wait for that."""
        for edge in self.mouth.drain():
            if isinstance(edge, Stopped) and not self.mouth.busy:
                self._idleness.played(self._now(), self._ears.clock_ms)
            if isinstance(edge, Left) and not self.mouth.busy:
                self._in_doubt = False
                self._let_go_if_settled()
            self._report(edge)

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
        self._tell(edges)
        return bool(edges)

    def push(self, *, down: bool) -> bool:
        """Push to talk: a turn begins by hand, which holds an answer, or is over. False for a press while muted."""
        if down and self._ears.muted:
            return False
        self._tell(self._ears.press() if down else self._ears.let_up())
        return True

    def mute(self, muted: bool) -> None:
        """What the microphone sends counts as silence from now on, or as sound again. A key that is held is let go."""
        if muted:
            self.push(down=False)
        self._ears.muted = muted

    # --- the answer ---

    def begin(
        self,
        generation: int,
        response_id: str,
        item_id: str,
        base: int = 0,
        base_ms: int = 0,
        *,
        own_sound: bool = False,
    ) -> None:
        """An answer is about to be spoken, from the code point *base* of its item on, of which *base_ms* were heard."""
        self._idleness.ended()
        self.mouth.begin(generation, response_id, item_id, base, base_ms, own_sound=own_sound)

    def flush(self, generation: int) -> Cleared | None:
        """Silence that answer and tell where it stood; None when it is not here (any more)."""
        cleared = self.mouth.flush(generation)
        if not self.mouth.busy:
            self._in_doubt = False
            self._let_go_if_settled()
        return cleared

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
        self._scribe.judge()

    def transcribe(self, tag: str) -> None:
        """Report the words of the oldest ended turn, under *tag*, and keep its sound, if that is wanted."""
        recognition = self._ears.take_ended()
        if self.kept is not None:
            self.kept.keep(tag, recognition)
        self._scribe.transcribe(tag, recognition)

    async def aclose(self) -> tuple[Cleared, ...]:
        """Fall silent for good; returns where each answer stood. Transcriptions under way are finished."""
        cleared = await self.mouth.aclose()
        await self._scribe.aclose()
        if self.kept is not None:
            await self.kept.aclose()
        self._ears.forget()
        return cleared

    def _reflex(self, edge: EarEdge) -> None:
        match edge:
            case Suspected() if self._interruptible:
                self._in_doubt = self._in_doubt or self.mouth.busy
                self.mouth.pause(Holder.REFLEX)
            case Pressed():
                self._idleness.ended()
                self.mouth.pause(Holder.REFLEX)
            case Confirmed():
                self._idleness.ended()
            case Dismissed():
                if not self._ears.in_turn:
                    self._in_doubt = False
                self._let_go_if_settled()
            case Ended() | TurnEnded() | Discarded():
                self._let_go_if_settled()

    def _let_go_if_settled(self) -> None:
        if not (self._in_doubt or self._ears.voice_on or self._ears.in_turn):
            self.mouth.resume(Holder.REFLEX)
