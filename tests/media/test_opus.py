"""Opus: what goes in comes out, at any rate; silence is free and leaves no trace; losses are filled."""

import ctypes
import gc

import numpy as np
import pytest

from media.codecs import opus
from media.codecs.opus import RATES_HZ, SILENCE, Decoder, Encoder, OpusError
from media.frames import Pcm, silence
from tests.media.sounds import harmonics, pitch, rms, sine

BROKEN = b"\xff\xff"
"""Says that it holds 63 frames: more than 120 ms (RFC 6716, R5)."""


def frames(pcm: Pcm, count: int) -> list[Pcm]:
    return list(pcm.reshape(-1, count))


def test_the_library_is_found_and_says_its_version() -> None:
    assert opus.version().startswith("libopus ")


def test_without_the_library_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    opus._library.cache_clear()
    monkeypatch.setattr(opus, "_candidates", lambda: ["libopus-that-is-not-there.so", "libc.so.6"])
    try:
        with pytest.raises(OpusError, match="neither"):
            Decoder()
    finally:
        opus._library.cache_clear()


@pytest.mark.parametrize("receive_hz", RATES_HZ)
@pytest.mark.parametrize("send_hz", [16_000, 24_000, 48_000])
def test_a_tone_keeps_its_pitch_and_level_between_any_two_rates(send_hz: int, receive_hz: int) -> None:
    encoder, decoder = Encoder(send_hz), Decoder(receive_hz)
    sent = frames(sine(1_000, send_hz, 400), encoder.frame)
    heard = np.concatenate([decoder.decode(encoder.encode(frame)) for frame in sent])
    assert len(heard) == receive_hz * 400 // 1000
    steady = heard[receive_hz // 10 :]
    assert pitch(steady, receive_hz) == pytest.approx(1_000, abs=5)
    assert rms(steady) == pytest.approx(rms(sent[1]), rel=0.1)


def test_a_packet_has_about_the_bytes_of_its_bit_rate() -> None:
    encoder = Encoder(bitrate_bps=32_000)
    sizes = [len(encoder.encode(frame)) for frame in frames(harmonics(140, 24_000, 1_000), 480)]
    assert sum(sizes) * 8 == pytest.approx(32_000, rel=0.15)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_the_silence_payload_is_20_ms_of_zeros_for_any_decoder(rate_hz: int) -> None:
    heard = Decoder(rate_hz).decode(SILENCE)
    assert heard.shape == (rate_hz // 50,)
    assert not heard.any()


def test_silence_soon_comes_from_the_cache() -> None:
    encoder = Encoder()
    for frame in frames(harmonics(140, 24_000, 200), 480):
        encoder.encode(frame)
    packets = [encoder.encode(None) for _ in range(6)]
    assert all(packet is SILENCE for packet in packets[1:])


@pytest.mark.parametrize("bitrate_bps", [16_000, 32_000])
@pytest.mark.parametrize("pause", [1, 2, 3, 50])
def test_a_sound_after_a_pause_is_as_loud_as_one_without_a_pause(pause: int, bitrate_bps: int) -> None:
    sound = frames(harmonics(140, 24_000, 200), 480)
    encoder, decoder = Encoder(bitrate_bps=bitrate_bps), Decoder(24_000)
    for frame in sound:
        expected = decoder.decode(encoder.encode(frame))
    for _ in range(pause):
        decoder.decode(encoder.encode(None))
    after = [decoder.decode(encoder.encode(frame)) for frame in sound]
    assert rms(after[1]) == pytest.approx(rms(expected), rel=0.1)


def test_the_first_sound_of_a_call_that_began_silent_is_not_faded_in() -> None:
    sound = frames(harmonics(140, 24_000, 200), 480)
    encoder, decoder = Encoder(), Decoder(24_000)
    for _ in range(50):
        decoder.decode(encoder.encode(None))
    heard = [decoder.decode(encoder.encode(frame)) for frame in sound]
    assert rms(heard[1]) == pytest.approx(rms(heard[-1]), rel=0.1)


def test_the_end_of_a_sound_is_not_swallowed_when_silence_follows() -> None:
    encoder, decoder = Encoder(), Decoder(24_000)
    for frame in frames(harmonics(140, 24_000, 200), 480):
        decoder.decode(encoder.encode(frame))
    tail = decoder.decode(encoder.encode(None))
    assert rms(tail[:60]) > 1_000
    assert rms(tail[120:]) < 250


def test_a_sharp_onset_is_not_heard_before_it_is_there() -> None:
    encoder, decoder = Encoder(), Decoder(24_000)
    onset = silence(480)
    onset[300:] = harmonics(140, 24_000, 20)[:180]
    for _ in range(5):
        decoder.decode(encoder.encode(silence(480)))
    assert rms(decoder.decode(encoder.encode(onset))[:300]) < 50


def test_concealment_goes_on_with_the_sound_for_as_long_as_asked() -> None:
    encoder, decoder = Encoder(), Decoder(16_000)
    for frame in frames(sine(400, 24_000, 400), 480):
        last = decoder.decode(encoder.encode(frame))
    made_up = decoder.conceal(320)
    assert made_up.shape == (320,)
    assert rms(made_up) > 0.5 * rms(last)


def test_a_packet_without_fec_still_fills_the_place_before_it() -> None:
    encoder, decoder = Encoder(), Decoder(16_000)
    packets = [encoder.encode(frame) for frame in frames(sine(400, 24_000, 400), 480)]
    for packet in packets[:10]:
        last = decoder.decode(packet)
    filled = decoder.recover(packets[11], 320)
    assert filled.shape == (320,)
    assert rms(filled) > 0.5 * rms(last)


def browser_packets(pcm: Pcm, ptime_ms: int = 20, *, bitrate_bps: int = 24_000, dtx: bool = False) -> list[bytes]:
    """Packets as a browser on a lossy network sends them: SILK with forward error correction, 16 kHz."""
    frame = 16 * ptime_ms
    library = opus._library()
    state = library.opus_encoder_create(16_000, 1, 2048, ctypes.byref(ctypes.c_int()))
    for request, value in ((4002, bitrate_bps), (4012, 1), (4014, 30), (4024, 3001), (4016, int(dtx))):
        assert library.opus_encoder_ctl(state, request, ctypes.c_int32(value)) == 0
    room = ctypes.create_string_buffer(1_500)
    packets = []
    for sound in frames(pcm, frame):
        size = library.opus_encode(state, sound.ctypes.data, frame, ctypes.addressof(room), 1_500)
        packets.append(room.raw[:size])
    library.opus_encoder_destroy(state)
    return packets


def test_an_onset_that_was_lost_is_recovered_from_the_packet_after_it() -> None:
    packets = browser_packets(np.concatenate([silence(3_200), harmonics(140, 16_000, 400)]))
    whole, by_guess, by_fec = Decoder(), Decoder(), Decoder()
    for packet in packets[:10]:
        for decoder in (whole, by_guess, by_fec):
            decoder.decode(packet)
    assert rms(by_guess.conceal(320)) < 10
    assert rms(by_fec.recover(packets[11], 320)) == pytest.approx(rms(whole.decode(packets[10])), rel=0.2)


@pytest.mark.parametrize("payload", [b"", BROKEN, b"\x00" * 2_000])
def test_a_damaged_packet_is_an_error_and_the_next_one_is_heard(payload: bytes) -> None:
    encoder, decoder = Encoder(), Decoder()
    packets = [encoder.encode(frame) for frame in frames(sine(400, 24_000, 400), 480)]
    before = [decoder.decode(packet) for packet in packets[:10]]
    with pytest.raises(OpusError):
        decoder.decode(payload)
    assert rms(decoder.decode(packets[10])) == pytest.approx(rms(before[-1]), rel=0.1)


def test_a_decoded_frame_is_not_overwritten_by_the_next() -> None:
    encoder, decoder = Encoder(), Decoder()
    packets = [encoder.encode(frame) for frame in frames(sine(400, 24_000, 200), 480)]
    first = decoder.decode(packets[5])
    copy = first.copy()
    decoder.decode(packets[6])
    assert np.array_equal(first, copy)


def test_a_decoder_may_go_back_and_hears_the_same_again() -> None:
    encoder, decoder = Encoder(), Decoder()
    packets = [encoder.encode(frame) for frame in frames(harmonics(140, 24_000, 400), 480)]
    for packet in packets[:8]:
        decoder.decode(packet)
    saved = decoder.save()
    first = np.concatenate([decoder.conceal(320), *map(decoder.decode, packets[9:])])
    decoder.restore(saved)
    again = np.concatenate([decoder.conceal(320), *map(decoder.decode, packets[9:])])
    assert np.array_equal(first, again)
    with pytest.raises(OpusError):
        decoder.restore(b"something else")


@pytest.mark.parametrize("samples", [0, -320, 100, 1_000_000])
def test_concealment_of_an_impossible_length_is_refused(samples: int) -> None:
    with pytest.raises(OpusError):
        Decoder().conceal(samples)


@pytest.mark.parametrize("samples", [0, 320, 479, 481, 960])
def test_a_frame_of_another_length_is_refused(samples: int) -> None:
    with pytest.raises(ValueError, match="480 samples"):
        Encoder(24_000).encode(silence(samples))


def test_a_frame_may_be_a_strided_or_a_read_only_view() -> None:
    sound = harmonics(140, 24_000, 20)
    stereo = np.repeat(sound, 2)
    frozen = np.frombuffer(sound.tobytes(), dtype=np.int16)
    packets = {Encoder().encode(view) for view in (sound, stereo[::2], frozen)}
    assert len(packets) == 1


def test_a_rate_that_opus_does_not_have_is_refused() -> None:
    with pytest.raises(OpusError, match="invalid argument"):
        Decoder(44_100)
    with pytest.raises(OpusError, match="invalid argument"):
        Encoder(44_100)
    with pytest.raises(OpusError, match="invalid argument"):
        Encoder(complexity=11)


def test_states_are_freed_with_their_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    freed: list[object] = []
    monkeypatch.setattr(opus._library(), "opus_decoder_destroy", freed.append)
    decoder = Decoder()
    state = decoder._state
    del decoder
    gc.collect()
    assert freed == [state]
