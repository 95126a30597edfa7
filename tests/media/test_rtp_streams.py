"""Streams as clients really send them: other packet times, pauses, counts and clocks that jump."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from media.codecs.opus import SILENCE, Decoder
from media.frames import Pcm, silence
from media.hearing.detector import standard
from media.hearing.ears import Ears, Edge
from media.hearing.endpoint import TurnEnded, TurnOptions
from media.levels import peak
from media.rtp.inbound import MAX_MISORDER, PAUSE_S, REPAIR_MS, Inbound
from tests.media.engines import LoudnessModel
from tests.media.sounds import harmonics, rms
from tests.media.test_opus import browser_packets

MS = 48
"""RTP time of a millisecond."""

WRAP = 1 << 32


class Line:
    """A stream and what is heard of it; 16 kHz."""

    def __init__(self, *, fill_pauses: bool = False) -> None:
        self.heard: list[tuple[Pcm, int]] = []
        self.repairs: list[Pcm] = []
        self.inbound = Inbound(Decoder(), self._hear, self.repairs.append, fill_pauses=fill_pauses)

    def _hear(self, pcm: Pcm, rtp_time: int, arrival: float) -> None:
        self.heard.append((pcm, rtp_time))

    def take(self, sequence: int, at_ms: float, payload: bytes, arrival_ms: float | None = None) -> None:
        """A packet that was sent at *at_ms*, and came at once or at *arrival_ms*."""
        arrival = (at_ms if arrival_ms is None else arrival_ms) / 1000
        self.inbound.receive(sequence & 0xFFFF, round(at_ms * MS) % WRAP, payload, arrival)

    @property
    def total_ms(self) -> float:
        return sum(len(pcm) for pcm, _ in self.heard) / 16

    def assert_whole(self) -> None:
        """Each piece begins where the one before ended."""
        for (pcm, start), (_, following) in pairwise(self.heard):
            assert (start + len(pcm) * 3) % WRAP == following


def speech(ptime_ms: int, ms: int = 960) -> list[bytes]:
    return browser_packets(harmonics(140, 16_000, ms), ptime_ms)


@pytest.mark.parametrize("ptime_ms", [10, 20, 40, 60, 120])
def test_any_packet_time_is_heard_whole_and_a_lost_packet_made_up_in_its_length(ptime_ms: int) -> None:
    packets, line = speech(ptime_ms), Line()
    for number, payload in enumerate(packets):
        if number != 3:
            line.take(number, number * ptime_ms, payload)
    line.assert_whole()
    assert line.total_ms == 960
    assert {len(pcm) for pcm, _ in line.heard} == {ptime_ms * 16}
    assert line.inbound.counts.concealed == 1
    assert rms(line.heard[3][0]) > 0.3 * rms(line.heard[2][0])


@pytest.mark.parametrize("lost", [None, *range(1, 20)])
def test_the_packet_time_may_change_in_mid_stream_also_where_one_is_lost(lost: int | None) -> None:
    line, at_ms, lengths = Line(), 0, [20] * 4 + [60] * 4 + [10] * 4 + [40] * 4 + [20] * 4
    made = {ptime_ms: speech(ptime_ms) for ptime_ms in set(lengths)}
    for number, ptime_ms in enumerate(lengths):
        if number != lost:
            line.take(number, at_ms, made[ptime_ms][number])
        at_ms += ptime_ms
    line.assert_whole()
    assert line.total_ms == at_ms - (lengths[-1] if lost == 19 else 0)


@pytest.mark.parametrize("ptime_ms", [10, 20, 40, 60])
def test_late_packets_of_any_time_are_repaired(ptime_ms: int) -> None:
    packets, whole, line = speech(ptime_ms), Line(), Line()
    for number, payload in enumerate(packets[:12]):
        whole.take(number, number * ptime_ms, payload)
    for number in (0, 1, 2, 3, 5, 4, 6):
        line.take(number, number * ptime_ms, packets[number])
    assert line.inbound.counts.repaired == 1
    assert np.array_equal(line.repairs[0], np.concatenate([whole.heard[4][0], whole.heard[5][0]]))
    assert np.array_equal(line.heard[-1][0], whole.heard[6][0])
    assert len(line.repairs[0]) <= REPAIR_MS * 16


def test_a_client_that_sends_nothing_in_pauses_is_heard_in_time() -> None:
    """Real DTX: in a pause one packet comes each 400 ms (RFC 6716, 2.1.9)."""
    sound = harmonics(140, 16_000, 400)
    said = np.concatenate([sound, silence(16_000 * 3), sound])
    packets = browser_packets(said, dtx=True)
    line, sent = Line(fill_pauses=True), 0
    for number, payload in enumerate(packets):
        line.inbound.idle(number * 0.02)
        if len(payload) > 2:
            line.take(sent, number * 20, payload)
            sent += 1
    assert sent < len(packets) / 2
    assert line.total_ms == len(said) / 16
    heard = np.concatenate([pcm for pcm, _ in line.heard])
    assert rms(heard[16_000:48_000]) < 20
    assert rms(heard[-4_800:]) == pytest.approx(rms(sound[-4_800:]), rel=0.1)


def test_a_turn_ends_although_the_client_sends_nothing_after_it() -> None:
    ears, found = Ears(standard(LoudnessModel()), None, TurnOptions(silence_duration_ms=500)), list[Edge]()
    inbound = Inbound(
        Decoder(), lambda pcm, *_: found.extend(ears.hear(pcm, sounding=False)), lambda _: None, fill_pauses=True
    )
    for number, payload in enumerate(speech(20)):
        inbound.receive(number, number * 20 * MS, payload, number * 0.02)
    assert TurnEnded not in map(type, found)
    ticks = 0
    while TurnEnded not in map(type, found):
        ticks += 1
        inbound.idle((48 + ticks) * 0.02)
        assert ticks < 100
    assert ticks * 20 == pytest.approx(500 + PAUSE_S * 1000, abs=100)


def test_a_stream_that_stops_is_silence_and_goes_on() -> None:
    line = Line(fill_pauses=True)
    line.take(0, 0, SILENCE)
    for tick in range(1, 151):
        line.inbound.idle(tick * 0.02)
    assert line.total_ms == pytest.approx(3_020 - PAUSE_S * 1000)
    line.take(1, 3_000, SILENCE)
    line.assert_whole()
    assert line.total_ms == 3_020


def test_a_muted_microphone_sends_digital_silence_and_is_heard_as_such() -> None:
    line = Line(fill_pauses=True)
    for number, payload in enumerate(browser_packets(silence(16_000 * 2))):
        line.take(number, number * 20, payload)
        line.inbound.idle(number * 0.02)
    assert line.total_ms == 2_000
    assert peak(np.concatenate([pcm for pcm, _ in line.heard])) < 8


def test_what_comes_after_a_network_stood_still_is_heard() -> None:
    packets, line = speech(20), Line(fill_pauses=True)
    line.take(0, 0, packets[0])
    for tick in range(1, 26):
        line.inbound.idle(tick * 0.02)
    filled = line.total_ms - 20
    assert filled > 200
    for number in range(1, 25):
        line.take(number, number * 20, packets[number], arrival_ms=500)
    assert line.total_ms == filled + 25 * 20
    assert line.inbound.counts.concealed == 0


def test_a_clock_that_leaps_makes_no_more_silence_than_time_has_passed() -> None:
    line = Line(fill_pauses=True)
    for number in range(20):
        line.take(number, number * 1_000_000, SILENCE, arrival_ms=number * 30)
    assert line.total_ms == 19 * (30 + 20) + 20
    line.take(20, 20_000_000, SILENCE, arrival_ms=10)  # and a clock of ours that runs backwards
    assert line.total_ms == 19 * (30 + 20) + 40


def test_pauses_are_left_open_unless_they_are_wanted_filled() -> None:
    line = Line()
    line.take(0, 0, SILENCE)
    line.inbound.idle(10)
    line.take(1, 10_000, SILENCE)
    assert line.total_ms == 40


def test_a_long_loss_is_silence_where_pauses_are_filled() -> None:
    packets, line = speech(20), Line(fill_pauses=True)
    for number in (0, 1, 2, 12, 13):
        line.take(number, number * 20, packets[number])
    line.assert_whole()
    assert line.total_ms == 14 * 20
    assert not line.heard[3][0].any()


def test_a_sender_whose_clock_steps_back_is_heard_on_without_a_seam() -> None:
    packets, line = speech(20), Line()
    for number in range(20):
        line.take(number, number * 20 - (5_000 if number > 9 else 0), packets[number])
    line.assert_whole()
    assert line.total_ms == 400
    line.take(21, 21 * 20 - 5_000, packets[21])
    line.take(20, 20 * 20 - 5_000, packets[20])
    assert line.inbound.counts.repaired == 1


def test_a_sender_that_counts_anew_is_heard_from_its_second_packet_on() -> None:
    packets, line = speech(20), Line()
    for number in range(5):
        line.take(30_000 + number, number * 20, packets[number])
    for number in range(5, 10):
        line.take(number, number * 20, packets[number])
    assert line.inbound.counts.late == 1
    assert line.total_ms == 9 * 20


def test_one_very_old_packet_is_no_new_count() -> None:
    packets, line = speech(20), Line()
    line.take(500, 0, packets[0])
    line.take(500 - MAX_MISORDER - 1, 0, packets[0])
    line.take(501, 20, packets[1])
    line.take(502 - MAX_MISORDER - 1, 0, packets[0])
    assert line.inbound.counts.late == 2
    assert line.total_ms == 40


MADE = {ptime_ms: speech(ptime_ms, 240) for ptime_ms in (10, 20, 40, 60, 120)}

payloads = st.one_of(
    st.sampled_from([payload for packets in MADE.values() for payload in packets]),
    st.sampled_from([b"", SILENCE, b"\xff\xff", SILENCE[:1]]),
    st.binary(max_size=40),
)
steps = st.tuples(
    st.one_of(st.integers(-8, 8), st.integers(-(1 << 15), 1 << 15)),
    st.one_of(st.sampled_from([0, 480, 960, 1_920, 2_880, 5_760]), st.integers(-(1 << 31), 1 << 31)),
    payloads,
    st.floats(-0.1, 1.0),
    st.booleans(),
)


@settings(max_examples=200)
@given(st.integers(0, 0xFFFF), st.integers(0, WRAP - 1), st.lists(steps, max_size=40), st.booleans())
def test_whatever_is_sent_is_counted_and_time_never_runs_back(
    sequence: int, rtp_time: int, packets: list[tuple[int, int, bytes, float, bool]], fill_pauses: bool
) -> None:
    line, arrival, sound, padding = Line(fill_pauses=fill_pauses), 0.0, 0, 0
    for ahead, later, payload, passed, idles in packets:
        sequence, rtp_time = (sequence + ahead) & 0xFFFF, (rtp_time + later) % WRAP
        arrival += passed
        before, late = len(line.heard), line.inbound.counts.late
        line.inbound.receive(sequence, rtp_time, payload, arrival)
        sound += len(line.heard) > before
        padding += not payload and line.inbound.counts.late == late
        if idles:
            line.inbound.idle(arrival + 0.3)
    counts = line.inbound.counts
    assert counts.received + counts.refused == len(packets)
    assert counts.received == sound + counts.repaired + counts.late + counts.undecodable + padding
    assert all(len(pcm) > 0 and pcm.dtype == np.int16 for pcm, _ in line.heard)
    assert counts.repaired == len(line.repairs)
    assert all(0 < len(pcm) <= REPAIR_MS * 16 for pcm in line.repairs)
    if not fill_pauses:
        for (pcm, start), (_, following) in pairwise(line.heard):
            assert (following - start - len(pcm) * 3) % WRAP < WRAP / 2
