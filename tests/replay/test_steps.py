"""Steps: what is typed is what is meant, and what cannot be meant is refused with a sentence."""

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from gateway.replay.errors import ReplayError
from gateway.replay.steps import MAX_AFTER_MS, SPEAKING, Step, parse, server_events


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ask.wav", Step(Path("ask.wav"))),
        ("ASK.WAV", Step(Path("ASK.WAV"))),
        ("ask.wav@speaking", Step(Path("ask.wav"), "speaking", 0)),
        ("ask.wav@speaking+1500", Step(Path("ask.wav"), "speaking", 1500)),
        ("ask.wav@response.created+20", Step(Path("ask.wav"), "response.created", 20)),
        ("../a b/x@home.wav", Step(Path("../a b/x@home.wav"))),
        ("x@home.wav@speaking+1", Step(Path("x@home.wav"), "speaking", 1)),
        ("a+b.wav@output_audio_buffer.paused", Step(Path("a+b.wav"), "output_audio_buffer.paused", 0)),
    ],
)
def test_a_step_is_a_file_and_perhaps_a_condition(typed: str, meant: Step) -> None:
    assert parse(typed) == meant


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "step_unreadable"),
        (".wav", "step_unreadable"),
        ("ask.mp3", "step_unreadable"),
        ("ask.mp3@speaking", "step_unreadable"),
        ("ask.wav@", "step_unreadable"),
        ("ask.wav@+100", "step_unreadable"),
        ("ask.wav@speaking+", "step_unreadable"),
        ("ask.wav@speaking+soon", "step_unreadable"),
        ("ask.wav@speaking-100", "unknown_event"),
        ("ask.wav@speaking+600001", "step_unreadable"),
        ("ask.wav@response.creatd", "unknown_event"),
        ("ask.wav@response.create", "unknown_event"),
    ],
)
def test_a_step_that_cannot_be_meant_is_refused(typed: str, code: str) -> None:
    with pytest.raises(ReplayError) as refused:
        parse(typed)
    assert refused.value.code == code


def test_a_misspelt_event_is_told_its_neighbour() -> None:
    with pytest.raises(ReplayError, match=r"did you mean “response\.created”"):
        parse("ask.wav@response.creatd")


def test_events_of_the_extension_and_of_realtime_can_be_waited_for() -> None:
    assert {"input_audio_buffer.speech_suspected", "response.done", "conversation.item.done"} <= server_events()
    assert "response.create" not in server_events()


@given(st.sampled_from(sorted(server_events() | {SPEAKING})), st.integers(0, MAX_AFTER_MS))
def test_every_condition_survives_being_typed(event: str, after_ms: int) -> None:
    step = Step(Path("clip.wav"), event, after_ms)
    assert parse(str(step)) == step


@given(st.text())
def test_any_text_is_a_step_or_a_replay_error(text: str) -> None:
    try:
        step = parse(text)
    except ReplayError:
        return
    assert step.path.name.lower().endswith(".wav")
