"""How a route is told: what it is for, what it takes and what it gives. Served by :mod:`.routes`, described by
:mod:`.openapi`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.transports.failures import Endpoint

JSON: Final = "application/json"
SDP: Final = "application/sdp"
HTML: Final = "text/html"
STREAM: Final = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a request may carry beside its body."""

    name: str
    where: str
    """``path``, ``query`` or ``header``."""

    about: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True, slots=True)
class Answer:
    """One way to be answered."""

    about: str
    content: Mapping[str, Any] = field(default_factory=dict)
    """By media type: a type of ours, or None for what no schema describes."""

    headers: Mapping[str, str] = field(default_factory=dict)
    """What each header is for."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    summary: str
    endpoint: Endpoint
    answers: Mapping[int, Answer]
    faults: Mapping[int, str] = field(default_factory=dict)
    """Statuses that are answered with ``{"error": …}``, and their codes."""

    parameters: Sequence[Parameter] = ()
    body: Mapping[str, Any] = field(default_factory=dict)
    """As the content of an answer, or a tuple of types of which it is one; empty where nothing is taken."""

    body_required: bool = True
    open: bool = False
    """True when no token is asked for."""

    endless: bool = False
    """True when the answer may have no end, so that HEAD makes no sense."""
