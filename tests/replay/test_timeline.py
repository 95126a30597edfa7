"""The report: what was heard of each answer, and how long it took to fall silent."""

import json
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import assume, given, strategies as st

from gateway.replay.timeline import Report, report, stop_latency_ms
from tests.replay.scripts import Script, barge_in


def of(script: Script, now_ms: float = 10_000, failure: str | None = None) -> Report:
    return report(script.story, url="http://gateway", transport="webrtc", now_ms=now_ms, failure=failure)


def packets(*stretches: tuple[float, float]) -> list[float]:
    """Audible packets every 20 ms of each stretch."""
    return [from_ms + 20 * n for from_ms, to_ms in stretches for n in range(int((to_ms - from_ms) // 20) + 1)]


def test_the_scenario_is_told_as_it_happened() -> None:
    told = of(barge_in())
    assert told.ok
    assert told.failure is None
    assert [(it.item_id, it.text) for it in told.transcripts] == [
        ("item_u1", "tell me a long story"),
        ("item_u2", "no something else"),
    ]
    story, other = told.responses
    assert (story.heard_text, story.unheard_text) == ("Once upon a", " time there was a fox.")
    assert story.generated_text == "Once upon a time there was a fox."
    assert (story.item_id, story.status, story.playout, story.started_ms) == ("item_a", "completed", "cleared", 3400)
    assert other.heard_text == other.generated_text == "All right."
    assert other.playout == "stopped"


def test_the_interruption_has_its_latency_from_the_onset_to_the_last_audible_packet() -> None:
    [interruption] = of(barge_in()).interruptions
    assert interruption.step == 2
    assert interruption.file == "no.wav"
    assert interruption.response_id == "resp_a"
    assert (
        interruption.stop_latency_ms == 45
    )  # a packet every 20 ms from 3405 on; the last one before 5060 came at 5045
    assert interruption.told_after_ms == 61
    assert (interruption.paused, interruption.cut, interruption.resumed) == (True, True, False)


def test_the_summary_has_the_median_and_the_worst() -> None:
    summary = of(barge_in()).summary
    assert (summary.interruptions, summary.stop_latency_median_ms, summary.stop_latency_worst_ms) == (1, 45, 45)
    assert of(Script()).summary.stop_latency_median_ms is None


def test_every_event_has_its_type_time_and_ids_but_not_its_words() -> None:
    told = of(barge_in())
    created = next(it for it in told.events if it["type"] == "response.created")
    assert created == {"type": "response.created", "t_ms": 3000, "response_id": "resp_a"}
    truncated = next(it for it in told.events if it["type"] == "conversation.item.truncated")
    assert truncated == {"type": "conversation.item.truncated", "t_ms": 5701, "item_id": "item_a"}
    assert [it["t_ms"] for it in told.events] == sorted(it["t_ms"] for it in told.events)


def test_a_report_is_json_with_the_documented_keys() -> None:
    document = json.loads(msgspec.json.encode(of(barge_in())))
    assert {"events", "transcripts", "responses", "interruptions", "transport", "url", "steps", "summary"} <= set(
        document
    )
    assert {"step", "at_ms", "stop_latency_ms", "paused", "cut", "resumed", "response_id"} <= set(
        document["interruptions"][0]
    )


def test_a_cough_is_an_interruption_that_resumed() -> None:
    script = Script()
    script.create(3000, "a")
    script.text(3010, "a", "Once upon a time.")
    script.done(3200, "a")
    script.buffer(3400, "a", "started")
    script.sound(3405, 5070)
    script.play("cough.wav", 5000, 5300)
    script.buffer(5063, "a", "paused")
    script.sound(5405, 8000)
    script.buffer(5410, "a", "resumed")
    script.buffer(8060, "a", "stopped")
    [cough] = of(script).interruptions
    assert (cough.paused, cough.cut, cough.resumed) == (True, False, True)
    assert cough.stop_latency_ms == 65
    [answer] = of(script).responses
    assert answer.heard_text == answer.generated_text


def test_an_answer_that_nobody_stops_has_no_latency() -> None:
    script = Script()
    script.create(3000, "a")
    script.buffer(3400, "a", "started")
    script.sound(3405, 8000)
    script.play("whisper.wav", 5000, 5300)
    [ignored] = of(script).interruptions
    assert (ignored.stop_latency_ms, ignored.paused, ignored.cut, ignored.resumed) == (None, False, False, False)


def test_a_voice_while_the_answer_is_made_cuts_without_a_latency() -> None:
    script = Script()
    script.create(3000, "a")
    script.play("wait.wav", 3100, 3500)
    script.done(3300, "a", "cancelled", reason="turn_detected")
    script.tell(3301, "conversation.item.deleted", item_id="item_a")
    told = of(script)
    [interruption] = told.interruptions
    assert (interruption.stop_latency_ms, interruption.cut) == (None, True)
    assert (told.responses[0].status, told.responses[0].reason) == ("cancelled", "turn_detected")


def test_nothing_of_an_answer_that_was_removed_was_heard() -> None:
    script = Script()
    script.create(3000, "a")
    script.text(3100, "a", "Once")
    script.done(3300, "a", "cancelled", reason="turn_detected")
    script.tell(3301, "conversation.item.deleted", item_id="item_a")
    [answer] = of(script).responses
    assert (answer.heard_text, answer.unheard_text) == ("", "Once")


def test_a_step_that_speaks_when_all_is_said_interrupts_nothing() -> None:
    script = barge_in()
    script.play("bye.wav", 9500, 9900)
    assert len(of(script).interruptions) == 1


def test_a_step_without_voice_interrupts_nothing() -> None:
    script = barge_in()
    script.story.played[1].onset_ms = None
    assert of(script).interruptions == []


def test_each_step_has_only_what_happened_before_the_next_one_spoke() -> None:
    script = Script()
    script.create(3000, "a")
    script.buffer(3400, "a", "started")
    script.sound(3405, 5050)
    script.play("cough.wav", 5000, 5200)
    script.buffer(5060, "a", "paused")
    script.sound(5405, 7090)
    script.buffer(5410, "a", "resumed")
    script.play("no.wav@speaking+1500", 7000, 8000)
    script.buffer(7090, "a", "paused")
    script.buffer(7600, "a", "cleared")
    cough, no = of(script).interruptions
    assert (cough.stop_latency_ms, cough.resumed, cough.cut) == (45, True, False)
    assert (no.stop_latency_ms, no.resumed, no.cut) == (85, False, True)
    assert of(script).summary.stop_latency_median_ms == 65


def test_a_client_without_pauses_is_measured_against_the_clear() -> None:
    script = Script()
    script.create(3000, "a")
    script.buffer(3400, "a", "started")
    script.sound(3405, 5200)
    script.play("no.wav", 5000, 6000)
    script.buffer(5190, "a", "cleared")
    [interruption] = of(script).interruptions
    assert (interruption.stop_latency_ms, interruption.paused, interruption.cut) == (185, False, True)


def test_a_response_without_an_end_makes_the_replay_fail() -> None:
    script = Script()
    script.create(3000, "a")
    told = of(script)
    assert not told.ok
    assert told.failure == "resp_a reached no end."


def test_a_failure_of_the_replay_is_told_before_all_others() -> None:
    script = Script()
    script.create(3000, "a")
    assert of(script, failure="Waited for a miracle.").failure == "Waited for a miracle."


def test_a_continued_answer_names_the_one_it_continues() -> None:
    script = Script()
    script.create(3000, "a", continues="resp_0")
    assert of(script).responses[0].continues == "resp_0"


@pytest.mark.parametrize(
    ("audible", "latency"),
    [
        (packets((0, 1060)), 60),
        (packets((0, 1060), (1900, 3000)), 60),
        # a stop consonant of 80 ms just before the pause
        (packets((0, 960), (1040, 1080)), 80),
        # it drew breath at the onset, and never sounded again
        (packets((0, 900), (1900, 3000)), None),
        # the last packet came with the onset, or just before
        (packets((0, 1000), (1900, 3000)), 0),
        (packets((0, 980), (1900, 3000)), 0),
        # a breath, and one packet that was under way
        (packets((0, 800), (1080, 1080), (1900, 3000)), 80),
        # the network is 200 ms behind the events
        (packets((0, 1260), (2100, 3000)), 260),
        ([], None),
    ],
)
def test_the_silence_that_counts_is_the_one_of_the_pause(audible: Sequence[float], latency: float | None) -> None:
    assert stop_latency_ms(audible, onset_ms=1000, silenced_ms=1070, until_ms=1900) == latency


gaps = st.lists(st.floats(1, 120), min_size=1, max_size=80)


@given(speech=gaps, breath=gaps, pause=st.floats(400, 5000), late=st.floats(-60, 60), reaction=st.floats(0, 150))
def test_the_latency_is_exact_whatever_the_speech_around_the_pause(
    speech: list[float], breath: list[float], pause: float, late: float, reaction: float
) -> None:
    """Speech with small silences, one pause, speech again; the event comes a little early or late."""
    before = [sum(speech[: n + 1]) for n in range(len(speech))]
    resumed = before[-1] + pause
    after = [resumed + sum(breath[:n]) for n in range(len(breath))]
    onset = before[-1] - reaction
    silenced = before[-1] + late
    assume(onset >= 0)
    found = stop_latency_ms([*before, *after], onset, silenced, resumed)
    assert found == pytest.approx(reaction, abs=1e-6)


@given(audible=st.lists(st.floats(0, 1e5)), onset=st.floats(0, 1e5), wait=st.floats(0, 1e4), length=st.floats(0, 1e4))
def test_any_latency_is_the_time_to_a_packet_or_nothing(
    audible: list[float], onset: float, wait: float, length: float
) -> None:
    audible.sort()
    silenced = onset + wait
    found = stop_latency_ms(audible, onset, silenced, silenced + length)
    assert found in (None, 0) or found in [it - onset for it in audible]
