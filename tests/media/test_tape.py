"""What a recognizer is given: everything once, a little late, and as it was repaired."""

import numpy as np
from hypothesis import given, settings, strategies as st

from media.frames import Pcm
from media.hearing.tape import LAG, Tape

PIECE = 320


def piece(number: int) -> Pcm:
    return np.full(PIECE, number, dtype=np.int16)


def kept(count: int, length_ms: int = 3_000) -> Tape:
    tape = Tape(length_ms)
    for number in range(count):
        tape.keep(piece(number), (number + 1) * 20)
    return tape


def firsts(pieces: list[Pcm]) -> list[int]:
    return [int(pcm[0]) for pcm in pieces]


def test_it_is_read_late_by_the_lag_and_at_the_end_whole() -> None:
    tape, held = kept(10), LAG // PIECE
    assert firsts(tape.read()) == list(range(10 - held))
    assert tape.read() == []
    tape.keep(piece(10), 220)
    assert firsts(tape.read()) == [10 - held]
    assert firsts(tape.read_all()) == list(range(11 - held, 11))
    assert tape.read_all() == []


def test_a_repair_reaches_what_was_not_read_whatever_the_pieces() -> None:
    tape = kept(10)
    tape.repair(np.full(PIECE + 20, 99, dtype=np.int16))
    read = np.concatenate(tape.read_all())
    assert len(read) == 10 * PIECE
    assert (read[-PIECE - 20 :] == 99).all()
    assert read[-PIECE - 21] == 8


def test_a_repair_longer_than_the_tape_replaces_all_of_it() -> None:
    tape = kept(2)
    tape.repair(np.arange(1_000, dtype=np.int16))
    assert np.array_equal(np.concatenate(tape.read_all()), np.arange(1_000 - 2 * PIECE, 1_000))


def test_it_goes_back_as_far_as_it_reaches() -> None:
    tape = kept(100, length_ms=1_000)
    tape.read_all()
    tape.rewind(1_900)
    assert firsts(tape.read_all()) == list(range(95, 100))
    tape.rewind(0)
    assert firsts(tape.read_all()) == list(range(49, 100))
    tape.clear()
    tape.rewind(0)
    assert tape.read_all() == []


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5_000), st.booleans())))
def test_everything_is_read_once_and_in_order(pieces: list[tuple[int, bool]]) -> None:
    tape, read, given, end_ms = Tape(1_000_000), [], 0, 0
    for count, reads in pieces:
        end_ms += count
        tape.keep(np.arange(given, given + count).astype(np.int16), end_ms)
        given += count
        read += tape.read() if reads else []
        assert not reads or given - sum(map(len, read)) >= min(LAG, given)
    read += tape.read_all()
    assert np.array_equal(np.concatenate([*read, np.zeros(0)]), np.arange(given).astype(np.int16))
