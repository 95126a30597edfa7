"""The ears of a voice leg: sound becomes edges, turns, and the words of turns."""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from media.echo import Defence, NoDefence
from media.frames import Pcm, silence
from media.hearing.detector import DEFAULTS, SpeechDetector, with_threshold
from media.hearing.edges import Confirmed, Dismissed, Edge as VoiceEdge, Ended, Suspected
from media.hearing.endpoint import Discarded, Endpointer, Pressed, TurnEdge, TurnEnded, TurnOptions, patience
from media.hearing.tape import Tape
from media.levels import level_db
from media.speech import Recognition, Recognizer

Edge: TypeAlias = VoiceEdge | TurnEdge | Pressed | Discarded

PUSH_PREROLL_MS: Final = 400
"""Sound from before a key was pressed that belongs to its turn: people begin to speak up to half a second before."""

SLIP_MS: Final = 150
"""A shorter press is a slip of the finger, unless a voice is on: no word is said in it."""

LEAST_COMMIT_MS: Final = 100
"""Less sound than this is no turn that a hand could commit: what OpenAI takes for an empty buffer, too."""

PREROLL_MS: Final = 3_000
"""Sound kept from before a confirmation: the longest doubt (2 s), the padding, and some more."""


class Ears:
    """Listens to one microphone. Without turn options nothing is detected: the client commits by hand."""

    def __init__(
        self,
        detector: SpeechDetector,
        recognizer: Recognizer | None,
        options: TurnOptions | None,
        echo: Defence | None = None,
    ) -> None:
        self._echo: Final = echo or NoDefence()
        self._recognizer = recognizer
        self._detector = detector
        self._tape = Tape(PREROLL_MS)
        self._as_it_came = True
        """False while the echo's removal changes the sound."""

        self._open: Recognition | None = None
        self._ended: deque[Recognition | None] = deque()
        """Turns that have ended and whose words nobody has asked for, oldest first."""

        self.voice_on = False
        """True from a suspicion to its dismissal, or to the end of the voice."""

        self.in_turn = False
        """True while a turn is being spoken."""

        self._pressed_ms: int | None = None
        """When the key that is held down was pressed; None while none is. Nothing else begins or ends a turn then."""

        self._voice_pressed = False
        """A voice was on at some time while the key was held."""

        self._manual_from_ms = 0
        self.muted = False
        self.configure(options)

    def configure(self, options: TurnOptions | None) -> None:
        """Listen with other options from now on; a turn that is being spoken is forgotten."""
        self.options = options
        known = options or TurnOptions()
        self._detector.configure(with_threshold(DEFAULTS, known.threshold))
        self._endpointer = Endpointer(known)
        self._prefix_ms = known.prefix_padding_ms
        self._limit_ms = known.turn_limit_ms
        self.voice_on = False
        self.forget()

    def reference(self, frame: Pcm | None) -> None:
        """The next 20 ms that a loudspeaker near this microphone plays: 480 samples at 24 kHz, None for silence."""
        self._echo.reference(frame)

    def hear(self, pcm: Pcm, *, sounding: bool) -> list[Edge]:
        """Take 16 kHz sound; *sounding* while an answer may be heard in the room.

        Muted sound is silence: what was going on ends as it would in silence, and no pre-roll holds any of it.
        """
        if self.muted:
            pcm = silence(len(pcm))
        heard = self._echo.hear(pcm)
        self._as_it_came = heard.words is pcm
        edges = self._detector.process(heard.judged, sounding)
        self._tape.keep(heard.words, self._detector.clock_ms)
        edges = [replace(it, level_db=self._level_db(it.onset_ms)) if isinstance(it, Confirmed) else it for it in edges]
        if self._open is not None:
            self._feed(self._open, self._tape.read())
        if self._pressed_ms is not None:
            return self._while_pressed(edges)
        if self.options is None:
            self._begin(self._manual_from_ms)
            return []
        for edge in edges:
            self._note(edge)
        return self._with_turns(edges, self._endpointer.process(edges, self._detector.clock_ms))

    def _level_db(self, since_ms: int) -> float:
        return level_db(self._tape.since(since_ms))

    def repair(self, pcm: Pcm) -> None:
        """The last samples heard were these. Only words profit: what the detector found stands.

        Not while an echo is taken out: what was made up is better than what holds the answer's words.
        """
        if self._as_it_came and not self.muted:
            self._tape.repair(pcm)

    def press(self) -> list[Edge]:
        """A key is pressed: from now on everything is the turn, whatever the detector makes of it."""
        if self._pressed_ms is not None:
            return []
        now_ms = self._detector.clock_ms
        from_ms = now_ms - PUSH_PREROLL_MS
        if not self.in_turn:  # a turn that was begun by voice goes on as this one
            self._forget_open()
            self._begin(from_ms)
        self._endpointer.discard()
        self._pressed_ms, self._voice_pressed = now_ms, self.voice_on
        self.in_turn = True
        return [Pressed(now_ms, min(PUSH_PREROLL_MS, now_ms))]

    def let_up(self) -> list[Edge]:
        """The key is let go: the turn is over. No edge when none was held."""
        if self._pressed_ms is None:
            return []
        pressed_ms, self._pressed_ms = self._pressed_ms, None
        now_ms = self._detector.clock_ms
        if now_ms - pressed_ms < SLIP_MS and not (self._voice_pressed or self.voice_on):
            self._forget_open()
            self.in_turn = False
            return [Discarded()]
        return self._with_turns([], [TurnEnded(max(0, pressed_ms - PUSH_PREROLL_MS), now_ms, False)])

    def _while_pressed(self, edges: Sequence[VoiceEdge]) -> list[Edge]:
        for edge in edges:
            if isinstance(edge, Suspected | Confirmed):
                self.voice_on = True
            elif isinstance(edge, Dismissed | Ended):
                self.voice_on = False
            self._voice_pressed = self._voice_pressed or isinstance(edge, Confirmed)
        if self._detector.clock_ms - (self._pressed_ms or 0) >= self._limit_ms:
            return self.let_up()
        return []

    @property
    def wants_words(self) -> bool:
        """True when the words so far would help to tell where a turn ends."""
        return self.options is not None and patience(self.options).wants_words

    @property
    def attentive(self) -> bool:
        """Whether quiet sound matters: it may end something, or somebody may want to read it."""
        return self.voice_on or self.in_turn or self.options is None or self._open is not None

    @property
    def clock_ms(self) -> int:
        """The microphone's clock."""
        return self._detector.clock_ms

    def said(self, words: str) -> None:
        """The words of the running turn so far: they may tell whether it is finished."""
        self._endpointer.said(words)

    def commit(self) -> list[Edge]:
        """End the turn now, by the client's hand; what was heard since the last one is the turn, if it is enough."""
        if self._pressed_ms is not None:
            return self.let_up()
        turns = self._endpointer.commit(self._detector.clock_ms)
        now_ms = self._detector.clock_ms
        if not turns and self._open is not None and now_ms - self._manual_from_ms >= LEAST_COMMIT_MS:
            turns = [TurnEnded(self._manual_from_ms, now_ms, False)]
        return self._with_turns([], turns)

    def forget(self) -> None:
        """The turn's sound was no turn, spoken or just ended."""
        self._endpointer.discard()
        self.in_turn = self._pressed_ms is not None
        for recognition in (self._open, *self._ended):
            if recognition is not None:
                recognition.cancel()
        self._open = None
        self._ended.clear()
        # A turn by hand holds what comes from now on.
        self._manual_from_ms = self._detector.clock_ms
        if self._pressed_ms is not None:
            self._begin(self._manual_from_ms)

    def _forget_open(self) -> None:
        if self._open is not None:
            self._open.cancel()
        self._open = None

    def take_ended(self) -> Recognition | None:
        """The oldest ended turn's recognition, to be finished; None when nobody listens for words."""
        return self._ended.popleft() if self._ended else None

    @property
    def latest(self) -> Recognition | None:
        """The recognition of the turn being spoken, or that ended last; None when there is none."""
        return self._open or (self._ended[-1] if self._ended else None)

    def _with_turns(self, edges: Sequence[VoiceEdge], turns: Sequence[TurnEdge]) -> list[Edge]:
        for turn in turns:
            self.in_turn = not isinstance(turn, TurnEnded)
            if not self.in_turn:
                if self._open is not None:
                    self._feed(self._open, self._tape.read_all())
                self._ended.append(self._open)
                self._open = None
                self._tape.clear()  # the next turn's padding must not reach into this one
                self._manual_from_ms = self._detector.clock_ms
        return [*edges, *turns]

    def _note(self, edge: VoiceEdge) -> None:
        if isinstance(edge, Suspected):
            self.voice_on = True
        elif isinstance(edge, Dismissed | Ended):
            self.voice_on = False
        elif isinstance(edge, Confirmed):
            self.voice_on = True
            self._begin(edge.onset_ms - self._prefix_ms)

    def _begin(self, from_ms: int) -> None:
        """Listen for words, from before the voice was sure."""
        if self._open is None and self._recognizer is not None:
            self._open = self._recognizer.listen()
            self._tape.rewind(from_ms)
            self._feed(self._open, self._tape.read())

    @staticmethod
    def _feed(recognition: Recognition, pieces: Sequence[Pcm]) -> None:
        for pcm in pieces:
            recognition.feed(pcm)
