"""What a detector finds: where a voice begins, is sure, lasts and ends.

Times are whole milliseconds on the microphone's clock; ``at_ms`` is the end of the window that decided.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

UNKNOWN_LEVEL_DB: Final = -100.0
"""The level of a voice that was not measured: less than any."""


@dataclass(frozen=True, slots=True)
class Suspected:
    """A sound that may be voice began at *onset_ms*."""

    onset_ms: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The suspected sound is voice."""

    onset_ms: int
    at_ms: int
    level_db: float = UNKNOWN_LEVEL_DB
    """How loud it is so far at this microphone: the RMS since its onset, dB of full scale."""


@dataclass(frozen=True, slots=True)
class Sustained:
    """The confirmed voice has lasted long enough to be more than a backchannel."""

    onset_ms: int
    at_ms: int
    voiced_ms: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The confirmed voice fell silent at *end_ms*, having been voiced for *voiced_ms* since its onset."""

    onset_ms: int
    end_ms: int
    at_ms: int
    voiced_ms: int


@dataclass(frozen=True, slots=True)
class Dismissed:
    """The suspected sound was not voice."""

    onset_ms: int
    at_ms: int


Edge: TypeAlias = Suspected | Confirmed | Sustained | Ended | Dismissed
"""``at_ms`` is the end of the sound the decision needed: it never falls, and no onset lies behind it."""
