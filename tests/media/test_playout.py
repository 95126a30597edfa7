"""The loudspeaker queue: how sound goes through it, waits, pauses and goes on."""

import weakref

import numpy as np
import pytest

from media.frames import VOICE_FRAME, VOICE_RATE_HZ, Pcm, samples, silence
from media.speaking.playout import Holder, Playout, PlayoutOptions
from media.speech import Word

FADE = samples(10, VOICE_RATE_HZ)
TEXT = "one two three four."
"""Its words begin every 100 ms in :func:`speaking`."""


def noise(count: int, seed: int = 1) -> Pcm:
    """Sound of which no two stretches are alike."""
    return np.random.default_rng(seed).integers(-30_000, 30_000, count).astype(np.int16)


def speaking(pcm: Pcm, *, finished: bool = True, options: PlayoutOptions | None = None) -> Playout:
    """A playout with :data:`TEXT` for generation 1."""
    playout = Playout(options)
    add(playout, 1, pcm, finished=finished)
    return playout


def add(playout: Playout, generation: int, pcm: Pcm, *, finished: bool = True) -> None:
    """Queue an utterance of one clause, a word every 100 ms."""
    assert playout.begin(generation, f"item_{generation}", f"resp_{generation}")
    playout.begin_clause(generation, TEXT, 0, exact=True)
    starts = [0, 4, 8, 14]
    words = [Word(start, start + 3, 2_400 * i) for i, start in enumerate(starts)]
    assert playout.enqueue(generation, pcm, words)
    playout.end_clause(generation)
    if finished:
        playout.finish(generation)


def pull(playout: Playout, frames: int) -> Pcm:
    """The sound of the next *frames* frames, silence included."""
    pulled = [playout.pull() for _ in range(frames)]
    return np.concatenate([silence(0), *(silence(VOICE_FRAME) if it is None else it for it in pulled)])


def silent(playout: Playout, frames: int) -> bool:
    """Whether nothing at all is sent for *frames* frames."""
    pulled = [playout.pull() for _ in range(frames)]
    return all(frame is None for frame in pulled)


def assert_fades(frame: Pcm | None, continuing: Pcm) -> None:
    """*frame* is *continuing*, ever quieter, then silence."""
    assert frame is not None
    assert len(frame) == VOICE_FRAME
    gain = 1 - np.arange(1, FADE + 1) / (FADE + 1)
    assert np.abs(frame[:FADE] - continuing[:FADE] * gain).max() <= 1
    assert not frame[FADE:].any()


def test_sound_comes_out_as_it_went_in_frame_by_frame() -> None:
    pcm = noise(9_600)
    playout = speaking(pcm)
    assert np.array_equal(pull(playout, 20), pcm)
    assert silent(playout, 5)


def test_pieces_of_any_size_make_one_signal() -> None:
    pcm = noise(2_000)
    playout = Playout()
    playout.begin(1, "item", "resp")
    for piece in np.split(pcm, [1, 2, 400, 400, 1_500]):
        assert playout.enqueue(1, piece)
    playout.finish(1)
    assert np.array_equal(pull(playout, 5), np.concatenate((pcm, silence(400))))


def test_nothing_sounds_before_a_whole_frame_is_there() -> None:
    playout = speaking(noise(479), finished=False)
    assert silent(playout, 2)
    playout.finish(1)
    assert np.array_equal(pull(playout, 1)[:479], noise(479))


def test_a_late_synthesizer_makes_a_faded_gap_and_loses_nothing() -> None:
    pcm = noise(1_200)
    playout = speaking(pcm[:600], finished=False)
    pull(playout, 1)
    assert_fades(playout.pull(), np.concatenate((pcm[480:600], np.full(FADE, pcm[599]))))
    assert silent(playout, 40)
    playout.enqueue(1, pcm[600:])
    playout.finish(1)
    rest = pull(playout, 2)
    assert np.array_equal(rest[FADE:720], pcm[480 + FADE :])


def test_a_gap_without_any_sound_left_fades_from_the_last_sample() -> None:
    playout = speaking(noise(480), finished=False)
    last = pull(playout, 1)[-1]
    assert_fades(playout.pull(), np.full(FADE, last))


def test_a_pause_fades_within_a_frame_then_sends_nothing() -> None:
    pcm = noise(9_600)
    playout = speaking(pcm)
    pull(playout, 2)
    playout.pause(Holder.REFLEX, 0.04)
    assert_fades(playout.pull(), pcm[960:])
    assert silent(playout, 3)
    assert playout.paused == {Holder.REFLEX}


def test_after_a_short_pause_sound_goes_on_at_the_paused_sample() -> None:
    pcm = noise(9_600)
    playout = speaking(pcm)
    pull(playout, 7)
    playout.pause(Holder.REFLEX, 1.0)
    pull(playout, 20)
    playout.resume(Holder.REFLEX, 1.5)
    rest = pull(playout, 13)
    assert np.array_equal(rest[FADE:], pcm[7 * 480 + FADE :])
    gain = np.arange(1, FADE + 1) / (FADE + 1)
    assert np.abs(rest[:FADE] - pcm[7 * 480 :][:FADE] * gain).max() <= 1


def test_after_a_long_pause_the_broken_word_is_spoken_again() -> None:
    pcm = noise(9_600)
    playout = speaking(pcm)
    pull(playout, 7)
    playout.pause(Holder.BUTTON, 1.0)
    pull(playout, 30)
    playout.resume(Holder.BUTTON, 1.6)
    assert np.array_equal(pull(playout, 15)[FADE:], pcm[2_400 + FADE :])
    assert silent(playout, 4)


def test_a_broken_word_is_found_in_the_middle_of_frames_and_pieces() -> None:
    pcm = noise(4_800)
    playout = Playout()
    playout.begin(1, "item", "resp")
    playout.begin_clause(1, "oh dear", 0, exact=True)
    playout.enqueue(1, pcm[:1_000], [Word(0, 2, 0), Word(3, 7, 1_111)])
    playout.enqueue(1, pcm[1_000:])
    pull(playout, 5)
    playout.pause(Holder.REFLEX, 0.0)
    pull(playout, 1)
    playout.resume(Holder.REFLEX, 1.0)
    assert np.array_equal(pull(playout, 7)[FADE:], pcm[1_111 + FADE : 1_111 + 7 * 480])


def test_a_word_spoken_again_does_not_take_back_what_was_heard() -> None:
    playout = speaking(noise(9_600))
    pull(playout, 14)
    playout.pause(Holder.BUTTON, 0.0)
    pull(playout, 4)
    playout.resume(Holder.BUTTON, 9.0)
    reached = []
    for _ in range(6):
        pull(playout, 1)
        at = playout.playhead(1)
        assert at is not None
        reached.append((at.heard_chars, at.heard_ms, at.sent_ms))
    assert reached == [(7, 280, 280)] * 4 + [(7, 280, 300), (7, 280, 320)]


def test_a_long_pause_between_two_words_repeats_nothing() -> None:
    pcm = noise(9_600)
    playout = speaking(pcm)
    pull(playout, 10)
    playout.pause(Holder.BUTTON, 0.0)
    pull(playout, 1)
    playout.resume(Holder.BUTTON, 9.0)
    assert np.array_equal(pull(playout, 10)[FADE:], pcm[4_800 + FADE :])


def test_a_pause_taken_back_before_the_next_frame_is_inaudible() -> None:
    pcm = noise(9_600)
    playout = speaking(pcm)
    pull(playout, 7)
    playout.pause(Holder.REFLEX, 0.0)
    playout.resume(Holder.REFLEX, 9.0)
    assert np.array_equal(pull(playout, 13), pcm[7 * 480 :])


def test_sound_goes_on_only_when_nobody_holds() -> None:
    playout = speaking(noise(9_600))
    pull(playout, 1)
    playout.pause(Holder.BUTTON, 0.0)
    playout.pause(Holder.REFLEX, 0.1)
    playout.pause(Holder.REFLEX, 0.2)
    pull(playout, 1)
    playout.resume(Holder.REFLEX, 0.3)
    assert silent(playout, 3)
    playout.resume(Holder.FLOOR, 0.4)
    assert silent(playout, 3)
    playout.resume(Holder.BUTTON, 0.5)
    assert playout.pull() is not None


def test_a_pause_lasts_from_the_first_holder_to_the_last() -> None:
    pcm = noise(9_600)
    playout = speaking(pcm)
    pull(playout, 7)
    playout.pause(Holder.REFLEX, 0.0)
    pull(playout, 1)
    playout.pause(Holder.BUTTON, 0.4)
    playout.resume(Holder.REFLEX, 0.6)
    playout.resume(Holder.BUTTON, 0.7)
    assert np.array_equal(pull(playout, 1)[FADE:], pcm[2_400 + FADE : 2_880])


def test_a_pause_before_the_first_sample_latches() -> None:
    playout = Playout()
    playout.pause(Holder.REFLEX, 0.0)
    add(playout, 1, noise(960))
    assert silent(playout, 100)
    assert playout.drain() == []
    assert not playout.sounding
    playout.resume(Holder.REFLEX, 2.0)
    assert np.array_equal(pull(playout, 2), noise(960))


def test_utterances_sound_one_after_the_other() -> None:
    playout = speaking(noise(700))
    add(playout, 2, noise(480, seed=2))
    assert np.array_equal(pull(playout, 3), np.concatenate((noise(700), silence(260), noise(480, seed=2))))


def test_an_utterance_is_begun_once_and_takes_nothing_after_its_end() -> None:
    playout = speaking(noise(480))
    assert not playout.begin(1, "item", "resp")
    assert playout.enqueue(1, noise(480))
    playout.begin_clause(1, "late", 30, exact=False)
    playout.end_clause(1)
    assert playout.queued_ms(1) == 20


def test_a_full_queue_refuses_until_something_was_sent() -> None:
    playout = speaking(noise(2_400), finished=False, options=PlayoutOptions(max_queued_ms=100))
    assert not playout.enqueue(1, noise(480))
    assert playout.queued_ms(1) == 100
    pull(playout, 1)
    assert playout.enqueue(1, noise(480))
    assert not playout.enqueue(1, noise(1))


def test_a_piece_longer_than_the_queue_is_taken_when_nothing_waits() -> None:
    playout = speaking(noise(48_000), options=PlayoutOptions(max_queued_ms=100))
    assert playout.queued_ms(1) == 2_000


def test_sound_is_let_go_when_its_word_is_over() -> None:
    playout = speaking(noise(2_400), finished=False)
    piece = noise(2_400)
    gone = weakref.ref(piece)
    playout.enqueue(1, piece)
    playout.enqueue(1, noise(2_400))
    del piece
    pull(playout, 5)
    assert gone() is not None
    pull(playout, 6)
    assert gone() is None


@pytest.mark.parametrize(
    "wrong",
    [{"fade_ms": 0}, {"fade_ms": 21}, {"client_buffer_ms": -1}, {"resume_in_place_ms": -1}, {"max_queued_ms": 19}],
)
def test_options_that_cannot_be_done_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"fade|negative"):
        PlayoutOptions(**wrong)
