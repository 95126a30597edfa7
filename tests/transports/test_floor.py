"""The floor over connections: who is told what, and a spoken answer that goes from one client to another."""

import asyncio
import base64
import json

import numpy as np

from gateway.agents.scripted import Pause, Say, ScriptedAgent
from gateway.core.ids import Generation
from gateway.runtime.scripted import Begun, Finished, HandedOver, Spoken
from tests.media.engines import ScriptedRecognizer
from tests.protocol.stock import problems
from tests.runtime.stage import GatedStore
from tests.transports.inbox import Json
from tests.transports.wire import Client, Line, Mirror, add_voice, line, update
from tests.virtual_time import run, settle

FIRST = Generation(1)
TEN = "one two three four five six seven eight nine ten"


async def speaker(at: Line, session: object, *, extended: bool = True) -> Client:
    """A client that hears and speaks."""
    client = await at.connect(session, extended=extended)  # type: ignore[arg-type]
    if extended:
        await client.send("session.update", **update(output_modalities=["audio"]))
    else:
        client.connection.hear_and_speak()
    return client


def sound_ms(client: Client) -> int:
    """How much sound it was sent."""
    return 20 * len(client.all("response.output_audio.delta"))


def playout(client: Client) -> list[str]:
    return [kind.removeprefix("output_audio_buffer.") for kind in client.types() if kind.startswith("output_audio_")]


def test_a_claim_is_told_to_all_and_to_who_joins_later() -> None:
    async def main() -> None:
        async with line(ScriptedAgent(), hears=()) as at:
            actor = await at.open()
            first, second = await speaker(at, actor), await speaker(at, actor)
            text = await at.connect(actor, extended=True)
            await second.send("floor.claim", event_id="claim")
            for client in (first, second, text):
                told = await client.get("floor.changed", 1 if client is text else 2)
                assert (told["device"], told["generation"], told["reason"]) == ("device_2", 2, "claimed")
                assert told["leg"] == "leg_2"
            assert (await second.get("command.accepted"))["command_id"] == "claim"
            late = await at.connect(actor)
            floor = late.all("session.created")[0]["session"]["bargein"]["floor"]
            assert floor == {"device": "device_2", "generation": 2, "leg": "leg_2"}
            await second.send("floor.release")
            freed = await first.get("floor.changed", 3)
            assert (freed["device"], freed["generation"], freed["reason"], "leg" in freed) == (
                None,
                3,
                "released",
                False,
            )
            assert late.all("floor.changed") == []
            for client in (first, second):
                await client.leave()

    run(main())


def test_a_connection_without_sound_is_refused() -> None:
    async def main() -> None:
        async with line() as at:
            client = await at.connect(await at.open(), extended=True)
            await client.send("floor.claim", event_id="claim")
            refused = await client.get("command.rejected")
            assert (refused["command_id"], refused["code"]) == ("claim", "floor_no_voice")

    run(main())


def test_an_answer_goes_on_at_the_word_and_both_clients_see_it_begin_and_end() -> None:
    async def main() -> None:
        async with line(ScriptedAgent(TEN), hears=()) as at:
            actor = await at.open()
            old, new = await speaker(at, actor), await speaker(at, actor)
            await old.ask("count")
            await asyncio.sleep(0.65)
            await new.send("floor.claim")
            await new.get("output_audio_buffer.stopped")
            for client in (old, new):
                assert playout(client) == ["started", "cleared", "started", "stopped"]
                assert len(client.all("response.done")) == 1
                assert client.all("conversation.item.truncated") == []
                Mirror.of(client.got)
            # Of what the old one was sent ahead it drops what it had not played.
            assert sound_ms(new) == (10 - 4) * 200 or sound_ms(new) == (10 - 3) * 200
            for client in (old, new):
                await client.leave()

    run(main())


def test_what_was_heard_counts_from_the_beginning_of_the_item() -> None:
    async def main() -> None:
        async with line(ScriptedAgent(TEN), hears=()) as at:
            actor = await at.open()
            old, new = await speaker(at, actor), await speaker(at, actor)
            await old.ask("count")
            await asyncio.sleep(0.65)
            await new.send("floor.claim")
            await new.get("output_audio_buffer.started", 2)
            await asyncio.sleep(0.5)
            await new.send("response.cancel")
            cut = await new.get("conversation.item.truncated")
            assert cut["heard_text"] + cut["unheard_text"] == TEN
            heard = len(cut["heard_text"].split())
            assert 200 * heard <= cut["audio_end_ms"] < 200 * (heard + 1)
            assert heard >= 4
            for client in (old, new):
                await client.leave()

    run(main())


def test_a_stock_client_finishes_what_it_was_sent_and_is_told_a_whole_answer() -> None:
    async def main() -> None:
        async with line(ScriptedAgent(TEN), hears=()) as at:
            actor = await at.open()
            stock, new = await speaker(at, actor, extended=False), await speaker(at, actor)
            await stock.ask("count")
            await asyncio.sleep(0.3)
            await new.send("floor.claim")
            await new.get("output_audio_buffer.stopped")
            assert sound_ms(stock) + sound_ms(new) <= 10 * 200 + 2 * 20  # no word twice, but for a fade
            assert stock.types().count("response.done") == 1
            last = stock.types().index("response.done")
            assert "response.output_audio.delta" not in stock.types(last)
            told: list[Json] = stock.got
            assert all(problems(json.dumps(event)) == [] for event in told)
            for client in (stock, new):
                await client.leave()

    run(main())


def test_the_answer_of_a_client_that_drops_goes_on_when_it_is_back_and_else_in_writing() -> None:
    async def main() -> None:
        async with line(ScriptedAgent(TEN), hears=()) as at:
            actor = await at.open()
            client, reader = await speaker(at, actor), await at.connect(actor, extended=True)
            await client.ask("count")
            await asyncio.sleep(0.65)
            await client.leave()
            await settle()
            assert reader.all("conversation.item.truncated") == []
            cut = await reader.get("conversation.item.truncated")
            assert (cut["reason"], cut["heard_text"] + cut["unheard_text"]) == ("leg_lost", TEN)
            assert [it["reason"] for it in reader.all("floor.changed")] == ["joined", "dropped"]

    run(main())


def test_an_answer_that_comes_back_is_spoken_to_its_end() -> None:
    async def main() -> None:
        async with line(ScriptedAgent(TEN), hears=()) as at:
            actor = await at.open()
            first, second = await speaker(at, actor), await speaker(at, actor)
            await first.ask("count")
            for client in (second, first, second, first):
                await asyncio.sleep(0.3)
                await client.send("floor.claim")
            await first.get("output_audio_buffer.stopped")
            assert playout(first) == ["started", "cleared"] * 4 + ["started", "stopped"]
            assert first.all("conversation.item.truncated") == []
            last = len(first.types()) - first.types()[::-1].index("output_audio_buffer.cleared")
            assert first.types(last).count("response.output_audio.delta") >= 4 * 200 // 20
            for client in (first, second):
                await client.leave()

    run(main())


def test_a_stock_client_that_takes_an_answer_over_is_told_its_end_after_its_sound() -> None:
    async def main() -> None:
        async with line(ScriptedAgent([Say(f"{TEN}. "), Pause(0.7)]), hears=()) as at:
            actor = await at.open()
            old, stock = await speaker(at, actor), await speaker(at, actor, extended=False)
            await old.ask("count")
            await asyncio.sleep(0.5)
            await stock.send("floor.claim")
            done = await stock.get("response.done")
            assert done["response"]["status"] == "completed"
            last = stock.types().index("response.done")
            assert stock.types()[:last].count("response.output_audio.delta") >= 7 * 200 // 20
            assert "response.output_audio.delta" not in stock.types(last)
            for client in (old, stock):
                await client.leave()

    run(main())


async def talk(client: Client, ms: int, level: int) -> None:
    """Speak for a while, then be silent for as long."""
    for loud in (True, False):
        pcm = (level * np.sin(2 * np.pi * 500 * np.arange(480) / 24_000) * loud).astype("<i2")
        for _ in range(ms // 20):
            await client.send("input_audio_buffer.append", audio=base64.b64encode(pcm.tobytes()).decode())
            await asyncio.sleep(0.02)


def test_two_microphones_that_hear_one_voice_make_one_turn_on_the_nearer_device() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("Hello."), hears=("Is anybody here?",) * 4) as at:
            actor = await at.open()
            far, near = await speaker(at, actor), await speaker(at, actor)
            await asyncio.gather(talk(far, 1500, 3000), talk(near, 1500, 12_000))
            await near.get("response.done")
            assert len(near.all("input_audio_buffer.speech_started")) == 1
            assert len(near.all("conversation.item.input_audio_transcription.completed")) == 1
            spoken = [event["item"] for event in near.all("conversation.item.added") if event["item"]["role"] == "user"]
            assert [item["device"] for item in spoken] == ["device_2"]
            assert near.all("floor.changed")[-1]["device"] == "device_2"
            for client in (far, near):
                await client.leave()

    run(main())


def test_who_speaks_up_on_another_device_takes_the_floor_and_loses_no_word_of_it() -> None:
    async def main() -> None:
        async with line(ScriptedAgent(TEN, "Well."), hears=("Tell me something else.",)) as at:
            actor = await at.open()
            first, second = await speaker(at, actor), await speaker(at, actor)
            await first.ask("count")
            await asyncio.sleep(0.65)
            await talk(second, 1200, 8000)
            await first.get("response.done", 2)
            assert [it["reason"] for it in first.all("floor.changed")] == ["joined", "spoke"]
            cut = first.all("conversation.item.truncated")[0]
            assert cut["heard_text"] + cut["unheard_text"] == TEN
            assert second.all("input_audio_buffer.speech_started")[0]["audio_start_ms"] == 0  # 300 ms before the voice
            assert at.engines is not None
            assert isinstance(at.engines.recognizer, ScriptedRecognizer)
            assert at.engines.recognizer.opened[0].heard_ms >= 1200
            started = second.all("output_audio_buffer.started")
            assert started[-1]["response_id"] == second.all("response.created")[-1]["response"]["id"]
            for client in (first, second):
                await client.leave()

    run(main())


def test_what_was_to_begin_before_the_move_does_not_begin_after_it() -> None:
    """The log is slow: the old leg is told to let go of an answer before it was told to begin."""

    async def main() -> None:
        store = GatedStore()
        async with line(ScriptedAgent("One two."), store) as at:
            actor = await at.open()
            old, new = await at.connect(actor, extended=True), await at.connect(actor, extended=True)
            old_voice, new_voice = add_voice(old), add_voice(new)
            await settle()
            store.delay = 0.2
            await old.ask("count")
            await asyncio.sleep(0.45)
            await new.send("floor.claim")
            await asyncio.sleep(5)
            assert old_voice.calls[-1:] == [HandedOver(FIRST, 250)]
            assert not any(isinstance(call, Begun | Spoken | Finished) for call in old_voice.calls)
            assert new_voice.spoken(FIRST) == "One two."
            assert isinstance(new_voice.calls[-1], Finished)

    run(main())
