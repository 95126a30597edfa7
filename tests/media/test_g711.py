"""G.711 by the standard's own tables, and as a stream: any rate, silence, losses."""

import warnings
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pytest

from media.codecs.codec import CodecError
from media.codecs.g711 import Decoder, Encoder, Law, decoding, encoding
from media.frames import Pcm, silence
from media.hearing.detector import DEFAULTS, Detector
from media.hearing.edges import Confirmed, Suspected, Sustained
from media.rtp.inbound import Inbound
from tests.media.sounds import harmonics, pitch, rms, sine
from tests.media.test_detector import caller, feed, kinds
from tests.media.test_detector_sound import real_model

LAWS: tuple[Law, ...] = ("PCMU", "PCMA")
both_laws = pytest.mark.parametrize("law", LAWS)

ALL: Pcm = np.arange(-32_768, 32_768).astype(np.int16)

MU_SEGMENTS = [
    (0, 0b11111111, 0), (1, 0b11111110, 2), (31, 0b11101111, 33), (95, 0b11011111, 99), (223, 0b11001111, 231),
    (479, 0b10111111, 495), (991, 0b10101111, 1_023), (2_015, 0b10011111, 2_079), (4_063, 0b10001111, 4_191),
    (7_903, 0b10000000, 8_031),
]  # fmt: skip
"""Table 2a: where each segment begins (14 bit), its first character signal, what that means; the end of the last."""

A_SEGMENTS = [
    (0, 0b10000000, 1), (64, 0b10100000, 66), (128, 0b10110000, 132), (256, 0b11000000, 264), (512, 0b11010000, 528),
    (1_024, 0b11100000, 1_056), (2_048, 0b11110000, 2_112), (3_968, 0b11111111, 4_032),
]  # fmt: skip
"""Table 1a: the same (13 bit), before every other bit is inverted."""


def encoded(law: Law, pcm: Pcm) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return encoding(law)[pcm.view(np.uint16)]


@pytest.mark.parametrize(
    ("law", "least", "byte", "means"),
    [("PCMU", least * 4, byte, means * 4) for least, byte, means in MU_SEGMENTS]
    + [("PCMA", least * 8, byte ^ 0x55, means * 8) for least, byte, means in A_SEGMENTS],
)
def test_segments_begin_where_the_standard_says(law: Law, least: int, byte: int, means: int) -> None:
    edge = np.array([least, -max(least, 1)], dtype=np.int16)
    assert list(encoded(law, edge)) == [byte, byte ^ 0x80]
    assert decoding(law)[byte] == means
    assert decoding(law)[byte ^ 0x80] == -means
    if least:
        assert encoded(law, np.array([least - 1], dtype=np.int16))[0] != byte


@pytest.mark.parametrize(("law", "period"), [("PCMU", "1e0b0b1e9e8b8b9e"), ("PCMA", "34212134b4a1a1b4")])
def test_the_standards_tone_has_1_khz_and_0_dbm0(law: Law, period: str) -> None:
    """Tables 5 and 6. A full-scale sine is 3.17 dBm0 in mu-law and 3.14 in A-law."""
    tone = decoding(law)[np.frombuffer(bytes.fromhex(period) * 100, dtype=np.uint8)]
    limit = 8_159 * 4 if law == "PCMU" else 4_096 * 8
    below_full = 20 * np.log10(limit / np.sqrt(2) / rms(tone))
    assert below_full == pytest.approx(3.17 if law == "PCMU" else 3.14, abs=0.02)
    assert pitch(tone, 8_000) == 1_000


@both_laws
def test_every_sample_becomes_a_byte_that_means_nearly_the_same(law: Law) -> None:
    meant = decoding(law)[encoded(law, ALL)].astype(np.int64)
    wrong = np.abs(meant - ALL)
    assert (np.diff(meant) >= 0).all()
    size = np.abs(ALL.astype(np.int64))
    # Half a step, and a step is at most a sixteenth of where its segment begins.
    assert (wrong <= (np.maximum(size / 32, 8) if law == "PCMA" else (size + 33 * 4) / 32)).all()


@both_laws
def test_every_byte_means_what_becomes_it_again(law: Law) -> None:
    again = encoded(law, decoding(law))
    minus_zero = 0x7F
    assert [byte for byte in range(256) if again[byte] != byte] == ([minus_zero] if law == "PCMU" else [])


@both_laws
@pytest.mark.skipif(find_spec("audioop") is None, reason="Python 3.13 has no audioop")
def test_the_standard_library_means_the_same(law: Law) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        audioop = import_module("audioop")
    expand, compress = (audioop.ulaw2lin, audioop.lin2ulaw) if law == "PCMU" else (audioop.alaw2lin, audioop.lin2alaw)
    assert np.array_equal(np.frombuffer(expand(bytes(range(256)), 2), dtype=np.int16), decoding(law))
    positive = ALL[ALL >= 0]  # it rounds negative samples down first, so that some become the next byte
    assert encoded(law, positive).tobytes() == compress(positive.tobytes(), 2)


@both_laws
@pytest.mark.parametrize("receive_hz", [8_000, 16_000, 24_000, 48_000])
@pytest.mark.parametrize("send_hz", [8_000, 16_000, 24_000, 48_000])
def test_a_tone_keeps_its_pitch_and_level_between_any_two_rates(law: Law, send_hz: int, receive_hz: int) -> None:
    encoder, decoder = Encoder(law, send_hz), Decoder(law, receive_hz)
    sent = sine(1_000, send_hz, 400).reshape(-1, encoder.frame)
    packets = [encoder.encode(frame) for frame in sent]
    heard = np.concatenate([decoder.decode(packet) for packet in packets])
    assert {len(packet) for packet in packets} == {160}
    assert len(heard) == receive_hz * 400 // 1000
    steady = heard[receive_hz // 10 :]
    assert pitch(steady, receive_hz) == pytest.approx(1_000, abs=5)
    assert rms(steady) == pytest.approx(rms(sent[1]), rel=0.02)


@both_laws
def test_what_8_khz_cannot_carry_does_not_come_back_as_something_else(law: Law) -> None:
    encoder, decoder = Encoder(law, 24_000), Decoder(law)
    heard = [decoder.decode(encoder.encode(frame)) for frame in sine(6_000, 24_000, 400).reshape(-1, 480)]
    assert rms(np.concatenate(heard[1:])) < 20


@both_laws
def test_silence_soon_comes_from_the_cache_and_the_sounds_end_before_it(law: Law) -> None:
    encoder, decoder = Encoder(law), Decoder(law, 8_000)
    assert encoder.encode(None) is encoder.encode(None)
    for frame in sine(400, 24_000, 100).reshape(-1, 480):
        decoder.decode(encoder.encode(frame))
    tail, quiet = encoder.encode(None), encoder.encode(None)
    assert rms(decoder.decode(tail)[:10]) > 500
    assert set(quiet) == {0xFF if law == "PCMU" else 0xD5}
    assert encoder.encode(None) is quiet
    assert encoder.encode(sine(400, 24_000, 20)) != quiet


@both_laws
def test_concealment_goes_on_with_the_voice_and_fades(law: Law) -> None:
    encoder, decoder = Encoder(law, 8_000), Decoder(law, 8_000)
    packets = [encoder.encode(frame) for frame in harmonics(140, 8_000, 400).reshape(-1, 160)]
    for packet in packets[:10]:
        last = decoder.decode(packet)
    made_up = np.concatenate([decoder.conceal(160) for _ in range(4)])
    truth = np.concatenate([decoding(law)[np.frombuffer(packet, dtype=np.uint8)] for packet in packets[10:14]])
    assert rms(made_up[:80].astype(np.float64) - truth[:80]) < 0.3 * rms(last)
    assert 0.4 * rms(last) < rms(made_up[160:320]) < 0.9 * rms(last)
    assert not made_up[480:].any()


@both_laws
def test_a_sound_that_comes_back_does_not_click(law: Law) -> None:
    encoder, decoder = Encoder(law, 8_000), Decoder(law, 8_000)
    packets = [encoder.encode(frame) for frame in sine(210, 8_000, 400).reshape(-1, 160)]
    heard = [decoder.decode(packet) for packet in packets[:10]]
    heard += [decoder.conceal(160), *(decoder.decode(packet) for packet in packets[11:])]
    slope = 2 * np.pi * 210 / 8_000 * 8_000
    assert np.abs(np.diff(np.concatenate(heard).astype(np.int64))).max() < 1.6 * slope


@both_laws
@pytest.mark.parametrize("ptime_ms", [10, 20, 60])
def test_packets_of_any_length_are_heard_whole_late_ones_without_a_trace(law: Law, ptime_ms: int) -> None:
    count = 8 * ptime_ms
    sound = encoded(law, harmonics(140, 8_000, 960)).tobytes()
    packets = [sound[at : at + count] for at in range(0, len(sound) - count + 1, count)][:16]

    def play(order: list[int]) -> tuple[Inbound, Pcm, list[int]]:
        heard, times = np.zeros(0, dtype=np.int16), []

        def hear(pcm: Pcm, rtp_time: int, arrival: float) -> None:
            nonlocal heard
            heard = np.concatenate((heard, pcm))
            times.append(rtp_time)

        def repair(pcm: Pcm) -> None:
            heard[-len(pcm) :] = pcm

        inbound = Inbound(Decoder(law), hear, repair, rtp_rate_hz=8_000)
        for number in order:
            inbound.receive(number, (number * count - 800) & 0xFFFFFFFF, packets[number], number * ptime_ms / 1000)
        return inbound, heard, times

    _, whole, times = play(list(range(16)))
    assert len(whole) == 16 * count * 2
    assert times == [(number * count - 800) * 6 & 0xFFFFFFFF for number in range(16)]
    late, repaired, _ = play([0, 1, 2, 3, 5, 4, *range(6, 16)])
    assert late.counts.repaired == 1
    assert np.array_equal(repaired, whole)
    lossy, made_up, times_too = play([0, 1, 2, 3, *range(5, 16)])
    assert lossy.counts.concealed == 1
    assert len(made_up) == len(whole)
    assert times_too == times


@both_laws
def test_a_decoder_may_go_back_more_than_once(law: Law) -> None:
    encoder, decoder = Encoder(law, 8_000), Decoder(law)
    packets = [encoder.encode(frame) for frame in harmonics(140, 8_000, 200).reshape(-1, 160)]
    decoder.decode(packets[0])
    saved, heard = decoder.save(), []
    for _ in range(3):
        heard.append(np.concatenate([decoder.conceal(320), *map(decoder.decode, packets[2:])]))
        decoder.restore(saved)
    assert np.array_equal(heard[0], heard[1])
    assert np.array_equal(heard[0], heard[2])
    with pytest.raises(CodecError):
        decoder.restore(b"")


@both_laws
@pytest.mark.parametrize("name", ["ask_time", "no_something_else"])
def test_the_detector_hears_a_caller_on_the_telephone(law: Law, name: str) -> None:
    encoder, decoder = Encoder(law, 16_000), Decoder(law)
    said = caller(name)
    frames = said[: len(said) // 320 * 320].reshape(-1, 320)
    heard = np.concatenate([decoder.decode(encoder.encode(frame)) for frame in frames])
    edges = feed(Detector(DEFAULTS, real_model()), heard)
    assert kinds(edges)[:3] == [Suspected, Confirmed, Sustained]
    assert edges[0].onset_ms == pytest.approx(1_000, abs=64)
    assert edges[1].at_ms <= 1_250


def test_what_cannot_be_is_refused() -> None:
    for payload in (b"", bytes(961)):
        with pytest.raises(CodecError):
            Decoder("PCMU").decode(payload)
        with pytest.raises(CodecError):
            Decoder("PCMU").samples(payload)
    for samples in (0, -320, 321, 2_000):
        with pytest.raises(CodecError):
            Decoder("PCMU").conceal(samples)
    with pytest.raises(CodecError):
        Decoder("PCMU", 12_000)
    with pytest.raises(CodecError):
        Encoder("PCMU", 4_000)
    with pytest.raises(ValueError, match="480 samples"):
        Encoder("PCMU", 24_000).encode(silence(320))
