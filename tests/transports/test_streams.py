"""Events as a stream: the same as by WebSocket, resumed by its ids, for readers that come, stay, stall and go."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from starlette.types import Message

from gateway.agents.scripted import Hold, Pause, Say, ScriptedAgent
from gateway.auth.authority import Authority
from gateway.auth.principal import OPERATOR, Principal
from gateway.auth.rights import ALL, Grant, Right
from gateway.core.ids import DEFAULT_TENANT, DeviceId, LegId, UserId
from gateway.protocol import extension as ext, realtime as rt
from gateway.runtime.actor import Actor
from gateway.transports.config import ConnectionConfig
from gateway.transports.connection import Connection
from gateway.transports.cursors import Cursor, read_cursor
from gateway.transports.streams import KEEP_ALIVE_S, LAST_WORDS_S, RETRY_MS, EventStream, frame
from gateway.transports.telling import Caller
from tests.transports.inbox import Inbox, Json
from tests.transports.reader import Reader, reading
from tests.transports.server import Gateway, serving
from tests.transports.wire import Line, Mirror, line
from tests.virtual_time import now, run, settle

EVE = Principal(DEFAULT_TENANT, UserId("eve"), (Grant("*", ALL),), issued=1.0)

# --- over the network ---


def shared(events: list[Json]) -> list[Json]:
    """What two connections are told alike: without what numbers and greets each."""
    kept = [event for event in events if event["type"] not in ("session.created", "session.snapshot")]
    return [
        {key: value for key, value in event.items() if key not in ("event_id", "prev_seq")}
        for event in kept
        if not event["type"].startswith("command.")
    ]


def test_a_stream_tells_what_a_socket_is_told_in_the_same_order(tmp_path: Path) -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One "), Pause(0.01), Say("two.")], [Say("Three "), Hold()])
        async with asyncio.timeout(20), serving(tmp_path, agent=agent) as gateway, gateway.socket() as socket:
            session = (await socket.get("session.created"))["session"]["id"]
            await socket.get("session.snapshot")
            async with reading(gateway, session, "device=tv") as reader:
                assert (reader.status, reader.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
                assert reader.headers["cache-control"] == "no-store"
                await reader.get("session.snapshot")
                assert reader.got[0]["session"]["bargein"]["device"] == "tv"
                await socket.ask("hi")
                await socket.get("response.done")
                await socket.ask("more")
                await agent.holding()
                await socket.send("response.cancel")
                await reader.get("response.done", 2)
                await socket.get("response.done", 2)
                assert shared(reader.got) == shared(socket.got)
                assert Mirror.of(reader.got).texts == Mirror.of(socket.got).texts
                assert reader.retry_ms == RETRY_MS

    asyncio.run(main())


@pytest.mark.parametrize("by_header", [True, False])
def test_a_stream_goes_on_from_every_one_of_its_ids(tmp_path: Path, by_header: bool) -> None:
    async def main() -> None:
        agent = ScriptedAgent("One two.", [Say("Three "), Hold()])
        async with asyncio.timeout(30), serving(tmp_path, agent=agent) as gateway, gateway.socket() as socket:
            session = (await socket.get("session.created"))["session"]["id"]
            async with reading(gateway, session) as first:
                await socket.ask("hi")
                await socket.get("response.done")
                await socket.ask("more")
                await first.get("response.output_text.delta", 2)
                facts = [event for event in first.got if "prev_seq" in event]
                whole = Mirror.of(first.got)
                for place, event in enumerate(facts):
                    cursor = f"{event['epoch']}.{event['seq']}"
                    again = resumed(gateway, session, cursor, by_header)
                    async with again as reader:
                        await reader.get("response.output_text.delta")
                        told = [it["seq"] for it in reader.got if "prev_seq" in it]
                        assert told == [it["seq"] for it in facts[place + 1 :]]
                        before = first.got[: first.got.index(event) + 1]
                        assert Mirror.of([*before, *reader.got]).texts == whole.texts
                        assert reader.got[-1] | {"event_id": ""} == {
                            **reader.got[-1],
                            "event_id": "",
                            "delta": "Three ",
                            "offset": 0,
                            "replay": True,
                        }
                assert first.last_id == f"{facts[-1]['epoch']}.{facts[-1]['seq']}"

    asyncio.run(main())


def resumed(gateway: Gateway, session: str, cursor: str, by_header: bool) -> AbstractAsyncContextManager[Reader]:
    if by_header:  # it counts before what the address still says
        return reading(gateway, session, "after=old.1", Last_Event_ID=cursor)
    return reading(gateway, session, f"after={cursor}")


@pytest.mark.parametrize(
    ("cursor", "reason"),
    [
        ("other.1", "epoch_changed"),
        ("{epoch}.99", "ahead_of_log"),
        ("{epoch}.x", "invalid_cursor"),
        ("", "epoch_changed"),
    ],
)
def test_a_void_cursor_is_told_with_its_reason(tmp_path: Path, cursor: str, reason: str) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), serving(tmp_path) as gateway, gateway.socket() as socket:
            created = (await socket.get("session.created"))["session"]
            after = cursor.format(epoch=created["bargein"]["epoch"])
            async with reading(gateway, created["id"], f"after={after}") as reader:
                await reader.get("session.snapshot")
                assert [event["type"] for event in reader.got[1:]] == ["session.reset", "session.snapshot"]
                assert reader.got[1]["reason"] == reason

    asyncio.run(main())


def test_a_reader_that_hangs_up_leaves_the_session(tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), serving(tmp_path, max_connections=1) as gateway:
            session = (await gateway.http("POST", "/v1/sessions")).json["id"]  # a socket would hold the place
            async with reading(gateway, session) as reader:
                await reader.get("session.snapshot")
                async with reading(gateway, session) as second:
                    assert (second.status, second.headers["retry-after"]) == (503, "10")
            status = 503
            while status == 503:  # until the gateway has noticed
                async with reading(gateway, session) as third:
                    status = third.status
            assert status == 200

    asyncio.run(main())


def test_the_end_of_the_gateway_is_told_with_a_time_to_come_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), serving(tmp_path) as gateway:
            session = await gateway.session()
            async with reading(gateway, session) as reader, gateway.socket(f"session={session}") as socket:
                await reader.get("session.snapshot")
                await socket.get("session.snapshot")
                await gateway.services.registry.aclose()
                await reader.inbox.until(lambda: reader.inbox.closed)
                assert await socket.close_code() == 1001
                closing = [reader.got[-1], socket.got[-1]]
                assert [event["type"] for event in closing] == ["session.closing"] * 2
                assert {event["reason"] for event in closing} == {"going_away"}
                assert closing[0]["retry_after_ms"] != closing[1]["retry_after_ms"]
                assert reader.retry_ms == RETRY_MS + closing[0]["retry_after_ms"]

    asyncio.run(main())


# --- on a virtual clock ---


@dataclass(slots=True)
class Browser:
    """The other end of a stream, without a network: reads while ``reads`` is set."""

    inbox: Inbox = field(default_factory=Inbox)
    reads: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    chunks: list[str] = field(default_factory=list)

    async def send(self, message: Message) -> None:
        await self.reads.wait()
        if message["type"] == "http.response.body" and message["body"]:
            chunk = message["body"].decode()
            self.chunks.append(chunk)
            for part in chunk.splitlines():
                if part.startswith("data: "):
                    self.inbox.take(json.loads(part.removeprefix("data: ")))

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}


@asynccontextmanager
async def streaming(
    at: Line, actor: Actor, *, reads: bool = True, authority: Authority | None = None
) -> AsyncIterator[tuple[Browser, asyncio.Task[None]]]:
    browser = Browser()
    if reads:
        browser.reads.set()
    caller = Caller(DeviceId("d"), LegId("leg_stream"), extended=True)
    if authority is not None:
        caller = replace(caller, access=authority.access(EVE, actor.session_id, UserId("")))
    services = replace(at.services, authority=authority)
    stream = EventStream(services, actor, caller, at.services.admission.connection())
    task = asyncio.create_task(stream({}, browser.receive, browser.send))
    try:
        yield browser, task
    finally:
        browser.gone.set()
        await task
        assert at.services.admission.connections == 0


def test_a_silent_stream_is_kept_alive() -> None:
    async def main() -> None:
        async with line() as at, streaming(at, await at.open()) as (browser, _):
            await browser.inbox.get("session.snapshot")
            before = len(browser.chunks)
            await asyncio.sleep(3 * KEEP_ALIVE_S + 1)
            assert browser.chunks[before:] == [": still here\n\n"] * 3

    run(main())


def test_a_reader_that_does_not_read_is_let_go_and_holds_up_nobody() -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("x") for _ in range(5000)])
        async with line(agent) as at:
            actor = await at.open()
            other = await at.connect(actor, extended=True)
            async with streaming(at, actor) as (browser, task):
                await browser.inbox.get("session.snapshot")
                browser.reads.clear()
                await other.ask("hi")
                await other.get("response.done")
                let_go = now()
                await task
                assert now() - let_go == pytest.approx(LAST_WORDS_S)
            whole = list(Mirror.of(other.got).texts.values())[-1]
            assert len(whole) == 5000

    run(main())


def test_a_reader_that_is_let_go_reads_what_it_was_sent_before() -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("x") for _ in range(5000)])
        async with line(agent) as at:
            actor = await at.open()
            other = await at.connect(actor, extended=True)
            async with streaming(at, actor) as (browser, task):
                await browser.inbox.get("session.snapshot")
                browser.reads.clear()
                await other.ask("hi")
                await other.get("response.done")
                browser.reads.set()
                await task
                # A whole beginning: from the last id in it the rest can be fetched.
                offsets = [event["offset"] for event in browser.inbox.all("response.output_text.delta")]
                assert offsets == list(range(len(offsets)))
                assert len(offsets) > 1000

    run(main())


@pytest.mark.parametrize(("left", "whole"), [({Right.READ}, True), ({Right.SEND}, False), (set(), False)])
def test_what_waits_for_a_reader_is_not_sent_when_it_may_not_read_any_more(left: set[Right], whole: bool) -> None:
    async def main() -> None:
        async with line(ScriptedAgent([Say("x") for _ in range(100)])) as at:
            actor = await at.open()
            other = await at.connect(actor, extended=True)
            authority = Authority(lambda: 2.0, at.services.clock.token)
            async with streaming(at, actor, authority=authority) as (browser, task):
                await browser.inbox.get("session.snapshot")
                await settle()
                browser.reads.clear()
                await other.ask("hi")
                await other.get("response.done")
                await authority.revoke(OPERATOR, "", EVE.user, frozenset(left))
                browser.reads.set()
                if whole:
                    await browser.inbox.get("response.done")
                    assert browser.inbox.all("auth.changed")
                else:
                    await task
                    assert len(browser.inbox.all("response.output_text.delta")) <= 1  # one was on its way
                    assert browser.inbox.all("response.done") == []

    run(main())


def test_a_long_history_ends_where_the_right_to_read_does() -> None:
    async def main() -> None:
        async with line() as at:
            actor = await at.open()
            other = await at.connect(actor, extended=True)
            for number in range(5):
                await other.say(f"message {number}")
            await other.get("conversation.item.done", 5)
            authority = Authority(lambda: 2.0, at.services.clock.token)
            access = authority.access(EVE, actor.session_id, UserId(""))
            caller = Caller(DeviceId("d"), LegId("leg"), extended=False, access=access)
            told: list[Json] = []
            connection = Connection(
                replace(at.services, authority=authority),
                actor,
                caller,
                ConnectionConfig(("text",)),
                holds_sound=True,
                send=lambda text: told.append(json.loads(text)),
                close=lambda _code: None,  # a call is hung up only when it comes to that
            )

            async def drained() -> None:
                if len(told) >= 4:
                    await authority.revoke(OPERATOR, "", EVE.user, frozenset())

            connection.teller.drained = drained
            await connection.open()
            assert [event["type"] for event in told].count("conversation.item.added") == 2
            await connection.aclose()

    run(main())


def test_a_reader_that_hangs_up_while_it_is_brought_up_to_date_is_no_load() -> None:
    async def main() -> None:
        async with line() as at:
            actor = await at.open()
            async with streaming(at, actor, reads=False) as (browser, task):
                await settle()
                browser.gone.set()
                await task
            await settle()
            assert actor.idle

    run(main())


# --- frames ---


def test_an_id_stands_only_where_a_reader_may_go_on() -> None:
    fact = rt.ItemDeleted(item_id="i", seq=4, epoch="e")
    assert frame(fact).startswith("id: e.4\ndata: {")
    assert "id:" not in frame(rt.TextDelta(response_id="r", item_id="i", delta="d", offset=0))
    assert "id:" not in frame(ext.SessionResumed(session_id="s", seq=9, epoch="e"))
    assert "retry: 1500\n" in frame(ext.SessionResumed(session_id="s", seq=9, epoch="e", retry_after_ms=500))
    assert "id: e.9\n" in frame(ext.SessionSnapshot(session_id="s", items=[], seq=9, epoch="e"))


def test_an_event_is_one_line_whatever_its_text() -> None:
    event = rt.TextDelta(response_id="r", item_id="i", delta="a\nb\r\nc\rd", offset=0)
    assert len(frame(event).splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "cursor"),
    [
        ("e.4", Cursor("e", 4, {})),
        ("e.f.4", Cursor("e.f", 4, {})),
        ("e.4~9.item_a~0.item.b", Cursor("e", 4, {"item_a": 9, "item.b": 0})),
        ("", Cursor("", -1, {})),
        ("4", Cursor("", 4, {})),
        ("e.", Cursor("e", -1, {})),
        ("e.-4", Cursor("e", -1, {})),
        ("e.9999999999999999", Cursor("e", -1, {})),
        ("e.٣", Cursor("e", -1, {})),
        ("e.4~~x~x.i", Cursor("e", 4, {"i": 0})),
    ],
)
def test_a_cursor_is_read_as_it_was_written(text: str, cursor: Cursor) -> None:
    assert read_cursor(text) == cursor
