"""Sound that goes and comes as events, over a connection in virtual time."""

import asyncio
import base64
import json

import numpy as np
import pytest

from gateway.agents.scripted import Hold, Say, ScriptedAgent
from gateway.core.ids import Generation
from gateway.transports.microphone import Microphone
from tests.media.engines import ToneSynthesizer
from tests.protocol.stock import problems
from tests.transports.inbox import Json
from tests.transports.wire import LEAD_MS, add_voice, line, update
from tests.virtual_time import now, run, settle

FIRST = Generation(1)


# --- asking for text ---


@pytest.mark.parametrize("asked", [{"response": {"output_modalities": ["text"]}}, {}])
def test_a_stock_client_that_wants_text_gets_text_though_it_has_a_voice(asked: Json) -> None:
    async def main() -> None:
        async with line(ScriptedAgent("One.")) as at:
            client = await at.connect(await at.open())
            voice = add_voice(client)
            if not asked:
                await client.send("session.update", **update(output_modalities=["text"]))
            await client.ask("hi", **asked)
            done = await client.get("response.done")
            assert done["response"]["output_modalities"] == ["text"]
            assert voice.calls == []

    run(main())


def test_an_extended_control_socket_makes_another_device_speak() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("One.")) as at:
            actor = await at.open()
            speaker, control = await at.connect(actor, extended=True), await at.connect(actor, extended=True)
            voice = add_voice(speaker)
            await control.ask("hi")
            await control.get("response.done")
            await settle()
            assert voice.spoken(FIRST) == "One."

    run(main())


# --- sound as events ---


def test_a_stock_client_is_told_the_end_of_an_answer_after_its_last_sound() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("one two three four five six seven eight nine ten"), hears=()) as at:
            client = await at.connect(await at.open())
            await client.ask("count")
            await client.get("response.done")
            took = now()
            types = client.types()
            last = len(types) - 1 - types[::-1].index("response.output_audio.delta")
            assert types[last + 1 :] == [
                "response.output_audio.done",
                "response.output_audio_transcript.done",
                "response.content_part.done",
                "conversation.item.done",
                "response.output_item.done",
                "response.done",
            ]
            assert len(client.all("response.output_audio.delta")) == 10 * 200 // 20
            assert took == pytest.approx(2.0, abs=0.1)  # when the client has played it
            assert all("seq" not in event for event in client.got[last + 1 :])
            await client.leave()

    run(main())


def test_an_extended_client_is_told_the_end_of_generation_at_once() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("one two three four five six seven eight nine ten"), hears=()) as at:
            client = await at.connect(await at.open(), extended=True)
            await client.send("session.update", **update(output_modalities=["audio"]))
            await client.ask("count")
            await client.get("output_audio_buffer.stopped")
            types = client.types()
            assert types.index("response.done") < len(types) - 1 - types[::-1].index("response.output_audio.delta")
            await client.leave()

    run(main())


def test_an_answer_that_is_cut_after_its_generation_ends_before_it_is_truncated() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("one two three four five six seven eight nine ten"), hears=()) as at:
            client = await at.connect(await at.open())
            await client.ask("count")
            await asyncio.sleep(0.5)
            await client.send("output_audio_buffer.clear")
            await client.get("conversation.item.truncated")
            assert client.types()[-2:] == ["response.done", "conversation.item.truncated"]
            assert client.all("response.done")[0]["response"]["status"] == "completed"
            await asyncio.sleep(5)
            assert client.types()[-1] == "conversation.item.truncated"
            await client.leave()

    run(main())


def test_a_cancelled_answer_has_no_sound_after_its_end() -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("one two three four five six. "), Hold()])
        async with line(agent, hears=()) as at:
            client = await at.connect(await at.open())
            await client.ask("count")
            await asyncio.sleep(0.5)
            await client.send("response.cancel")
            done = await client.get("response.done")
            assert done["response"]["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
            at_done = client.types().index("response.done")
            await asyncio.sleep(5)
            assert "response.output_audio.delta" not in client.types(at_done)
            await client.leave()

    run(main())


def test_an_answer_of_another_device_ends_when_its_generation_does() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("one two three four five six seven eight nine ten"), hears=()) as at:
            actor = await at.open()
            speaker, other = await at.connect(actor), await at.connect(actor)
            await speaker.ask("count")
            await other.get("response.done")
            assert speaker.all("response.done") == []
            await speaker.get("response.done")
            await speaker.leave()

    run(main())


def test_an_answer_without_words_ends_though_nothing_sounds() -> None:
    async def main() -> None:
        async with line(ScriptedAgent([]), hears=()) as at:
            client = await at.connect(await at.open())
            await client.ask("count")
            assert (await client.get("response.done"))["response"]["output"] == []
            await client.leave()

    run(main())


def test_a_turn_by_voice_over_a_stock_socket_comes_in_the_documented_order() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("one two three"), hears=["what time is it"]) as at:
            client = await at.connect(await at.open())
            await client.sound(200, loud=False)
            await client.sound(900, loud=True)
            await client.sound(1200, loud=False)
            await client.get("response.done")
            types = [kind for kind in client.types(1) if kind != "response.output_audio.delta"]
            assert types == [
                "input_audio_buffer.speech_started",
                "conversation.item.input_audio_transcription.delta",
                "input_audio_buffer.speech_stopped",
                "input_audio_buffer.committed",
                "conversation.item.added",
                "conversation.item.done",
                "conversation.item.input_audio_transcription.completed",
                "response.created",
                "response.output_item.added",
                "conversation.item.added",
                "response.content_part.added",
                "response.output_audio_transcript.delta",
                "response.output_audio.done",
                "response.output_audio_transcript.done",
                "response.content_part.done",
                "conversation.item.done",
                "response.output_item.done",
                "response.done",
            ]
            assert all(problems(json.dumps(event)) == [] for event in client.got)
            await client.leave()

    run(main())


def test_sound_that_is_cleared_in_mid_turn_is_no_turn() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("one"), hears=["cleared", "kept"]) as at:
            client = await at.connect(await at.open())
            await client.sound(600, loud=True)
            assert len(client.all("input_audio_buffer.speech_started")) == 1
            await client.send("input_audio_buffer.clear")
            assert client.types()[-1] == "input_audio_buffer.cleared"
            await client.sound(1500, loud=False)
            assert client.all("input_audio_buffer.committed") == []
            await client.sound(600, loud=True)
            await client.sound(1500, loud=False)
            await client.get("response.done")
            assert len(client.all("input_audio_buffer.speech_started")) == 2
            said = client.all("conversation.item.input_audio_transcription.completed")
            assert [event["transcript"] for event in said] == ["kept"]
            await client.leave()

    run(main())


def test_by_hand_sound_is_a_turn_when_it_is_committed_and_answered_when_that_is_asked_for() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("one"), hears=["by hand"]) as at:
            client = await at.connect(await at.open())
            await client.send("session.update", **update(audio={"input": {"turn_detection": None}}))
            await client.send("input_audio_buffer.commit", event_id="e1")
            assert client.all("error")[0]["error"]["code"] == "input_audio_buffer_commit_empty"
            await client.sound(600, loud=True)
            await client.sound(1500, loud=False)
            assert client.all("input_audio_buffer.speech_started") == []
            await client.send("input_audio_buffer.commit")
            done = await client.get("conversation.item.input_audio_transcription.completed")
            assert done["transcript"] == "by hand"
            await client.send("input_audio_buffer.commit", event_id="e2")
            assert len(client.all("error")) == 2
            await settle()
            assert client.all("response.created") == []
            await client.send("response.create")
            await client.get("response.done")
            await client.leave()

    run(main())


def test_a_change_of_how_turns_are_detected_ends_the_turn_that_was_being_spoken() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("one"), hears=["forgotten", "kept"]) as at:
            client = await at.connect(await at.open())
            await client.sound(600, loud=True)
            await client.send("session.update", **update(audio={"input": {"turn_detection": {"threshold": 0.6}}}))
            await client.sound(1500, loud=False)
            await client.sound(600, loud=True)
            await client.sound(1500, loud=False)
            await client.get("response.done")
            assert len(client.all("input_audio_buffer.speech_started")) == 2
            said = client.all("conversation.item.input_audio_transcription.completed")
            assert [event["transcript"] for event in said] == ["kept"]
            await client.leave()

    run(main())


def test_an_update_that_does_not_touch_how_turns_are_detected_leaves_the_turn_alone() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("one"), hears=["kept"]) as at:
            client = await at.connect(await at.open())
            await client.sound(600, loud=True)
            await client.send("session.update", **update(audio={"output": {"voice": "ash"}}))
            await client.sound(1500, loud=False)
            await client.get("response.done")
            said = client.all("conversation.item.input_audio_transcription.completed")
            assert [event["transcript"] for event in said] == ["kept"]
            await client.leave()

    run(main())


@pytest.mark.parametrize("audio", ["=", "####", "AAA", "é", "AAAA\n"])
def test_sound_that_is_not_base64_is_refused(audio: str) -> None:
    async def main() -> None:
        async with line(hears=()) as at:
            client = await at.connect(await at.open())
            await client.send("input_audio_buffer.append", audio=audio, event_id="e1")
            error = client.all("error")[0]["error"]
            assert (error["code"], error["param"], error["event_id"]) == ("invalid_value", "audio", "e1")
            await client.leave()

    run(main())


def test_where_there_are_no_engines_sound_is_refused_and_answers_are_written() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("one")) as at:
            client = await at.connect(await at.open())
            await client.send("input_audio_buffer.append", audio="AAAA")
            assert client.all("error")[0]["error"]["code"] == "voice_unavailable"
            await client.ask("hi")
            assert (await client.get("response.done"))["response"]["output_modalities"] == ["text"]

    run(main())


def test_over_webrtc_sound_does_not_come_as_events() -> None:
    async def main() -> None:
        async with line(hears=()) as at:
            client = await at.connect(await at.open())
            client.connection.takes_audio = False
            await client.send("input_audio_buffer.append", audio="AAAA", event_id="e1")
            error = client.all("error")[0]["error"]
            assert (error["code"], error["event_id"]) == ("invalid_event_for_transport", "e1")
            await client.leave()

    run(main())


@pytest.mark.parametrize("extended", [False, True])
def test_sound_is_never_further_ahead_of_its_playing_than_it_may_be(extended: bool) -> None:
    async def main() -> None:
        async with line(ScriptedAgent("word " * 40), hears=()) as at:
            client = await at.connect(await at.open(), extended=extended)
            await client.send("session.update", **update(output_modalities=["audio"]))
            await client.ask("go")
            await client.get("response.output_audio.delta")
            began, ahead = now(), []
            while not client.all("response.done") or len(client.all("response.output_audio.delta")) < 40 * 10:
                ahead.append(len(client.all("response.output_audio.delta")) * 20 - (now() - began) * 1000)
                await asyncio.sleep(0.05)
            assert max(ahead) <= LEAD_MS + 20
            assert min(ahead[:-30]) >= LEAD_MS - 100
            await client.leave()

    run(main())


def test_half_a_sample_waits_for_its_other_half_but_not_over_the_end_of_a_turn() -> None:
    tone = (8000 * np.sin(np.arange(4800) / 7)).astype("<i2").tobytes()

    def taken(microphone: Microphone, *pieces: bytes) -> bytes:
        return b"".join(microphone.take(base64.b64encode(piece).decode()).tobytes() for piece in pieces)

    whole, split, anew = Microphone(), Microphone(), Microphone()
    expected = taken(whole, tone)
    assert taken(split, tone[:2001], tone[2001:2002], tone[2002:7777], tone[7777:]) == expected
    assert taken(anew, tone[:1]) == b""
    anew.begin_anew()
    assert taken(anew, tone) == expected


# --- what a client says of its playing ---


def test_a_client_that_plays_its_own_buffer_may_truncate_after_the_cut_but_only_to_less() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("one two three four five six seven eight nine ten"), hears=()) as at:
            client = await at.connect(await at.open())
            await client.ask("count")
            item = (await client.get("response.output_audio.delta"))["item_id"]
            await asyncio.sleep(1.0)
            await client.send("output_audio_buffer.clear")
            first = await client.get("conversation.item.truncated")
            assert (first["heard_text"], first["seen_text"]) == ("one two three four", first["unheard_text"])
            for claim in (900, 450, 450, 800):
                await client.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=claim)
            answers = [await client.get("conversation.item.truncated", count) for count in range(2, 6)]
            told = [answer.get("heard_text", answer["audio_end_ms"]) for answer in answers]
            assert told == [900, "one two", 450, 450]
            await client.leave()

    run(main())


def test_a_playback_report_moves_what_counts_as_heard() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("one two three four five six seven eight nine ten"), hears=()) as at:
            client = await at.connect(await at.open(), extended=True)
            await client.send("session.update", **update(output_modalities=["audio"]))
            await client.ask("count")
            item = (await client.get("response.output_audio.delta"))["item_id"]
            await asyncio.sleep(1.0)
            await client.send("playback.report", item_id=item, played_ms=500)
            await client.send("output_audio_buffer.clear")
            truncated = await client.get("conversation.item.truncated")
            assert truncated["heard_text"] == "one two"
            assert truncated["audio_end_ms"] == pytest.approx(500, abs=20)
            await client.leave()

    run(main())


@pytest.mark.parametrize(
    ("extended", "speaks", "fields", "code"),
    [
        (False, True, {"buffered_ms": 80}, "unknown_event_type"),
        (True, False, {"buffered_ms": 80}, "playback_report_no_sound"),
        (True, True, {"item_id": "item_nobody_knows", "played_ms": 80}, "playback_report_invalid_item_id"),
        (True, True, {"buffered_ms": -1}, "invalid_value"),
        (True, True, {"item_id": "item", "played_ms": -5}, "invalid_value"),
    ],
)
def test_a_report_that_cannot_be_taken_is_refused(extended: bool, speaks: bool, fields: Json, code: str) -> None:
    async def main() -> None:
        async with line(hears=()) as at:
            client = await at.connect(await at.open(), extended=extended)
            if speaks:
                await client.send("session.update", **update(output_modalities=["audio"]))
            await client.send("playback.report", event_id="e1", **fields)
            error = client.all("error")[0]["error"]
            assert (error["code"], error["event_id"]) == (code, "e1")
            await client.leave()

    run(main())


# --- answers that nobody cut, and that were not heard whole all the same ---


def test_an_answer_whose_device_drops_was_heard_up_to_there_and_is_shown_whole() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("one two three four five six seven eight nine ten"), hears=()) as at:
            actor = await at.open()
            phone, control = await at.connect(actor), await at.connect(actor, extended=True)
            await phone.ask("count")
            await asyncio.sleep(1.0)
            await phone.leave()
            truncated = await control.get("conversation.item.truncated")
            assert (truncated["heard_text"], truncated["reason"]) == ("one two three four", "leg_lost")
            assert truncated["seen_text"] == truncated["unheard_text"] == " five six seven eight nine ten"
            later = await at.connect(actor, extended=True)
            item = (await later.get("session.snapshot"))["items"][-1]
            assert [item[name] for name in ("heard_text", "seen_text", "unheard_text")] == [
                truncated[name] for name in ("heard_text", "seen_text", "unheard_text")
            ]
            await control.leave()
            await later.leave()

    run(main())


def test_an_answer_whose_engine_fails_was_heard_as_far_as_it_was_spoken() -> None:
    async def main() -> None:
        agent = ScriptedAgent("one two three four five six seven eight nine ten")
        async with line(agent, hears=()) as at:
            assert at.engines is not None
            assert isinstance(at.engines.synthesizer, ToneSynthesizer)
            at.engines.synthesizer.fail_at = "four"
            client = await at.connect(await at.open())
            await client.ask("count")
            truncated = await client.get("conversation.item.truncated")
            assert (truncated["heard_text"], truncated["reason"]) == ("one two", "speech_failed")
            assert client.all("response.done")[0]["response"]["status"] == "completed"
            await client.leave()

    run(main())
