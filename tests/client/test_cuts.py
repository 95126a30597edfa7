"""A connection cut at any byte of a streamed answer: afterwards the transcript is the store's, to the byte."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import msgspec

from gateway.agents.callable import CallableAgent
from gateway.client import Backoff, Conversation, Item, connect
from gateway.client.items import from_wire
from gateway.core.ids import ItemId, SessionId
from gateway.protocol import realtime as rt
from gateway.runtime.ports import Conversation as Asked
from tests.client.proxy import Proxy, proxy
from tests.transports.server import Gateway, serving

PIECES: Final = ("Once", " upon", " a 👍", " thrée", " time.")

STRIDE: Final = int(os.environ.get("BARGEIN_CUT_STRIDE", "41"))
"""Every so many bytes a run is cut; 1 cuts at every byte of the answer, which takes a minute."""

AT_ONCE: Final = 24
"""Conversations at the same time."""


async def tell(conversation: Asked) -> AsyncIterator[str]:
    for piece in PIECES:
        yield piece
        await asyncio.sleep(0)


def at_once() -> Backoff:
    return Backoff(lambda: 0.0)


async def answered(conversation: Conversation) -> None:
    """Wait until the answer is whole."""
    async for _ in conversation:
        last = conversation.items[-1] if conversation.items else None
        if last is not None and (last.role, last.status) == ("assistant", "completed") and not conversation.running:
            return


async def stored(gateway: Gateway, session: str) -> tuple[Item, ...]:
    """What the gateway shows by HTTP, which is compared with what stands in the store."""
    answer = await gateway.http("GET", f"/v1/sessions/{session}/items")
    items = tuple(from_wire(msgspec.convert(item, rt.Item)) for item in answer.json["items"])
    ids = [ItemId(item.id) for item in items]
    contents = await gateway.services.store.contents(SessionId(session), ids)
    assert [contents[each].text.encode() for each in ids] == [item.text.encode() for item in items]
    return items


async def one(gateway: Gateway, way: Proxy) -> tuple[Item, ...]:
    async with connect(f"http://127.0.0.1:{way.port}", backoff=at_once()) as conversation:
        await conversation.send("Go on, 👍.")
        await answered(conversation)
        assert conversation.items == await stored(gateway, conversation.session_id)
        return conversation.items


async def cut_after(gateway: Gateway, count: int) -> None:
    async with proxy(gateway.port, lambda number: count if number == 0 else None) as way:
        items = await one(gateway, way)
    assert [item.text for item in items] == ["Go on, 👍.", "".join(PIECES)]
    assert way.connections == 2


def test_a_cut_at_any_byte_of_an_answer_loses_and_doubles_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(tmp_path, agent=CallableAgent(tell, "tell", None), max_connections=0) as gateway:
            async with proxy(gateway.port) as way, connect(f"http://127.0.0.1:{way.port}") as conversation:
                begin = way.passed[0]
                await conversation.send("Go on, 👍.")
                await answered(conversation)
                whole = way.passed[0]
            # Ids and figures differ from run to run by a byte or two: the last one cut falls before the end.
            places = range(begin, whole - 16, STRIDE)
            for first in range(0, len(places), AT_ONCE):
                async with asyncio.TaskGroup() as runs:
                    for count in places[first : first + AT_ONCE]:
                        runs.create_task(cut_after(gateway, count))

    asyncio.run(main())
