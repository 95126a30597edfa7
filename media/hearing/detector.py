"""Hears a voice begin, last and end: pure, and driven by samples only, so a wall clock never enters.

Three steps lead to an interruption (DESIGN.md section 4). A sound that may be voice is *suspected*, which pauses an
answer; voice that is plain is *confirmed*; voice that lasts is *sustained*. A suspicion that comes to nothing is
*dismissed*, a confirmed utterance is *ended* by quiet. Each suspicion ends in exactly one of the two.

:mod:`.listening` decides which windows are judged and asks the model, :mod:`.follower` turns what it says into edges,
:mod:`.profiles` has every threshold. All times are whole milliseconds on the microphone's clock: the samples taken
since the leg's first one.
"""

import logging
from dataclasses import replace
from functools import lru_cache
from math import inf
from typing import Final, Protocol

import numpy as np

from media.frames import MIC_RATE_HZ, Pcm, milliseconds, silence
from media.hearing.edges import Confirmed, Dismissed, Edge, Suspected
from media.hearing.follower import Follower, Phase
from media.hearing.listening import Attention, ModelEar, VoteEar
from media.hearing.profiles import AgentState, DetectorOptions, Profiles
from media.vad import SpeechModel
from media.vad.silero import load_model

_log = logging.getLogger(__name__)

DEFAULTS: Final = Profiles()

_CONFIRM_OVER_THRESHOLD: Final = 0.1
"""Realtime's default threshold, 0.5, stands for our measured 0.6."""

_MIN_CONFIRM_P: Final = 0.3
"""Under it background noise confirms: a threshold of 0 means "any voice", not "any sound"."""

_MAX_CONFIRM_P: Final = 0.95
"""Silero seldom goes above: a threshold of 1 means "very plain voice", not "never"."""


class SpeechDetector(Protocol):
    """What a voice leg asks of a detector. :class:`Detector` is ours; a third party may supply its own.

    Its edges must be well formed: each ``Suspected`` is followed by one ``Dismissed``, or by one ``Confirmed``, then
    at most one ``Sustained``, then one ``Ended``; ``at_ms`` never falls.
    """

    @property
    def clock_ms(self) -> int:
        """How long all sound taken so far lasts."""
        ...

    def process(self, pcm: Pcm, state: AgentState | bool) -> list[Edge]:
        """The edges that the next 16 kHz samples bring, any number of them. True is SPEAKING, False is IDLE."""
        ...

    def configure(self, profiles: Profiles) -> None:
        """Judge by these from now on, as far as they mean something to it; what was heard is forgotten."""
        ...

    def reset(self) -> None:
        """Forget what was heard, without an edge; the clock goes on."""
        ...


def with_threshold(profiles: Profiles, threshold: float) -> Profiles:
    """*profiles* with Realtime's ``threshold`` (0 to 1, default 0.5): moves what confirms, never what is suspected."""
    wanted = min(max(round(threshold + _CONFIRM_OVER_THRESHOLD, 6), _MIN_CONFIRM_P), _MAX_CONFIRM_P)
    return Profiles(*(replace(profiles.of(state), confirm_p=wanted) for state in AgentState))


def _by_vote(options: DetectorOptions) -> DetectorOptions:
    """16 voiced frames of 20 suspect and confirm at once. Measured: 171/343 ms, 7 % missed, 82 % of noises believed."""
    return replace(
        options,
        suspect_p=inf,
        suspect_at_once_p=inf,
        confirm_p=0.5,
        confirm_ms=160,
        confirm_within_ms=200,
        confirm_evidence=0,
        quiet_p=0.5,
    )


@lru_cache(maxsize=1)
def _warn_of_vote() -> None:
    _log.warning("no speech model: webrtcvad decides alone, so many noises will interrupt an answer")


class Detector:
    """Listens to one leg's microphone. Without a model webrtcvad decides alone, and a warning is logged once.

    The model must be a stream of its own: the detector resets it when the sound it hears has a hole.
    """

    def __init__(self, profiles: Profiles = DEFAULTS, model: SpeechModel | None = None) -> None:
        if model is None:
            _warn_of_vote()
        self._model: Final = model
        self._taken = 0
        self.configure(profiles)

    @property
    def clock_ms(self) -> int:
        """The microphone's clock: how long the sound taken so far lasts."""
        return milliseconds(self._taken, MIC_RATE_HZ)

    def configure(self, profiles: Profiles) -> None:
        """Judge by other options from now on; what was heard is forgotten as by :meth:`reset`."""
        judged_by = profiles if self._model else Profiles(*(_by_vote(profiles.of(state)) for state in AgentState))
        self._options = {state: judged_by.of(state) for state in AgentState}
        self.reset()

    def reset(self) -> None:
        """Forget what was heard; a suspicion or utterance is dropped without an edge. The clock goes on."""
        self._ear: ModelEar | VoteEar
        block = ModelEar.block if self._model else VoteEar.block
        begun = self._taken % block
        self._pending = silence(begun)
        self._ear = ModelEar(self._model, self._taken - begun) if self._model else VoteEar(self._taken - begun)
        self._follower = Follower(self.clock_ms)

    def process(self, pcm: Pcm, state: AgentState | bool) -> list[Edge]:
        """The edges that the next samples bring, any number of samples. True is SPEAKING, False is IDLE."""
        if isinstance(state, bool):
            state = AgentState.SPEAKING if state else AgentState.IDLE
        options, size = self._options[state], self._ear.block
        sound = np.concatenate((self._pending, pcm))
        end = self._taken - len(self._pending)
        self._taken += len(pcm)
        whole = len(sound) - len(sound) % size
        self._pending = sound[whole:]
        edges: list[Edge] = []
        if not whole:
            return edges
        attention = self._attention(options)
        for power in self._ear.take(sound[:whole]):
            end += size
            for heard in self._ear.hear(end, power, attention):
                edges += self._follower.step(heard, milliseconds(end, MIC_RATE_HZ), options)
                attention = self._attention(options)
        return edges

    def _attention(self, options: DetectorOptions) -> Attention:
        phase = self._follower.phase
        return Attention(options, phase is not Phase.IDLE, phase is Phase.SUSPECTED)


def standard(model: SpeechModel | None) -> SpeechDetector:
    """Our own detector with its defaults."""
    return Detector(DEFAULTS, model)


_SCORED: Final[dict[type, str]] = {Suspected: "pause", Confirmed: "cancel", Dismissed: "resume"}


class _Scored:
    def __init__(self, detector: SpeechDetector) -> None:
        self._detector: Final = detector

    def process(self, mic: Pcm, _reference: Pcm) -> list[str]:
        edges = self._detector.process(mic, AgentState.SPEAKING)
        return [_SCORED[type(edge)] for edge in edges if type(edge) in _SCORED]


def factory() -> _Scored:
    """A fresh detector for a scoring tool that calls ``process(mic_10ms, reference_10ms)``, with an answer sounding."""
    return _Scored(standard(load_model()))
