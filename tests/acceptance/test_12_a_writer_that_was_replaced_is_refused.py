"""12. A writer whose place another one has taken is refused by the log, and its session is read anew.

There are no steps of a tool loop yet; what holds for them holds for every append, by the log's expected seq.
"""

import asyncio
from pathlib import Path

from gateway.core.events import ItemAdded
from gateway.core.ids import ItemId, SessionId
from tests.transports.server import serving


def test_what_a_replaced_writer_decides_is_neither_stored_nor_told(tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(30), serving(tmp_path) as gateway, gateway.socket() as zombie:
            session = SessionId((await zombie.get("session.created"))["session"]["id"])
            await zombie.say("before")
            seq = (await zombie.get("conversation.item.done"))["seq"]
            other = ItemAdded(ItemId("item_other"), ItemId("item_x"), "user", "completed", "by another node")
            known = [it.fact for it in await gateway.services.store.read(session, 0)]
            parent = next(fact.item_id for fact in known if isinstance(fact, ItemAdded))
            other = ItemAdded(ItemId("item_other"), parent, "user", "completed", "by another node")
            await gateway.services.store.append(session, seq, [other], 0.0)
            await zombie.say("of a zombie")
            assert await zombie.close_code() == 1011
            async with gateway.socket(f"session={session}") as after:
                snapshot = await after.get("session.snapshot")
                said = [item["content"][0]["text"] for item in snapshot["items"]]
                assert said == ["before", "by another node"]
            assert not any("of a zombie" in str(event) for event in zombie.all("conversation.item.done"))

    asyncio.run(main())
