"""What the offline agent says: a pure function of the conversation and the time.

Because it is pure, an interrupted answer can be worked out again, and so be continued although it
was never generated to its end.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from gateway.agents.offline_hearing import Heard, Wish, told_name, understand, words_of
from gateway.agents.offline_numbers import clock_time, count_aloud
from gateway.agents.stories import STORIES, Story
from gateway.runtime.ports import Conversation, Message

_WHO: Final = (
    "I am the offline agent of this gateway. I am a demo: I follow a few simple rules and look for keywords. "
    "There is no language model behind me, and I need no network."
)
_HELP: Final = (
    "You can ask me what time it is, or what day it is. You can say, count to twenty. "
    "You can tell me your name, and ask me for it later. And you can ask for a long story. "
    "Then interrupt me while I am talking: say stop, or say, make it shorter, or, tell me something else. "
    "After that, say go on, or ask me what I was saying."
)
_OFFER: Final = "Ask me for a long story, for the time, or to count, or say help."
_GOING_ON: Final = "Going on"
_QUOTED_WORDS: Final = 12
_WORKED_OUT: Final = 100
"""Messages from the end within which an answer is worked out again: bounds the recursion."""

_QUESTIONS: Final = frozenset(
    {Wish.TIME, Wish.DATE, Wish.ASKS_NAME, Wish.WHAT_I_SAID, Wish.WHAT_YOU_SAID, Wish.WHAT_WE_SAID, Wish.WHO}
)

_GOING_WITH: Final = frozenset({Wish.UNKNOWN, Wish.CONTINUE, Wish.YES, Wish.THANKS})
"""Wishes over which an answer that is steered goes on as it was."""


@dataclass(frozen=True, slots=True)
class _Setting:
    """What all answers of a session share while one of them is worked out."""

    session_id: str
    now: datetime
    oldest: int
    """Answers before this place are not worked out again."""

    planned: dict[int, tuple[str, ...]]
    """Words of answers that were worked out again, by place: keeps repeated questions cheap."""


@dataclass(frozen=True, slots=True)
class _Scene:
    """What an answer depends on. ``before`` are the messages before the words to be answered."""

    heard: Heard
    before: tuple[Message, ...]
    setting: _Setting

    @property
    def cut(self) -> Message | None:
        """The answer over which the user spoke just now."""
        last = self.before[-1] if self.before else None
        return last if last is not None and last.role == "assistant" and last.interrupted else None


def answer(conversation: Conversation, now: datetime) -> str:
    """The whole answer to the last user message; an answer that was left open is carried on.

    *now* is local time. With nothing said yet it is a greeting.
    """
    messages = _one_per_answer(conversation.messages)
    setting = _Setting(conversation.session_id, now, len(messages) - _WORKED_OUT, {})
    if conversation.steered is not None and (rest := _steered(messages, setting)):
        return rest
    return _answer(messages, setting)


def _steered(messages: tuple[Message, ...], setting: _Setting) -> str:
    """The rest of the answer, where what the user added asks for nothing else; ``""`` where it does."""
    if len(messages) < 2 or messages[-1].role != "user":
        return ""
    scene = _Scene(understand(messages[-1].text), messages[:-1], setting)
    goes_on = scene.heard.wish in _GOING_WITH and scene.cut is not None and not _long_answer_wanted(scene)
    return _rest(scene, len(scene.before) - 1) if goes_on else ""


def _long_answer_wanted(scene: _Scene) -> bool:
    return scene.heard.wish is Wish.UNKNOWN and len(scene.heard.words) <= 4 and bool(_named(scene.heard))


def _one_per_answer(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Without system messages, and with the parts of an answer that follow one another joined."""
    joined: list[Message] = []
    for message in messages:
        if message.role == "assistant" and joined and joined[-1].role == "assistant":
            message = replace(message, text=f"{joined.pop().text.rstrip()} {message.text.lstrip()}")
        if message.role != "system":
            joined.append(message)
    return tuple(joined)


def _answer(messages: tuple[Message, ...], setting: _Setting) -> str:
    if not messages:
        return f"Hello, I am the offline agent, a small demo without a language model. {_OFFER}"
    if messages[-1].role == "assistant":
        return _continue(_Scene(Heard(Wish.CONTINUE, ()), messages, setting))
    scene = _Scene(understand(messages[-1].text), messages[:-1], setting)
    return _long_answer(scene) or _acknowledged(_short_answer(scene), scene)


def _long_answer(scene: _Scene) -> str:
    """Answers that have an acknowledgement of their own; ``""`` when the wish is another."""
    match scene.heard.wish:
        case Wish.STORY:
            return _story(scene, "All right. " if scene.cut else "")
        case Wish.OTHER:
            return _story(scene, "All right, something else. " if scene.before else "")
        case Wish.SHORTER:
            return _shorter(scene)
        case Wish.CONTINUE:
            return _continue(scene)
        case Wish.REPEAT:
            return _repeat(scene)
        case Wish.COUNT:
            return ("All right. " if scene.cut else "") + count_aloud(scene.heard.words)
        case Wish.YES if scene.cut:
            return _continue(scene)
        case Wish.YES if scene.before and scene.before[-1].text.endswith(_OFFER):
            return _story(scene, "Good. ")
        case Wish.UNKNOWN if _long_answer_wanted(scene):
            return _story(scene, "All right. " if scene.cut else "")
        case _:
            return ""


def _short_answer(scene: _Scene) -> str:
    match scene.heard.wish:
        case Wish.TIME:
            return f"It is {clock_time(scene.setting.now)}."
        case Wish.DATE:
            now = scene.setting.now
            return f"Today is {now:%A}, {now.day} {now:%B} {now.year}."
        case Wish.TELLS_NAME:
            return f"Nice to meet you, {scene.heard.name}. I will remember your name in this conversation."
        case Wish.ASKS_NAME:
            return _name(scene)
        case Wish.WHAT_I_SAID:
            return _what_user_said(scene)
        case Wish.WHAT_YOU_SAID:
            return _what_agent_said(scene)
        case Wish.WHAT_WE_SAID:
            return _what_was_said(scene)
        case _:
            return _small_talk(scene)


def _small_talk(scene: _Scene) -> str:
    name = _known_name(scene.before)
    named = f", {name}" if name else ""
    match scene.heard.wish:
        case Wish.WHO:
            return _WHO
        case Wish.HELP:
            return _HELP
        case Wish.HOW:
            return f"I am fine, thank you{named}. I am only a few rules, so I always am."
        case Wish.THANKS:
            return f"You are welcome{named}."
        case Wish.GOODBYE:
            return f"Goodbye{named}. It was nice talking to you."
        case Wish.GREETING:
            return f"Hello{named}. I am the offline agent, a small demo. {_OFFER}"
        case Wish.STOP:
            return "I am quiet."
        case Wish.YES | Wish.NO:
            return f"All right{named}. {_OFFER}"
        case _:
            return _fallback(scene.heard)


def _acknowledged(text: str, scene: _Scene) -> str:
    """*text*, and after an interruption the way back to what was interrupted."""
    if scene.cut is None or scene.heard.wish is Wish.GOODBYE:
        return text
    opening = "Sure. " if scene.heard.wish in _QUESTIONS else ""
    story = _story_in(scene.cut)
    rest = f"the rest of {story.title}" if story else "the rest of what I was saying"
    return f"{opening}{text} If you want {rest}, say go on."


def _fallback(heard: Heard) -> str:
    if not heard.words:
        return f"I did not catch that. {_OFFER}"
    return f"I heard: {_quote(' '.join(heard.words))}. I am only a small demo, and have no answer to that. {_OFFER}"


def _story(scene: _Scene, opening: str) -> str:
    chosen = _choose(scene)
    if chosen is None:
        subjects = ", ".join(story.subject for story in STORIES[:-1])
        topic = " ".join(scene.heard.topic)
        return f"I know no story about {topic}. I know one about {subjects}, and {STORIES[-1].subject}."
    if {"short", "brief"} & set(scene.heard.words):
        return f"{opening}Here is a short story, called {chosen.title}. {chosen.short}"
    return f"{opening}Here is a story about {chosen.subject}. It is called {chosen.title}. {chosen.text}"


def _choose(scene: _Scene) -> Story | None:
    """The story that was asked for, else one not told yet; None for a topic without a story."""
    named = _named(scene.heard)
    told = [story for message in scene.before if (story := _story_in(message))]
    other = scene.heard.wish is Wish.OTHER
    if fresh := [story for story in named if not (other and story in told[-1:])]:
        return fresh[0]
    if not named and set(scene.heard.topic) - {"it", "that", "something", "anything", "else", "other"}:
        return None
    left = [story for story in STORIES if story not in told] or [s for s in STORIES if s not in told[-1:]]
    # A checksum, not hash(): the same session gets the same story on every node and after a restart.
    return left[zlib.crc32(scene.setting.session_id.encode()) % len(left)]


def _named(heard: Heard) -> list[Story]:
    asked = set(heard.topic or heard.words)
    return [story for story in STORIES if story.keywords & asked]


def _shorter(scene: _Scene) -> str:
    said = _last_answer(scene.before)
    if said is None:
        return f"I have not said anything yet that could be shorter. {_OFFER}"
    story = _story_in(said)
    if story and story.short in said.text:
        return "That is as short as I can tell it."
    if story:
        return f"All right, the short version of {story.title}. {story.short}"
    first, *rest = _whole(said, scene).split(". ")
    return f"All right, in short: {first}{'.' if rest else ''}"


def _continue(scene: _Scene) -> str:
    for at in range(len(scene.before) - 1, -1, -1):
        message = scene.before[at]
        if message.role != "assistant":
            continue
        if message.interrupted and (rest := _rest(scene, at)):
            story = _story_in(message)
            about = f" with {story.title}" if story else ""
            return f"{_GOING_ON}{about}: {rest}"
        if _is_finished(message):
            break
    if _last_answer(scene.before) is None:
        return f"I have not begun anything yet. {_OFFER}"
    return f"I had said all I wanted to say. {_OFFER}"


def _rest(scene: _Scene, at: int) -> str:
    """What was not heard of the answer at *at*, from the first unheard word."""
    planned, heard = _planned(scene, at), tuple(scene.before[at].text.split())
    known = len(heard)
    # The last word may have been cut in the middle: then it is said again, whole.
    if heard and len(planned) >= known and planned[known - 1] != heard[-1]:
        known -= planned[known - 1].startswith(heard[-1])
    if planned[:known] == heard[:known] and known >= len(heard) - 1 and planned:
        return " ".join(planned[known:])
    return scene.before[at].unheard.strip()


def _planned(scene: _Scene, at: int) -> tuple[str, ...]:
    """The words of the answer at *at* as it would have been without the interruption; none if too long ago."""
    if at < scene.setting.oldest:
        return ()
    if at not in scene.setting.planned:
        scene.setting.planned[at] = tuple(_answer(scene.before[:at], scene.setting).split())
    return scene.setting.planned[at]


def _is_finished(message: Message) -> bool:
    """A completed answer with nothing before it that one would still want to go on with."""
    story = _story_in(message)
    told_whole = story is not None and message.text.rstrip().endswith(story.text[-40:])
    return not message.interrupted and (told_whole or message.text.startswith(_GOING_ON))


def _repeat(scene: _Scene) -> str:
    said = _last_answer(scene.before)
    if said is None:
        return f"I have not said anything yet. {_OFFER}"
    return f"Once more: {_whole(said, scene).removeprefix('Once more: ')}"


def _whole(said: Message, scene: _Scene) -> str:
    """An answer from its beginning to its end, as far as it is known."""
    if not said.interrupted:
        return said.text
    rest = _rest(scene, scene.before.index(said))
    return f"{said.text.rstrip()} {rest}".strip()


def _name(scene: _Scene) -> str:
    name = _known_name(scene.before)
    if not name:
        return "I do not know your name yet. Tell me: my name is, and then your name."
    return f"Your name is {name}."


def _known_name(messages: Sequence[Message]) -> str:
    names = [told_name(words_of(message.text)) for message in messages if message.role == "user"]
    return next((name for name in reversed(names) if name), "")


def _what_user_said(scene: _Scene) -> str:
    said = next((message for message in reversed(scene.before) if message.role == "user"), None)
    if said is None:
        return "You have not said anything before that."
    return f"{_you_said(said)}."


def _what_agent_said(scene: _Scene) -> str:
    said = _last_answer(scene.before)
    if said is None:
        return "I have not said anything yet."
    if not said.interrupted:
        return f"I said: {_quote(said.text)}."
    return f"I was telling you {_subject(said)} when you interrupted me{_after(said)}."


def _what_was_said(scene: _Scene) -> str:
    if not scene.before:
        return "We have only just begun."
    parts = []
    for message in scene.before[-6:]:
        if message.role == "user":
            parts.append(f"{_you_said(message)}.")
        elif message.interrupted:
            parts.append(f"I was telling you {_subject(message)}, and you interrupted me{_after(message)}.")
        elif story := _story_in(message):
            parts.append(f"I told you {story.title}.")
        else:
            parts.append(f"I said: {_quote(message.text)}.")
    return " ".join(parts)


def _you_said(message: Message) -> str:
    return (f"On {message.device} you" if message.device else "You") + f" said: {_quote(message.text)}"


def _subject(said: Message) -> str:
    story = _story_in(said)
    return f"a story about {story.subject}" if story else "something"


def _after(said: Message) -> str:
    last = said.text.split()[-6:]
    return f" after “{' '.join(last).rstrip('.,:;')}”" if last else " before you had heard a word"


def _quote(text: str) -> str:
    words = text.split()
    return f"“{' '.join(words[:_QUOTED_WORDS]).rstrip('.,:;!?')}”" + (", and so on" if words[_QUOTED_WORDS:] else "")


def _last_answer(messages: Sequence[Message]) -> Message | None:
    return next((message for message in reversed(messages) if message.role == "assistant"), None)


def _story_in(message: Message) -> Story | None:
    """The story an answer tells, whether or not its title was heard."""
    if message.role != "assistant":
        return None
    whole = f"{message.text} {message.unheard}"
    return next((story for story in STORIES if story.title in whole or f"story about {story.subject}" in whole), None)
