"""What a request's query says about who connects."""

from collections.abc import Mapping
from dataclasses import replace

from gateway.core.ids import DeviceId, LegId, SessionId
from gateway.runtime.clock import Clock
from gateway.transports.cursors import read_cursor
from gateway.transports.doors import Entry
from gateway.transports.telling import Caller

MAX_NAME = 128
MAX_SHOWN_NAME = 64
MAX_KIND = 32


def caller_of(query: Mapping[str, str], clock: Clock, entry: Entry, *, extended: bool) -> Caller:
    """The caller; a device that does not name itself gets an id of its own.

    ``resume=EPOCH.SEQ`` asks for what followed that event; one that cannot be read is as void as an old one.
    """
    name, kind = query.get("name", "")[:MAX_SHOWN_NAME], query.get("kind", "")[:MAX_KIND]
    device = query.get("device", "")[:MAX_NAME] or f"dev_{clock.token()[:10]}"
    leg, kind = LegId(f"leg_{clock.token()[:16]}"), kind or ("client" if extended else "realtime client")
    caller = Caller(
        DeviceId(device),
        leg,
        extended,
        access=entry.access,
        resume_token=entry.resume_token,
        name=name or device,
        kind=kind,
    )
    if "resume" not in query:
        return caller
    cursor = read_cursor(query["resume"])
    return replace(caller, resume=(cursor.epoch, cursor.seq), held=cursor.held)


def session_of(query: Mapping[str, str]) -> SessionId | None:
    """The session to join; None to open one."""
    given = query.get("session", "")
    return SessionId(given) if given else None
