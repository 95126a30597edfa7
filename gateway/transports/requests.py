"""What a request's query says about who connects."""

from collections.abc import Mapping

from gateway.core.ids import DeviceId, LegId, SessionId
from gateway.runtime.clock import Clock
from gateway.transports.doors import Entry
from gateway.transports.telling import Caller

MAX_NAME = 128


def caller_of(query: Mapping[str, str], clock: Clock, entry: Entry, *, extended: bool) -> Caller:
    """The caller; a device that does not name itself gets an id of its own.

    ``resume=EPOCH.SEQ`` asks for what followed that event; one that cannot be read is as void as an old one.
    """
    device = query.get("device", "")[:MAX_NAME] or f"dev_{clock.token()[:10]}"
    resume = None
    if "resume" in query:
        epoch, _, seq = query["resume"].rpartition(".")
        resume = (epoch, int(seq) if seq.isdecimal() and len(seq) < 16 else -1)
    leg = LegId(f"leg_{clock.token()[:16]}")
    return Caller(DeviceId(device), leg, extended, resume, entry.access, entry.resume_token)


def session_of(query: Mapping[str, str]) -> SessionId | None:
    """The session to join; None to open one."""
    given = query.get("session", "")
    return SessionId(given) if given else None
