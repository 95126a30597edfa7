"""What a recogniser makes of a turn while it is being spoken."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TurnHeard:
    """All of the running turn so far. The end of it may still turn out to be something else."""

    text: str
