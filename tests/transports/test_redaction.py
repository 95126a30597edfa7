"""A client has a message removed: every device is told, and no file of the gateway holds its words any more."""

import asyncio
from pathlib import Path

from gateway.agents.scripted import ScriptedAgent
from tests.store.test_sqlite import seen_on_disk
from tests.transports.server import STOCK, serving


def test_a_redacted_message_is_gone_on_all_devices_and_from_every_file(tmp_path: Path) -> None:
    async def main() -> None:
        words = ["CANARY1", "CANARY2", "KEPT1", "KEPT2"]
        agent = ScriptedAgent("Your PIN is CANARY2.", "KEPT2.")
        async with serving(tmp_path, agent=agent) as gateway:
            async with gateway.socket() as mine:
                session = (await mine.get("session.created"))["session"]["id"]
                async with gateway.socket(f"session={session}") as other:
                    await mine.ask("CANARY1 is my PIN", response={"metadata": {"about": "CANARY1"}})
                    await mine.get("response.done")
                    await mine.ask("KEPT1")
                    await mine.get("response.done", 2)
                    assert seen_on_disk(tmp_path, words) == set(words)
                    question, answer = [it["item"]["id"] for it in mine.all("conversation.item.added")[:2]]
                    for item in (question, answer):
                        await mine.send("conversation.item.redact", item_id=item, event_id=item)
                    for device in (mine, other):
                        await device.get("conversation.item.redacted", 2)
                        assert [it["item_id"] for it in device.all("conversation.item.redacted")] == [question, answer]
                    assert seen_on_disk(tmp_path, words) == {"KEPT1", "KEPT2"}
            async with gateway.socket(f"session={session}") as late:
                items = (await late.get("session.snapshot"))["items"]
                assert [item.get("redacted", False) for item in items] == [True, True, False, False]
                assert "CANARY" not in str(late.got)
                assert "KEPT2" in str(items)

    asyncio.run(main())


def test_a_stock_client_cannot_redact_and_is_not_told(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(tmp_path, agent=ScriptedAgent()) as gateway, gateway.socket("model=m", STOCK) as stock:
            session = (await stock.get("session.created"))["session"]["id"]
            async with gateway.socket(f"session={session}") as extended:
                await stock.say("CANARY")
                item = (await extended.get("conversation.item.added"))["item"]["id"]
                await stock.send("conversation.item.redact", item_id=item)
                assert (await stock.get("error"))["error"]["code"] == "unknown_event_type"
                await extended.send("conversation.item.redact", item_id=item)
                await extended.get("conversation.item.redacted")
                await stock.say("again")
                await stock.get("conversation.item.added", 2)
                assert not stock.all("conversation.item.redacted")

    asyncio.run(main())


def test_the_words_of_an_answer_out_of_band_leave_every_file(tmp_path: Path) -> None:
    words = ["TITLE", "HIDDEN"]

    async def main() -> None:
        agent = ScriptedAgent("A TITLE nobody shall find")
        async with asyncio.timeout(30), serving(tmp_path, agent=agent) as gateway, gateway.socket() as socket:
            await socket.send("response.create", response={"conversation": "none", "metadata": {"purpose": "HIDDEN"}})
            done = (await socket.get("response.done"))["response"]
            assert seen_on_disk(tmp_path, words) == set(words)
            await socket.send("conversation.item.redact", item_id=done["output"][0]["id"])
            await socket.get("conversation.item.redacted")
            assert seen_on_disk(tmp_path, words) == set()

    asyncio.run(main())
