"""Realtime over a real WebSocket: the handshake, a conversation, and everything a client can do wrong."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.agents.scripted import Crash, Hold, Pause, Say, ScriptedAgent, Step
from gateway.runtime.ports import Agent
from tests.protocol.stock import problems
from tests.transports.server import EXTENDED, STOCK, Gateway, serving
from tests.transports.wire import Mirror

Talk = Callable[[Gateway], Awaitable[None]]


def served(folder: Path, talk: Talk, agent: Agent | None = None, **settings: Any) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), serving(folder, agent=agent, **settings) as gateway:
            await talk(gateway)

    asyncio.run(main())


# --- the handshake ---


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([STOCK], STOCK),
        ([EXTENDED], EXTENDED),
        ([STOCK, EXTENDED], EXTENDED),
        ([EXTENDED, STOCK], EXTENDED),
        ([STOCK, "openai-insecure-api-key.k", "openai-agents-sdk.1"], STOCK),
        (["unknown"], None),
        ([""], None),
    ],
)
def test_the_extension_is_chosen_where_it_is_offered(tmp_path: Path, offered: list[str], chosen: str | None) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket("model=m", *offered) as socket:
            created = await socket.get("session.created")
            assert socket.connection.subprotocol == chosen
            assert created["session"]["bargein"]["extended"] is (chosen == EXTENDED)

    served(tmp_path, talk)


def test_the_first_frame_is_a_session_that_stock_clients_know(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket("model=gpt-realtime", STOCK) as socket:
            created = await socket.get("session.created")
            assert socket.types()[0] == "session.created"
            assert problems(json.dumps(created)) == []
            assert created["session"]["model"] == "gpt-realtime"
            assert created["session"]["bargein"]["agent"] == "offline"

    served(tmp_path, talk)


def test_a_ping_is_answered(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket("model=m", STOCK) as socket:
            await (await socket.connection.ping())

    served(tmp_path, talk)


def test_frames_are_text_and_never_compressed(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket(reads=False) as socket:
            assert isinstance(await socket.connection.recv(), str)
            assert socket.connection.protocol.extensions == []

    served(tmp_path, talk)


# --- a conversation ---


def test_a_written_conversation(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket("model=m", STOCK) as socket:
            await socket.ask("My name is Ada.")
            await socket.get("response.done")
            await socket.ask("What is my name?")
            done = await socket.get("response.done", 2)
            assert "Ada" in done["response"]["output"][0]["content"][0]["text"]
            assert all(problems(json.dumps(event)) == [] for event in socket.got)
            assert all(event["event_id"] for event in socket.got)
            assert len({event["event_id"] for event in socket.got}) == len(socket.got)

    served(tmp_path, talk)


def test_an_answer_is_cancelled_and_what_was_shown_of_it_stays(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            await socket.ask("go")
            await socket.get("response.output_text.delta")
            await socket.send("response.cancel", event_id="e1")
            done = (await socket.get("response.done"))["response"]
            assert (done["status"], done["status_details"]["reason"]) == ("cancelled", "client_cancelled")
            assert done["output"][0]["status"] == "incomplete"
            await socket.get("command.accepted")
            await socket.send("response.cancel", event_id="e2")
            assert (await socket.get("command.accepted", 2))["effect"] == "none"

    served(tmp_path, talk, ScriptedAgent([Say("One two"), Hold(), Say("three")]))


def test_a_second_answer_is_refused_while_one_is_generated_and_interrupts_it_when_told_to(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            await socket.ask("go")
            await socket.get("response.output_text.delta")
            await socket.send("response.create", event_id="e1")
            assert (await socket.get("command.rejected"))["code"] == "conversation_already_has_active_response"
            await socket.ask("other", on_active="interrupt")
            statuses = [(await socket.get("response.done", count))["response"]["status"] for count in (1, 2)]
            assert statuses == ["cancelled", "completed"]

    served(tmp_path, talk, ScriptedAgent([Say("One two"), Hold()], "Three."))


def test_a_typed_stop_word_silences_and_is_not_answered(tmp_path: Path) -> None:
    agent = ScriptedAgent([Say("One two"), Hold()])

    async def talk(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            await socket.ask("go")
            await socket.get("response.output_text.delta")
            await socket.say("Stop!")
            await socket.send("response.create", event_id="e1", on_active="interrupt")
            assert (await socket.get("response.done"))["response"]["status"] == "cancelled"
            await socket.get("command.accepted")
            await socket.send("session.update", session={}, event_id="e2")
            await socket.get("session.updated")
            assert len(socket.all("response.created")) == 1
            agent.verify()

    served(tmp_path, talk, agent)


def test_a_closed_connection_cancels_nothing(tmp_path: Path) -> None:
    agent = ScriptedAgent([Say("One "), Hold(), Say("two.")])

    async def talk(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            session = (await socket.get("session.created"))["session"]["id"]
            await socket.ask("go")
            await socket.get("response.output_text.delta")
        async with gateway.socket(f"session={session}") as socket:
            assert (await socket.get("session.snapshot"))["items"][1]["status"] == "in_progress"
            agent.release()
            await socket.get("response.done")
            assert list(Mirror.of(socket.got).texts.values()) == ["go", "One two."]

    served(tmp_path, talk, agent)


# --- several connections ---


def test_two_clients_of_one_session_see_the_same(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket("device=phone") as one:
            session = (await one.get("session.created"))["session"]["id"]
            async with gateway.socket(f"session={session}&device=laptop") as two:
                await two.get("session.snapshot")
                await one.ask("hello")
                await two.get("response.done")
                await two.ask("and again")
                await one.get("response.done", 2)
                await two.get("response.done", 2)
                assert one.got[2:] == two.got[2:]
                devices = [event["item"].get("device") for event in one.all("conversation.item.added")]
                assert devices == ["phone", None, "laptop", None]

    served(tmp_path, talk, ScriptedAgent("One.", "Two."))


def test_a_session_that_nobody_knows_is_told_and_closed(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        for wanted in ("sess_00nobody", "nonsense", "sess_", "%00", "x" * 5000):
            async with gateway.socket(f"session={wanted}") as socket:
                assert await socket.close_code() == 4004
                assert [event["error"]["code"] for event in socket.got] == ["session_not_found"]

    served(tmp_path, talk)


def test_a_session_outlives_its_gateway(tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(30):
            agent = ScriptedAgent([Say("One two"), Hold()])
            async with serving(tmp_path, agent=agent) as gateway, gateway.socket() as socket:
                session = (await socket.get("session.created"))["session"]
                await socket.ask("go")
                await socket.get("response.output_text.delta")
            async with serving(tmp_path) as gateway:
                cursor = f"{session['bargein']['epoch']}.{session['bargein']['seq']}"
                async with gateway.socket(f"session={session['id']}&resume={cursor}") as socket:
                    done = await socket.get("response.done")
                    assert done["replay"] is True
                    assert done["response"]["status_details"]["error"]["code"] == "node_lost"
                    assert list(Mirror.of(socket.got).texts.values()) == ["go", "One two"]

    asyncio.run(main())


# --- resuming ---


def test_a_dropped_client_gets_what_it_missed_and_no_more(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            session = (await socket.get("session.created"))["session"]
            await socket.ask("first")
            await socket.get("response.done")
            seen = list(socket.got)
        cursor = f"{session['bargein']['epoch']}.{max(event.get('seq', 0) for event in seen)}"
        async with gateway.socket(f"session={session['id']}") as other:
            await other.ask("second")
            await other.get("response.done")
            async with gateway.socket(f"session={session['id']}&resume={cursor}") as socket:
                await socket.get("response.done")
                assert socket.types()[:2] == ["session.created", "session.resumed"]
                assert all(event.get("replay") for event in socket.got[2:])
                known = Mirror.of([*seen, *socket.got])
                assert list(known.texts.values()) == ["first", "One.", "second", "Two."]

    served(tmp_path, talk, ScriptedAgent("One.", "Two."))


@pytest.mark.parametrize(
    ("cursor", "reason"),
    [
        ("other.1", "epoch_changed"),
        ("", "epoch_changed"),
        ("nonsense", "epoch_changed"),
        ("EPOCH", "epoch_changed"),
        ("EPOCH.99", "ahead_of_log"),
        ("EPOCH.-1", "invalid_cursor"),
        ("EPOCH.x", "invalid_cursor"),
        ("EPOCH.", "invalid_cursor"),
        ("EPOCH.1e3", "invalid_cursor"),
        ("EPOCH." + "9" * 50, "invalid_cursor"),
    ],
)
def test_a_cursor_that_cannot_be_followed_brings_everything(tmp_path: Path, cursor: str, reason: str) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            session = (await socket.get("session.created"))["session"]
            await socket.say("hello")
            await socket.get("conversation.item.done")
        given = cursor.replace("EPOCH", session["bargein"]["epoch"])
        async with gateway.socket(f"session={session['id']}&resume={given}") as socket:
            assert (await socket.get("session.reset"))["reason"] == reason
            assert len((await socket.get("session.snapshot"))["items"]) == 1

    served(tmp_path, talk)


def test_a_connected_client_may_resume_too(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            bargein = (await socket.get("session.created"))["session"]["bargein"]
            await socket.ask("hello")
            await socket.get("response.done")
            await socket.send("session.resume", epoch=bargein["epoch"], seq=bargein["seq"])
            await socket.get("response.done", 2)
            told = [event for event in socket.got if "prev_seq" in event]
            half = len(told) // 2
            assert [event["seq"] for event in told[:half]] == [event["seq"] for event in told[half:]]
            assert all(event["replay"] for event in told[half:])

    served(tmp_path, talk, ScriptedAgent("One."))


# --- what a client can do wrong ---


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("", "invalid_json"),
        ("nonsense", "invalid_json"),
        (b"\x00\x01\x02", "invalid_json"),
        (b"\xff\xfe", "invalid_json"),
        ("[]", "invalid_value"),
        ("{}", "unknown_event_type"),
        ('{"type":"session.delete"}', "unknown_event_type"),
        ('{"type":"conversation.item.create"}', "missing_required_parameter"),
        ('{"type":"response.create","on_active":"explode"}', "invalid_value"),
        ('{"type":"response.cancel","x":"' + "x" * 65_536 + '"}', "event_too_large"),
        ('{"type":"response.cancel","x":' + "[" * 64 + "]" * 64 + "}", "invalid_json"),
        ("[" * 60_000, "invalid_json"),
        ('{"type":"conversation.item.retrieve","item_id":"nobody"}', "item_retrieve_invalid_item_id"),
        ('{"type":"input_audio_buffer.append","audio":"AAAA"}', "voice_unavailable"),
        ('{"type":"input_audio_buffer.commit"}', "input_audio_buffer_commit_empty"),
        ('{"type":"conversation.item.delete","item_id":"nobody"}', "item_delete_invalid_item_id"),
        ('{"type":"conversation.item.truncate","item_id":"nobody","audio_end_ms":1}', "item_truncate_invalid_item_id"),
        ('{"type":"response.cancel"}', "response_cancel_not_active"),
    ],
)
def test_what_cannot_be_taken_is_an_error_and_the_session_goes_on(tmp_path: Path, sent: str | bytes, code: str) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket("model=m", STOCK) as socket:
            await socket.raw(sent)
            error = await socket.get("error")
            assert error["error"]["code"] == code
            assert problems(json.dumps(error)) == []
            await socket.ask("hello")
            assert (await socket.get("response.done"))["response"]["status"] == "completed"

    served(tmp_path, talk, ScriptedAgent("One."))


def test_an_event_in_a_binary_frame_is_read_like_any_other(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            await socket.raw(b'{"type":"session.update","session":{}}')
            await socket.get("session.updated")

    served(tmp_path, talk)


def test_a_text_that_is_not_utf8_closes_the_connection_and_nothing_else(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket() as other:
            async with gateway.socket() as socket:
                await socket.get("session.created")
                await socket.connection.send(b"\xff\xfe", text=True)
                assert await socket.close_code() == 1007
            await other.ask("hello")
            await other.get("response.done")

    served(tmp_path, talk, ScriptedAgent("One."))


def test_a_message_larger_than_any_event_closes_the_connection(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            await socket.get("session.created")
            await socket.raw("x" * 10_000)
            assert await socket.close_code() == 1009

    served(tmp_path, talk, max_append_bytes=4096)


def test_a_flood_closes_the_connection(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket("model=m", STOCK) as socket:
            for _ in range(300):
                await socket.send("input_audio_buffer.clear")
            assert await socket.close_code() == 4429
            assert socket.all("error")[0]["error"]["code"] == "rate_limited"

    served(tmp_path, talk)


def test_a_client_that_sends_only_nonsense_is_let_go(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket("model=m", STOCK) as socket:
            for _ in range(50):
                await socket.raw("nonsense")
            assert await socket.close_code() == 4400

    served(tmp_path, talk)


def test_a_client_that_does_not_read_is_let_go_and_can_resume(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket() as fast:
            session = (await fast.get("session.created"))["session"]
            query = f"session={session['id']}"
            async with gateway.socket(query, reads=False, max_queue=1) as slow:
                for count in range(1, 41):
                    await fast.ask("much")
                    await fast.get("response.done", count)
                reading = asyncio.create_task(slow.read())
                assert await slow.close_code() == 4008
                await reading
            last = max(event.get("seq", 0) for event in slow.got)
            assert last < max(event.get("seq", 0) for event in fast.got)
            async with gateway.socket(f"{query}&resume={session['bargein']['epoch']}.{last}") as again:
                missing = 40 - len(slow.all("response.done"))
                await again.get("response.done", missing)
                told = [
                    event["response"]["id"] for event in (*slow.got, *again.got) if event["type"] == "response.done"
                ]
                assert told == [event["response"]["id"] for event in fast.all("response.done")]

    much = [Say("x" * 50_000) for _ in range(2)]  # as much as an answer may be, told six times over
    served(tmp_path, talk, ScriptedAgent(*[much] * 40))


def test_a_log_that_fails_closes_the_connection(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            session = (await socket.get("session.created"))["session"]["id"]
            await gateway.services.store.aclose()
            await socket.say("lost")
            assert await socket.close_code() == 1011
        async with gateway.socket(f"session={session}") as socket:
            assert await socket.close_code() == 1011
            assert [event["error"]["code"] for event in socket.got] == ["store_unavailable"]
        async with gateway.socket() as socket:
            assert await socket.close_code() == 1011

    served(tmp_path, talk)


def test_an_agent_that_crashes_fails_its_answer_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket("model=m", STOCK) as socket:
            await socket.ask("one")
            failed = await socket.get("response.done")
            assert failed["response"]["status_details"]["error"]["code"] == "agent_crashed"
            await socket.ask("two")
            assert (await socket.get("response.done", 2))["response"]["status"] == "completed"
            assert all(problems(json.dumps(event)) == [] for event in socket.got)

    served(tmp_path, talk, ScriptedAgent([Crash()], "Two."))


def test_a_client_that_hangs_up_in_mid_handshake_leaves_nothing_behind(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def talk(gateway: Gateway) -> None:
        for query, sent in (("", 400), ("", 100), ("", 20), ("?session=sess_00nobody", 400)) * 5:
            _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            request = (
                f"GET /v1/realtime{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            writer.write(request.encode()[:sent])
            await writer.drain()
            writer.transport.abort()
        async with gateway.socket() as socket:
            await socket.ask("hello")
            await socket.get("response.done")

    served(tmp_path, talk, ScriptedAgent("One."))
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_typed_and_cancelled_as_fast_as_it_goes_every_answer_ends_once(tmp_path: Path) -> None:
    replies: list[list[Step]] = [[Say("One "), Pause(0.001), Say("two "), Pause(0.001), Say("three.")]] * 40

    async def talk(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            for number in range(40):
                await socket.ask(f"number {number}", on_active="interrupt")
                if number % 3 == 0:
                    await socket.send("response.cancel")
                await asyncio.sleep(0.002)
            await socket.send("session.update", session={}, event_id="last")
            await socket.get("command.accepted")
            created = {event["response"]["id"] for event in socket.all("response.created")}
            await socket.inbox.until(lambda: len(socket.all("response.done")) >= len(created))
            done = [event["response"]["id"] for event in socket.all("response.done")]
            assert sorted(done) == sorted(created)
            Mirror.of(socket.got)

    served(tmp_path, talk, ScriptedAgent(*replies))


# --- branches ---


def test_two_clients_of_one_session_see_the_same_branch_and_so_does_who_comes_later(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket() as extended:
            session = (await extended.get("session.created"))["session"]["id"]
            async with gateway.socket(f"session={session}", STOCK) as stock:
                await extended.ask("first")
                await extended.get("response.done")
                question = Mirror.of(extended.got)
                first = next(iter(question.texts))
                words = [{"type": "input_text", "text": "second"}]
                await extended.send("conversation.item.update", item_id=first, content=words, response=True)
                await stock.get("response.done", 2)
                await extended.get("conversation.siblings")
                await extended.send("conversation.branch.select", item_id=first)
                await extended.get("conversation.siblings", 2)
                await stock.inbox.until(lambda: first in Mirror.of(stock.got).items)
                await stock.get("conversation.item.done", len(extended.all("conversation.item.done")))
                assert list(Mirror.of(stock.got).texts.values()) == ["first", "One."]
                assert Mirror.of(extended.got).texts == Mirror.of(stock.got).texts
                assert all(problems(json.dumps(event)) == [] for event in stock.got)
                cursor = [event for event in extended.got if "seq" in event and "epoch" in event][3]
            query = f"session={session}&resume={cursor['epoch']}.{cursor['seq']}"
            async with gateway.socket(query) as resumed, gateway.socket(f"session={session}") as joined:
                siblings = await resumed.get("conversation.siblings")
                assert siblings["siblings"] == extended.all("conversation.siblings")[-1]["siblings"]
                items = (await joined.get("session.snapshot"))["items"]
                assert [item.get("siblings", {}).get("index") for item in items] == [0, None]
                assert [item["content"][0]["text"] for item in items] == ["first", "One."]

    served(tmp_path, talk, ScriptedAgent("One.", "Two."))


def test_branches_outlive_their_gateway(tmp_path: Path) -> None:
    known: dict[str, Any] = {}

    async def before(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            known["session"] = (await socket.get("session.created"))["session"]["id"]
            await socket.ask("first")
            await socket.get("response.done")
            known["first"] = next(iter(Mirror.of(socket.got).texts))
            words = [{"type": "input_text", "text": "second"}]
            await socket.send("conversation.item.update", item_id=known["first"], content=words)
            await socket.get("conversation.siblings")

    async def after(gateway: Gateway) -> None:
        async with gateway.socket(f"session={known['session']}") as socket:
            items = (await socket.get("session.snapshot"))["items"]
            assert [item["content"][0]["text"] for item in items] == ["second"]
            await socket.send("conversation.branch.select", item_id=known["first"])
            await socket.get("conversation.branch.selected")
            assert list(Mirror.of(socket.got).texts.values()) == ["first", "One."]

    served(tmp_path, before, ScriptedAgent("One."))
    served(tmp_path, after, ScriptedAgent())
