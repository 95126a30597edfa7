"""When a recognizer is asked what was said so far."""

from itertools import pairwise

from media.hearing.ears import Edge
from media.hearing.edges import Confirmed, Ended, Sustained
from media.hearing.glimpses import EVERY_MS, FIRST_MS, FOLLOW_MS, LAST_MS, Glimpses, Pace

VOICE = Confirmed(1_000, 1_120)


def asked(edges: dict[int, Edge], until_ms: int, *, in_doubt: bool = True, at_the_end: bool = False) -> list[int]:
    """At which milliseconds of a microphone's clock it is asked."""
    glimpses = Glimpses()
    times = range(1_000, until_ms, 10)
    return [
        ms
        for ms in times
        if glimpses.due([edges[ms]] if ms in edges else [], ms, in_doubt=in_doubt, at_the_end=at_the_end)
    ]


def test_a_voice_in_doubt_is_asked_early_and_then_at_a_steady_rate() -> None:
    found = asked({1_120: VOICE}, 2_000)
    assert found[0] == 1_000 + FIRST_MS
    assert {later - earlier for earlier, later in pairwise(found)} == {EVERY_MS}


def test_a_stop_word_is_known_before_a_voice_is_sustained() -> None:
    assert FIRST_MS + EVERY_MS < 700  # the detector's ``sustained_ms``


def test_nobody_is_asked_once_the_voice_is_sustained_or_has_ended_or_for_ever() -> None:
    assert asked({1_120: VOICE, 1_400: Sustained(1_000, 1_400, 400)}, 5_000) == [1_350]
    assert asked({1_120: VOICE, 1_400: Ended(1_000, 1_150, 1_400, 150)}, 5_000) == [1_350]
    assert max(asked({1_120: VOICE}, 9_000)) <= 1_000 + LAST_MS


def test_nobody_is_asked_about_a_voice_in_silence() -> None:
    assert asked({1_120: VOICE}, 3_000, in_doubt=False) == []


def test_the_end_of_a_voice_is_asked_about_where_words_decide_the_silence() -> None:
    ended = Ended(1_000, 1_150, 1_400, 150)
    assert asked({1_120: VOICE, 1_400: ended}, 3_000, in_doubt=False, at_the_end=True) == [1_400]


def test_a_turn_is_followed_at_a_steady_rate_from_its_beginning_to_its_end() -> None:
    pace = Pace()
    turns = [(1_000, 2_500), (4_000, 4_300), (5_000, 6_000)]
    found = [ms for ms in range(0, 8_000, 20) if pace.due(ms, in_turn=any(since <= ms < to for since, to in turns))]
    assert found == [1_000 + FOLLOW_MS, 1_000 + 2 * FOLLOW_MS, 1_000 + 3 * FOLLOW_MS, 5_000 + FOLLOW_MS, 5_800]
