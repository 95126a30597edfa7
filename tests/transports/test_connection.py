"""A connection, whatever carries it: what its client is told, and what becomes of what it sends."""

import asyncio
import json

import pytest

from gateway.agents.scripted import Hold, Say, ScriptedAgent
from gateway.core import inputs as inp
from gateway.core.ids import Generation
from gateway.core.values import Settings
from gateway.protocol.close_codes import CloseCode
from tests.protocol.stock import STANDARD, problems
from tests.runtime.stage import GatedStore
from tests.transports.inbox import Json
from tests.transports.wire import Client, Mirror, add_voice, line, report, update
from tests.virtual_time import run, settle

FIRST = Generation(1)


# --- the beginning ---


@pytest.mark.parametrize("extended", [False, True])
def test_the_first_event_is_the_session_as_stock_clients_know_it(extended: bool) -> None:
    async def main() -> None:
        async with line() as at:
            client = await at.connect(await at.open(model="m", instructions="be brief"), extended=extended)
            first = client.got[0]
            assert first["type"] == "session.created"
            assert problems(json.dumps(first)) == []
            session = first["session"]
            assert session["object"] == "realtime.session"
            assert (session["model"], session["instructions"]) == ("m", "be brief")
            assert session["output_modalities"] == (["text"] if extended else ["audio"])
            detection = session["audio"]["input"]["turn_detection"]
            assert (detection["create_response"], detection["interrupt_response"]) == (True, True)
            assert session["bargein"]["seq"] == 1

    run(main())


def test_an_extended_client_that_joins_is_given_a_snapshot() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("Hello.")) as at:
            actor = await at.open()
            first = await at.connect(actor)
            await first.ask("hi", response={"output_modalities": ["text"]})
            await first.get("response.done")
            client = await at.connect(actor, extended=True)
            assert client.types() == ["session.created", "session.snapshot"]
            snapshot = client.got[1]
            assert [item["role"] for item in snapshot["items"]] == ["user", "assistant"]
            assert (snapshot["seq"], snapshot["epoch"]) == (actor.seq, actor.epoch)
            assert Mirror.of(client.got).texts == Mirror.of(first.got).texts

    run(main())


def test_a_stock_client_that_joins_is_told_each_message() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("Hello.", [Say("Once "), Hold()])) as at:
            actor = await at.open()
            first = await at.connect(actor)
            await first.ask("hi")
            await first.get("response.done")
            await first.ask("more")
            await first.get("response.output_text.delta", 2)
            client = await at.connect(actor)
            added = [
                (event["item"]["id"], event["previous_item_id"]) for event in client.all("conversation.item.added")
            ]
            ids = [item_id for item_id, _ in added]
            assert [previous for _, previous in added] == [None, *ids[:-1]]
            assert len(client.all("conversation.item.done")) == 3
            assert all(problems(json.dumps(event)) == [] for event in client.got)
            await first.send("response.cancel")
            await client.get("response.done")
            assert len(client.all("conversation.item.done")) == 4
            assert Mirror.of(client.got).texts == Mirror.of(first.got).texts

    run(main())


def test_metadata_of_an_answer_is_echoed_to_who_joined_in_its_midst() -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One"), Hold()])
        async with line(agent) as at:
            actor = await at.open()
            first = await at.connect(actor)
            await first.ask("hi", response={"metadata": {"k": "v"}})
            await agent.holding()
            client = await at.connect(actor)
            agent.release()
            assert (await client.get("response.done"))["response"]["metadata"] == {"k": "v"}

    run(main())


def test_who_joins_while_an_answer_is_spoken_is_told_its_transcript() -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One "), Hold(), Say("two")])
        async with line(agent) as at:
            actor = await at.open()
            first = await at.connect(actor, extended=True)
            add_voice(first)
            await first.ask("hi")
            await agent.holding()
            report(first, inp.PlayoutStarted(FIRST))
            await first.get("output_audio_buffer.started")
            client = await at.connect(actor, extended=True)
            agent.release()
            done = await client.get("response.done")
            assert done["response"]["output_modalities"] == ["audio"]
            assert len(client.all("response.output_audio_transcript.delta")) == 1
            report(first, inp.PlayoutStopped(FIRST, 500))
            await client.get("output_audio_buffer.stopped")
            assert Mirror.of(client.got).texts == Mirror.of(first.got).texts

    run(main())


# --- several connections ---


def test_two_connections_are_told_the_same_in_the_same_order() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("One.", [Say("Two"), Hold()], "Three.")) as at:
            actor = await at.open()
            one, two = await at.connect(actor, extended=True), await at.connect(actor, extended=True)
            await one.ask("a")
            await one.get("response.done")
            await two.ask("b", on_active="interrupt")
            await two.get("response.output_text.delta", 2)
            await one.ask("c", on_active="interrupt")
            await one.get("response.done", 3)
            await settle()
            assert one.got[2:] == two.got[2:]

    run(main())


def test_a_refusal_is_told_to_who_asked_and_to_nobody_else() -> None:
    async def main() -> None:
        async with line() as at:
            actor = await at.open()
            stock, extended, other = [await at.connect(actor, extended=it) for it in (False, True, False)]
            await stock.send("response.cancel", event_id="e1")
            error = (await stock.get("error"))["error"]
            assert (error["code"], error["event_id"]) == ("response_cancel_not_active", "e1")
            await extended.send("response.cancel", event_id="e2")
            taken = await extended.get("command.accepted")
            assert (taken["command_id"], taken["duplicate"], taken["effect"]) == ("e2", False, "none")
            await extended.send("output_audio_buffer.pause", event_id="e3")
            rejected = await extended.get("command.rejected")
            assert (rejected["code"], rejected["command_id"]) == ("output_pause_not_active", "e3")
            await settle()
            assert len(stock.all("error")) == 1
            assert extended.all("error") == []
            assert other.types() == ["session.created"]

    run(main())


def test_a_receipt_follows_what_the_command_led_to() -> None:
    async def main() -> None:
        async with line() as at:
            client = await at.connect(await at.open(), extended=True)
            await client.say("hi", event_id="e1")
            accepted = await client.get("command.accepted")
            assert client.types(2) == ["conversation.item.added", "conversation.item.done", "command.accepted"]
            assert (accepted["command_id"], accepted["applied_seq"], accepted["duplicate"]) == ("e1", 2, False)

    run(main())


def test_a_stock_client_gets_no_receipts() -> None:
    async def main() -> None:
        async with line() as at:
            client = await at.connect(await at.open())
            await client.say("hi", event_id="e1")
            await client.send("session.update", session={"type": "realtime"}, event_id="e2")
            await client.get("session.updated")
            assert set(client.types()) <= STANDARD

    run(main())


def test_a_command_that_is_sent_twice_with_its_key_is_applied_once() -> None:
    async def main() -> None:
        async with line() as at:
            client = await at.connect(await at.open(), extended=True)
            await client.say("hi", event_id="e1", idempotency_key="k")
            await client.say("hi", event_id="e2", idempotency_key="k")
            await client.get("command.accepted", 2)
            await client.say("other", event_id="e3", idempotency_key="k")
            assert (await client.get("command.rejected"))["code"] == "idempotency_conflict"
            assert [event["duplicate"] for event in client.all("command.accepted")] == [False, True]
            assert len(client.all("conversation.item.added")) == 1

    run(main())


# --- session.update ---


def detection(client: Client) -> Json | None:
    found: Json | None = client.all("session.updated")[-1]["session"]["audio"]["input"]["turn_detection"]
    return found


def test_an_update_changes_the_fields_that_are_present_and_is_always_answered() -> None:
    async def main() -> None:
        async with line() as at:
            client = await at.connect(await at.open(instructions="be brief"))
            await client.send("session.update", **update())
            assert client.all("session.updated")[0]["session"]["instructions"] == "be brief"
            await client.send("session.update", **update(instructions="be long"))
            await client.send("session.update", **update(audio={"output": {"voice": "ash"}}))
            shown = (await client.get("session.updated", 3))["session"]
            assert (shown["instructions"], shown["audio"]["output"]["voice"]) == ("be long", "ash")
            await client.send("session.update", **update(instructions=None, audio={"output": {"voice": None}}))
            shown = (await client.get("session.updated", 4))["session"]
            assert (shown["instructions"], shown["audio"]["output"]["voice"]) == ("", "alloy")
            await client.send("session.update", **update(audio={"output": {"voice": {"id": "mine"}}}))
            assert (await client.get("session.updated", 5))["session"]["audio"]["output"]["voice"] == "mine"
            assert all(problems(json.dumps(event)) == [] for event in client.got)

    run(main())


def test_turn_detection_merges_begins_anew_with_its_type_and_goes_with_null() -> None:
    async def main() -> None:
        async with line() as at:
            client = await at.connect(await at.open())

            async def detect(fields: Json | None) -> Json | None:
                await client.send("session.update", **update(audio={"input": {"turn_detection": fields}}))
                return detection(client)

            merged = await detect({"type": "server_vad", "silence_duration_ms": 200})
            assert merged is not None
            assert (merged["silence_duration_ms"], merged["threshold"]) == (200, 0.5)
            merged = await detect({"threshold": 0.7})
            assert merged is not None
            assert (merged["silence_duration_ms"], merged["threshold"]) == (200, 0.7)
            other = await detect({"type": "semantic_vad", "eagerness": "low"})
            assert other is not None
            assert other == {
                "type": "semantic_vad",
                "eagerness": "low",
                "create_response": True,
                "interrupt_response": True,
            }
            assert await detect(None) is None
            again = await detect({"type": "server_vad"})
            assert again is not None
            assert again["silence_duration_ms"] == 500
            await client.send("session.update", **update(audio={"input": {"noise_reduction": None}}))
            assert detection(client) == again

    run(main())


def hearing(**detection: object) -> Json:
    return {"audio": {"input": {"turn_detection": detection}}}


INPUT, OUTPUT = "session.audio.input", "session.audio.output"


@pytest.mark.parametrize(
    ("session", "code", "param"),
    [
        ({"output_modalities": []}, "invalid_value", "session.output_modalities"),
        ({"output_modalities": ["audio", "text"]}, "invalid_value", "session.output_modalities"),
        ({"audio": {"input": {"format": {"type": "audio/mp3"}}}}, "unsupported_format", f"{INPUT}.format"),
        ({"audio": {"output": {"format": {"rate": 16000}}}}, "unsupported_format", f"{OUTPUT}.format"),
        (hearing(threshold=1.5), "invalid_value", f"{INPUT}.turn_detection.threshold"),
        (hearing(prefix_padding_ms=99999), "invalid_value", f"{INPUT}.turn_detection.prefix_padding_ms"),
    ],
)
def test_an_update_that_cannot_be_taken_changes_nothing(session: Json, code: str, param: str) -> None:
    async def main() -> None:
        async with line() as at:
            client = await at.connect(await at.open())
            await client.send("session.update", event_id="e1", session={**session, "instructions": "changed"})
            error = client.all("error")[0]["error"]
            assert (error["code"], error["param"], error["event_id"]) == (code, param, "e1")
            await client.send("session.update", **update())
            shown = client.all("session.updated")[0]["session"]
            assert shown["instructions"] == ""
            assert shown["output_modalities"] == ["audio"]

    run(main())


def test_updates_that_follow_each_other_at_once_do_not_undo_each_other() -> None:
    async def main() -> None:
        async with line() as at:
            actor = await at.open()
            one, two = await at.connect(actor), await at.connect(actor)
            at.on.store.delay = 1.0
            await asyncio.gather(
                one.send("session.update", **update(instructions="be brief")),
                two.send("session.update", **update(audio={"output": {"voice": "ash"}})),
                one.say("hi"),
            )
            await one.get("session.updated", 2)
            assert actor.state.conversation.settings == Settings(instructions="be brief", voice="ash")

    run(main())


def test_an_update_is_answered_with_what_the_update_before_it_led_to() -> None:
    async def main() -> None:
        async with line() as at:
            client = await at.connect(await at.open())
            at.on.store.delay = 1.0
            await client.send("session.update", **update(instructions="be brief"))
            await client.send("session.update", **update(tracing="auto"))
            await client.get("session.updated", 2)
            shown = [event["session"]["instructions"] for event in client.all("session.updated")]
            assert shown == ["be brief", "be brief"]

    run(main())


def test_the_shared_part_is_told_to_all_and_each_sees_its_own_part_with_it() -> None:
    async def main() -> None:
        async with line() as at:
            actor = await at.open()
            stock, extended = await at.connect(actor), await at.connect(actor, extended=True)
            await stock.send("session.update", **update(instructions="be brief"))
            shown = [(await client.get("session.updated"))["session"] for client in (stock, extended)]
            assert [session["instructions"] for session in shown] == ["be brief", "be brief"]
            assert [session["output_modalities"] for session in shown] == [["audio"], ["text"]]
            await stock.send("session.update", **update(output_modalities=["text"]))
            await settle()
            assert len(extended.all("session.updated")) == 1

    run(main())


@pytest.mark.parametrize("session", [{"instructions": "be brief"}, {"output_modalities": ["text"]}, {}])
def test_an_update_is_accepted_like_any_command(session: Json) -> None:
    async def main() -> None:
        async with line() as at:
            client = await at.connect(await at.open(), extended=True)
            await client.send("session.update", event_id="e1", session=session)
            assert (await client.get("command.accepted"))["command_id"] == "e1"
            assert client.types(2) == ["session.updated", "command.accepted"]

    run(main())


# --- items ---


def test_an_item_can_be_read_again_with_its_words() -> None:
    async def main() -> None:
        async with line(ScriptedAgent([Say("One two"), Hold()])) as at:
            client = await at.connect(await at.open())
            await client.ask("hi")
            item_id = (await client.get("response.output_text.delta"))["item_id"]
            await client.send("conversation.item.retrieve", item_id=item_id)
            shown = client.all("conversation.item.retrieved")[0]["item"]
            assert (shown["status"], shown["content"][0]["text"]) == ("in_progress", "One two")
            await client.send("response.cancel")
            await client.get("response.done")
            await client.send("conversation.item.retrieve", item_id=item_id)
            assert client.all("conversation.item.retrieved")[1]["item"]["status"] == "incomplete"
            await client.send("conversation.item.retrieve", item_id="nobody", event_id="e1")
            error = client.all("error")[0]["error"]
            assert (error["code"], error["param"]) == ("item_retrieve_invalid_item_id", "item_id")
            assert all(problems(json.dumps(event)) == [] for event in client.got)

    run(main())


def test_items_go_where_they_are_put_and_out_when_they_are_deleted() -> None:
    async def main() -> None:
        async with line() as at:
            actor = await at.open()
            client = await at.connect(actor)
            item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]}
            for item_id, previous in (("a", None), ("c", "a"), ("b", "a"), ("z", "root")):
                await client.send("conversation.item.create", item={**item, "id": item_id}, previous_item_id=previous)
            await client.send("conversation.item.create", item={**item, "id": "a"}, event_id="e1")
            await client.send("conversation.item.create", item=item, previous_item_id="nobody", event_id="e2")
            await client.send("conversation.item.delete", item_id="c")
            await client.send("conversation.item.delete", item_id="c", event_id="e3")
            await client.get("error", 3)
            added = [
                (event["item"]["id"], event["previous_item_id"]) for event in client.all("conversation.item.added")
            ]
            assert added == [("a", None), ("c", "a"), ("b", "a"), ("z", None)]
            codes = [(event["error"]["event_id"], event["error"]["code"]) for event in client.all("error")]
            assert codes == [
                ("e1", "item_create_duplicate_item_id"),
                ("e2", "previous_item_not_found"),
                ("e3", "item_delete_invalid_item_id"),
            ]
            assert [node.item_id for node in (await actor.glance()).path] == ["z", "a", "b"]

    run(main())


# --- failures ---


def test_a_log_that_fails_while_a_client_joins_ends_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with line() as at:
            actor = await at.open()
            await actor.glance()
            at.on.store.broken = True
            client = await at.connect(actor)
            assert client.closed == [CloseCode.INTERNAL_ERROR]

    run(main())


def test_a_log_that_fails_while_it_is_asked_ends_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with line() as at:
            actor = await at.open()
            client = await at.connect(actor)
            await client.say("hi")
            item_id = (await client.get("conversation.item.added"))["item"]["id"]
            at.on.store.broken = True
            await client.send("conversation.item.retrieve", item_id=item_id)
            assert client.closed == [CloseCode.INTERNAL_ERROR]

    run(main())


def test_a_session_that_ends_ends_its_connections(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with line() as at:
            actor = await at.open()
            client = await at.connect(actor)
            at.on.store.broken = True
            await client.say("lost")
            await client.inbox.until(lambda: client.closed)
            assert client.closed == [CloseCode.INTERNAL_ERROR]
            await client.send("conversation.item.retrieve", item_id="x")
            await client.send("session.update", **update(instructions="x"))
            late = await at.connect(actor)
            assert late.closed == [CloseCode.INTERNAL_ERROR]

    run(main())


def test_a_shutdown_is_told_as_going_away() -> None:
    async def main() -> None:
        async with line() as at:
            client = await at.connect(await at.open())
            await at.on.registry.aclose()
            assert client.closed == [CloseCode.GOING_AWAY]

    run(main())


# --- floods ---


def test_a_flood_is_refused_and_then_ends_the_connection() -> None:
    async def main() -> None:
        async with line() as at:
            client = await at.connect(await at.open())
            for _ in range(200):
                await client.send("input_audio_buffer.clear")
            assert client.all("error") == []
            for _ in range(40):
                await client.send("input_audio_buffer.clear")
            assert {event["error"]["code"] for event in client.all("error")} == {"rate_limited"}
            assert client.closed == []
            await client.send("input_audio_buffer.clear")
            assert client.closed == [CloseCode.RATE_LIMITED]

    run(main())


def test_a_steady_stream_of_sound_is_no_flood() -> None:
    async def main() -> None:
        async with line(hears=()) as at:
            client = await at.connect(await at.open())
            await client.sound(20_000, loud=False)
            assert client.all("error") == []
            await client.leave()

    run(main())


def test_too_many_errors_end_the_connection_and_a_few_do_not() -> None:
    async def main() -> None:
        async with line() as at:
            client = await at.connect(await at.open())
            for _ in range(100):
                await client.connection.receive("nonsense")
                await asyncio.sleep(1)
            assert client.closed == []
            for _ in range(41):
                await client.connection.receive("nonsense")
            assert client.closed == [CloseCode.TOO_MANY_ERRORS]

    run(main())


def test_a_store_that_hangs_holds_back_what_must_be_stored_first() -> None:
    async def main() -> None:
        store = GatedStore()
        async with line(ScriptedAgent("One."), store) as at:
            client = await at.connect(await at.open(), extended=True)
            store.open.clear()
            await client.say("hi", event_id="e1")
            await asyncio.sleep(5)
            assert client.types() == ["session.created", "session.snapshot"]
            store.open.set()
            await client.get("command.accepted")

    run(main())


def test_no_flood_keeps_a_stop_out() -> None:
    async def main() -> None:
        async with line(ScriptedAgent([Say("One"), Hold()])) as at:
            client = await at.connect(await at.open())
            await client.ask("go")
            await client.get("response.output_text.delta")
            for _ in range(230):
                await client.send("session.update", session={})
            assert client.all("error")[-1]["error"]["code"] == "rate_limited"
            await client.send("response.cancel")
            assert (await client.get("response.done"))["response"]["status"] == "cancelled"
            for _ in range(4):
                await client.send("response.cancel")
            told = len(client.all("error"))
            await client.send("response.cancel")
            assert [it["error"]["code"] for it in client.all("error")[told:]] == ["rate_limited"]

    run(main())
