"""Which sessions there are, for who asks."""

import asyncio
from pathlib import Path

import pytest

from tests.transports.inbox import Json
from tests.transports.knocking import bearer, by, served, token
from tests.transports.server import Gateway, serving


async def listed(gateway: Gateway, query: str = "") -> Json:
    answer = await gateway.http("GET", f"/v1/sessions{query}")
    assert answer.status == 200, answer.body
    return answer.json


async def opened(gateway: Gateway, **metadata: str) -> str:
    async with gateway.socket() as socket:
        session = str((await socket.get("session.created"))["session"]["id"])
        if metadata:
            await socket.send("session.update", session={"bargein": {"metadata": metadata}})
            await socket.get("session.updated")
        return session


def test_sessions_are_listed_newest_first_in_pages(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(tmp_path) as gateway:
            known = [await opened(gateway) for _ in range(5)][::-1]
            first = await listed(gateway, "?limit=3")
            assert [each["id"] for each in first["sessions"]] == known[:3]
            rest = await listed(gateway, f"?limit=3&before={first['next']}")
            assert [each["id"] for each in rest["sessions"]] == known[3:]
            assert rest["next"] is None

    asyncio.run(main())


def test_a_list_can_be_of_what_they_are_about(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(tmp_path) as gateway:
            await opened(gateway)
            about = await opened(gateway, topic="ships", team="a")
            await opened(gateway, topic="ships", team="b")
            found = await listed(gateway, "?metadata.topic=ships&metadata.team=a")
            assert [(each["id"], each["metadata"]) for each in found["sessions"]] == [
                (about, {"topic": "ships", "team": "a"})
            ]

    asyncio.run(main())


@pytest.mark.parametrize("query", ["?limit=0", "?limit=101", "?before=x"])
def test_a_query_that_makes_no_sense_is_refused(tmp_path: Path, query: str) -> None:
    async def main() -> None:
        async with serving(tmp_path) as gateway:
            answer = await gateway.http("GET", f"/v1/sessions{query}")
            assert (answer.status, answer.code) == (400, "invalid_value")

    asyncio.run(main())


def test_everybody_sees_what_they_may_read_and_nothing_of_other_tenants(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        mine = token("ada", {"ada:*": ["*"]})
        async with gateway.socket(**by(mine)) as socket:
            own = (await socket.get("session.created"))["session"]["id"]
        async with gateway.socket(**by(token("bob"))) as socket:
            others = (await socket.get("session.created"))["session"]["id"]

        async def seen(by_whom: str) -> list[str]:
            answer = await gateway.http("GET", "/v1/sessions", headers=bearer(by_whom))
            return [each["id"] for each in answer.json["sessions"]]

        assert await seen(mine) == [own]
        assert await seen(token("bob")) == [others, own]
        assert await seen(token(tenant="other")) == []
        assert await seen(token("bob", {"*": ["send"]})) == []

    served(tmp_path, talk)
