"""The beta of OpenAI Realtime, which is gone there too: how to tell a client that speaks it. Pure.

Its header alone tells nothing: clients of the protocol that is served go on sending it, out of habit, and npm's
``openai/beta`` does so on the same path. Who gets on with what is served is served. A client that sets what only the
beta knew waits for events with the beta's names, and would wait in silence: it is told so, as OpenAI does.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

HEADER: Final = ("openai-beta", "realtime=v1")
SUBPROTOCOL: Final = "openai-beta.realtime-v1"
"""The same where a browser cannot set headers."""

CODE: Final = "beta_api_shape_disabled"
REASON: Final = f"invalid_request_error.{CODE}"
"""Of the close frame, as OpenAI gives it."""

MESSAGE: Final = "The Realtime beta is not served. Speak the GA protocol, without the OpenAI-Beta header."

_OF_SESSIONS: Final = frozenset(
    {
        *("modalities", "voice", "input_audio_format", "output_audio_format", "input_audio_transcription"),
        *("input_audio_noise_reduction", "turn_detection", "temperature", "max_response_output_tokens"),
    }
)
_OF_RESPONSES: Final = frozenset(
    {"modalities", "voice", "output_audio_format", "temperature", "max_response_output_tokens"}
)
_UNKNOWN: Final = ("transcription_session.update",)


class _Head(msgspec.Struct):
    """As much of a client event as tells its shape."""

    type: str
    session: dict[str, msgspec.Raw] = {}
    response: dict[str, msgspec.Raw] = {}


_decoder: Final[msgspec.json.Decoder[_Head]] = msgspec.json.Decoder(_Head)


def asked_for(headers: Iterable[tuple[str, str]], offered: Iterable[str]) -> bool:
    """Does a handshake name the beta?"""
    name, value = HEADER
    return SUBPROTOCOL in offered or any(key.lower() == name and value in given for key, given in headers)


def spoken(data: str | bytes) -> bool:
    """Is this event one of the beta's, or has it fields that the beta alone had? Of what cannot be read: no."""
    try:
        head = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    if head.type == "session.update":
        return not _OF_SESSIONS.isdisjoint(head.session)
    return head.type in _UNKNOWN or (head.type == "response.create" and not _OF_RESPONSES.isdisjoint(head.response))
