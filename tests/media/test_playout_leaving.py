"""The loudspeaker queue: an utterance is given away to another one, at the word."""

import pytest

from media.frames import VOICE_FRAME, VOICE_RATE_HZ
from media.speaking.leaving import Left
from media.speaking.playout import Edge, Holder, Playout, PlayoutOptions, Started, Stopped
from media.speech import Word
from tests.media.test_playout import noise, pull, silent

TEXT = "one two three four"
STARTS = (0, 4, 8, 14)
ENDS = (3, 7, 13, 18)


def speaking(word_ms: int, *, options: PlayoutOptions | None = None, base: int = 0, base_ms: int = 0) -> Playout:
    """Four words of *word_ms* each, all of them queued."""
    playout = Playout(options)
    length = word_ms * VOICE_RATE_HZ // 1000
    playout.begin(1, "item_1", "resp_1", base, base_ms)
    playout.begin_clause(1, TEXT, base, exact=True)
    words = [Word(start, end, index * length) for index, (start, end) in enumerate(zip(STARTS, ENDS, strict=True))]
    playout.enqueue(1, noise(4 * length), words)
    playout.end_clause(1)
    playout.finish(1)
    return playout


def frames_until_left(playout: Playout) -> tuple[int, Left]:
    """How many frames are pulled before it lets go."""
    for count in range(100):
        left = [edge for edge in playout.drain() if isinstance(edge, Left)]
        if left:
            return count, left[0]
        playout.pull()
    raise AssertionError("it never lets go")


@pytest.mark.parametrize(
    ("said", "frames", "chars"),
    [
        (10, 0, 3),  # between two words
        (11, 9, 7),  # 180 ms of "two" are left
        (19, 1, 7),
        (1, 9, 3),
    ],
)
def test_a_word_that_ends_soon_is_finished_first(said: int, frames: int, chars: int) -> None:
    playout = speaking(200)
    pull(playout, said)
    playout.leave(1, 250, recalled=False)
    count, left = frames_until_left(playout)
    assert (count, left.heard_chars) == (frames, chars)
    assert left.heard_ms == 20 * (said + count)


@pytest.mark.parametrize(("word_ms", "finish_ms"), [(400, 250), (200, 0)])
def test_a_word_that_does_not_is_broken_and_does_not_count(word_ms: int, finish_ms: int) -> None:
    playout = speaking(word_ms)
    pull(playout, word_ms // 20 + 2)
    playout.leave(1, finish_ms, recalled=False)
    assert frames_until_left(playout) == (0, Left(1, 3, word_ms + 40, started=True))
    assert not silent(playout, 1)  # its fade
    assert silent(playout, 3)


def test_what_was_sent_ahead_is_dropped_by_who_can_recall_it_and_else_counts_as_heard() -> None:
    for recalled, chars, ms in ((True, 3, 200), (False, 13, 600)):
        playout = speaking(200, options=PlayoutOptions(client_buffer_ms=0))
        for _ in range(30):
            playout.send()
        for _ in range(10):
            playout.tick()
        playout.leave(1, 250, recalled=recalled)
        _, left = frames_until_left(playout)
        assert (left.heard_chars, left.heard_ms) == (chars, ms)


def test_what_a_device_recalls_was_heard_as_far_as_it_played() -> None:
    playout = speaking(400)
    for _ in range(40):
        playout.send()
    for _ in range(25):
        playout.tick()
    playout.leave(1, 250, recalled=True)  # it plays 440 ms, 60 later than it could
    assert frames_until_left(playout) == (0, Left(1, 3, 440, started=True))


def test_it_can_come_back_and_its_figures_are_those_of_the_item() -> None:
    playout = speaking(200)
    pull(playout, 10)
    playout.leave(1, 250, recalled=False)
    playout.drain()
    assert playout.begin(1, "item_1", "resp_1", 3, 200)
    playout.begin_clause(1, " two", 3, exact=True)
    playout.enqueue(1, noise(4_800), [Word(1, 4, 0)])
    playout.end_clause(1)
    playout.finish(1)
    edges: list[Edge] = []
    for _ in range(20):
        playout.pull()
        edges += playout.drain()
    assert edges == [Started(1, "resp_1", "item_1"), Stopped(1, "resp_1", "item_1", 7, 400)]
    assert playout.device.located("item_1", 100) == (3, 300)


def test_what_was_sent_whole_stops_by_itself() -> None:
    playout = speaking(20)
    pull(playout, 4)
    playout.leave(1, 250, recalled=False)
    pull(playout, 4)
    assert playout.drain() == [Started(1, "resp_1", "item_1"), Stopped(1, "resp_1", "item_1", 18, 80)]


def test_what_is_not_here_is_given_away_unheard() -> None:
    playout = Playout()
    playout.leave(7, 250, recalled=False)
    assert playout.drain() == [Left(7, 0, 0, started=False)]


def test_what_has_not_begun_or_is_held_or_starves_is_given_away_at_once() -> None:
    playout = speaking(200)
    playout.leave(1, 250, recalled=False)
    assert playout.drain() == [Left(1, 0, 0, started=False)]

    playout = speaking(200)
    pull(playout, 3)
    playout.leave(1, 250, recalled=False)
    playout.pause(Holder.BUTTON, 0.0)
    assert playout.drain() == [Started(1, "resp_1", "item_1"), Left(1, 0, 60, started=True)]

    playout = Playout()
    playout.begin(1, "item_1", "resp_1")
    playout.begin_clause(1, TEXT, 0, exact=True)
    playout.enqueue(1, noise(3 * VOICE_FRAME), [Word(0, 3, 0), Word(4, 7, 8 * VOICE_FRAME)])
    pull(playout, 2)
    playout.leave(1, 250, recalled=False)
    count, left = frames_until_left(playout)
    assert (count, left.heard_chars, left.heard_ms) == (2, 0, 60)


def test_the_next_answer_sounds_after_one_that_was_given_away() -> None:
    playout = speaking(200)
    playout.begin(2, "item_2", "resp_2")
    playout.enqueue(2, noise(VOICE_FRAME))
    playout.finish(2)
    pull(playout, 10)
    playout.leave(1, 250, recalled=False)
    pull(playout, 5)
    assert Started(2, "resp_2", "item_2") in playout.drain()
