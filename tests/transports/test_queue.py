"""What waits, as clients see and change it."""

from typing import Any

import msgspec
import pytest

from gateway.agents.scripted import Hold, Say, ScriptedAgent
from gateway.core.values import Settings
from gateway.protocol import realtime as rt
from gateway.runtime.choice import Agents
from gateway.runtime.registry import Registry
from gateway.transports import config as conf
from gateway.transports.names import Names
from tests.runtime.stage import VirtualClock
from tests.transports.wire import Client, Line, Mirror, line, update
from tests.virtual_time import run, settle

HELD = (Say("One"), Hold(), Say(" two."))


async def waiting(at: Line, *words: str) -> Client:
    """A client over whose answer these turns were queued; their ids are their words."""
    client = await at.connect(await at.open(), extended=True)
    await client.ask("go")
    await client.get("response.output_text.delta")
    for word in words:
        item = {
            "type": "message",
            "role": "user",
            "id": word,
            "content": [{"type": "input_text", "text": f"say {word}"}],
        }
        await client.send("response.create", event_id=f"e {word}", on_active="queue", input=item)
    await settle()
    return client


async def listed(client: Client, count: int = 1) -> list[tuple[str, str]]:
    """Id and words of what waits."""
    await client.send("queue.update", action="list")
    return [(item["id"], item["text"]) for item in (await client.get("queue.listed", count))["items"]]


def test_any_device_sees_and_changes_what_waits() -> None:
    async def main() -> None:
        agent = ScriptedAgent(HELD, "C.", "A.")
        async with line(agent) as at:
            one = await waiting(at, "a", "b", "c")
            two = await at.connect(one.connection.actor, extended=True)
            assert [item["id"] for item in (await two.get("queue.listed"))["items"]] == ["a", "b", "c"]
            await two.send("queue.update", action="reorder", order=["c", "a", "b"])
            await two.send("queue.update", action="edit", item_id="c", text="say C", event_id="e1")
            await two.send("queue.update", action="withdraw", item_id="b")
            assert await listed(one) == [("c", "say C"), ("a", "say a")]
            agent.release()
            await two.get("response.done", 3)
            said = [message.text for message in agent.asked[2].messages]
            assert said == ["go", "One two.", "say C", "C.", "say a"]
            assert await listed(two, 2) == []
            assert Mirror.of(one.got).texts == Mirror.of(two.got).texts
            told = [kind for kind in two.types() if kind.startswith("queue.")]
            changes = ["queue.reordered", "queue.item.edited", "queue.item.withdrawn"]
            assert told == ["queue.listed", *changes, "queue.item.taken", "queue.item.taken", "queue.listed"]

    run(main())


def test_a_stock_client_sees_what_waits_only_when_its_time_has_come() -> None:
    async def main() -> None:
        agent = ScriptedAgent(HELD, "A.")
        async with line(agent) as at:
            one = await waiting(at, "a")
            stock = await at.connect(one.connection.actor)
            assert "a" not in Mirror.of(stock.got).items
            agent.release()
            await stock.get("response.done", 2)
            assert not [kind for kind in stock.types() if kind.startswith("queue.")]
            assert Mirror.of(stock.got).texts["a"] == "say a"
            await stock.send("queue.update", action="list")
            assert (await stock.get("error"))["error"]["code"] == "unknown_event_type"

    run(main())


def test_what_waits_survives_the_process() -> None:
    async def main() -> None:
        agent = ScriptedAgent(HELD, "A.")
        async with line(agent) as at:
            first = await waiting(at, "a")
            wish = {"instructions": "In French.", "metadata": {"for": "Ada"}}
            await first.send("response.create", on_active="merge", input="say b", response=wish)
            await first.get("queue.item.added", 2)
            await at.on.registry.aclose()
            at.on.registry = registry = Registry(at.on.store, Agents(agent), VirtualClock())
            actor = await registry.find(first.connection.actor.session_id)
            assert actor is not None
            client = await at.connect(actor, extended=True)
            assert (await client.get("response.done"))["response"]["metadata"] == {"for": "Ada"}
            assert Mirror.of(client.got).texts["a"] == "say a"
            assert [message.text for message in agent.asked[1].messages] == ["go", "One", "say a", "say b"]
            assert agent.asked[1].instructions == "In French."
            await registry.aclose()

    run(main())


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"action": "edit", "item_id": "a"}, "text"),
        ({"action": "withdraw"}, "item_id"),
        ({"action": "reorder"}, "order"),
    ],
)
def test_what_is_missing_is_named(fields: dict[str, Any], param: str) -> None:
    async def main() -> None:
        async with line() as at:
            client = await at.connect(await at.open(), extended=True)
            await client.send("queue.update", **fields)
            error = (await client.get("error"))["error"]
            assert (error["code"], error["param"]) == ("missing_required_parameter", param)

    run(main())


def test_only_a_message_of_the_user_is_answered() -> None:
    async def main() -> None:
        async with line() as at:
            client = await at.connect(await at.open(), extended=True)
            item = {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "Be kind."}]}
            await client.send("response.create", input=item)
            assert (await client.get("error"))["error"]["param"] == "input.role"

    run(main())


def test_the_session_says_what_new_input_does() -> None:
    async def main() -> None:
        agent = ScriptedAgent(HELD, "A.")
        async with line(agent) as at:
            client = await waiting(at)
            await client.send("session.update", **update(bargein={"on_active": {"text": "queue", "debounce_ms": 90}}))
            told = (await client.get("session.updated"))["session"]["bargein"]["on_active"]
            assert told == {"voice": "interrupt", "text": "queue", "debounce_ms": 90}
            await client.send("response.create", input="say a")
            assert (await client.get("queue.item.added"))["item"]["text"] == "say a"
            agent.release()
            await client.get("response.done", 2)

    run(main())


def policies(given: Any, known: Settings) -> Settings:
    return conf.shared(known, msgspec.convert({"bargein": {"on_active": given}}, rt.SessionChanges), Names())


def test_present_choices_change_and_null_brings_back_all() -> None:
    settings = policies({"voice": "queue"}, Settings(on_active_text="merge"))
    assert (settings.on_active_voice, settings.on_active_text) == ("queue", "merge")
    assert policies(None, settings) == Settings()
