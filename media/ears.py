"""The ears of a voice leg: sound becomes edges, turns, and the words of turns."""

from collections import deque
from collections.abc import Sequence
from typing import Final, TypeAlias

from media.detector import DEFAULTS, SpeechDetector, with_threshold
from media.edges import Confirmed, Dismissed, Edge as VoiceEdge, Ended, Suspected
from media.endpoint import Endpointer, TurnEdge, TurnEnded, TurnOptions
from media.frames import Pcm
from media.speech import Recognition, Recognizer
from media.tape import Tape

Edge: TypeAlias = VoiceEdge | TurnEdge

PREROLL_MS: Final = 3_000
"""Sound kept from before a confirmation: the longest doubt (2 s), the padding, and some more."""


class Ears:
    """Listens to one microphone. Without turn options nothing is detected: the client commits by hand."""

    def __init__(self, detector: SpeechDetector, recognizer: Recognizer | None, options: TurnOptions | None) -> None:
        self._recognizer = recognizer
        self._detector = detector
        self._tape = Tape(PREROLL_MS)
        self._open: Recognition | None = None
        self._ended: deque[Recognition | None] = deque()
        """Turns that have ended and whose words nobody has asked for, oldest first."""

        self.voice_on = False
        """True from a suspicion to its dismissal, or to the end of the voice."""

        self.in_turn = False
        """True while a turn is being spoken."""

        self.configure(options)

    def configure(self, options: TurnOptions | None) -> None:
        """Listen with other options from now on; a turn that is being spoken is forgotten."""
        self.options = options
        known = options or TurnOptions()
        self._detector.configure(with_threshold(DEFAULTS, known.threshold))
        self._endpointer = Endpointer(known)
        self._prefix_ms = known.prefix_padding_ms
        self.voice_on = False
        self.forget()

    def hear(self, pcm: Pcm, *, sounding: bool) -> list[Edge]:
        """Take 16 kHz sound; *sounding* while an answer may be heard in the room."""
        edges = self._detector.process(pcm, sounding)
        self._tape.keep(pcm, self._detector.clock_ms)
        if self._open is not None:
            self._feed(self._open, self._tape.read())
        if self.options is None:
            self._begin(0)
            return []
        for edge in edges:
            self._note(edge)
        return self._with_turns(edges, self._endpointer.process(edges, self._detector.clock_ms))

    def repair(self, pcm: Pcm) -> None:
        """The last samples heard were these. Only words profit: what the detector found stands."""
        self._tape.repair(pcm)

    def commit(self) -> list[Edge]:
        """End the turn now, by the client's hand; what was heard since the last one is the turn."""
        turns = self._endpointer.commit(self._detector.clock_ms)
        if not turns and self._open is not None:
            turns = [TurnEnded(0, self._detector.clock_ms, False)]
        return self._with_turns([], turns)

    def forget(self) -> None:
        """The turn's sound was no turn, spoken or just ended."""
        self._endpointer.discard()
        self.in_turn = False
        for recognition in (self._open, *self._ended):
            if recognition is not None:
                recognition.cancel()
        self._open = None
        self._ended.clear()

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
