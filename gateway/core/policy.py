"""Every threshold and word list of the core, with its unit and its reason."""

from dataclasses import dataclass
from typing import Final

STOP_WORDS: Final = {
    "en": frozenset(
        {"stop", "wait", "hold on", "stop it", "be quiet", "quiet", "shut up", "enough", "pause", "one moment"}
        | {"wait stop", "stop stop", "wait a moment", "wait a second", "hang on", "stop please", "please stop"}
    ),
}
"""Utterances that silence the answer and want no other. Whole utterances: "stop at ten" is a request."""

BACKCHANNELS: Final = {
    "en": frozenset(
        {"uh huh", "uhhuh", "mhm", "mm hm", "mm hmm", "hm", "hmm", "mm", "yeah", "yes", "yep", "okay", "ok", "right"}
        | {"i see", "sure", "oh", "ah", "aha", "wow", "really", "got it", "good", "uh", "um", "huh", "oh okay"}
    ),
}
"""Utterances that only say "I am listening" (Yngve 1970); said over an answer they do not cut it."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a session may tune. Times in seconds, on the monotonic clock."""

    judge_within: float = 2.0
    """A pause must be decided by then: an agent that stays mute over a doubt is worse than a cut."""

    transcribe_within: float = 15.0
    """A turn whose transcript has not come by then is treated as failed, so that nobody is left hanging."""

    after_empty_cut: str = "continue"
    """What follows a cut with nothing said after it: ``continue`` speaks the unheard rest, ``silent`` does not."""


def normalised(text: str) -> str:
    """Lower-case words with single spaces: how a short utterance is compared with a list."""
    kept = "".join(c if c.isalnum() or c == "'" else " " for c in text.lower())
    return " ".join(kept.split())


def has_words(text: str) -> bool:
    """Is anything said? Recognisers write "..." for noise."""
    return bool(normalised(text))


def is_stop_word(text: str, language: str) -> bool:
    """Does the whole utterance ask for silence?"""
    return normalised(text) in STOP_WORDS.get(language, STOP_WORDS["en"])


def is_backchannel(text: str, language: str) -> bool:
    """Does the whole utterance only say that somebody listens? Repeats ("yeah yeah") count."""
    words = normalised(text)
    known = BACKCHANNELS.get(language, BACKCHANNELS["en"])
    return words in known or (bool(words) and all(word in known for word in words.split()))
