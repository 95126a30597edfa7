"""The loudspeaker queue: what was heard, how utterances end, and what a cut leaves."""

import numpy as np
import pytest

from media.frames import Pcm
from media.speaking.playout import Cleared, Edge, Holder, Playout, PlayoutOptions, Started, Stopped
from media.speech import Word
from tests.media.test_playout import FADE, TEXT, add, assert_fades, noise, pull, silent, speaking


def heard(playout: Playout, generation: int = 1) -> tuple[int, int]:
    """Code points and milliseconds of an utterance that is here."""
    at = playout.playhead(generation)
    assert at is not None
    return at.heard_chars, at.heard_ms


def test_heard_is_what_was_sent_less_what_the_device_buffers() -> None:
    playout = speaking(noise(9_600))
    assert heard(playout) == (0, 0)
    pull(playout, 3)
    assert heard(playout) == (0, 0)
    pull(playout, 5)
    assert heard(playout) == (3, 100)


def test_the_device_plays_on_while_the_answer_is_paused() -> None:
    playout = speaking(noise(9_600))
    pull(playout, 5)
    playout.pause(Holder.REFLEX, 0.0)
    reached = []
    for _ in range(5):
        pull(playout, 1)
        reached.append(heard(playout))
    assert reached == [(0, 60), (0, 80), (3, 100), (3, 100), (3, 100)]


@pytest.mark.parametrize(("buffer_ms", "expected_ms"), [(0, 160), (50, 110), (-5, 160), (10_000_000, 0)])
def test_the_client_buffer_can_be_corrected(buffer_ms: int, expected_ms: int) -> None:
    playout = speaking(noise(9_600), options=PlayoutOptions(client_buffer_ms=5_000))
    pull(playout, 8)
    playout.device.buffers(buffer_ms)
    assert heard(playout) == (3 if expected_ms else 0, expected_ms)


def test_a_buffer_found_to_be_larger_has_not_let_through_what_was_thought() -> None:
    playout = speaking(noise(9_600))
    pull(playout, 8)
    assert heard(playout) == (3, 100)
    playout.device.buffers(100)
    assert heard(playout) == (0, 60)


def test_a_buffer_found_to_be_smaller_ends_what_it_was_thought_to_hold() -> None:
    playout = speaking(noise(480))
    pull(playout, 1)
    playout.device.buffers(0)
    playout.tick()
    assert playout.drain() == [Started(1, "resp_1", "item_1"), Stopped(1, "resp_1", "item_1", len(TEXT), 20)]


def test_an_utterance_stops_when_the_device_has_played_it() -> None:
    playout = speaking(noise(9_600))
    edges: list[tuple[int, Edge]] = []
    for frame in range(30):
        playout.pull()
        edges += [(frame, edge) for edge in playout.drain()]
    assert edges == [(0, Started(1, "resp_1", "item_1")), (22, Stopped(1, "resp_1", "item_1", len(TEXT), 400))]
    assert playout.playhead(1) is None


def test_an_utterance_stops_while_paused_when_all_of_it_was_sent() -> None:
    playout = speaking(noise(480))
    add(playout, 2, noise(480))
    pull(playout, 1)
    playout.pause(Holder.BUTTON, 0.0)
    pull(playout, 3)
    assert playout.drain() == [Started(1, "resp_1", "item_1"), Stopped(1, "resp_1", "item_1", len(TEXT), 20)]


def test_an_utterance_without_sound_stops_without_having_started() -> None:
    playout = Playout()
    playout.begin(1, "item", "resp", text_base=12)
    playout.finish(1)
    playout.pull()
    assert playout.drain() == [Stopped(1, "resp", "item", 12, 0)]


def test_finishing_after_the_last_frame_lets_the_next_utterance_begin_at_once() -> None:
    playout = speaking(noise(480), finished=False)
    add(playout, 2, noise(480, seed=2))
    pull(playout, 1)
    playout.finish(1)
    assert np.array_equal(pull(playout, 1), noise(480, seed=2))


def test_finishing_after_the_last_frame_adds_nothing() -> None:
    playout = speaking(noise(480), finished=False)
    pull(playout, 1)
    playout.finish(1)
    assert silent(playout, 3)


def test_finishing_in_a_gap_lets_the_next_utterance_begin_unfaded() -> None:
    playout = speaking(noise(480), finished=False)
    pull(playout, 3)
    playout.finish(1)
    add(playout, 2, noise(480, seed=2))
    assert np.array_equal(pull(playout, 1), noise(480, seed=2))


def test_a_cut_fades_within_a_frame_and_tells_what_was_heard() -> None:
    pcm = noise(9_600)
    playout = speaking(pcm)
    add(playout, 2, noise(480))
    pull(playout, 8)
    assert playout.flush() == (
        Cleared(1, "resp_1", "item_1", 3, 100, True),
        Cleared(2, "resp_2", "item_2", 0, 0, False),
    )
    assert_fades(playout.pull(), pcm[8 * 480 :])
    assert silent(playout, 30)
    assert playout.flush() == ()


def test_a_cut_while_paused_counts_to_the_paused_sample() -> None:
    playout = speaking(noise(9_600))
    pull(playout, 10)
    playout.pause(Holder.REFLEX, 0.0)
    pull(playout, 20)
    assert playout.flush() == (Cleared(1, "resp_1", "item_1", 7, 200, True),)
    assert silent(playout, 5)


def test_a_cut_before_the_fade_of_a_pause_still_fades() -> None:
    pcm = noise(9_600)
    playout = speaking(pcm)
    pull(playout, 1)
    playout.pause(Holder.REFLEX, 0.0)
    playout.flush()
    playout.flush()
    assert_fades(playout.pull(), pcm[480:])
    assert silent(playout, 5)


def test_an_answer_after_a_cut_in_a_pause_begins_unfaded() -> None:
    playout = speaking(noise(9_600))
    pull(playout, 1)
    playout.pause(Holder.REFLEX, 0.0)
    pull(playout, 1)
    playout.flush()
    playout.resume(Holder.REFLEX, 1.0)
    add(playout, 2, noise(480, seed=2))
    assert np.array_equal(pull(playout, 1), noise(480, seed=2))


@pytest.mark.parametrize("cut_again", [True, False])
def test_what_comes_and_goes_before_the_fade_does_not_replace_it(cut_again: bool) -> None:
    pcm = noise(9_600)
    playout = speaking(pcm)
    pull(playout, 1)
    playout.flush()
    playout.begin(2, "item", "resp")
    if cut_again:
        playout.flush()
    else:
        playout.finish(2)
    assert_fades(playout.pull(), pcm[480:])
    assert silent(playout, 3)


def test_a_cut_in_front_of_an_utterance_without_sound_stops_that_one() -> None:
    playout = speaking(noise(9_600))
    playout.begin(2, "item", "resp")
    playout.finish(2)
    playout.flush(1)
    assert silent(playout, 1)
    assert playout.drain() == [Stopped(2, "resp", "item", 0, 0)]


def test_an_answer_that_begins_at_the_cut_follows_the_fade() -> None:
    playout = speaking(noise(9_600))
    pull(playout, 1)
    playout.flush()
    add(playout, 2, noise(480, seed=2))
    assert not pull(playout, 1)[FADE:].any()
    assert np.array_equal(pull(playout, 1), noise(480, seed=2))


def test_one_generation_can_be_cut_out_of_the_queue() -> None:
    pcm = noise(960)
    playout = speaking(pcm)
    add(playout, 2, noise(480, seed=2))
    add(playout, 3, noise(480, seed=3))
    first = pull(playout, 1)
    assert [it.generation for it in playout.flush(2)] == [2]
    assert np.array_equal(np.concatenate((first, pull(playout, 2))), np.concatenate((pcm, noise(480, seed=3))))


def test_the_tail_in_the_devices_buffer_can_still_be_cut() -> None:
    playout = speaking(noise(9_600))
    pull(playout, 21)
    playout.drain()
    assert playout.flush() == (Cleared(1, "resp_1", "item_1", 13, 360, True),)
    assert silent(playout, 5)
    assert playout.drain() == []


def test_what_arrives_after_the_cut_is_dropped() -> None:
    playout = speaking(noise(960), finished=False)
    playout.flush(2)
    assert playout.enqueue(1, noise(480))
    assert playout.queued_ms(1) == 60
    assert not playout.begin(2, "item", "resp")
    playout.flush()
    playout.begin_clause(1, "late", 0, exact=False)
    assert playout.enqueue(1, noise(4_800))
    playout.end_clause(1)
    playout.finish(1)
    assert not playout.begin(1, "item", "resp")
    assert playout.queued_ms(1) == 0
    assert silent(playout, 5)
    assert playout.drain() == []
    assert playout.begin(3, "item", "resp")


def test_a_start_nobody_was_told_of_is_not_told_after_the_cut() -> None:
    playout = speaking(noise(9_600))
    pull(playout, 1)
    playout.flush()
    assert playout.drain() == []


def test_it_sounds_while_the_device_plays_its_buffer_and_while_paused_mid_utterance() -> None:
    playout = speaking(noise(1_440))
    pull(playout, 1)
    playout.pause(Holder.BUTTON, 0.0)
    pull(playout, 50)
    assert playout.sounding
    playout.resume(Holder.BUTTON, 0.1)
    lasting = []
    for _ in range(6):
        pull(playout, 1)
        lasting.append(playout.sounding)
    assert lasting == [True, True, True, True, False, False]


def test_waiting_for_a_late_synthesizer_is_not_sounding() -> None:
    playout = speaking(noise(480), finished=False)
    pull(playout, 5)
    assert not playout.sounding


def test_without_a_client_buffer_it_sounds_for_the_frame_that_was_sent() -> None:
    playout = speaking(noise(480), options=PlayoutOptions(client_buffer_ms=0))
    pull(playout, 1)
    assert playout.sounding
    assert [type(edge) for edge in playout.drain()] == [Started, Stopped]
    pull(playout, 1)
    assert playout.sounding is False


def test_a_playhead_says_whether_its_utterance_is_held() -> None:
    playout = speaking(noise(480))
    add(playout, 2, noise(480))
    pull(playout, 1)
    playout.pause(Holder.APPROVAL, 0.0)
    spent, waiting = playout.playhead(1), playout.playhead(2)
    assert spent is not None
    assert waiting is not None
    assert (spent.started, spent.paused, waiting.started, waiting.paused) == (True, False, False, True)


# what the device itself says


def ahead(pcm: Pcm, frames: int) -> Playout:
    """A device that was sent *frames* frames at once, and has played two ticks of them."""
    playout = speaking(pcm, options=PlayoutOptions(client_buffer_ms=0))
    for _ in range(frames):
        playout.send()
    playout.tick()
    playout.tick()
    return playout


def test_a_device_that_is_sent_sound_ahead_plays_it_frame_by_frame() -> None:
    playout = ahead(noise(9_600), 10)
    assert (heard(playout), playout.device.ahead_ms) == ((0, 40), 160)


def test_a_device_that_has_run_dry_plays_the_next_frame_at_once() -> None:
    playout = speaking(noise(480), finished=False, options=PlayoutOptions(client_buffer_ms=0))
    pull(playout, 50)
    playout.enqueue(1, noise(4_800))
    for _ in range(10):
        playout.send()
    playout.tick()
    assert heard(playout)[1] == 40
    assert playout.device.ahead_ms == 180


@pytest.mark.parametrize(("played_ms", "expected_ms"), [(0, 40), (25, 25), (40, 40), (41, 40), (10_000, 40)])
def test_a_device_is_believed_when_it_has_played_less_and_never_when_more(played_ms: int, expected_ms: int) -> None:
    playout = ahead(noise(9_600), 10)
    assert playout.device.played("item_1", played_ms)
    assert heard(playout)[1] == expected_ms


def test_what_a_device_has_said_holds_from_then_on() -> None:
    playout = ahead(noise(9_600), 10)
    playout.device.played("item_1", 10)
    playout.tick()
    assert heard(playout)[1] == 30
    assert playout.device.ahead_ms == 140 + 30


def test_an_older_word_that_comes_late_is_no_news() -> None:
    playout = ahead(noise(9_600), 10)
    playout.device.played("item_1", 30)
    playout.device.played("item_1", 5)
    assert heard(playout)[1] == 30


def test_a_device_that_has_played_all_it_was_sent_says_nothing_of_its_buffer() -> None:
    playout = speaking(noise(480), finished=False)
    pull(playout, 50)
    playout.device.played("item_1", 20 + 20)  # and the fade into the gap
    playout.enqueue(1, noise(9_600))
    pull(playout, 5)
    assert heard(playout)[1] == 60  # still the 60 ms that were expected, not the second of silence


def test_the_fade_before_a_pause_is_counted_as_the_device_counts_it() -> None:
    playout = speaking(noise(9_600), options=PlayoutOptions(client_buffer_ms=0))
    pull(playout, 2)
    playout.pause(Holder.BUTTON, 0.0)
    pull(playout, 1)
    playout.resume(Holder.BUTTON, 0.1)
    pull(playout, 3)
    playout.device.played("item_1", 40 + 20 + 30)
    assert heard(playout)[1] == 70


def test_an_item_that_never_was_here_is_unknown_and_one_that_is_over_is_not() -> None:
    playout = speaking(noise(480))
    assert not playout.device.played("item_2", 20)
    assert playout.device.located("item_2", 20) is None
    pull(playout, 10)
    assert playout.device.played("item_1", 20)


@pytest.mark.parametrize("cut", [True, False])
def test_where_a_device_stood_is_known_after_its_answer_is_over(cut: bool) -> None:
    playout = speaking(noise(9_600))
    pull(playout, 12)
    if cut:
        playout.flush()
    else:
        pull(playout, 20)
    assert playout.device.located("item_1", 150) == (3, 150)
    assert playout.device.located("item_1", 10_000) == ((7, 240) if cut else (len(TEXT), 400))


def test_words_are_kept_for_the_last_few_answers_only() -> None:
    playout = Playout()
    for generation in range(1, 20):
        add(playout, generation, noise(480))
        playout.flush()
    assert playout.device.located("item_1", 20) is None
    assert playout.device.located("item_19", 20) is not None


def test_an_answer_whose_engine_failed_says_so_when_it_stops() -> None:
    playout = Playout()
    playout.begin(1, "item", "resp")
    playout.begin_clause(1, TEXT, 0, exact=True)
    playout.enqueue(1, noise(4_800), [Word(0, 3, 0), Word(4, 7, 2_400)])
    playout.break_off(1)
    playout.finish(1)
    pull(playout, 20)
    assert playout.drain()[1:] == [Stopped(1, "resp", "item", 3, 200, whole=False)]


def test_what_is_sent_to_a_device_that_is_gone_is_not_heard() -> None:
    playout = speaking(noise(24_000))
    pull(playout, 40)
    assert heard(playout)[1] == 740
    playout.device.lost_since(500.0)
    assert playout.flush()[0].heard_ms == 240
