"""What a session knows of each voice leg for the moment."""

import enum
from dataclasses import dataclass
from math import inf

from gateway.core.ids import DeviceId, ItemId, LegId, UserId
from gateway.core.inputs import UNKNOWN_LEVEL


class Hearing(enum.Enum):
    """What a voice leg hears over an answer (or, but for ``JUDGED``, in silence)."""

    QUIET = "quiet"
    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"
    JUDGED = "judged"
    """A short utterance has ended and its words are awaited."""


@dataclass(frozen=True, slots=True)
class Dictation:
    """What a turn that is being spoken says so far, in words."""

    turn: ItemId
    heard: tuple[str, ...] = ()
    """As the recogniser had it last."""

    told: tuple[str, ...] = ()
    """Of these, what clients were told."""


@dataclass(slots=True)
class Voice:
    """One voice leg's part of the moment."""

    device: DeviceId
    revocable: bool
    answers: bool = True
    interrupts: bool = True
    hearing: Hearing = Hearing.QUIET
    audio_start_ms: int = 0
    """Where the turn's sound begins: the onset less ``prefix_padding_ms``."""

    deadline: float | None = None
    """When a doubt must be decided (monotonic); None when there is none."""

    turn: ItemId | None = None
    """The item of the turn that is being spoken and was announced; None between turns."""

    ended: int | None = None
    """``audio_end_ms`` of a turn that ended before its judgement; None otherwise."""

    next_onset_ms: int | None = None
    """Onset of a voice that is suspected while the one before it is judged; None when there is none."""

    said_words: bool = False
    """A word that is more than a backchannel was made out in this turn already, before its transcript."""

    dictation: Dictation | None = None
    pressed: bool = False
    """The turn was begun by hand (push to talk), so that it is answered whatever else its client wants."""

    turn_due: float | None = None
    """When the announced turn must have ended (monotonic); None between turns."""

    heard_at: float = -inf
    sure_at: float = -inf
    level_db: float = UNKNOWN_LEVEL
    """When its last voice was suspected and confirmed (monotonic), and how loud that was."""

    yielded_to: LegId | None = None
    """The leg that hears the same utterance better, so that nothing of it counts here; None when there is none."""

    user: UserId = UserId("")
    leaving: bool = False
    """It has given up its answer without being asked to, as a connection does that is about to go."""


@dataclass(slots=True)
class Awaited:
    """A committed turn whose words are not known yet."""

    leg: LegId
    due: float
    """When its transcription counts as failed (monotonic)."""

    go_on: float | None
    """When what it cut goes on without them (monotonic); None when that is not to be, or has been."""

    pressed: bool = False
    """It was begun by hand (push to talk)."""

    waited_for: bool = True
    """False once what it cut went on without its words: nothing waits for them any more."""

    audio_ms: int = 0
    """How long its sound was."""
