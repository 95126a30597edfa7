"""Long polling: at once, or as soon as there is something; each answer goes on where the one before ended."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message

from gateway.agents.scripted import Hold, Pause, Say, ScriptedAgent
from gateway.core.ids import DeviceId, LegId
from gateway.protocol import realtime as rt
from gateway.runtime.actor import Actor
from gateway.transports.cursors import Cursor, read_cursor
from gateway.transports.polling import GATHER_S, MAX_EVENTS, Basket, poll
from gateway.transports.telling import AT_ONCE, Caller
from tests.transports.inbox import Json
from tests.transports.server import serving
from tests.transports.wire import Line, Mirror, line
from tests.virtual_time import now, run, settle


async def never() -> Message:
    await asyncio.Event().wait()
    return {}


async def ask(at: Line, actor: Actor, after: str | None = None, wait_s: float = 30) -> tuple[list[Json], str, bool]:
    """One long poll: its events, its cursor, and whether there is more."""
    caller = Caller(DeviceId("d"), LegId(f"poll_{at.services.clock.token()}"), extended=True)
    if after is not None:
        cursor = read_cursor(after)
        caller = replace(caller, resume=(cursor.epoch, cursor.seq), held=cursor.held)
    basket = await poll(at.services, actor, caller, wait_s, never)
    assert basket.cursor is not None
    return [json.loads(bytes(event)) for event in basket.events], basket.cursor, basket.full.is_set()


def kinds(events: list[Json]) -> list[str]:
    return [str(event["type"]) for event in events]


def test_the_first_poll_brings_the_whole_and_the_next_one_waits() -> None:
    async def main() -> None:
        async with line() as at:
            actor = await at.open()
            events, cursor, more = await ask(at, actor)
            assert (kinds(events), cursor, more) == (["session.snapshot"], f"{actor.epoch}.1", False)
            assert now() < 0.01
            nothing, same, _ = await ask(at, actor, cursor, wait_s=20)
            assert (nothing, same) == ([], cursor)
            assert now() == pytest.approx(20, abs=0.1)

    run(main())


def test_a_poll_that_waits_is_answered_when_something_happens() -> None:
    async def main() -> None:
        async with line() as at:
            actor = await at.open()
            client = await at.connect(actor, extended=True)
            _, cursor, _ = await ask(at, actor)
            waiting = asyncio.create_task(ask(at, actor, cursor))
            await asyncio.sleep(5)
            await client.say("hi")
            events, after, _ = await waiting
            assert kinds(events) == ["conversation.item.added", "conversation.item.done"]
            assert now() == pytest.approx(5 + GATHER_S, abs=0.01)
            assert after == f"{actor.epoch}.{events[-1]['seq']}"

    run(main())


def test_polls_one_after_another_tell_what_a_connection_is_told() -> None:
    async def main() -> None:
        agent = ScriptedAgent(
            [Say("One "), Pause(0.3), Say("two "), Pause(0.001), Say("\U0001f600 "), Pause(0.2), Say("three.")],
            [Say("Four "), Pause(0.1), Hold()],
        )
        async with line(agent) as at:
            actor = await at.open()
            client = await at.connect(actor, extended=True)
            told, cursor, _ = await ask(at, actor)
            await client.ask("hi")
            while "response.done" not in kinds(told):
                events, cursor, _ = await ask(at, actor, cursor)
                assert events, "something always happens, until the answer ends"
                told += events
            await client.ask("more")
            await agent.holding()
            while "Four " not in Mirror.of([CREATED, *told]).texts.values():
                events, cursor, _ = await ask(at, actor, cursor)
                told += events
            assert "~5." in cursor
            # The reader holds all of the open answer: there is nothing new, and the poll waits.
            before = now()
            assert (await ask(at, actor, cursor, wait_s=10))[0] == []
            assert now() - before == pytest.approx(10, abs=0.1)
            await client.send("response.cancel")
            events, cursor, _ = await ask(at, actor, cursor)
            told += events
            assert "~" not in cursor
            assert Mirror.of([CREATED, *told]).texts == Mirror.of(client.got).texts
            seqs = [event["seq"] for event in told if "prev_seq" in event]
            assert seqs == [event["seq"] for event in client.got if "prev_seq" in event]
            deltas = [event["delta"] for event in told if event["type"] == "response.output_text.delta"]
            assert "".join(deltas) == "One two \U0001f600 three.Four "

    run(main())


CREATED: Json = {"type": "session.created", "session": {"bargein": {"seq": 0}}}


def test_a_large_gap_is_told_in_several_answers() -> None:
    async def main() -> None:
        async with line() as at:
            actor = await at.open()
            client = await at.connect(actor, extended=True)
            _, cursor, _ = await ask(at, actor)
            for number in range(700):
                await client.say(str(number))
                await asyncio.sleep(0.01)
            told: list[Json] = []
            answers = 0
            more = True
            while more:
                events, cursor, more = await ask(at, actor, cursor)
                told, answers = told + events, answers + 1
                assert len(events) <= MAX_EVENTS + 2 * AT_ONCE  # each message is told as added and as done
            assert answers == 3
            texts = [it["item"]["content"][0]["text"] for it in told if it["type"] == "conversation.item.done"]
            assert texts == [str(number) for number in range(700)]

    run(main())


def test_a_void_cursor_is_told_with_its_reason() -> None:
    async def main() -> None:
        async with line() as at:
            actor = await at.open()
            events, cursor, _ = await ask(at, actor, "other.1~5.item")
            assert (kinds(events), events[0]["reason"]) == (["session.reset", "session.snapshot"], "epoch_changed")
            assert cursor == f"{actor.epoch}.1"

    run(main())


def test_a_client_that_hangs_up_is_waited_for_no_longer() -> None:
    async def main() -> None:
        async with line() as at:
            actor = await at.open()
            hangs_up = asyncio.Event()

            async def receive() -> Message:
                await hangs_up.wait()
                return {"type": "http.disconnect"}

            caller = Caller(DeviceId("d"), LegId("leg"), True, (actor.epoch, 1))
            polling = asyncio.create_task(poll(at.services, actor, caller, 30, receive))
            await asyncio.sleep(3)
            hangs_up.set()
            await polling
            assert now() == pytest.approx(3, abs=0.1)
            await settle()
            assert actor.idle

    run(main())


def test_over_the_network(tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), serving(tmp_path) as gateway, gateway.socket() as socket:
            session = (await socket.get("session.created"))["session"]["id"]
            path = f"/v1/sessions/{session}/events"
            first = await gateway.http("GET", f"{path}?wait=0")
            assert (first.status, first.headers["cache-control"]) == (200, "no-store")
            assert kinds(first.json["events"]) == ["session.snapshot"]
            waiting = asyncio.create_task(gateway.http("GET", f"{path}?wait=30&after={first.json['cursor']}"))
            await asyncio.sleep(0)
            await socket.say("hi")
            answer: dict[str, Any] = (await waiting).json
            assert kinds(answer["events"]) == ["conversation.item.added", "conversation.item.done"]
            assert answer["more"] is False
            for wait in ("31", "-1", "x", ""):
                refused = await gateway.http("GET", f"{path}?wait={wait}")
                assert (refused.status, refused.code) == (400, "invalid_value")

    asyncio.run(main())


def test_what_every_reader_is_told_again_is_no_reason_to_answer() -> None:
    async def main() -> None:
        basket = Basket(Cursor("e", 4))
        basket.take(rt.SpeechStarted(item_id="i", audio_start_ms=0))
        assert not basket.news.is_set()
        basket.take(rt.ItemDeleted(item_id="i", seq=5, epoch="e"))
        assert basket.news.is_set()
        assert (len(basket.events), basket.cursor) == (2, "e.5")
        live = Basket(Cursor("e", 4))
        live.catching_up = False
        live.take(rt.SpeechStarted(item_id="i", audio_start_ms=0))
        assert live.news.is_set()

    run(main())
