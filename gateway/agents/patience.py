"""How long a model may keep us waiting. Pure."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Patience:
    """Deadlines of one question to a model, in seconds."""

    connect_s: float = 5.0
    first_token_s: float = 15.0
    """From the request to the first token, another attempt included; what says nothing does not prolong it: neither
    keep-alive comments nor empty chunks."""

    next_token_s: float = 15.0
    """From one token to the next, likewise."""

    retry_after_s: float = 0.25
    """Before the one other attempt, where the server names no time."""


PATIENCE: Final = Patience()
"""Long enough for a model that must be loaded first, short enough for somebody who waits for a voice."""
