"""When a step plays and when a replay ends, as a person who tests a gateway would expect."""

import pytest

from gateway.replay.cues import due_ms, over_ms, rest_ms, waiting_for
from gateway.replay.steps import parse, server_events
from gateway.replay.story import Story
from tests.replay.scripts import SETTLE_MS, Script, barge_in


def due(script: Script, step: str) -> float | None:
    return due_ms(parse(step), script.story, SETTLE_MS)


def rest(script: Script) -> float | None:
    return rest_ms(script.story, SETTLE_MS)


def answered() -> Script:
    """A question of 2.2 s and its answer, which still sounds at 5 s."""
    script = Script()
    script.play("ask.wav", 100, 2300)
    script.turn(2800, "item_u1")
    script.create(3000, "a")
    script.text(3010, "a", "Once upon a time.")
    script.done(3200, "a")
    script.buffer(3400, "a", "started")
    script.sound(3420, 5000)
    return script


def test_nothing_plays_before_the_session_is_ready() -> None:
    script = Script(ready_ms=None)
    assert due(script, "a.wav") is None
    assert waiting_for(parse("a.wav"), script.story) == "the session to be ready"


def test_the_first_step_plays_as_soon_as_the_session_is_ready() -> None:
    assert due(Script(ready_ms=250), "a.wav") == 250


def test_the_first_step_may_wait_for_an_event_that_came_before_the_session_was_ready() -> None:
    script = Script(ready_ms=None)
    script.tell(80, "session.created", session={"id": "sess_1"})
    script.story.ready(100)
    assert due(script, "a.wav@session.created+5") == 100
    assert due(script, "a.wav@session.created+500") == 580


def test_the_next_step_plays_when_the_answer_has_ended_in_text_and_sound() -> None:
    script = answered()
    assert due(script, "b.wav") is None
    assert waiting_for(parse("b.wav"), script.story) == "the sound of resp_a to end"
    script.buffer(5060, "a", "stopped")
    assert due(script, "b.wav") == 5060


def test_a_text_answer_ends_with_its_generation() -> None:
    script = Script()
    script.play("ask.wav", 100, 2300)
    script.turn(2800, "item_u1")
    script.create(3000, "a", modality="text")
    assert rest(script) is None
    script.done(3200, "a")
    assert rest(script) == 3200


def test_a_step_that_nobody_answers_is_over_when_nothing_has_happened_for_a_while() -> None:
    script = Script()
    script.play("cough.wav", 100, 400)
    assert due(script, "b.wav") == 400 + SETTLE_MS
    script.tell(450, "input_audio_buffer.speech_suspected", audio_start_ms=0)
    assert due(script, "b.wav") is None
    script.tell(700, "input_audio_buffer.speech_dismissed")
    assert due(script, "b.wav") == 700 + SETTLE_MS


def test_stop_cuts_and_wants_no_answer_so_the_replay_settles() -> None:
    script = answered()
    script.play("stop.wav@speaking+1500", 5000, 5600)
    script.buffer(5800, "a", "cleared")
    script.truncate(5800, "a", "Once", " upon a time.")
    script.turn(6300, "item_u2", "stop")
    assert rest(script) == 6500 + SETTLE_MS


def test_the_answer_that_was_cut_is_not_the_answer_to_the_step_that_cut_it() -> None:
    script = answered()
    script.play("no.wav@speaking+1500", 5000, 7000)
    script.buffer(5600, "a", "cleared")
    script.turn(7500, "item_u2")
    assert rest(script) == 7700 + SETTLE_MS
    script.create(7710, "b")
    assert rest(script) is None
    assert waiting_for(None, script.story) == "resp_b to be done"
    script.text(7720, "b", "All right.")
    script.done(7730, "b")
    assert waiting_for(None, script.story) == "the sound of resp_b to begin"
    script.buffer(7800, "b", "started")
    script.buffer(8800, "b", "stopped")
    assert rest(script) == 8800


def test_an_answer_to_half_of_a_step_is_not_the_answer_to_all_of_it() -> None:
    script = Script()
    script.play("hello_then_a_question.wav", 100, 6000)
    script.turn(1000, "item_u1")
    script.create(1200, "a", modality="text")
    script.done(1300, "a")
    assert rest(script) == 6000
    script.turn(6500, "item_u2")
    assert rest(script) == 6700 + SETTLE_MS


def test_an_answer_that_fails_or_has_no_text_needs_no_sound_to_end() -> None:
    for status, text in (("failed", "Once"), ("completed", "")):
        script = Script()
        script.play("ask.wav", 100, 2300)
        script.turn(2800, "item_u1")
        script.create(3000, "a")
        script.text(3010, "a", text)
        script.done(3200, "a", status)
        assert rest(script) == 3200


def test_an_answer_whose_item_was_removed_will_never_sound() -> None:
    script = Script()
    script.play("ask.wav", 100, 2300)
    script.create(2400, "a")
    script.text(2410, "a", "Once")
    script.done(2500, "a")
    assert rest(script) is None
    script.tell(2600, "conversation.item.deleted", item_id="item_a")
    assert rest(script) == 2600 + SETTLE_MS


def test_a_turn_that_is_removed_has_no_transcript_to_wait_for() -> None:
    script = Script()
    script.play("noise.wav", 100, 1000)
    script.tell(1500, "input_audio_buffer.committed", item_id="item_u1")
    assert waiting_for(None, script.story) == "a transcript"
    script.tell(1600, "conversation.item.deleted", item_id="item_u1")
    assert rest(script) == 1600 + SETTLE_MS


@pytest.mark.parametrize("event", sorted(server_events()))
def test_a_step_plays_after_any_event_for_as_long_as_asked(event: str) -> None:
    script = Script()
    script.play("a.wav", 1000, 2000)
    assert due(script, f"b.wav@{event}+300") is None
    script.tell(2500, event, response={"id": "r"}, item={"id": "i"}, session={"id": "s"})
    script.tell(2600, event, response={"id": "r"}, item={"id": "i"}, session={"id": "s"})
    assert due(script, f"b.wav@{event}+300") == 2800


def test_events_before_the_previous_step_began_do_not_count() -> None:
    script = Script()
    script.tell(900, "response.created", response={"id": "resp_x"})
    script.play("a.wav", 1000, 2000)
    assert due(script, "b.wav@response.created") is None
    assert waiting_for(parse("b.wav@response.created"), script.story) == "response.created, to play b.wav"


def test_steps_never_overlap() -> None:
    script = Script()
    script.play("a.wav", 1000, None)
    script.tell(1100, "input_audio_buffer.speech_started", item_id="item_u1")
    assert due(script, "b.wav@input_audio_buffer.speech_started") is None
    script.story.played[-1].ended_ms = 3000
    assert due(script, "b.wav@input_audio_buffer.speech_started+50") == 3000
    assert due(script, "b.wav@input_audio_buffer.speech_started+5000") == 6100


def test_speaking_is_the_first_audible_sound_of_the_answer() -> None:
    script = Script()
    script.play("ask.wav", 100, 2300)
    script.create(3000, "a")
    script.buffer(3400, "a", "started")
    script.story.hear(3405, 500)
    assert due(script, "no.wav@speaking+1500") is None
    assert waiting_for(parse("no.wav@speaking"), script.story) == "the answer to be heard, to play no.wav"
    script.story.hear(3425, 501)
    script.sound(3445, 4000)
    assert due(script, "no.wav@speaking+1500") == 4925


def test_speaking_after_a_cut_means_the_next_answer() -> None:
    script = barge_in()
    assert due(script, "third.wav@speaking+100") == 8405


def test_speaking_after_a_cough_means_the_answer_that_went_on() -> None:
    script = answered()
    script.play("cough.wav@speaking+1500", 5000, 5300)
    script.buffer(5060, "a", "paused")
    assert due(script, "no.wav@speaking+1000") is None
    script.buffer(5600, "a", "resumed")
    script.sound(5610, 6000)
    assert due(script, "no.wav@speaking+1000") == 6610


def test_speaking_counts_an_answer_that_began_before_the_step_was_over() -> None:
    script = Script()
    script.play("question_and_long_silence.wav", 100, 6000)
    script.create(3000, "a")
    script.buffer(3400, "a", "started")
    script.sound(3410, 7000)
    assert due(script, "no.wav@speaking+3000") == 6410
    assert due(script, "no.wav@speaking") == 6000


def over(script: Script, listen_ms: float | None = 10_000) -> float | None:
    return over_ms(script.story, SETTLE_MS, listen_ms)


def test_a_replay_hangs_up_in_a_long_answer_but_not_before_it_is_made() -> None:
    script = Script()
    script.play("ask.wav", 100, 2300)
    script.turn(2800, "item_u1")
    script.create(3000, "a")
    script.text(3010, "a", "Once upon a time.")
    assert over(script) is None
    script.buffer(3400, "a", "started")
    assert over(script) is None
    script.done(9000, "a")
    assert over(script) == 13_400
    assert over(script, 1000) == 9000
    assert over(script, None) is None
    script.buffer(9500, "a", "stopped")
    assert over(script) == over(script, None) == 9500


def test_a_replay_does_not_hang_up_on_an_answer_that_is_to_be_heard() -> None:
    script = Script()
    script.play("ask.wav", 100, 2300)
    script.create(3000, "a")
    script.text(3010, "a", "Once upon a time.")
    script.done(3200, "a")
    assert over(script) is None


def test_an_answer_that_outlasts_the_last_step_is_listened_to_from_that_steps_end() -> None:
    script = answered()
    script.play("cough.wav@speaking+1500", 5000, 5300)
    script.buffer(5060, "a", "paused")
    script.tell(5060, "input_audio_buffer.speech_suspected", audio_start_ms=0)
    assert over(script) is None
    script.tell(5500, "input_audio_buffer.speech_dismissed")
    script.buffer(5500, "a", "resumed")
    assert over(script) == 15_300


def test_a_replay_is_over_like_any_step_when_nothing_sounds() -> None:
    script = Script()
    script.play("cough.wav", 100, None)
    assert over(script) is None
    script.story.played[-1].ended_ms = 400
    assert over(script) == 400 + SETTLE_MS


def test_a_replay_without_a_step_played_has_not_come_to_rest() -> None:
    assert rest_ms(Story(), SETTLE_MS) is None


def test_events_that_make_no_sense_are_kept_and_change_nothing() -> None:
    script = Script()
    script.play("a.wav", 100, 1000)
    script.tell(1100, "response.done", response=None)
    script.tell(1110, "response.done", response={"id": 7})
    script.tell(1120, "output_audio_buffer.started", response_id="resp_unknown")
    script.tell(1130, "conversation.item.truncated", item_id="item_unknown", heard_text="x")
    script.story.see(1140, {})
    script.story.see(1150, {"type": ["response.created"]})
    assert len(script.story.seen) == 6
    assert rest(script) == 1150 + SETTLE_MS
