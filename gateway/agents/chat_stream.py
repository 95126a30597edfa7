"""A stream of chat completion chunks, read into what an agent yields. Pure.

Servers differ: calls come in pieces or whole, with an index, with none, or all with the same one; some
leave ids out, or send arguments as an object; what a model thinks has two names, of which OpenAI's own
server uses neither.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from openai.types.chat import ChatCompletionChunk

from gateway.agents.upstream import Progress
from gateway.core.values import Shortfall, Usage
from gateway.runtime.ports import Ended, Piece, Reasoning, ToolCall

THOUGHTS: Final = ("reasoning_content", "reasoning")
"""Where servers put what a model thinks."""

SHORTFALLS: Final[dict[str, Shortfall]] = {"length": "max_output_tokens", "content_filter": "content_filter"}


@dataclass(slots=True)
class _Call:
    index: int | None
    call_id: str
    name: str = ""
    arguments: str = ""


class Reading:
    """One answer, chunk by chunk."""

    def __init__(self, response_id: str) -> None:
        """*response_id* makes the ids of calls for which the server gives none."""
        self.ending = ""
        """``finish_reason``, ``open`` before the end, and ``""`` before the first proper chunk."""

        self.spoke = False
        self._response_id = response_id
        self._calls: list[_Call] = []

    def take(self, chunk: object) -> Iterator[Piece]:
        """What *chunk* holds, but for calls, which are whole only at the end."""
        if not isinstance(chunk, ChatCompletionChunk) or not isinstance(getattr(chunk, "choices", None), list):
            return
        self.ending = self.ending or "open"
        if (spent := usage(getattr(chunk, "usage", None))) is not None:
            yield spent
        if not chunk.choices:
            return
        choice = chunk.choices[0]
        self.ending = getattr(choice, "finish_reason", None) or self.ending
        delta = getattr(choice, "delta", None)
        if thought := _thought(delta):
            yield Reasoning(thought)
        if text := _text(delta):
            self.spoke = True
            yield text
        for piece in getattr(delta, "tool_calls", None) or ():
            self._add(piece)

    def end(self) -> Iterator[Piece]:
        """The calls; and why the answer is not whole, if it is not. A call that broke off is none."""
        shortfall = SHORTFALLS.get(self.ending)
        if shortfall is None:
            yield from (ToolCall(call.call_id, call.name, call.arguments or "{}") for call in self._calls if call.name)
        elif self.spoke:
            yield Ended(shortfall)

    @property
    def said_anything(self) -> bool:
        """Is there an answer, in words or in calls?"""
        return self.spoke or (self.ending not in SHORTFALLS and any(call.name for call in self._calls))

    def _add(self, piece: Any) -> None:
        index, call_id = getattr(piece, "index", None), getattr(piece, "id", None) or ""
        function = getattr(piece, "function", None)
        name, arguments = getattr(function, "name", None) or "", getattr(function, "arguments", None) or ""
        last = self._calls[-1] if self._calls else None
        known = next((it for it in reversed(self._calls) if it.index == index), None) if index is not None else last
        if known is None or (call_id and call_id != known.call_id) or (name and known.name and not call_id):
            known = _Call(index, call_id or f"call_{self._response_id}_{len(self._calls)}")
            self._calls.append(known)
        known.name = known.name or name
        known.arguments += arguments if isinstance(arguments, str) else json.dumps(arguments)


def progress(chunk: ChatCompletionChunk) -> Progress:
    """What a chunk brings of the answer."""
    choices = getattr(chunk, "choices", None)
    if not isinstance(choices, list) or not choices:
        return "nothing"
    if getattr(choices[0], "finish_reason", None):
        return "end"
    delta = getattr(choices[0], "delta", None)
    brought = _text(delta) or _thought(delta) or getattr(delta, "tool_calls", None)
    return "token" if brought else "nothing"


def usage(told: Any) -> Usage | None:
    """What a server tells of tokens; None where it tells nothing."""
    if told is None:
        return None
    before, after = getattr(told, "prompt_tokens_details", None), getattr(told, "completion_tokens_details", None)
    return Usage(
        input_tokens=_count(told, "prompt_tokens"),
        output_tokens=_count(told, "completion_tokens"),
        cached_tokens=_count(before, "cached_tokens"),
        input_audio_tokens=_count(before, "audio_tokens"),
        output_audio_tokens=_count(after, "audio_tokens"),
        reasoning_tokens=_count(after, "reasoning_tokens"),
    )


def _count(told: Any, name: str) -> int:
    found = getattr(told, name, None)
    return found if isinstance(found, int) else 0


def _text(delta: Any) -> str:
    text = getattr(delta, "content", None) or getattr(delta, "refusal", None)
    return text if isinstance(text, str) else ""


def _thought(delta: Any) -> str:
    thought = next((it for name in THOUGHTS if (it := getattr(delta, name, None))), "")
    return thought if isinstance(thought, str) else ""
