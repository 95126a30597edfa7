"""What HTTP carries beside events: bodies of requests and answers."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from gateway.protocol import realtime as rt
from gateway.protocol.objects import Item
from gateway.protocol.steering import QueueItem


class NewSession(msgspec.Struct):
    """How a session begins; what is left out is the gateway's default."""

    model: Annotated[str, msgspec.Meta(max_length=256)] = ""
    session: "SharedChanges | UnsetType" = UNSET


class SharedOutput(msgspec.Struct):
    """What all connections share of the sound that goes out."""

    voice: str | None | UnsetType = UNSET


class SharedAudio(msgspec.Struct):
    """What all connections share of the sound."""

    output: SharedOutput | UnsetType = UNSET


class SharedChanges(msgspec.Struct):
    """The part of a ``session.update`` that belongs to the session and not to a connection."""

    instructions: str | None | UnsetType = UNSET
    audio: SharedAudio | UnsetType = UNSET
    bargein: rt.OwnChanges | UnsetType = UNSET


class RunningResponse(msgspec.Struct):
    """An answer that is being generated, or sounds."""

    id: str
    generating: bool
    sounding: bool
    item_id: str | None


class SessionObject(msgspec.Struct):
    """A session as it is now. ``epoch`` and ``seq`` are the cursor from which its events can be followed."""

    id: str
    epoch: str
    seq: int
    created_at: int
    """Seconds since 1970."""

    model: str
    instructions: str
    voice: str
    language: str
    stop_words: list[str] | None
    backchannels: list[str] | None
    responses: list[RunningResponse]
    object: Literal["session"] = "session"


class SessionSummary(msgspec.Struct):
    """A session in a list."""

    id: str
    epoch: str
    seq: int
    created_at: int
    """Seconds since 1970, as is ``used_at``."""

    used_at: int
    metadata: dict[str, str]


class SessionPage(msgspec.Struct):
    """Sessions, newest first."""

    sessions: list[SessionSummary]
    next: int | None
    """The ``before`` of the next page; null at the end."""


class ItemPage(msgspec.Struct):
    """A part of the active path, oldest first. ``seq`` is the last fact that it takes account of."""

    session_id: str
    epoch: str
    seq: int
    items: list[Item]
    has_before: bool
    """True when there are older items: ask for them with ``before`` and the id of the first one here."""

    has_after: bool


class Queue(msgspec.Struct):
    """What waits for the running answer to end, in order. ``seq`` is the last fact that it takes account of."""

    session_id: str
    epoch: str
    seq: int
    items: list[QueueItem]


class Accepted(msgspec.Struct):
    """A posted event took effect. ``seq`` is the log's last one then; ``duplicate``: it had taken effect before."""

    seq: int
    duplicate: bool
    effect: Literal["none"] | UnsetType = UNSET
    """``none`` when there was nothing to do."""

    accepted: Literal[True] = True


class Events(msgspec.Struct):
    """What a long poll was told. ``cursor`` is ``after`` of the next one; ``more`` says that there is more already."""

    events: list[msgspec.Raw]
    cursor: str
    more: bool = False


class Fault(msgspec.Struct):
    """Why a request was refused. ``code`` is stable, ``message`` is for people."""

    message: str
    code: str
    type: Literal["invalid_request_error", "server_error"] = "invalid_request_error"
    param: str | None = None
    event_id: str | None = None


class Failed(msgspec.Struct):
    """Every answer that is an error."""

    error: Fault
