"""What a server of OpenAI's Responses API streams, as pieces of an answer. Pure.

Events are read as plain JSON, and with patience: servers of other makes leave out indices, ids and whole events
(llama.cpp sends neither ``output_index`` nor item ids, vLLM sends an id of a call as null, others send a message only
when it is complete), and some send what OpenAI never does. What is unknown is skipped.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Final, Literal, TypeAlias

from gateway.agents.silence import silent
from gateway.agents.upstream import Progress
from gateway.core.values import Shortfall, Usage
from gateway.errors import AgentError
from gateway.runtime.ports import Ended, Piece, Reasoning, ToolCall

Json: TypeAlias = Mapping[str, object]

Ending: TypeAlias = Literal["", "complete", "steered"]
"""How a response ended: not yet, by itself, or because a successor goes on with it."""

_TEXT: Final = ("response.output_text.delta", "response.refusal.delta")
_THOUGHT: Final = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")
"""A model of OpenAI's shows a summary of what it thinks, an open one the thoughts themselves."""

_LAST: Final = ("response.completed", "response.incomplete", "response.failed")
_SHORTFALLS: Final[Mapping[str, Shortfall]] = {
    "max_output_tokens": "max_output_tokens",
    "max_tokens": "max_output_tokens",
    "content_filter": "content_filter",
}
_BUSY: Final = ("rate_limit_exceeded", "rate_limit_error", "insufficient_quota")
_TOO_LONG: Final = ("context_length_exceeded", "exceed_context_size_error")
_OF_THE_LINE: Final = "websocket_"
"""A WebSocket that is an hour old, say."""


class Reading:
    """Reads the events of one answer, which may be of several responses when it is steered."""

    def __init__(self, answer: str) -> None:
        """*answer* is an id of ours, from which calls get theirs whose server gives none."""
        self.ending: Ending = ""
        self.response_id = ""
        """The server's id of the response that is read, ``""`` before it has begun."""

        self.spoke = False
        """Did it say anything, or call a tool?"""

        self._answer = answer
        self._calls = 0
        self._thought = False

    def feed(self, event: object) -> Iterator[Piece]:
        """The pieces in *event*. Raises :class:`AgentError` when it tells of a failure."""
        if not isinstance(event, dict):
            return
        match event.get("type"):
            case "response.created":
                self.response_id = _text(_part(event, "response"), "id")
                self.ending = ""
            case kind if kind in _TEXT:
                yield from self._said(_text(event, "delta"))
            case kind if kind in _THOUGHT:
                yield from self._reasoned(_text(event, "delta"))
            case "response.reasoning_summary_part.added" if self._thought:
                yield Reasoning("\n\n")
            case "response.output_item.done":
                yield from self._item(_part(event, "item"))
            case kind if kind in _LAST:
                yield from self._ended(_part(event, "response"))
            case "error":
                raise failure(_part(event, "error") or event, event.get("status"))

    def _said(self, text: str) -> Iterator[Piece]:
        if text:
            self.spoke = True
            yield text

    def _reasoned(self, text: str) -> Iterator[Piece]:
        if text:
            self._thought = True
            yield Reasoning(text)

    def _item(self, item: Json) -> Iterator[Piece]:
        """A whole item: a call is read from nothing else, a message only where no part of it was streamed.

        A call that broke off is none.
        """
        if item.get("type") == "function_call" and _text(item, "name") and item.get("status") != "incomplete":
            yield self._call(item)
        elif item.get("type") == "message" and not self.spoke:
            for part in _parts(item, "content"):
                yield from self._said(_text(part, "text") or _text(part, "refusal"))

    def _call(self, item: Json) -> ToolCall:
        self.spoke = True
        self._calls += 1
        call_id = _text(item, "call_id") or _text(item, "id") or f"call_{self._answer}_{self._calls}"
        arguments = item.get("arguments")
        written = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
        return ToolCall(call_id, _text(item, "name"), written or "{}")

    def _ended(self, response: Json) -> Iterator[Piece]:
        if response.get("status") == "failed" or _part(response, "error"):
            raise failure(_part(response, "error"))
        reason = _text(_part(response, "incomplete_details"), "reason")
        if not self.spoke:
            for item in _parts(response, "output"):
                yield from self._item(item)
        if isinstance(response.get("usage"), dict):
            yield _usage(_part(response, "usage"))
        self.ending = "steered" if reason == "steered" else "complete"
        shortfall = _SHORTFALLS.get(reason)
        if not self.spoke and self.ending != "steered":
            raise silent(shortfall)
        if shortfall is not None:
            yield Ended(shortfall)


def progress(event: object) -> Progress:
    """What *event* brings; thoughts count as much as words, for they are shown, too."""
    kind = event.get("type") if isinstance(event, dict) else None
    if kind in _LAST or kind == "error":
        return "end"
    return "token" if kind in (*_TEXT, *_THOUGHT, "response.output_item.done") else "nothing"


def failure(error: Json, status: object = None) -> AgentError:
    """What a server says went wrong in mid-answer, in our own words: its own may quote the conversation.

    *status* is what it would have been over HTTP, if it tells.
    """
    code = _text(error, "code") or _text(error, "type")
    if code in _BUSY or status == 429:
        return AgentError("rate_limited", "The model server has too many requests, or the account no quota left.")
    if code in _TOO_LONG:
        return AgentError("model_refused", "The conversation has become too long for the model.")
    if code.startswith(_OF_THE_LINE):
        return AgentError("model_failed", "The model server wants another connection.")
    refused = isinstance(status, int) and 400 <= status < 500
    if refused or code.startswith(("invalid_", "image_", "unsupported_")) or code.endswith("_policy"):
        return AgentError("model_refused", "The model server refused the request: check the model's settings.")
    return AgentError("model_failed", "The model server reported an error instead of going on.")


def _usage(usage: Json) -> Usage:
    read, written = _part(usage, "input_tokens_details"), _part(usage, "output_tokens_details")
    return Usage(
        input_tokens=_count(usage, "input_tokens"),
        output_tokens=_count(usage, "output_tokens"),
        cached_tokens=_count(read, "cached_tokens"),
        reasoning_tokens=_count(written, "reasoning_tokens"),
    )


def _part(of: Json, name: str) -> Json:
    part = of.get(name)
    return part if isinstance(part, dict) else {}


def _parts(of: Json, name: str) -> Iterator[Json]:
    parts = of.get(name)
    return (part for part in parts if isinstance(part, dict)) if isinstance(parts, list) else iter(())


def _text(of: Json, name: str) -> str:
    text = of.get(name)
    return text if isinstance(text, str) else ""


def _count(of: Json, name: str) -> int:
    count = of.get(name)
    return count if isinstance(count, int) and not isinstance(count, bool) and count > 0 else 0
