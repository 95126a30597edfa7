"""What new input does while an answer is running, and what models are given, as clients choose it."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

OnActive = Literal["reject", "interrupt", "steer", "concurrent", "rollback", "queue", "merge", "latest", "debounce"]
"""What new input does while an answer is running."""

DebounceMs = Annotated[int, msgspec.Meta(ge=0, le=60_000)]
"""Longer is no waiting for the end of somebody's typing."""


class OnActiveChanges(msgspec.Struct):
    """What holds where a command does not say, for each kind of input."""

    voice: OnActive | UnsetType = UNSET
    text: OnActive | UnsetType = UNSET
    debounce_ms: DebounceMs | UnsetType = UNSET


class ContextChanges(msgspec.Struct):
    """How much of the conversation a model is given; in estimated tokens, of four characters each."""

    policy: Literal["whole", "window", "summarise", "reset"] | UnsetType = UNSET
    max_tokens: Annotated[int, msgspec.Meta(ge=100, le=10_000_000)] | UnsetType = UNSET
