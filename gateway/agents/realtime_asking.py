"""What an upstream Realtime session is told before an answer: the session, and the answer. Pure."""

from typing import Any, Final

import msgspec

from gateway.agents.context import go_on
from gateway.agents.realtime_mirror import Event
from gateway.runtime.ports import Conversation

_RATE: Final = {"type": "audio/pcm", "rate": 24_000}


def settings(conversation: Conversation, voice: str) -> Event:
    """The session as an answer wants it. Turns are the gateway's own affair; what is said beside them nobody hears."""
    tools = [
        {"type": "function", "name": it.name, "description": it.description, "parameters": _schema(it.parameters)}
        for it in conversation.tools
    ]
    choice: Any = conversation.tool_choice
    if conversation.forced_tool:
        choice = {"type": "function", "name": conversation.forced_tool}
    return {
        "output_modalities": ["text" if conversation.beside else "audio"],
        "instructions": conversation.instructions,
        "tools": tools,
        "tool_choice": choice,
        "audio": {
            "input": {"format": _RATE, "turn_detection": None},
            "output": {"format": _RATE} | ({"voice": voice} if voice else {}),
        },
    }


def _schema(parameters: str) -> Any:
    try:
        return msgspec.json.decode(parameters)
    except msgspec.DecodeError:
        return {}


def wish(conversation: Conversation) -> Event:
    """What this answer alone is to be like."""
    told: Event = {}
    if conversation.max_output_tokens is not None:
        told["max_output_tokens"] = conversation.max_output_tokens
    if conversation.steered is not None:
        both = conversation.instructions, go_on(conversation.steered.partial)
        told["instructions"] = "\n\n".join(part for part in both if part)
    return told
