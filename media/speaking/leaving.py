"""An utterance is given away to another loudspeaker, at the word: where that is."""

from dataclasses import dataclass

from media.frames import VOICE_FRAME, VOICE_RATE_HZ, milliseconds, samples
from media.speaking.captions import Captions
from media.speaking.device import Listener
from media.speaking.utterance import Utterance


@dataclass(frozen=True, slots=True)
class Left:
    """An utterance was given away: what follows ``heard_chars`` is to be spoken elsewhere."""

    generation: int
    heard_chars: int
    heard_ms: int
    started: bool


def nothing(generation: int) -> Left:
    """It never was here."""
    return Left(generation, 0, 0, started=False)


def said(utterance: Utterance, listener: Listener) -> int:
    """The sample up to which it was heard, if the device drops the rest; else up to which it surely will be."""
    return utterance.heard_by(listener.now if utterance.recalled else listener.clock)


def word_end(utterance: Utterance, at: int, finish_ms: int) -> int:
    """The first frame after *at* by which the word that is being said was said, within *finish_ms*; else *at*.

    Between two words nothing is to be finished.
    """
    words = utterance.words
    if not utterance.started or words.word_start(at) == at:
        return at
    last = at + samples(finish_ms, VOICE_RATE_HZ)
    return next((end for end in range(at, last + 1, VOICE_FRAME) if words.heard(end) > words.heard(at)), at)


def left(utterance: Utterance, said: int) -> Left:
    """It goes, *said* so far. Where nothing is recalled, what was sent, and was to be said, will still be heard."""
    heard = said if utterance.recalled else max(said, min(utterance.leaves_at or 0, utterance.sent))
    words = utterance.words
    # Sound of its own is gone on with, not made again: from where the word begins that is broken.
    goes_on = words.word_start(heard) if isinstance(words, Captions) else heard
    ms = utterance.base_ms + milliseconds(goes_on, VOICE_RATE_HZ)
    return Left(utterance.generation, words.heard(heard), ms, utterance.started)
