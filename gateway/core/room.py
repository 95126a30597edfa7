"""Two microphones in one room: of devices that hear the same utterance, the one that hears it loudest has it.

Nobody tells us which devices stand in one room. Two that find a voice within ``same_voice_within`` of each other are
taken to hear the same one. The first to be sure acts at once, so that nothing waits; if the second is nearer to the
speaker it takes over the turn as it stands, else it is dropped. Who has lost hears nothing more of that utterance: not
until the other one is done with it, and something new begins.
"""

from dataclasses import replace
from typing import Final

from gateway.core import effects as fx, inputs as inp
from gateway.core.ids import LegId
from gateway.core.state import Hearing, Voice
from gateway.core.step import Step

_A_DOUBT: Final = 2.0
"""A suspicion that is older has nothing to do with what is confirmed now (seconds)."""


def outvoiced(step: Step, leg: LegId, voice: Voice, input: object) -> bool:
    """True when another device has the utterance that this is about, so that nothing follows from it here."""
    begins = isinstance(input, inp.SpeechSuspected | inp.SpeechConfirmed)
    if isinstance(input, inp.TalkPressed) or (begins and not _hears(step, voice.yielded_to)):
        voice.yielded_to = None
    if voice.yielded_to is not None:
        if isinstance(input, inp.SpeechConfirmed | inp.TurnEnded):
            step.stop(fx.DropUtterance(leg))
        if begins:
            step.stop(fx.ReleasePlayout(leg))
        return True
    now = step.stamp.mono
    match input:
        case inp.SpeechSuspected():
            voice.heard_at = now
        case inp.SpeechConfirmed():
            voice.sure_at, voice.level_db = now, input.level_db
            if now - voice.heard_at > _A_DOUBT:
                voice.heard_at = now
        case _:
            pass
    return False


def _hears(step: Step, leg: LegId | None) -> bool:
    voice = step.moment.voices.get(leg) if leg is not None else None
    return voice is not None and (voice.hearing is not Hearing.QUIET or voice.turn is not None)


def rival(step: Step, leg: LegId, voice: Voice) -> LegId | None:
    """Another device that is sure of the same voice; None where there is none."""
    within = step.policy.same_voice_within
    for other, its in step.moment.voices.items():
        sure = its.hearing in (Hearing.CONFIRMED, Hearing.JUDGED) or its.turn is not None
        apart = min(abs(its.heard_at - voice.heard_at), abs(its.sure_at - voice.sure_at))
        if other != leg and sure and its.yielded_to is None and apart <= within:
            return other
    return None


def nearer(step: Step, leg: LegId, other: LegId) -> bool:
    """Does *leg*, which is sure now, hear the voice better than *other*, which was before?

    A turn that was begun by hand, or before this utterance, stays where it is.
    """
    voice, its = step.moment.voices[leg], step.moment.voices[other]
    if _begun_before(step, its) or _begun_before(step, voice):
        return not _begun_before(step, its)
    if abs(voice.level_db - its.level_db) > step.policy.same_level_db:
        return voice.level_db > its.level_db
    return leg == _holder(step, other)


def _begun_before(step: Step, voice: Voice) -> bool:
    if voice.turn is None or voice.turn_due is None:
        return False
    return voice.pressed or voice.turn_due - step.policy.turn_within < voice.heard_at


def _holder(step: Step, other: LegId) -> LegId | None:
    """Who had the floor before this utterance."""
    known = step.conversation.floor
    won_now = known.leg == other and known.reason == "spoke" and _is_new(step)
    return step.moment.handover.taken_from if won_now else known.leg


def _is_new(step: Step) -> bool:
    won_at = step.moment.handover.safe_until - step.policy.floor_stays
    return step.stamp.mono - won_at <= _A_DOUBT


def take_over(step: Step, leg: LegId, other: LegId) -> None:
    """*leg* has the utterance from now on: the turn that *other* announced, and the floor, if that was won by it.

    An answer that waits until that voice has finished waits for it where it is now.
    """
    voice, its = step.moment.voices[leg], step.moment.voices[other]
    if voice.turn is None:
        voice.turn, voice.turn_due, voice.said_words = its.turn, its.turn_due, its.said_words
        voice.dictation = its.dictation
        its.turn = its.turn_due = None
        its.said_words = False
    pending = step.moment.pending
    if pending is not None and pending.spoken and pending.stamp.leg == other:
        step.moment.pending = replace(pending, stamp=replace(pending.stamp, leg=leg))
    known = step.conversation.floor
    if known.leg == other and known.reason == "spoke" and _is_new(step):
        step.moment.handover.safe_until = step.stamp.mono
