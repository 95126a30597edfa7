"""An agent that looks its answers up in files, and says where it found them. Needs no library and no network.

From the repository's root its name is ``examples.agents.retrieval:reply``. It reads the Markdown files under ``docs``,
or under the folder that the variable ``LIBRARY`` names.
"""

import json
import math
import os
import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from gateway.runtime.ports import Conversation, Piece, ToolRun

WORD: Final = re.compile(r"\w+")
MARKS: Final = re.compile(r"[*`|#>]+|\]\([^)]*\)|\[")
"""Of Markdown: nobody wants to hear them."""

COMMON: Final = frozenset(
    WORD.findall(
        "a about an and any anybody are as at be by can do does for from has have how i in is it me of on or tell that "
        "the there this to was what when where which who why with you your"
    )
)
"""Words that say nothing about what is asked for."""

SATURATION: Final = 1.5
LENGTH: Final = 0.75
"""The usual k1 and b of BM25."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A paragraph of a file."""

    source: str
    text: str
    words: Counter[str]


class Library:
    """Paragraphs, found by the words that they share with a question (BM25)."""

    def __init__(self, folder: Path) -> None:
        """Read all Markdown files under *folder*."""
        self.passages = [it for path in sorted(folder.rglob("*.md")) for it in _passages(path.read_text(), path.name)]
        self._holding = Counter(word for passage in self.passages for word in passage.words)
        self._usual = sum(passage.words.total() for passage in self.passages) / max(1, len(self.passages))

    def search(self, question: str) -> Passage | None:
        """The best passage; None when none shares a word of weight with the question."""
        asked = set(_words(question)) - COMMON
        best = max(self.passages, key=lambda passage: self._score(passage, asked), default=None)
        return best if best is not None and self._score(best, asked) > 0 else None

    def _score(self, passage: Passage, asked: set[str]) -> float:
        norm = SATURATION * (1 - LENGTH + LENGTH * passage.words.total() / self._usual)
        return sum(self._rarity(it) * passage.words[it] / (passage.words[it] + norm) for it in asked)

    def _rarity(self, word: str) -> float:
        holding = self._holding[word]
        return math.log(1 + (len(self.passages) - holding + 0.5) / (holding + 0.5))


def _passages(text: str, source: str) -> list[Passage]:
    paragraphs = (" ".join(MARKS.sub("", part).split()) for part in text.split("\n\n"))
    return [Passage(source, part, Counter(_words(part))) for part in paragraphs if part]


def _words(text: str) -> list[str]:
    return WORD.findall(text.casefold())


@cache
def library() -> Library:
    """Read once, when the first question comes."""
    return Library(Path(os.environ.get("LIBRARY", "docs")))


async def reply(conversation: Conversation) -> AsyncIterator[Piece]:
    """Look the last question up. What was looked for is kept with the answer, as a tool that was run."""
    question = next((it.text for it in reversed(conversation.messages) if it.role == "user"), "")
    found = library().search(question)
    output = f"{found.source}: {found.text}" if found else "nothing"
    yield ToolRun(f"search_{conversation.response_id}", "search", json.dumps({"question": question}), output)
    if found is None:
        yield "I have found nothing about that."
    else:
        yield f"In {found.source} I have found this: {found.text}"
