"""What a client does by hand over the wire: pause, push to talk, mute, commit; and the turn detection it asks for."""

from typing import Any, Final

import msgspec
import pytest

from gateway.agents.scripted import Hold, Say, ScriptedAgent
from gateway.core.values import Settings
from gateway.errors import ProtocolViolation
from gateway.protocol import realtime as rt
from gateway.transports import config as conf
from gateway.transports.names import Names
from tests.transports.wire import Client, Line, line, update
from tests.virtual_time import run

OURS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("output_audio_buffer.pause", {}),
    ("output_audio_buffer.resume", {}),
    ("input_audio_buffer.push_to_talk", {"state": "down"}),
    ("input_audio_buffer.mute", {"muted": True}),
)


async def talking(at: Line) -> Client:
    """An extended client that hears an answer."""
    client = await at.connect(await at.open(), extended=True, modalities=["audio"])
    await client.ask("count")
    await client.get("output_audio_buffer.started")
    return client


def endless() -> ScriptedAgent:
    return ScriptedAgent([Say(" ".join(["word"] * 40)), Hold()])


@pytest.mark.parametrize(("kind", "fields"), OURS)
def test_what_a_hand_does_belongs_to_the_extension(kind: str, fields: dict[str, Any]) -> None:
    async def main() -> None:
        async with line() as at:
            client = await at.connect(await at.open())
            await client.send(kind, **fields)
            assert client.got[-1]["error"]["code"] == "unknown_event_type"

    run(main())


def test_a_button_pauses_and_resumes_an_answer() -> None:
    async def main() -> None:
        async with line(endless(), hears=()) as at:
            client = await talking(at)
            await client.send("output_audio_buffer.pause", event_id="evt_p")
            await client.get("output_audio_buffer.paused")
            assert (await client.get("command.accepted"))["command_id"] == "evt_p"
            await client.send("output_audio_buffer.resume")
            await client.get("output_audio_buffer.resumed")

    run(main())


def test_a_pause_of_nothing_is_refused_with_a_reason() -> None:
    async def main() -> None:
        async with line() as at:
            client = await at.connect(await at.open(), extended=True)
            await client.send("output_audio_buffer.pause", event_id="evt_p")
            rejected = await client.get("command.rejected")
            assert (rejected["command_id"], rejected["code"]) == ("evt_p", "output_pause_not_active")

    run(main())


def test_pressing_cuts_the_answer_and_letting_go_commits_what_was_said() -> None:
    async def main() -> None:
        async with line(endless(), hears=("whispered",)) as at:
            client = await talking(at)
            await client.send("session.update", **update(audio={"input": {"turn_detection": None}}))
            await client.send("input_audio_buffer.push_to_talk", state="down")
            await client.get("input_audio_buffer.speech_started")
            await client.get("output_audio_buffer.cleared")
            await client.sound(400, loud=False)
            await client.send("input_audio_buffer.push_to_talk", state="up")
            await client.get("input_audio_buffer.committed")
            done = await client.get("conversation.item.input_audio_transcription.completed")
            assert done["transcript"] == "whispered"
            await client.get("response.created", 2)  # a pushed turn is answered, whatever turn detection there is

    run(main())


def test_a_muted_microphone_refuses_a_press() -> None:
    async def main() -> None:
        async with line(endless(), hears=()) as at:
            client = await talking(at)
            await client.send("input_audio_buffer.mute", muted=True)
            await client.send("input_audio_buffer.push_to_talk", state="down")
            assert client.got[-1]["error"]["code"] == "microphone_muted"

    run(main())


def test_a_suspicion_ends_even_if_the_client_sends_nothing_any_more() -> None:
    async def main() -> None:
        async with line(endless(), hears=()) as at:
            client = await talking(at)
            await client.sound(40, loud=True)
            await client.get("output_audio_buffer.paused")
            await client.get(
                "output_audio_buffer.resumed"
            )  # though the client pauses its own buffer: nothing is pulled

    run(main())


def test_a_client_may_commit_by_hand_while_turns_are_detected() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("Yes."), hears=("by hand",)) as at:
            client = await at.connect(await at.open(), extended=True)
            await client.sound(600, loud=True)
            await client.send("input_audio_buffer.commit")
            done = await client.get("conversation.item.input_audio_transcription.completed")
            assert done["transcript"] == "by hand"

    run(main())


# --- turn detection ---


def merged(known: conf.TurnDetection | None, **fields: Any) -> conf.ConnectionConfig:
    """What a ``session.update`` with these fields makes of a connection's turn detection."""
    changes = msgspec.convert(update(audio={"input": {"turn_detection": fields}})["session"], rt.SessionChanges)
    return conf.updated(conf.ConnectionConfig(("audio",), turn_detection=known), changes)


def test_every_field_of_the_timer_has_its_effect() -> None:
    config = merged(
        None,
        type="server_vad",
        threshold=0.7,
        prefix_padding_ms=100,
        silence_duration_ms=800,
        idle_timeout_ms=6000,
        create_response=False,
        interrupt_response=False,
    )
    turns = config.turns
    assert turns is not None
    assert (turns.threshold, turns.prefix_padding_ms, turns.silence_duration_ms) == (0.7, 100, 800)
    assert (turns.idle_timeout_ms, turns.eagerness) == (6000, None)
    assert (config.answers_turns, config.interruptible) == (False, False)


def test_every_field_of_the_semantic_detection_has_its_effect() -> None:
    config = merged(rt.TurnDetection(), type="semantic_vad", eagerness="low", create_response=False)
    turns = config.turns
    assert turns is not None
    assert (turns.eagerness, turns.idle_timeout_ms) == ("low", None)
    assert (config.answers_turns, config.interruptible) == (False, True)


def test_another_type_begins_anew_and_ignores_fields_that_are_not_its_own() -> None:
    semantic = merged(rt.TurnDetection(silence_duration_ms=900), type="semantic_vad", silence_duration_ms=100)
    assert semantic.turn_detection == rt.SemanticTurnDetection()
    timer = merged(rt.SemanticTurnDetection(eagerness="low"), type="server_vad", eagerness="high")
    assert timer.turn_detection == rt.TurnDetection()


@pytest.mark.parametrize("idle_ms", [0, 4999, 30001])
def test_an_idle_timeout_lies_in_the_range_of_realtime(idle_ms: int) -> None:
    with pytest.raises(ProtocolViolation) as caught:
        merged(rt.TurnDetection(), idle_timeout_ms=idle_ms)
    assert caught.value.param == "session.audio.input.turn_detection.idle_timeout_ms"
    assert merged(rt.TurnDetection(idle_timeout_ms=5000), idle_timeout_ms=None).turn_detection == rt.TurnDetection()


# --- the session's words ---


def words(**fields: Any) -> rt.SessionChanges:
    return msgspec.convert({"bargein": fields}, rt.SessionChanges)


def test_a_session_has_a_language_and_may_have_lists_of_its_own() -> None:
    german = words(language="de", stop_words=["Ruhe jetzt!", "ruhe JETZT"], backchannels=[])
    settings = conf.shared(Settings(), german, Names())
    assert (settings.language, settings.stop_words, settings.backchannels) == ("de", ("ruhe jetzt",), ())
    settings = conf.shared(settings, words(stop_words=None), Names())
    assert (settings.language, settings.stop_words, settings.backchannels) == ("de", None, ())


def test_an_utterance_has_a_word() -> None:
    with pytest.raises(ProtocolViolation) as caught:
        conf.shared(Settings(), words(backchannels=["okay", "..."]), Names())
    assert caught.value.param == "session.bargein.backchannels"


@pytest.mark.parametrize("wrong", [{"language": "german"}, {"stop_words": ["x" * 65]}, {"stop_words": ["x"] * 201}])
def test_lists_are_bounded(wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        words(**wrong)
