"""What is made of packets as they come."""

import numpy as np
import pytest

from media.codecs.opus import SILENCE, Decoder, Encoder
from media.frames import Pcm, silence
from media.rtp.inbound import MAX_CONCEALED_MS, MAX_PACKETS_PER_S, RTP_FRAME, Inbound
from media.rtp.metronome import TICK_S
from tests.media.sounds import harmonics, pitch, rms, sine
from tests.media.test_opus import browser_packets

Heard = tuple[Pcm, int, float]

MAX_CONCEALED = MAX_CONCEALED_MS // 20


def call(rate_hz: int = 16_000) -> tuple[Inbound, list[Heard]]:
    heard: list[Heard] = []
    return Inbound(Decoder(rate_hz), lambda *packet: heard.append(packet)), heard


def packets(count: int) -> list[bytes]:
    encoder = Encoder()
    return [encoder.encode(frame) for frame in sine(500, 24_000, count * 20).reshape(-1, 480)]


def play(inbound: Inbound, numbers: list[int], sequence: int = 0, rtp_time: int = 0) -> None:
    """Deliver packets *numbers* of one tone; *sequence* and *rtp_time* are those of number 0."""
    tone = packets(max(numbers) + 1)
    for at, number in enumerate(numbers):
        inbound.receive(
            (sequence + number) & 0xFFFF, (rtp_time + number * RTP_FRAME) & 0xFFFFFFFF, tone[number], at * TICK_S
        )


def test_each_packet_is_heard_when_it_arrives_with_its_time() -> None:
    inbound, heard = call()
    play(inbound, list(range(20)), rtp_time=1_000)
    assert [(len(pcm), rtp_time, arrival) for pcm, rtp_time, arrival in heard] == [
        (320, 1_000 + number * RTP_FRAME, number * TICK_S) for number in range(20)
    ]
    assert pitch(np.concatenate([pcm for pcm, _, _ in heard[3:]]), 16_000) == pytest.approx(500, abs=5)


@pytest.mark.parametrize("rate_hz", [16_000, 24_000, 48_000])
@pytest.mark.parametrize("missing", range(1, MAX_CONCEALED + 1))
def test_a_short_gap_is_filled_so_that_time_does_not_shrink(missing: int, rate_hz: int) -> None:
    inbound, heard = call(rate_hz)
    play(inbound, [*range(10), *range(10 + missing, 20)])
    assert [rtp_time for _, rtp_time, _ in heard] == [number * RTP_FRAME for number in range(20)]
    assert {len(pcm) for pcm, _, _ in heard} == {rate_hz // 50}
    assert inbound.counts.concealed == missing
    assert rms(heard[10][0]) > 0.5 * rms(heard[9][0])


def test_the_last_packet_of_a_gap_is_taken_from_the_next_one_if_it_has_it() -> None:
    inbound, heard = call()
    packets = browser_packets(np.concatenate([silence(3_200), harmonics(140, 16_000, 400)]))
    for number in [*range(9), 11]:
        inbound.receive(number, number * RTP_FRAME, packets[number], number * TICK_S)
    assert [rtp_time // RTP_FRAME for _, rtp_time, _ in heard] == list(range(12))
    assert rms(heard[9][0]) < 10
    assert rms(heard[10][0]) > 1_000


def test_a_long_gap_is_left_open() -> None:
    inbound, heard = call()
    play(inbound, [*range(10), *range(10 + MAX_CONCEALED + 1, 20)])
    times = [rtp_time // RTP_FRAME for _, rtp_time, _ in heard]
    assert times == [*range(10), *range(14, 20)]
    assert inbound.counts.concealed == 0


def test_a_packet_that_comes_too_late_or_twice_is_dropped() -> None:
    inbound, heard = call()
    play(inbound, [0, 1, 3, 3, 4, 5, 6, 7, 8, 2])
    assert [rtp_time // RTP_FRAME for _, rtp_time, _ in heard] == list(range(9))
    assert inbound.counts.late == 2
    assert inbound.counts.received == 10


def test_numbers_and_times_wrap_without_a_seam() -> None:
    inbound, heard = call()
    play(inbound, [0, 1, 2, 4, 5], sequence=0xFFFE, rtp_time=0xFFFFFFFF - RTP_FRAME)
    times = [rtp_time for _, rtp_time, _ in heard]
    assert times == [(0xFFFFFFFF - RTP_FRAME + number * RTP_FRAME) & 0xFFFFFFFF for number in range(6)]
    assert inbound.counts.concealed == 1


def test_a_client_that_pauses_its_stream_has_lost_nothing() -> None:
    inbound, heard = call()
    tone = packets(2)
    inbound.receive(7, 0, tone[0], 0.0)
    inbound.receive(8, 50 * RTP_FRAME, tone[1], 1.0)
    assert [rtp_time // RTP_FRAME for _, rtp_time, _ in heard] == [0, 50]


def test_a_loss_next_to_a_pause_is_filled_once() -> None:
    inbound, heard = call()
    tone = packets(2)
    inbound.receive(7, 0, tone[0], 0.0)
    inbound.receive(9, 50 * RTP_FRAME, tone[1], 1.0)
    assert [rtp_time // RTP_FRAME for _, rtp_time, _ in heard] == [0, 1, 50]


def test_time_that_runs_backwards_is_not_filled() -> None:
    inbound, heard = call()
    tone = packets(2)
    inbound.receive(7, 50 * RTP_FRAME, tone[0], 0.0)
    inbound.receive(9, 0, tone[1], 0.02)
    assert len(heard) == 2


def test_padding_is_no_sound_and_no_loss() -> None:
    inbound, heard = call()
    tone = packets(2)
    inbound.receive(7, 0, tone[0], 0.0)
    inbound.receive(8, RTP_FRAME, b"", 0.02)
    inbound.receive(9, RTP_FRAME, tone[1], 0.02)
    assert [rtp_time // RTP_FRAME for _, rtp_time, _ in heard] == [0, 1]
    assert inbound.counts.undecodable == 0


def test_what_does_not_decode_is_counted_and_made_up_for() -> None:
    inbound, heard = call()
    tone = packets(3)
    for number, payload in enumerate([tone[0], b"\xff\xff", tone[1]]):
        inbound.receive(number, number * RTP_FRAME, payload, number * TICK_S)
    assert [rtp_time // RTP_FRAME for _, rtp_time, _ in heard] == [0, 1, 2]
    assert (inbound.counts.undecodable, inbound.counts.concealed) == (1, 1)


def test_a_damaged_packet_after_a_gap_does_no_harm() -> None:
    inbound, heard = call()
    tone = packets(3)
    for number, payload in [(0, tone[0]), (3, b"\xff\xff"), (4, tone[1])]:
        inbound.receive(number, number * RTP_FRAME, payload, number * TICK_S)
    times = [rtp_time for _, rtp_time, _ in heard]
    assert times == sorted(set(times))
    assert inbound.counts.undecodable == 1


def test_frames_of_other_lengths_are_heard_whole() -> None:
    inbound, heard = call()
    sixty_ms = bytes([SILENCE[0] | 3, 3]) + SILENCE[1:] * 3
    inbound.receive(0, 0, sixty_ms, 0.0)
    inbound.receive(2, 6 * RTP_FRAME, sixty_ms, 0.12)
    assert [(len(pcm), rtp_time // RTP_FRAME) for pcm, rtp_time, _ in heard] == [(960, 0), (960, 3), (960, 6)]


def test_a_new_source_starts_at_any_number() -> None:
    inbound, heard = call()
    play(inbound, [0, 1], sequence=40_000, rtp_time=9)
    inbound.restart()
    play(inbound, [0, 1], sequence=3, rtp_time=5)
    assert [rtp_time for _, rtp_time, _ in heard] == [9, 9 + RTP_FRAME, 5, 5 + RTP_FRAME]


def test_a_flood_is_refused_and_passes() -> None:
    inbound, heard = call()
    for number in range(MAX_PACKETS_PER_S + 50):
        inbound.receive(number, number * RTP_FRAME, SILENCE, 100.0)
    assert len(heard) == MAX_PACKETS_PER_S
    assert inbound.counts.refused == 50
    inbound.receive(1_000, 1_000 * RTP_FRAME, SILENCE, 101.0)
    assert len(heard) == MAX_PACKETS_PER_S + 1
