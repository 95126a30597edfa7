"""How much of an answer was heard, written down; and what a device may still say of that."""

from typing import Final

from gateway.core import events as ev, shortening
from gateway.core.ids import DeviceId, ItemId
from gateway.core.state import Claim, Said
from gateway.core.step import Step
from gateway.core.values import TruncationReason

_REMEMBERED: Final = 4
"""Spoken answers of which a device may say, after they were over, that it played less."""


def truncate(
    step: Step, item_id: ItemId, text: str, heard_chars: int, heard_ms: int, reason: TruncationReason = "interrupted"
) -> bool:
    """Of *text*, all of which was shown, only *heard_chars* were heard. False when that is all of it."""
    heard = text[: max(0, heard_chars)]
    if heard == text:
        return False
    shortening.void(step, item_id)
    step.fact(ev.ItemTruncated(item_id, heard, text[len(heard) :], heard_ms, len(text), reason))
    return True


def remember(step: Step, item_id: ItemId, said: Said) -> None:
    """An answer is over."""
    known = step.moment.said
    known.pop(item_id, None)
    known[item_id] = said
    while len(known) > _REMEMBERED:
        del known[next(iter(known))]


def device_of(step: Step, leg: str | None) -> DeviceId:
    """The device of a voice leg; ``""`` for one that has left, or is none."""
    return next((voice.device for known, voice in step.moment.voices.items() if known == leg), DeviceId(""))


def limited(claim: Claim | None, text: str, heard_chars: int, heard_ms: int) -> tuple[int, int]:
    """The lesser of what our own clock says was heard, and what the device does."""
    if claim is None or not claim.counts:
        return heard_chars, heard_ms
    if claim.located is not None:
        return min(heard_chars, claim.located[0]), min(heard_ms, claim.located[1])
    if heard_ms <= 0 or claim.audio_end_ms >= heard_ms:
        return heard_chars, heard_ms
    return _word_end(text, heard_chars * claim.audio_end_ms // heard_ms), claim.audio_end_ms


def _word_end(text: str, at: int) -> int:
    """*at*, or the end of the word before, if it falls into one."""
    while 0 < at < len(text) and not text[at].isspace():
        at -= 1
    return at
