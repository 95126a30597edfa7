"""Parts of a Realtime session object that are the same in what a client asks for and in what it is shown.

In an update a field that is left out stays as it is, and null clears it (:func:`merged`); what is cleared or was never
given is left out of what is shown, since many clients take a missing key and not a null.
"""

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

T = TypeVar("T", "Transcription", "NoiseReduction")


class AudioFormat(msgspec.Struct):
    """``rate`` is in Hz; left out, it is the only one that there is for the type."""

    type: str = "audio/pcm"
    rate: int | None = None


class Transcription(msgspec.Struct):
    """How speech is put into words. Names of models are OpenAI's, whatever listens here."""

    model: str | None | UnsetType = UNSET
    language: str | None | UnsetType = UNSET
    prompt: str | None | UnsetType = UNSET
    languages: list[str] | None | UnsetType = UNSET
    keywords: list[str] | None | UnsetType = UNSET
    delay: Literal["minimal", "low", "medium", "high", "xhigh"] | None | UnsetType = UNSET


class NoiseReduction(msgspec.Struct):
    type: Literal["near_field", "far_field"] | None | UnsetType = UNSET
    strength: float | None | UnsetType = UNSET


class Tracing(msgspec.Struct):
    workflow_name: str | None | UnsetType = UNSET
    group_id: str | None | UnsetType = UNSET
    metadata: dict[str, Any] | None | UnsetType = UNSET


class Prompt(msgspec.Struct):
    id: str
    version: str | None | UnsetType = UNSET
    variables: dict[str, str | dict[str, Any]] | None | UnsetType = UNSET


class TokenLimits(msgspec.Struct):
    post_instructions: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)] | None | UnsetType = UNSET


class RetentionRatio(msgspec.Struct):
    retention_ratio: float
    type: Literal["retention_ratio"] = "retention_ratio"
    token_limits: TokenLimits | None | UnsetType = UNSET


def most_tokens(truncation: str | RetentionRatio | None | UnsetType) -> int | None:
    """How much of the conversation a model is to be given; None where that is not bounded."""
    limits = truncation.token_limits if isinstance(truncation, RetentionRatio) else None
    found = limits.post_instructions if isinstance(limits, TokenLimits) else None
    return found if isinstance(found, int) else None


class Reasoning(msgspec.Struct):
    effort: Literal["minimal", "low", "medium", "high", "xhigh"] | None | UnsetType = UNSET


Include = Literal["item.input_audio_transcription.logprobs"]


def merged(known: T | None, changes: T) -> T:
    """*known* with the fields that *changes* names; a null takes a field away."""
    given = {name: value for name in changes.__struct_fields__ if (value := getattr(changes, name)) is not UNSET}
    base = type(changes)() if known is None else known
    return msgspec.structs.replace(base, **{name: UNSET if it is None else it for name, it in given.items()})


def shown(given: Any) -> Any:
    """What a client set, as it is shown again: without the fields that it cleared."""
    if not isinstance(given, msgspec.Struct):
        return given
    nulls = [name for name in given.__struct_fields__ if getattr(given, name) is None]
    return msgspec.structs.replace(given, **dict.fromkeys(nulls, UNSET))
