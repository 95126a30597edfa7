"""Nobody speaks after an answer."""

from media.hearing.idleness import Idle, Idleness


def test_a_silence_is_told_once_when_it_has_lasted() -> None:
    idleness = Idleness()
    assert idleness.due(100.0, 9_000, 5_000) is None  # no answer was played yet
    idleness.played(10.0, 4_000)
    assert idleness.due(14.9, 8_900, 5_000) is None
    assert idleness.due(15.0, 9_000, None) is None
    assert idleness.due(15.0, 9_000, 5_000) == Idle(4_000, 9_000)
    assert idleness.due(30.0, 24_000, 5_000) is None


def test_whoever_speaks_ends_it() -> None:
    idleness = Idleness()
    idleness.played(10.0, 4_000)
    idleness.ended()
    assert idleness.due(60.0, 54_000, 5_000) is None
