"""A connection may last as long as the operator says; its session goes on, and who comes back has lost nothing."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.runtime.clock import SystemClock
from gateway.transports.lifetime import Lifetime, Lifetimes
from tests.auth.keys import SECRET
from tests.transports.knocking import NOW, by, token
from tests.transports.reader import reading
from tests.transports.server import EXTENDED, STOCK, Gateway, serving

SENTENCE = "Your session hit the maximum duration of 30 minutes."
LATER = SystemClock().wall() + 24 * 3600
"""Long after the cap, whenever in a long run of tests this is looked at."""


def served(folder: Path, talk: Callable[[Gateway], Awaitable[None]], **settings: Any) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), serving(folder, **settings) as gateway:
            await talk(gateway)

    asyncio.run(main())


# --- counting ---


def watched(lifetimes: Lifetimes, ended: list[str], *names: str) -> list[Lifetime]:
    found = []
    for name in names:
        lifetime = lifetimes.begin()
        lifetimes.watch(lifetime, lambda name=name: ended.append(name))  # type: ignore[misc]
        found.append(lifetime)
    return found


def test_each_ends_when_its_own_time_is_over() -> None:
    now, ended = [1000.0], list[str]()
    lifetimes = Lifetimes(1, lambda: now[0])
    watched(lifetimes, ended, "one")
    now[0] += 30
    (other,) = watched(lifetimes, ended, "other")
    assert other.ends_at == 1090
    for wall, over in ((1059.9, []), (1060, ["one"]), (1089, ["one"]), (1090, ["one", "other"]), (2000, 2)):
        lifetimes.look(wall)
        assert ended == over or len(ended) == over
    assert len(lifetimes) == 0


def test_without_a_bound_nothing_is_kept_and_nothing_ends() -> None:
    ended: list[str] = []
    lifetimes = Lifetimes(0, lambda: 1000.0)
    (lifetime,) = watched(lifetimes, ended, "one")
    assert (lifetime.ends_at, len(lifetimes)) == (math.inf, 0)
    lifetimes.look(1e12)
    assert ended == []


def test_who_left_is_not_ended() -> None:
    ended: list[str] = []
    lifetimes = Lifetimes(1, lambda: 1000.0)
    lifetime = lifetimes.begin()
    ends = [lambda: ended.append("call"), lambda: ended.append("attached")]
    for end in ends:
        lifetimes.watch(lifetime, end)
    lifetimes.leave(lifetime, ends[1])
    lifetimes.leave(lifetime, ends[1])
    lifetimes.look(1060)
    assert ended == ["call"]
    lifetimes.leave(lifetime, ends[0])
    assert (len(lifetimes), lifetime.ends) == (0, [])


# --- over the network ---


@pytest.mark.parametrize("protocol", [STOCK, EXTENDED])
def test_a_connection_ends_as_at_openai_and_its_session_goes_on(tmp_path: Path, protocol: str) -> None:
    async def talk(gateway: Gateway) -> None:
        lifetimes = gateway.services.lifetimes
        async with gateway.socket("model=m", protocol) as socket:
            session = (await socket.get("session.created"))["session"]
            assert 29 * 60 < session["expires_at"] - SystemClock().wall() <= 30 * 60
            assert isinstance(session["expires_at"], int)
            await socket.say("remember me")
            await socket.get("conversation.item.done")
            lifetimes.look(LATER)
            error = (await socket.get("error"))["error"]
            assert (error["type"], error["code"], error["message"]) == (
                "invalid_request_error",
                "session_expired",
                SENTENCE,
            )
            assert await socket.close_code() == 1001
            assert socket.connection.close_reason == SENTENCE
        async with gateway.socket(f"session={session['id']}", STOCK) as again:
            item = (await again.get("conversation.item.done"))["item"]
            assert item["content"][0]["text"] == "remember me"
            assert (await again.get("session.created"))["session"]["id"] == session["id"]
        assert len(lifetimes) <= 1

    served(tmp_path, talk, max_session_minutes=30)


def test_without_a_bound_a_session_does_not_say_that_it_expires(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket("model=m", STOCK) as socket:
            assert "expires_at" not in (await socket.get("session.created"))["session"]
            gateway.services.lifetimes.look(LATER)
            await socket.ask("still there?")
            await socket.get("response.done")

    served(tmp_path, talk)


@pytest.mark.parametrize(("minutes", "expires"), [(0, 3600), (30, 30 * 60), (90, 3600)])
def test_it_says_when_its_token_or_its_time_ends_whichever_is_first(tmp_path: Path, minutes: int, expires: int) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket("model=m", STOCK, **by(token())) as socket:
            shown = (await socket.get("session.created"))["session"]["expires_at"]
            assert expires - 900 < shown - NOW < expires + 900

    served(tmp_path, talk, max_session_minutes=minutes, auth_secret=SECRET.decode())


def test_a_reader_of_an_event_stream_is_no_session_of_openais_and_is_not_ended(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            session = (await socket.get("session.created"))["session"]["id"]
            async with reading(gateway, session) as reader:
                created = (await reader.get("session.created"))["session"]
                assert "expires_at" not in created
                gateway.services.lifetimes.look(LATER)
                assert await socket.close_code() == 1001
                answer = await gateway.http(
                    "POST",
                    f"/v1/sessions/{session}/events",
                    '{"type": "response.create", "input": "still there?"}',
                    {"Content-Type": "application/json"},
                )
                assert answer.status == 200
                await reader.get("response.done")

    served(tmp_path, talk, max_session_minutes=30)
