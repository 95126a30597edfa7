"""A gateway that is killed at random moments while two devices are busy loses and doubles nothing.

``BARGEIN_EXAMPLES`` says how often it is killed, four times in each conversation. A seed says what the devices do and
when it is killed; what is on its way at that moment is up to the machine.
"""

import asyncio
import json
import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

import msgspec
import pytest

from gateway.app import DATABASE, export_session
from gateway.client import Backoff, Conversation, Item, connect
from gateway.client.items import from_wire
from gateway.core.ids import SessionId
from gateway.core.session import Session
from gateway.protocol import realtime as rt
from gateway.runtime.glance import glance_at
from gateway.store.sqlite import SqliteStore
from gateway.transports import history
from tests.e2e.gateway import Gateway, gateway
from tests.faults import ledger
from tests.faults.device import Device, Given

pytestmark = pytest.mark.process

KILLS: Final = int(os.environ.get("BARGEIN_EXAMPLES", "4"))
AT_ONCE: Final = 4
"""Kills in one conversation."""

FAREWELL: Final = "That was all."

PATIENCE_S: Final = 50.0
LONGEST_LIFE_S: Final = 1.0
"""From when a gateway listens, which is before the devices are back, to when it is killed."""

LONGEST_COMMAND_S: Final = 0.005
"""From when a command is sent to when it is answered, about."""


def fetch(url: str) -> Any:
    with urlopen(url) as answer:
        return json.load(answer)


def shown(url: str, session: str) -> tuple[Item, ...]:
    page = fetch(f"{url}/v1/sessions/{session}/items?limit=1000")
    assert not page["has_before"]
    return tuple(from_wire(msgspec.convert(item, rt.Item)) for item in page["items"])


async def kept(data: Path, session: SessionId) -> tuple[Item, ...]:
    """The conversation as the log on disk has it."""
    store = await SqliteStore.open(data / DATABASE)
    try:
        loaded = await store.load(session)
        assert loaded is not None
        core = Session.replay((stored.fact for stored in loaded.log), None, loaded.snapshot)
        path = glance_at(core.state, loaded.seq).path
        contents = await store.contents(session, [node.item_id for node in path])
        return tuple(from_wire(history.shown(node, {}, contents)) for node in path)
    finally:
        await store.aclose()


async def exported(data: Path, session: str) -> list[ledger.Line]:
    return [json.loads(line) async for line in export_session(data, session)][1:]


async def kill_often(served: Gateway, moments: random.Random, speaks: asyncio.Event, times: int) -> None:
    """Kill it after a random while, and start it again, so many times.

    Once that is at any moment, else while a command is on its way or just applied, which is where one could be doubled.
    """
    for number in range(times):
        await asyncio.sleep(moments.uniform(0, LONGEST_LIFE_S))
        if number:
            speaks.clear()
            await speaks.wait()
            await asyncio.sleep(moments.uniform(0, LONGEST_COMMAND_S))
        await asyncio.to_thread(served.kill)
        await asyncio.to_thread(served.start)


async def come_to_rest(served: Gateway, devices: Sequence[Device]) -> list[Given]:
    """Have nothing run or wait any more, and every device know it. Returns what was asked for to that end."""
    first = devices[0].conversation
    where = f"{served.url}/v1/sessions/{first.session_id}/queue"
    given = []
    for waiting in (await asyncio.to_thread(fetch, where))["items"]:
        receipt = await first.command("queue.update", action="withdraw", item_id=waiting["id"])
        given.append(Given("withdraw", waiting["id"], "", receipt))
    given.append(Given("cancel", "", "", await first.cancel()))
    last = await first.add(FAREWELL)
    given.append(Given("say", last.item_id, FAREWELL, last.receipt))
    for device in devices:
        await heard(device.conversation, last.item_id)
    return given


async def heard(conversation: Conversation, item_id: str) -> None:
    """Read on until a message is there."""
    events = aiter(conversation)
    while all(item.id != item_id for item in conversation.items):
        await anext(events)


def encoded(items: tuple[Item, ...]) -> bytes:
    return msgspec.json.encode(items)


@pytest.mark.parametrize("seed", range(-(-KILLS // AT_ONCE)))
def test_a_gateway_that_is_killed_at_random_moments_loses_and_doubles_nothing(tmp_path: Path, seed: int) -> None:
    given: list[Given] = []

    async def main(served: Gateway) -> tuple[str, bytes]:
        soon = [Backoff(random.Random(f"{seed} {each}").random, first_s=0.05, longest_s=0.2) for each in range(2)]
        async with (
            asyncio.timeout(PATIENCE_S),
            connect(served.url, device="phone", backoff=soon[0]) as phone,
            connect(served.url, session=phone.session_id, device="tablet", backoff=soon[1]) as tablet,
        ):
            queued: list[str] = []
            over, speaks = asyncio.Event(), asyncio.Event()
            devices = [Device(it, random.Random(f"{seed} {it.device}"), queued, speaks) for it in (phone, tablet)]
            async with asyncio.TaskGroup() as group:
                for device in devices:
                    group.create_task(device.keep_busy(over))
                await kill_often(served, random.Random(f"{seed} kills"), speaks, AT_ONCE)
                over.set()
            given.extend(it for device in devices for it in device.given)
            given.extend(await come_to_rest(served, devices))
            told = [encoded(phone.items), encoded(tablet.items)]
            told.append(encoded(await asyncio.to_thread(shown, served.url, phone.session_id)))
            assert told == told[:1] * 3
            await asyncio.to_thread(served.kill)
            return phone.session_id, told[0]

    with gateway(tmp_path, "--agent", "offline", "--synthesizer", "none", "--recognizer", "none") as served:
        session, told = asyncio.run(main(served))
    assert encoded(asyncio.run(kept(tmp_path / "data", SessionId(session)))) == told
    ledger.check(asyncio.run(exported(tmp_path / "data", session)), given)
