"""Connections that want their user's speech in words, and nothing else: ``type: transcription``."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from gateway.errors import ProtocolViolation
from gateway.protocol import extension as ext, messages, realtime as rt
from gateway.transports.config import ConnectionConfig

INTENT: Final = "transcription"
"""The query ``?intent=`` of a WebSocket that is to be one from its beginning."""


def intended(query: Mapping[str, str], config: ConnectionConfig) -> ConnectionConfig:
    """*config*, for what the query of a request says that it is for."""
    return replace(config, kind="transcription") if query.get("intent") == INTENT else config


def check(config: ConnectionConfig, event: rt.ClientEvent) -> None:
    """Raises ``ProtocolViolation`` for an event that asks for an answer where there are to be none."""
    asks = isinstance(event, rt.ResponseCreate | ext.Steer | ext.PushToTalk)
    asks = asks or (isinstance(event, messages.ItemUpdate) and bool(event.response))
    if asks and not config.converses:
        message = "This connection is for transcription: nothing is answered on it."
        raise ProtocolViolation("invalid_event_for_session_type", message, param="type")
