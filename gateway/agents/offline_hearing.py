"""What a person may want from the offline agent, from words that a recogniser may have got wrong.

Keywords are matched, not sentences: a rule is a few words that occur in this order with at most two
others between them. Words that pocketsphinx is known to put in place of a keyword stand beside it.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from gateway.agents.offline_numbers import read_numbers

_LOOKED_AT: Final = 40
"""Words of one message that are looked at: what is asked for stands at the beginning, and time is short."""

_GAP: Final = 2


class Wish(Enum):
    """What is wanted."""

    STORY = auto()
    OTHER = auto()
    SHORTER = auto()
    CONTINUE = auto()
    REPEAT = auto()
    WHAT_I_SAID = auto()
    WHAT_YOU_SAID = auto()
    WHAT_WE_SAID = auto()
    TELLS_NAME = auto()
    ASKS_NAME = auto()
    TIME = auto()
    DATE = auto()
    COUNT = auto()
    WHO = auto()
    HOW = auto()
    THANKS = auto()
    GOODBYE = auto()
    GREETING = auto()
    STOP = auto()
    HELP = auto()
    YES = auto()
    NO = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class Heard:
    """A message as it was understood."""

    wish: Wish
    words: tuple[str, ...]
    name: str = ""
    """The name that was told, for ``TELLS_NAME``."""

    topic: tuple[str, ...] = ()
    """The words after "about", without articles."""

    numbers: tuple[int, ...] = ()


# The order decides: the first rule that fits wins. Within a rule "|" separates words of equal worth.
_RULES: Final[tuple[tuple[Wish, tuple[str, ...]], ...]] = (
    (Wish.HELP, ("what can you", "what else can you", "what can i say|do|try|ask", "how this work|works")),
    (Wish.WHAT_I_SAID, ("what i say|said|ask|asked|tell|told", "my last question|words")),
    (Wish.WHAT_WE_SAID, ("what we talk|talked|talking|discuss|say|said", "we talked", "well you talk about")),
    (Wish.WHAT_YOU_SAID, ("what you say|said|saying|tell|telling|told|talking", "did you say")),
    (Wish.SHORTER, ("shorter", "starter please", "short|brief version", "make short|brief", "too long", "summary")),
    (Wish.SHORTER, ("sum up", "in short", "keep short", "briefly")),
    (Wish.OTHER, ("something else|different|new", "another", "else", "instead", "different|other story|one|topic")),
    (Wish.OTHER, ("change subject|topic", "next story|one")),
    (Wish.CONTINUE, ("go on|ahead", "continue", "carry on", "keep going", "where were you|we", "finish story|it")),
    (Wish.CONTINUE, ("the rest", "what happened next|then", "and then what")),
    (Wish.REPEAT, ("repeat", "say|tell again", "once more", "again please", "pardon")),
    (Wish.ASKS_NAME, ("my name", "who am i")),
    (Wish.TIME, ("what time", "time is it", "tell time", "what is the time", "have the time", "oclock")),
    (Wish.DATE, ("what date|day", "which date|day", "date today", "today date", "what is today")),
    (Wish.COUNT, ("count|counting", "counter|account to")),
    (Wish.WHO, ("who are you", "what are you", "who you are", "what you are", "your name", "about yourself|you")),
    (Wish.WHO, ("are you real|human|person|robot|computer|machine|bot|ai", "which|what model")),
    (Wish.STORY, ("story", "stories", "storey", "tale", "tell about", "talk about", "hear|what|how about")),
    (Wish.HOW, ("how are you",)),
    (Wish.THANKS, ("thank", "thanks", "that is all", "cheers")),
    (Wish.GOODBYE, ("goodbye", "bye", "good night", "see you")),
    (Wish.GREETING, ("hello", "hi", "hey", "good morning|afternoon|evening|day")),
    (Wish.HELP, ("help", "options", "instructions")),
    (Wish.STOP, ("stop", "wait", "quiet", "enough", "silence", "shut up")),
)

_YES: Final = frozenset({"yes", "yeah", "yep", "sure", "okay", "ok", "please", "right", "of", "course", "do", "it"})
_NO: Final = frozenset({"no", "nope", "not", "now", "nothing", "thanks", "really"})
_CONTRACTIONS: Final = (("'s", " is"), ("'m", " am"), ("'re", " are"), ("'ll", " will"), ("'d", " would"))
_ARTICLES: Final = frozenset({"the", "a", "an", "some", "my", "your"})
_TOPIC_ENDS: Final = frozenset({"instead", "please", "now", "then", "and", "but", "again", "for", "to", "with"})
_NAME_ENDS: Final = _TOPIC_ENDS | frozenset({"what", "i", "is", "so", "or", "can", "you", "tell", "who", "not", "my"})


def words_of(text: str) -> tuple[str, ...]:
    """The first forty words of *text*, lower case, without punctuation, contractions written out."""
    plain = " ".join(text.split()[:_LOOKED_AT]).lower().replace("’", "'").replace("o'clock", "oclock")
    for short, full in _CONTRACTIONS:
        plain = plain.replace(short, full)
    kept = "".join(c if c.isalnum() else "" if c == "'" else " " for c in plain)
    return tuple(kept.split())


def understand(text: str) -> Heard:
    """The wish in *text*; ``UNKNOWN`` when no rule fits."""
    words = words_of(text)
    name, numbers = told_name(words), read_numbers(words)
    wish = _wish(words, name, numbers)
    return Heard(wish, words, name if wish is Wish.TELLS_NAME else "", _topic(words), numbers)


def told_name(words: tuple[str, ...]) -> str:
    """The name in "my name is …" or "call me …", capitalised; ``""`` when none is told."""
    for opening in (("my", "name", "is"), ("call", "me"), ("my", "name", "was")):
        for at in range(len(words) - len(opening)):
            if words[at : at + len(opening)] == opening:
                name = _until(words[at + len(opening) :], _NAME_ENDS)[:2]
                return " ".join(part.capitalize() for part in name)
    return ""


def _wish(words: tuple[str, ...], name: str, numbers: tuple[int, ...]) -> Wish:
    for wish, patterns in _RULES:
        if wish is Wish.ASKS_NAME and name:
            return Wish.TELLS_NAME
        # "from one to fifty" is what is left of "count from one to fifty" when its first word was lost.
        if wish is Wish.COUNT and len(words) <= 8 and len(numbers) >= 2 and {"from", "to"} <= set(words):
            return wish
        if any(_occurs(pattern, words) for pattern in patterns):
            return wish
    if words and set(words) <= _YES:
        return Wish.YES
    if words and words[0] in _NO and set(words) <= _NO | _YES:
        return Wish.NO
    return Wish.UNKNOWN


def _occurs(pattern: str, words: tuple[str, ...]) -> bool:
    parts = [part.split("|") for part in pattern.split()]
    return any(_fits(parts, words, at) for at, word in enumerate(words) if _is_one_of(word, parts[0]))


def _fits(parts: list[list[str]], words: tuple[str, ...], at: int) -> bool:
    for part in parts[1:]:
        window = range(at + 1, min(at + 2 + _GAP, len(words)))
        at = next((place for place in window if _is_one_of(words[place], part)), -1)
        if at < 0:
            return False
    return True


def _is_one_of(word: str, keywords: list[str]) -> bool:
    return any(word == keyword or (len(keyword) >= 6 and _one_slip_apart(word, keyword)) for keyword in keywords)


def _one_slip_apart(left: str, right: str) -> bool:
    """One letter changed, missing or too many, or two exchanged; too coarse for short words ("thank", "think")."""
    if abs(len(left) - len(right)) > 1:
        return False
    start = 0
    while start < min(len(left), len(right)) and left[start] == right[start]:
        start += 1
    if len(left) == len(right):
        exchanged = (
            left[start : start + 2] == right[start : start + 2][::-1] and left[start + 2 :] == right[start + 2 :]
        )
        return exchanged or left[start + 1 :] == right[start + 1 :]
    longer, shorter = (left, right) if len(left) > len(right) else (right, left)
    return longer[start + 1 :] == shorter[start:]


def _topic(words: tuple[str, ...]) -> tuple[str, ...]:
    if "about" not in words:
        return ()
    after = tuple(word for word in words[words.index("about") + 1 :] if word not in _ARTICLES)
    return _until(after, _TOPIC_ENDS)[:4]


def _until(words: tuple[str, ...], ends: frozenset[str]) -> tuple[str, ...]:
    stop = next((at for at, word in enumerate(words) if word in ends), len(words))
    return words[:stop]
