"""11. All clients come back at once: each gets what it missed, once, and a hint to come more slowly the next time."""

import asyncio
from pathlib import Path

from tests.transports.server import Gateway, serving

CLIENTS, MISSED = 60, 20


async def come_back(gateway: Gateway, query: str, last: int) -> list[int]:
    async with gateway.socket(query) as socket:
        await socket.inbox.until(lambda: any(each.get("seq") == last and each.get("replay") for each in socket.got))
        return [each["seq"] for each in socket.got if each.get("replay") and "seq" in each]


def test_everybody_gets_what_was_missed(tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(60), serving(tmp_path, max_connections=0) as gateway, gateway.socket() as writer:
            created = (await writer.get("session.created"))["session"]
            for number in range(MISSED):
                await writer.say(f"message {number}")
            last = (await writer.get("conversation.item.done", MISSED))["seq"]
            query = f"session={created['id']}&resume={created['bargein']['epoch']}.{last - MISSED}"
            told = await asyncio.gather(*(come_back(gateway, query, last) for _ in range(CLIENTS)))
            assert told == [list(range(last - MISSED + 1, last + 1))] * CLIENTS

    asyncio.run(main())
