"""Joining is one instant: what was before it is in the glance, what comes after it is published, nothing is in both."""

import asyncio
from dataclasses import dataclass, field

from hypothesis import given, settings, strategies as st

from gateway.agents.scripted import Pause, Say, ScriptedAgent, Step
from gateway.core import events as ev, inputs as inp
from gateway.core.ids import ItemId
from gateway.runtime.ports import Published
from tests.runtime.stage import Client, Stage, stage
from tests.virtual_time import run

TICK = 0.010
"""Seconds between the things that happen; some happen at the same instant."""


@dataclass(slots=True)
class Mirror:
    """What one connection knows of the conversation."""

    seq: int
    texts: dict[ItemId, str] = field(default_factory=dict)

    def apply(self, published: Published) -> None:
        event = published.event
        if published.seq is not None:
            assert published.seq == self.seq + 1
            self.seq = published.seq
        match event:
            case ev.ItemAdded():
                assert event.item_id not in self.texts
                self.texts[event.item_id] = event.text
            case ev.TextAppended():
                assert event.offset == len(self.texts[event.item_id])
                self.texts[event.item_id] += event.text
            case ev.ItemCompleted() | ev.ItemTruncated():
                self.texts[event.item_id] = event.text
            case ev.ItemRemoved():
                del self.texts[event.item_id]
            case _:
                pass


async def mirrored(on: Stage, client: Client) -> Mirror:
    """The mirror of a client, from its glance and all it heard since."""
    glance = client.glance
    mirror = Mirror(glance.seq)
    for node in glance.path:
        text = glance.open_texts.get(node.item_id)
        if text is None:
            log = await on.store.read(client.actor.session_id, 0)
            said = [it.fact for it in log if it.seq <= glance.seq and getattr(it.fact, "item_id", None) == node.item_id]
            text = next(fact.text for fact in reversed(said) if isinstance(fact, ev.ItemCompleted | ev.ItemAdded))
            text = next((fact.text for fact in said if isinstance(fact, ev.ItemTruncated)), text)
        mirror.texts[node.item_id] = text
    for published in client.listener.heard:
        mirror.apply(published)
    return mirror


pieces: st.SearchStrategy[Step] = st.one_of(
    st.sampled_from(["a", "bc ", "\U0001f600", "é"]).map(Say),
    st.sampled_from([0.0, 1.0, 2.0, 5.0]).map(lambda ticks: Pause(ticks * TICK)),
)
commands = st.sampled_from(["item", "ask", "interrupt", "cancel"])


@settings(max_examples=80)
@given(
    replies=st.lists(st.lists(pieces, max_size=8), min_size=8, max_size=8),
    script=st.lists(st.tuples(st.integers(0, 20), commands), max_size=8),
    joins=st.lists(st.integers(0, 25), min_size=1, max_size=8),
    delay=st.sampled_from([0.0, TICK / 2, TICK, TICK * 3]),
)
def test_nothing_is_lost_or_doubled_at_any_instant_of_joining(
    replies: list[list[Step]], script: list[tuple[int, str]], joins: list[int], delay: float
) -> None:
    async def act(on: Stage, first: Client, ticks: int, command: str) -> None:
        await asyncio.sleep(ticks * TICK)
        match command:
            case "item":
                await first.do(inp.ItemSubmitted("user", "typed"))
            case "ask":
                await first.do(inp.ResponseRequested("reject"))
            case "interrupt":
                await first.do(inp.ResponseRequested("interrupt"))
            case _:
                await first.do(inp.CancelRequested())

    async def join(on: Stage, first: Client, ticks: int) -> Client:
        await asyncio.sleep(ticks * TICK)
        return await on.join(first.actor)

    async def main() -> None:
        async with stage(ScriptedAgent(*replies), verify=False) as on:
            first = await on.join(await on.open())
            on.store.delay = delay
            async with asyncio.TaskGroup() as at_once:
                for ticks, command in script:
                    at_once.create_task(act(on, first, ticks, command))
                joining = [at_once.create_task(join(on, first, ticks)) for ticks in joins]
            await asyncio.sleep(10)
            expected = await mirrored(on, first)
            for task in joining:
                assert await mirrored(on, task.result()) == expected

    run(main())
