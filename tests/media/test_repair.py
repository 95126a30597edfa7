"""What a recognizer gets of a stream with late and lost packets is nearer to what was said than what came at once."""

import random
from collections.abc import Iterable

import numpy as np
import pytest

from media.codecs.codec import Decoder as AnyDecoder
from media.codecs.opus import Decoder, Encoder
from media.frames import Pcm
from media.peer.negotiation import UPLINK_BPS
from media.rtp.inbound import REPAIR_MS, RTP_FRAME, Inbound
from media.rtp.metronome import TICK_S
from tests.media.sounds import harmonics
from tests.media.test_detector import caller
from tests.media.test_opus import browser_packets


class WithoutFec(Decoder):
    """Conceals where it could recover."""

    def recover(self, payload: bytes, samples: int) -> Pcm:
        return self.conceal(samples)


class Ear:
    """A stream as it was heard at once, and the same with its repairs."""

    def __init__(self, decoder: AnyDecoder | None = None) -> None:
        self.at_once: list[Pcm] = []
        self.repairs: list[Pcm] = []
        self._repaired = np.zeros(0, dtype=np.int16)
        self.inbound = Inbound(decoder or Decoder(), self._hear, self._repair)

    def _hear(self, pcm: Pcm, rtp_time: int, arrival: float) -> None:
        self.at_once.append(pcm)
        self._repaired = np.concatenate((self._repaired, pcm))

    def _repair(self, pcm: Pcm) -> None:
        self.repairs.append(pcm)
        self._repaired[-len(pcm) :] = pcm

    def play(self, packets: list[bytes], order: Iterable[int], first: int = 65_500) -> "Ear":
        for number in order:
            sequence, time = (first + number) & 0xFFFF, (number - 20) * RTP_FRAME & 0xFFFFFFFF
            self.inbound.receive(sequence, time, packets[number], number * TICK_S)
        return self

    @property
    def heard(self) -> Pcm:
        return np.concatenate(self.at_once)

    @property
    def repaired(self) -> Pcm:
        return self._repaired


def error(pcm: Pcm, original: Pcm) -> float:
    """Energy of the difference as a share of the original's."""
    assert len(pcm) == len(original)
    difference = pcm.astype(np.float64) - original
    return float(np.sum(difference**2) / np.sum(original.astype(np.float64) ** 2))


def speech_packets() -> list[bytes]:
    return browser_packets(caller("ask_time")[16_000 : 16_000 + 320 * 85])


def gateway_packets() -> list[bytes]:
    encoder = Encoder()
    return [encoder.encode(frame) for frame in harmonics(140, 24_000, 2_000).reshape(-1, 480)]


@pytest.mark.parametrize("packets", [speech_packets(), gateway_packets()], ids=["SILK", "CELT"])
@pytest.mark.parametrize("late_by", range(1, REPAIR_MS // 20))
def test_a_packet_that_comes_late_leaves_no_trace_in_what_was_said(late_by: int, packets: list[bytes]) -> None:
    count = len(packets)
    late = {number for number in range(count) if number % 9 == 3}
    order = sorted(range(count), key=lambda number: number + (late_by + 0.5 if number in late else 0))
    ear, whole = Ear().play(packets, order), Ear().play(packets, range(count))
    expected = sum(1 for number in late if number + 1 < count)
    assert ear.inbound.counts.repaired == expected
    assert ear.inbound.counts.late == 0
    assert whole.repairs == []
    assert error(ear.heard, whole.heard) > 0.001
    assert np.array_equal(ear.repaired, whole.heard)


def test_packets_in_any_order_within_reach_come_out_as_if_in_order() -> None:
    packets = speech_packets()
    chance = random.Random(7)
    order = sorted(range(len(packets)), key=lambda number: number + chance.uniform(0, 2.5))
    ear, whole = Ear().play(packets, order), Ear().play(packets, range(len(packets)))
    assert ear.inbound.counts.repaired > 10
    assert np.array_equal(ear.repaired, whole.heard)


def test_what_is_lost_is_recovered_from_the_packet_after_it() -> None:
    packets = speech_packets()
    chance = random.Random(7)
    kept = [number for number in range(len(packets)) if number == 0 or chance.random() > 0.1]
    whole = Ear().play(packets, range(kept[-1] + 1)).heard
    with_fec = error(Ear().play(packets, kept).heard, whole)
    by_guess = error(Ear(WithoutFec()).play(packets, kept).heard, whole)
    assert with_fec < 0.4 * by_guess


def test_at_the_bit_rate_we_ask_for_every_packet_repeats_the_one_before_it() -> None:
    """SILK alone has FEC (RFC 6716, 2.1.7); its packets have the configurations 0 to 11 (3.1)."""
    packets = browser_packets(caller("ask_time")[16_000 : 16_000 + 320 * 85], bitrate_bps=UPLINK_BPS)
    assert max(packet[0] >> 3 for packet in packets) < 12
    kept = [number for number in range(len(packets)) if number % 7]
    whole = Ear().play(packets, range(1, kept[-1] + 1)).heard
    assert error(Ear().play(packets, kept).heard, whole) < 0.1 * error(
        Ear(WithoutFec()).play(packets, kept).heard, whole
    )


def test_late_and_lost_packets_together_are_mended_as_far_as_they_can_be() -> None:
    packets = speech_packets()
    chance = random.Random(3)
    kept = [number for number in range(len(packets)) if number == 0 or chance.random() > 0.03]
    order = sorted(kept, key=lambda number: number + chance.uniform(0, 2.5))
    last = max(kept) + 1
    ear, whole = Ear().play(packets, order), Ear().play(packets, range(last))
    in_order = Ear().play(packets, sorted(kept))
    assert np.array_equal(ear.repaired, in_order.heard)
    assert error(ear.repaired, whole.heard) < 0.5 * error(ear.heard, whole.heard)


def test_a_packet_that_comes_beyond_reach_changes_nothing() -> None:
    packets = gateway_packets()
    behind = REPAIR_MS // 20
    order = [*range(10), *range(11, 11 + behind), 10, *range(11 + behind, 30)]
    ear = Ear().play(packets, order)
    assert ear.inbound.counts.late == 1
    assert ear.repairs == []


def test_a_late_packet_counts_once() -> None:
    ear = Ear().play(gateway_packets(), [0, 1, 3, 2, 2, 3, 4])
    assert (ear.inbound.counts.repaired, ear.inbound.counts.late) == (1, 2)


def test_a_late_packet_that_is_damaged_does_no_harm() -> None:
    packets = gateway_packets()
    broken = [*packets]
    broken[5] = packets[5][:1] + b"\xff" * 3
    expected = Ear().play(packets, [*range(5), *range(6, 20)]).heard
    for payload in (b"", b"\xff\xff", packets[5][:1] + b"\x00" * 1_500):
        broken[5] = payload
        ear = Ear().play(broken, [*range(5), 6, 5, *range(7, 20)])
        assert len(ear.repaired) == len(expected)
        assert ear.inbound.counts.received == 20


def test_a_line_without_losses_saves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[int] = []
    decoder = Decoder()
    monkeypatch.setattr(Decoder, "save", lambda _: saved.append(1))
    Ear(decoder).play(gateway_packets(), range(100))
    assert saved == []
