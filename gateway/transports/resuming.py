"""What a connection has to be told again, and what its view has to know for that."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Final

from gateway.core import events as ev
from gateway.core.ids import ItemId, ResponseId, SessionId
from gateway.protocol import realtime as rt
from gateway.protocol.messages import siblings_of
from gateway.protocol.projection import project
from gateway.protocol.view import View, output_index
from gateway.runtime.glance import Glance
from gateway.runtime.ports import Store, Stored

STARTED: Final = ev.ResponseStarted | ev.AsideStarted
PAGE: Final = 256
"""Facts read at once."""


def void(epoch: str, seq: int, current: str, last: int) -> str | None:
    """Why a cursor cannot be followed; None when it can."""
    if epoch != current:
        return "epoch_changed"
    if seq > last:
        return "ahead_of_log"
    return "invalid_cursor" if seq < 0 else None


async def missed(store: Store, session: SessionId, seq: int, last: int) -> AsyncIterator[tuple[Stored, ...]]:
    """What followed *seq* up to *last*, oldest first, in pages. Raises :class:`gateway.errors.StoreError`."""
    while seq < last:
        page = await store.read(session, seq, limit=min(PAGE, last - seq))
        if not page:
            return
        seq = page[-1].seq
        yield page


def responses(page: Sequence[Stored]) -> tuple[set[ResponseId], set[ResponseId]]:
    """The answers that begin in *page*, and all that it says something of."""
    begun = {stored.fact.response_id for stored in page if isinstance(stored.fact, STARTED)}
    return begun, _of(stored.fact for stored in page)


def living(glance: Glance) -> set[ResponseId]:
    """The answers that are being generated or sound at the glance."""
    return {it.response_id for it in glance.responses} | {it.response_id for it in glance.asides}


async def begun_before(store: Store, session: SessionId, wanted: set[ResponseId], seq: int) -> list[ev.Fact]:
    """The facts up to *seq* of the answers *wanted*, all of which had begun by then."""
    wanted = set(wanted)
    found: list[ev.Fact] = []
    until = seq
    while wanted and until > 0:
        after = max(0, until - PAGE)
        for stored in reversed(await store.read(session, after, limit=until - after)):
            if _of([stored.fact]) & wanted:
                found.append(stored.fact)
            if isinstance(stored.fact, STARTED):
                wanted.discard(stored.fact.response_id)
        until = after
    return found[::-1]


def siblings(glance: Glance) -> rt.ServerEvent:
    """Which messages have siblings now."""
    event = siblings_of(glance.choices)
    event.replay = True
    return event


def open_texts(glance: Glance, view: View, held: Mapping[str, int]) -> list[rt.ServerEvent]:
    """The text so far of what is being generated; of what a client *held*, in code points, only the rest."""
    told = [
        _rest(response.response_id, response.item_id, glance, view, held)
        for response in glance.responses
        if response.generating and response.item_id is not None
    ]
    for aside, text in glance.asides.items():
        whole = project(ev.AsideAppended(aside.response_id, aside.item_id, 0, text), view) if text else []
        for event in whole:
            event.replay = True
        told += whole
    return told


def _rest(
    response_id: ResponseId, item_id: ItemId, glance: Glance, view: View, held: Mapping[str, int]
) -> rt.ServerEvent:
    kind = rt.TranscriptDelta if response_id in view.spoken else rt.TextDelta
    text = glance.open_texts.get(item_id, "")
    offset = held.get(item_id, 0)
    if not 0 <= offset <= len(text):
        offset = 0  # it holds what we do not: an end that was lost with its process
    at = output_index(response_id, item_id, view)
    return kind(
        response_id=response_id, item_id=item_id, delta=text[offset:], offset=offset, replay=True, output_index=at
    )


def _of(facts: Iterable[ev.Fact]) -> set[ResponseId]:
    """The responses that facts belong to."""
    found = {getattr(fact, "response_id", None) for fact in facts}
    return {response_id for response_id in found if response_id is not None}
