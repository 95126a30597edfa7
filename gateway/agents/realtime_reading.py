"""What an upstream Realtime session tells of an answer, as pieces. Pure."""

import base64
import binascii
from dataclasses import dataclass, field
from typing import Final

from gateway.agents.realtime_mirror import Event, Held, digest
from gateway.core.values import Usage
from gateway.errors import AgentError
from gateway.runtime.ports import Ended, Piece, Sound, ToolCall

_LIMITS: Final = frozenset({"rate_limit_exceeded", "rate_limit_error", "rate_limited", "insufficient_quota"})


@dataclass(slots=True)
class Reading:
    """One answer, as far as it has come."""

    items: dict[str, Held] = field(default_factory=dict)
    """Its items, by the server's ids."""

    spoke: bool = False
    """Something came that a person or a tool would notice."""

    _texts: dict[str, str] = field(default_factory=dict)
    _odd: bytes = b""
    """Half of a sample, whose other half comes with the next piece."""

    def piece(self, event: Event) -> Piece | None:
        """What an event brings of the answer; None for what brings nothing. Raises :class:`AgentError`."""
        piece = self._piece(event)
        self.spoke = self.spoke or piece is not None
        return piece

    def _piece(self, event: Event) -> Piece | None:
        match event:
            case {"type": "error"}:
                raise failure(event.get("error"))
            case {"type": "response.output_audio.delta", "delta": str(delta), "item_id": str(item_id)}:
                return self._sound(delta, item_id)
            case {
                "type": "response.output_audio_transcript.delta" | "response.output_text.delta",
                "delta": str(delta),
                "item_id": str(item_id),
            }:
                self._texts[item_id] = self._texts.get(item_id, "") + delta
                return delta or None
            case {"type": "response.output_item.done", "item": {"type": "function_call"} as item}:
                return self._call(item)
            case _:
                return None

    def _call(self, item: Event) -> Piece:
        match item:
            case {"call_id": str(call_id), "name": str(name), "arguments": str(arguments)}:
                if (held := self.items.get(str(item.get("id")))) is not None:
                    held.call_id, held.digest = call_id, digest(arguments)
                return ToolCall(call_id, name, arguments)
            case _:
                raise AgentError("model_failed", "The model server sent a call of a tool that cannot be read.")

    def _sound(self, delta: str, item_id: str) -> Sound | None:
        try:
            pcm = self._odd + base64.b64decode(delta, validate=True)
        except (binascii.Error, ValueError):
            raise AgentError("model_failed", "The model server sent sound that cannot be read.") from None
        whole = len(pcm) & ~1
        pcm, self._odd = pcm[:whole], pcm[whole:]
        if (held := self.items.get(item_id)) is not None:
            held.sound_bytes += len(pcm)
        return Sound(pcm) if pcm else None

    def last(self, response: Event) -> list[Piece]:
        """What the end of the answer tells. Raises :class:`AgentError` for one that failed."""
        usage, details = _of(response, "usage"), _of(response, "status_details")
        pieces: list[Piece] = [_usage(usage)] if usage else []
        match response.get("status"), details.get("reason"):
            case "incomplete", "max_output_tokens":
                return [*pieces, Ended("max_output_tokens")]
            case "incomplete", "content_filter":
                return [*pieces, Ended("content_filter")]
            case "failed", _:
                raise failure(details.get("error"))
            case "cancelled", _:
                raise AgentError("model_failed", "The model server ended the answer by itself.")
        if not self.spoke:
            raise AgentError("model_failed", "The model ended its answer without a word.")
        return pieces

    def close(self, *, stopped: bool) -> None:
        """No more of it is taken: note what its messages say, as far as that has come."""
        for upstream_id, held in self.items.items():
            if held.kind == "message":
                held.digest, held.stopped = digest(self._texts.get(upstream_id, "")), stopped


def _usage(told: Event) -> Usage:
    coming, going = _of(told, "input_token_details"), _of(told, "output_token_details")
    return Usage(
        input_tokens=_number(told, "input_tokens"),
        output_tokens=_number(told, "output_tokens"),
        cached_tokens=_number(coming, "cached_tokens"),
        input_audio_tokens=_number(coming, "audio_tokens"),
        input_image_tokens=_number(coming, "image_tokens"),
        output_audio_tokens=_number(going, "audio_tokens"),
    )


def _of(told: Event, name: str) -> Event:
    found = told.get(name)
    return found if isinstance(found, dict) else {}


def _number(told: Event, name: str) -> int:
    found = told.get(name)
    return found if isinstance(found, int) and found >= 0 else 0


def failure(error: object) -> AgentError:
    """What the server calls an error, in our own words: its own may quote the conversation or a part of the key."""
    known = error if isinstance(error, dict) else {}
    code, kind = known.get("code"), known.get("type")
    if code == "insufficient_quota":
        return AgentError("rate_limited", "The account has no quota left, says the model server: check its billing.")
    if code in _LIMITS or kind in _LIMITS:
        return AgentError("rate_limited", "Too many requests for the model server: try again later.")
    if code == "context_length_exceeded":
        return AgentError("model_refused", "The conversation has become too long for the model.")
    if kind == "invalid_request_error":
        return AgentError("model_refused", "The model server refused the request: check the model's settings.")
    return AgentError("model_failed", "The model server reported an error instead of going on.")
