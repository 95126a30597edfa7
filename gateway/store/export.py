"""A session as JSON lines: what its log says, with the words, for whoever wants to keep or read it elsewhere.

The first line tells of the session, each other one is a fact as :mod:`gateway.store.records` writes it,
with its place in the log and its words. Words that were removed are missing.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import msgspec

from gateway.core.events import Fact
from gateway.core.ids import SessionId
from gateway.runtime.ports import Store, Stored
from gateway.store.records import VERSION, plain, tag_of

PAGE: Final = 256


async def export(store: Store, session: SessionId) -> AsyncIterator[bytes]:
    """The lines of a session, each ending in a line feed; none when there is no such session.

    The log is read in pages, up to where it ended at the first line. Raises :class:`gateway.errors.StoreError`.
    """
    info = await store.info(session)
    if info is None:
        return
    about = {name: getattr(info, name) for name in ("session", "tenant", "epoch", "seq", "created", "used", "metadata")}
    yield _line({"v": VERSION, **about})
    seq = 0
    while seq < info.seq and (page := await store.read(session, seq, min(PAGE, info.seq - seq))):
        for stored in page:
            yield _line(_entry(stored))
        seq = page[-1].seq


def _entry(stored: Stored) -> dict[str, Any]:
    fact: Fact = stored.fact
    return {"seq": stored.seq, "wall": stored.wall, "t": tag_of(fact), **msgspec.to_builtins(fact, enc_hook=plain)}


def _line(entry: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(entry, enc_hook=plain) + b"\n"
