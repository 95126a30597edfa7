"""How a detector judges: its options, and which of them hold while the agent is idle, thinking or speaking.

"Measured" means on the labelled DEV clips with the model file 6b99cbfd3924, by ``scripts/bench detect`` or in the
comparison that docs/decisions/0011 tells of; "design" means section 4 of it.
"""

from dataclasses import dataclass
from enum import Enum, auto


class AgentState(Enum):
    """What the agent does while the microphone is heard."""

    IDLE = auto()
    """Nobody waits for an answer: a voice begins a turn."""
    THINKING = auto()
    """An answer is being made and nothing of it sounds: a voice holds its first sample."""
    SPEAKING = auto()
    """An answer may be heard in the room: a voice stops it, and every millisecond counts."""


@dataclass(frozen=True, slots=True)
class DetectorOptions:
    """When a sound counts as what. ``*_p`` are probabilities of speech, 0 to 1; ``*_ms`` are milliseconds."""

    streams: int = 4
    """1, 2 or 4 staggered streams of the model while a sound is in doubt: a window ends every 32, 16 or 8 ms.

    Measured (p50/p95 after the onset, each with the threshold that pauses for 11 % of the noises): pause 46/110, 36/76
    and 26/66 ms.
    """
    suspect_p: float = 0.52
    """The mean probability over ``suspect_over_ms`` that is a suspicion. Measured: 0.48 pauses for twice the noises."""
    suspect_over_ms: int = 16
    """What that mean is taken over: two windows with four streams, one with fewer. A window not heard counts as 0."""
    suspect_at_once_p: float = 0.7
    """One window at this is a suspicion. Measured: 6 ms sooner at the median, for no further noise."""
    confirm_p: float = 0.6
    """What a window must reach to count as plain voice."""
    confirm_ms: int = 80
    """Plain voice that confirms, if the evidence suffices. Measured: 8 ms more or less move the median by as much."""
    confirm_within_ms: int = 250
    """The span that voice must lie in: a syllable with its consonants. Measured: 160 to 250 do alike."""
    confirm_evidence: float = 0.8
    """The evidence that confirms: see :class:`media.hearing.follower.Follower`. Measured: 0.6 is 10 ms
    faster at p95 and on some grids lets a laugh pass, 1.0 is 20 ms slower and refuses no more."""
    quiet_p: float = 0.2
    """Below this a window is quiet, from here on it is voice; well under the suspicion, so a sound does not flicker."""
    release_ms: int = 150
    """Quiet that dismisses a suspicion: longer than a stop consonant, shorter than a listener's patience (design)."""
    ended_ms: int = 250
    """Quiet that ends a confirmed utterance: longer than the pauses between words, shorter than one between turns."""
    sustained_ms: int = 764
    """Voice that is an interruption: 700 ms (design), and the two ends, each smeared over up to a window of 32 ms. A
    "mhm" of 652 ms counted 704 with one stream."""
    decide_ms: int = 2_000
    """The longest a suspicion may stay one: an answer must not stand still over a humming fan (design)."""
    decide_p: float = 0.5
    """The mean over a suspicion that lets it be confirmed when its time is up: likelier voice than not."""
    gated: bool = False
    """Whether webrtcvad must hear voice before the model is asked. Measured: while an answer sounds it would delay
    the pause by 2/18 ms (p50/p95) and miss one word of 44; so only where no sound is to be stopped."""


@dataclass(frozen=True, slots=True)
class Profiles:
    """The options for each state of the agent. Where no sound is to be stopped one stream does, behind webrtcvad."""

    idle: DetectorOptions = DetectorOptions(streams=1, suspect_p=0.3, gated=True)
    """Suspected early: nothing falls silent for it, and it holds the silence timer of a turn."""
    thinking: DetectorOptions = DetectorOptions(streams=1, suspect_p=0.45, gated=True)
    """Suspected as strictly as over an answer, for a cough must not hold the first sample; but no hurry yet."""
    speaking: DetectorOptions = DetectorOptions()

    def of(self, state: AgentState) -> DetectorOptions:
        """The options for *state*."""
        match state:
            case AgentState.IDLE:
                return self.idle
            case AgentState.THINKING:
                return self.thinking
            case AgentState.SPEAKING:
                return self.speaking
