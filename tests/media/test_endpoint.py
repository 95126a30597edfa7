"""Turns: where they begin and end, what holds them, and what is forgotten."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from media.frames import Pcm
from media.hearing.detector import DEFAULTS, Detector
from media.hearing.edges import Confirmed, Dismissed, Edge, Ended, Suspected, Sustained
from media.hearing.endpoint import Endpointer, TurnEdge, TurnEnded, TurnOptions, TurnStarted
from media.vad import WINDOW

OPTIONS = TurnOptions()


def begun(onset_ms: int) -> list[Edge]:
    return [Suspected(onset_ms, onset_ms + 32), Confirmed(onset_ms, onset_ms + 96)]


def over(onset_ms: int, end_ms: int) -> list[Edge]:
    return [Ended(onset_ms, end_ms, end_ms + 256, end_ms - onset_ms)]


def spoken(onset_ms: int, end_ms: int) -> list[Edge]:
    return begun(onset_ms) + over(onset_ms, end_ms)


def turns(edges: Sequence[Edge], at_ms: int, options: TurnOptions = OPTIONS) -> list[TurnEdge]:
    return Endpointer(options).process(edges, at_ms)


def test_the_defaults_are_those_of_realtime() -> None:
    assert (OPTIONS.threshold, OPTIONS.prefix_padding_ms, OPTIONS.silence_duration_ms) == (0.5, 300, 500)


def test_a_turn_begins_at_the_confirmation_with_the_padding_before_the_onset() -> None:
    assert turns([Suspected(1_000, 1_032)], 1_032) == []
    assert turns(begun(1_000), 1_096) == [TurnStarted(700)]
    assert turns(begun(1_000), 1_096, replace(OPTIONS, prefix_padding_ms=0)) == [TurnStarted(1_000)]


def test_no_turn_begins_before_the_first_sample() -> None:
    assert turns(begun(100), 196) == [TurnStarted(0)]


def test_a_turn_ends_once_the_silence_has_lasted() -> None:
    endpointer = Endpointer(OPTIONS)
    assert endpointer.process(spoken(1_000, 2_000), 2_499) == [TurnStarted(700)]
    assert endpointer.process([], 2_500) == [TurnEnded(700, 2_500, limited=False)]
    assert endpointer.process([], 9_000) == []


@pytest.mark.parametrize("silence_ms", [0, 100, 256, 2_000])
def test_the_end_includes_the_silence_that_was_asked_for(silence_ms: int) -> None:
    found = turns(spoken(1_000, 2_000), 9_000, replace(OPTIONS, silence_duration_ms=silence_ms))
    assert found == [TurnStarted(700), TurnEnded(700, 2_000 + silence_ms, limited=False)]


def test_more_words_within_the_silence_belong_to_the_turn() -> None:
    endpointer = Endpointer(OPTIONS)
    assert endpointer.process(spoken(1_000, 2_000), 2_300) == [TurnStarted(700)]
    assert endpointer.process(spoken(2_400, 3_000), 3_499) == []
    assert endpointer.process([], 3_500) == [TurnEnded(700, 3_500, limited=False)]


def test_a_sustained_voice_changes_nothing() -> None:
    assert turns([*begun(1_000), Sustained(1_000, 1_704, 704)], 1_800) == [TurnStarted(700)]


def test_a_live_utterance_holds_the_turn() -> None:
    endpointer = Endpointer(OPTIONS)
    endpointer.process(begun(1_000), 1_096)
    assert endpointer.process([], 30_000) == []


def test_a_suspicion_holds_the_silence_and_its_dismissal_lets_it_go() -> None:
    endpointer = Endpointer(OPTIONS)
    endpointer.process(spoken(1_000, 2_000), 2_300)
    assert endpointer.process([Suspected(2_400, 2_432)], 2_900) == []
    assert endpointer.process([Dismissed(2_400, 3_000)], 3_000) == [TurnEnded(700, 2_500, limited=False)]


def test_a_suspicion_in_the_last_moment_still_holds() -> None:
    assert turns([*spoken(1_000, 2_000), Suspected(2_468, 2_500)], 2_500) == [TurnStarted(700)]
    assert turns([*spoken(1_000, 2_000), Suspected(2_469, 2_501)], 2_501)[-1] == TurnEnded(700, 2_500, limited=False)


def test_a_suspicion_dismissed_in_time_leaves_the_silence_as_it_was() -> None:
    endpointer = Endpointer(OPTIONS)
    endpointer.process(spoken(1_000, 2_000), 2_256)
    assert endpointer.process([Suspected(2_256, 2_288), Dismissed(2_256, 2_448)], 2_499) == []
    assert endpointer.process([], 2_500) == [TurnEnded(700, 2_500, limited=False)]


def test_a_suspicion_alone_is_no_turn() -> None:
    assert turns([Suspected(1_000, 1_032), Dismissed(1_000, 1_192)], 9_000) == []


def test_the_next_turn_does_not_reach_back_into_the_last() -> None:
    endpointer = Endpointer(OPTIONS)
    endpointer.process(spoken(1_000, 2_000), 2_500)
    assert endpointer.process(begun(2_600), 2_700) == [TurnStarted(2_500)]


def test_a_turn_that_never_ends_is_limited() -> None:
    endpointer = Endpointer(replace(OPTIONS, turn_limit_ms=10_000))
    endpointer.process(begun(1_000), 1_096)
    assert endpointer.process([], 10_699) == []
    assert endpointer.process([], 10_720) == [TurnEnded(700, 10_700, limited=True)]


def test_the_voice_that_outlasts_the_limit_starts_no_turn_but_the_next_one_does() -> None:
    endpointer = Endpointer(replace(OPTIONS, turn_limit_ms=10_000))
    endpointer.process(begun(1_000), 1_096)
    endpointer.process([], 10_700)
    assert endpointer.process(over(1_000, 15_000), 16_000) == []
    assert endpointer.process(begun(17_000), 17_100) == [TurnStarted(16_700)]


def test_a_silence_that_began_in_time_wins_over_the_limit() -> None:
    found = turns(spoken(1_000, 10_000), 20_000, replace(OPTIONS, turn_limit_ms=10_000))
    assert found[-1] == TurnEnded(700, 10_500, limited=False)
    found = turns(spoken(1_000, 10_300), 20_000, replace(OPTIONS, turn_limit_ms=10_000))
    assert found[-1] == TurnEnded(700, 10_700, limited=True)


def test_a_suspicion_does_not_hold_a_turn_beyond_its_limit() -> None:
    endpointer = Endpointer(replace(OPTIONS, turn_limit_ms=2_000))
    endpointer.process([*spoken(1_000, 2_000), Suspected(2_300, 2_332)], 2_400)
    assert endpointer.process([], 2_700) == [TurnEnded(700, 2_700, limited=True)]


def test_a_discarded_turn_is_never_heard_of_again() -> None:
    endpointer = Endpointer(OPTIONS)
    endpointer.process(spoken(1_000, 1_400), 1_656)
    endpointer.discard()
    assert endpointer.process([], 9_000) == []
    assert endpointer.commit(9_000) == []


def test_the_turn_after_a_discarded_one_has_none_of_its_sound() -> None:
    ended, speaking = Endpointer(OPTIONS), Endpointer(OPTIONS)
    ended.process([*spoken(1_000, 1_400), Suspected(1_656, 1_688)], 1_700)
    ended.discard()
    assert ended.process([Confirmed(1_656, 1_752)], 1_752) == [TurnStarted(1_400)]
    speaking.process(begun(1_000), 1_300)
    speaking.discard()
    assert speaking.process(over(1_000, 1_310) + begun(1_600), 1_700) == [TurnStarted(1_300)]


def test_discarding_without_a_turn_keeps_the_padding() -> None:
    endpointer = Endpointer(OPTIONS)
    endpointer.process([Suspected(1_000, 1_032)], 1_100)
    endpointer.discard()
    assert endpointer.process([Confirmed(1_000, 1_120)], 1_120) == [TurnStarted(700)]


def test_a_commit_ends_the_turn_at_once() -> None:
    endpointer = Endpointer(OPTIONS)
    endpointer.process(begun(1_000), 1_500)
    assert endpointer.commit(1_510) == [TurnEnded(700, 1_510, limited=False)]
    assert endpointer.commit(1_520) == []
    assert endpointer.process(over(1_000, 1_600), 3_000) == []
    assert endpointer.process(begun(3_100), 3_200) == [TurnStarted(2_800)]


class Written:
    """A speech model that reads the probability, in thousandths, from the window's samples."""

    name = "written"

    def probability(self, window: Pcm) -> float:
        return float(window.mean()) / 1000

    def reset(self) -> None:
        """It has no state."""

    def fork(self, before: Pcm) -> "Written":
        return self


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0, 250, 400, 900]), st.integers(1, 40)), min_size=1, max_size=15),
    st.integers(0, 1_000),
    st.integers(1_000, 4_000),
)
def test_turns_alternate_never_overlap_and_do_not_depend_on_when_one_asks(
    script: list[tuple[int, int]], silence_ms: int, limit_ms: int
) -> None:
    options = TurnOptions(silence_duration_ms=silence_ms, turn_limit_ms=limit_ms)
    detector, often, once = Detector(DEFAULTS, Written()), Endpointer(options), Endpointer(options)
    edges: list[Edge] = []
    found: list[TurnEdge] = []
    for p, count in script:
        for _ in range(count):
            new = detector.process(np.full(WINDOW, p, dtype=np.int16), True)
            edges += new
            found += often.process(new, detector.clock_ms)
    assert once.process(edges, detector.clock_ms) == found
    floor_ms = 0
    for number, edge in enumerate(found):
        assert isinstance(edge, TurnEnded if number % 2 else TurnStarted)
        assert edge.audio_start_ms >= floor_ms
        if isinstance(edge, TurnEnded):
            assert edge.audio_start_ms == found[number - 1].audio_start_ms < edge.audio_end_ms <= detector.clock_ms
            assert edge.audio_end_ms - edge.audio_start_ms <= limit_ms
            floor_ms = edge.audio_end_ms
