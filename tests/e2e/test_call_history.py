"""A long conversation over a data channel: as much as fits, or all of what was missed, and the call goes on."""

import asyncio
from pathlib import Path

from gateway.core import events as ev
from gateway.core.ids import ItemId, SessionId, session_id
from gateway.core.values import Settings
from gateway.store.sqlite import SqliteStore
from gateway.transports.webrtc import SNAPSHOT_BYTES
from media.peer.channel import MAX_WAITING
from tests.e2e.test_call import LIMIT_S, calling, served

ITEMS, LONG = 1500, "many words " * 40


async def long_ago(folder: Path) -> SessionId:
    """A conversation that says more than a data channel holds."""
    store = await SqliteStore.open(folder / "bargein.sqlite")
    session = session_id(0, "long")
    await store.create(session, "epoch")
    facts: list[ev.Fact] = [ev.SessionOpened(Settings())]
    for number in range(ITEMS):
        parent = ItemId(f"item_{number - 1}") if number else None
        facts.append(ev.ItemAdded(ItemId(f"item_{number}"), parent, "user", "completed", f"{number} {LONG}"))
    await store.append(session, 0, facts, 1.0)
    await store.aclose()
    return session


def test_all_of_a_large_gap_comes_by_the_data_channel(tmp_path: Path) -> None:
    async def main() -> None:
        session = await long_ago(tmp_path)
        query = f"?ext=bargein.v1&session={session}&resume=epoch.1"
        async with asyncio.timeout(3 * LIMIT_S), served(tmp_path) as url, calling(url, query) as caller:
            await caller.until(lambda: len(caller.seen("conversation.item.done")) == ITEMS)
            told = caller.seen("conversation.item.done")
            assert [event["seq"] for event in told] == list(range(2, ITEMS + 2))
            assert sum(len(str(event)) for event in told) > MAX_WAITING / 2  # and as much again as it was added
            caller.ask("Still there?", response={"output_modalities": ["text"]})
            await caller.event("response.done")

    asyncio.run(main())


def test_who_joins_by_a_call_is_told_as_much_as_a_message_holds(tmp_path: Path) -> None:
    async def main() -> None:
        session = await long_ago(tmp_path)
        async with (
            asyncio.timeout(LIMIT_S),
            served(tmp_path) as url,
            calling(url, f"?ext=bargein.v1&session={session}") as caller,
        ):
            snapshot = await caller.event("session.snapshot")
            texts = [item["content"][0]["text"] for item in snapshot["items"]]
            assert snapshot["has_before"] is True
            assert texts == [f"{number} {LONG}" for number in range(ITEMS - len(texts), ITEMS)]
            assert len("".join(texts)) * 1.4 > SNAPSHOT_BYTES * 0.9
            caller.ask("Still there?", response={"output_modalities": ["text"]})
            await caller.event("response.done")

    asyncio.run(main())
