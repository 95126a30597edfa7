"""Sound as RTP packets: numbers, times, markers, and pauses."""

from collections.abc import Iterable

import pytest
from aiortc.rtp import RtpPacket

from media.codecs.opus import SILENCE, Decoder, Encoder
from media.frames import Pcm
from media.rtp.outbound import HANGOVER_TICKS, OPUS_PAUSE, REFRESH_TICKS, Outbound
from tests.media.sounds import rms, sine

STEP = 960


class Source:
    """Sound while *talks* says so."""

    def __init__(self, talks: Iterable[bool]) -> None:
        self._talks = iter(talks)
        self._frame = sine(500, 24_000, 20)

    def __call__(self) -> Pcm | None:
        return self._frame if next(self._talks) else None


class Flat:
    """A codec as plain as G.711."""

    frame = 480
    rtp_step = 160

    def encode(self, pcm: Pcm | None) -> bytes:
        return b"\xff" * self.rtp_step


def stream(talks: list[bool], sequence: int = 65_530, rtp_origin: int = (1 << 32) - 3 * STEP) -> Outbound:
    return Outbound(
        Source(talks), Encoder(), payload_type=111, ssrc=0xDECAFBAD, sequence=sequence, rtp_origin=rtp_origin
    )


def sent(outbound: Outbound, ticks: Iterable[int]) -> list[RtpPacket | None]:
    packets = [outbound.packet(tick) for tick in ticks]
    return [RtpPacket.parse(packet) if packet is not None else None for packet in packets]


def test_packets_are_numbered_and_timed_across_both_wraps() -> None:
    outbound = stream([True] * 10)
    packets = [packet for packet in sent(outbound, range(700, 710)) if packet is not None]
    assert [packet.sequence_number for packet in packets] == [*range(65_530, 65_536), 0, 1, 2, 3]
    assert [packet.timestamp for packet in packets] == [(number - 3) * STEP % (1 << 32) for number in range(10)]
    assert {(packet.payload_type, packet.ssrc) for packet in packets} == {(111, 0xDECAFBAD)}
    assert outbound.sent == 10
    assert outbound.octets == sum(len(packet.payload) for packet in packets)


def test_ticks_that_were_missed_are_a_gap_in_time_and_none_in_number() -> None:
    first, second = sent(stream([True] * 2, sequence=5, rtp_origin=0), [3, 40])
    assert first is not None
    assert second is not None
    assert (first.timestamp, second.timestamp) == (0, 37 * STEP)
    assert (first.sequence_number, second.sequence_number) == (5, 6)


def test_a_call_begins_with_packets_though_nobody_speaks() -> None:
    packets = sent(stream([False] * 200), range(200))
    assert None not in packets[: HANGOVER_TICKS + 1]
    assert [packet.marker for packet in packets[: HANGOVER_TICKS + 1] if packet] == [1, *[0] * HANGOVER_TICKS]


def test_after_a_sound_silence_is_sent_and_then_a_pause_is_confirmed_now_and_then() -> None:
    packets = sent(stream([True] * 3 + [False] * 100, sequence=0), range(103))
    hangover = packets[4 : 3 + HANGOVER_TICKS]
    assert {packet and packet.payload for packet in hangover} == {SILENCE}
    pause = packets[3 + HANGOVER_TICKS :]
    kept = {at: packet for at, packet in enumerate(pause) if packet is not None}
    assert list(kept) == list(range(0, len(pause), REFRESH_TICKS))
    assert {packet.payload for packet in kept.values()} == {OPUS_PAUSE}
    numbers = [packet.sequence_number for packet in packets if packet is not None]
    assert numbers == list(range(len(numbers)))
    assert [packet.timestamp for packet in kept.values()] == [((HANGOVER_TICKS + at) * STEP) % (1 << 32) for at in kept]


def test_a_codec_without_a_pause_of_its_own_confirms_it_with_silence() -> None:
    outbound = Outbound(Source([False] * 100), Flat(), payload_type=0, ssrc=1, sequence=0, rtp_origin=0, pause=None)
    packets = [packet for packet in sent(outbound, range(100)) if packet is not None]
    assert {packet.payload for packet in packets} == {b"\xff" * 160}
    assert len(packets) < 20
    assert packets[1].timestamp == 160


@pytest.mark.parametrize(
    ("quiet", "marked"), [(1, False), (HANGOVER_TICKS, False), (HANGOVER_TICKS + 1, True), (HANGOVER_TICKS + 35, True)]
)
def test_a_talkspurt_is_marked_where_packets_were_left_out(quiet: int, marked: bool) -> None:
    packets = sent(stream([True, *[False] * quiet, True, True]), range(quiet + 3))
    assert packets[0] is not None
    assert packets[0].marker
    assert packets[-2] is not None
    assert bool(packets[-2].marker) is marked
    assert packets[-1] is not None
    assert not packets[-1].marker


def test_an_extension_goes_with_every_packet() -> None:
    extension = b"\xbe\xde\x00\x01\x100\x00\x00"
    outbound = Outbound(
        Source([True, False]), Encoder(), payload_type=96, ssrc=1, sequence=0, rtp_origin=0, extension=extension
    )
    for tick in range(2):
        packet = outbound.packet(tick)
        assert packet is not None
        assert packet[0] == 0x90
        assert packet[12:20] == extension
        assert RtpPacket.parse(packet).payload == packet[20:]


@pytest.mark.parametrize("quiet", [1, HANGOVER_TICKS + 3, HANGOVER_TICKS + REFRESH_TICKS + 5])
def test_a_pause_sounds_as_silence_and_the_next_sound_is_as_loud_as_the_first(quiet: int) -> None:
    """The other side conceals where nothing was sent: after silence that must be silence."""
    decoder = Decoder(48_000)
    heard = [
        decoder.decode(packet.payload) if packet is not None else decoder.conceal(960)
        for packet in sent(stream([True] * 20 + [False] * quiet + [True] * 20), range(40 + quiet))
    ]
    assert not any(pcm.any() for pcm in heard[20 + 2 : 20 + quiet])
    steady = rms(heard[15])
    assert steady > 1_000
    assert max(rms(pcm) for pcm in heard[20 + quiet :]) < 1.2 * steady
    assert min(rms(pcm) for pcm in heard[20 + quiet + 1 :]) > 0.8 * steady
