"""Every threshold and word list of the core, with its unit and its reason."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

STOP_WORDS: Final = {
    "en": frozenset(
        {"stop", "wait", "hold on", "stop it", "be quiet", "quiet", "shut up", "enough", "pause", "one moment"}
        | {"wait stop", "stop stop", "wait wait", "wait a moment", "wait a second", "hang on", "stop please"}
        | {"please stop", "that's enough"}
    ),
    "de": frozenset(
        {"stopp", "stop", "halt", "warte", "warte mal", "moment", "moment mal", "einen moment", "ruhe", "sei still"}
        | {"genug", "es reicht", "das reicht", "hör auf", "aufhören", "pause", "warten sie", "bitte stopp"}
    ),
    "fr": frozenset(
        {"stop", "arrête", "arrêtez", "attends", "attendez", "un moment", "un instant", "une seconde", "tais toi"}
        | {"taisez vous", "silence", "ça suffit", "assez", "pause", "arrête s'il te plaît"}
    ),
    "es": frozenset(
        {"para", "pare", "alto", "espera", "espere", "un momento", "un segundo", "silencio", "cállate", "cállese"}
        | {"basta", "ya basta", "suficiente", "pausa", "detente"}
    ),
    "it": frozenset(
        {"stop", "fermo", "ferma", "fermati", "si fermi", "aspetta", "aspetti", "un momento", "un attimo"}
        | {"silenzio", "zitto", "zitta", "basta", "pausa", "alt"}
    ),
}
"""Utterances that silence the answer and want no other. Whole utterances: "stop at ten" is a request."""

BACKCHANNELS: Final = {
    "en": frozenset(
        {"uh huh", "uhhuh", "mhm", "mm hm", "mm hmm", "m hm", "mhmm", "hm", "hmm", "mm", "mmm", "yeah", "yes", "yep"}
        | {"okay", "ok", "right", "i see", "sure", "oh", "ah", "aha", "wow", "really", "got it", "good", "uh", "um"}
        | {"huh", "oh okay", "ah ha", "m h m"}  # the last is how synthetic callers say "mhm"
    ),
    "de": frozenset(
        {"mhm", "mh", "hm", "hmm", "aha", "ah", "ach", "ach so", "oh", "ja", "jaja", "okay", "ok", "genau", "gut"}
        | {"stimmt", "klar", "richtig", "verstehe", "ich verstehe", "alles klar", "äh", "ähm"}
    ),
    "fr": frozenset(
        {"mhm", "hm", "hmm", "mm", "ah", "ah oui", "oh", "oui", "ouais", "ok", "okay", "d'accord", "bien", "très bien"}
        | {"je vois", "voilà", "bien sûr", "exact", "exactement", "euh"}
    ),
    "es": frozenset(
        {"mhm", "ajá", "hm", "hmm", "mm", "ah", "oh", "sí", "ya", "vale", "ok", "okay", "claro", "bien", "bueno"}
        | {"entiendo", "ya veo", "de acuerdo", "exacto", "eh"}
    ),
    "it": frozenset(
        {"mhm", "hm", "hmm", "mm", "ah", "oh", "sì", "okay", "ok", "va bene", "bene", "certo", "capisco", "ho capito"}
        | {"esatto", "giusto", "d'accordo", "già", "eh"}
    ),
}
"""Utterances that only say "I am listening" (Yngve 1970); said over an answer they do not cut it."""

ASK_WHAT_WAS_SAID: Final = (
    "The user interrupted your answer, but nothing could be understood. "
    "Ask briefly what they want, and go on only then."
)
"""What a model is told where the policy after an empty cut is ``ask``."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a session may tune. Times in seconds, on the monotonic clock."""

    judge_within: float = 2.0
    """A pause must be decided by then: an agent that stays mute over a doubt is worse than a cut."""

    go_on_within: float = 2.0
    """Without a word by then, what a turn cut goes on: counted from the turn's end. A transcript that comes later still
    makes it a turn, so this only bounds how long the agent stays mute over a cough. A word that was made out while the
    voice went on (``SpeechHeard``, ``SpeechJudged``) says that it is a turn: then its transcript is waited for."""

    transcribe_within: float = 15.0
    """A turn whose transcript has not come by then is treated as failed, so that nobody is left hanging."""

    turn_within: float = 65.0
    """An announced turn that has not ended by then never will: its leg ends turns after 60 s by itself."""

    flush_within: float = 2.0
    """A loudspeaker that was silenced and has not said by then where it stood is gone: an answer must not wait for it
    for ever. A leg in this process answers at once, one on another node within a round trip."""

    pause_within: float = 60.0
    """A button's pause that is older becomes a cut: whoever pressed it has gone, and half a sentence means nothing
    after a minute (design)."""

    floor_stays: float = 2.0
    """The floor stays so long with a winner against claims by voice: two people in two rooms must not tear at it."""

    floor_kept: float = 5.0
    """A device that is gone may come back within this time and has the floor, and its answer, as before."""

    finish_word_ms: int = 250
    """When an answer is handed over, a word that ends within this time is finished first."""

    same_voice_within: float = 0.3
    """Two devices that find a voice within this time of each other hear the same one (design)."""

    same_level_db: float = 1.0
    """Closer levels are a tie: less than a listener notices, and than a head that turns makes."""

    presence_grace: float = 4.0
    """A device that is lost has so long to come back before others are told that it left: a reload or a change of
    network takes a second or two. Together with the noticing of a dead socket it stays below 15 s, and below 5 s
    where that is known at once."""

    presence_every: float = 0.1
    """Changes of presence within this time are told together: more often nobody can follow."""

    presence_data_bytes: int = 1024
    """What a device may tell of itself, which each other device is sent."""

    reaction_every: float = 0.1
    """A device claps ten times a second at most, and ten times at once: each of them goes to everybody."""

    reactions_at_once: int = 10

    typing_for: float = 6.0
    """Typing ends so long after it was last told: two of the three seconds' reminders of a page may be lost."""

    after_empty_cut: str = "continue"
    """What follows a cut with nothing said after it: ``continue`` speaks the unheard rest, ``ask`` lets the model ask
    what was meant, ``silent`` does neither."""


def normalised(text: str) -> str:
    """Lower-case words with single spaces: how a short utterance is compared with a list."""
    kept = "".join(c if c.isalnum() or c == "'" else " " for c in text.lower())
    return " ".join(kept.split())


def has_words(text: str) -> bool:
    """Is anything said? Recognisers write "..." for noise."""
    return bool(normalised(text))


def is_stop_word(text: str, language: str, own: Collection[str] | None = None) -> bool:
    """Does the whole utterance ask for silence? *own* takes the place of the language's list."""
    return normalised(text) in (STOP_WORDS.get(language, STOP_WORDS["en"]) if own is None else own)


def is_backchannel(text: str, language: str, own: Collection[str] | None = None) -> bool:
    """Does the whole utterance only say that somebody listens? Repeats ("yeah yeah") count."""
    words = normalised(text)
    known = BACKCHANNELS.get(language, BACKCHANNELS["en"]) if own is None else own
    return words in known or (bool(words) and all(word in known for word in words.split()))
