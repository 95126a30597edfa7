"""Sound on disk: any 16 bit WAV can be played, the onset is found, and a recording stands on the wall clock."""

import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from gateway.replay.errors import ReplayError
from gateway.replay.microphone import Microphone
from gateway.replay.sound import ONSET, Recording, Track, clip, read_clip
from media.frames import VOICE_FRAME, Pcm, silence

RATE = 24_000
CALLERS = Path(__file__).parent.parent / "data" / "callers"


def write(path: Path, sound: bytes, *, rate: int = RATE, channels: int = 1, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        file.writeframes(sound)
    return path


def tone(samples: int, rate: int = RATE, peak: int = 10_000) -> Pcm:
    pcm: Pcm = np.rint(peak * np.sin(2 * np.pi * 440 * np.arange(samples) / rate)).astype(np.int16)
    return pcm


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 44_100, 48_000])
def test_a_file_of_any_usual_rate_lasts_as_long_as_before(tmp_path: Path, rate: int) -> None:
    played = read_clip(write(tmp_path / "a.wav", tone(rate, rate).tobytes(), rate=rate))
    assert len(played) == 50  # frames of 20 ms
    assert np.abs(played.pcm).max() == pytest.approx(10_000, rel=0.02)


def test_stereo_is_averaged(tmp_path: Path) -> None:
    left = tone(VOICE_FRAME)
    stereo = np.stack((left, np.zeros_like(left)), axis=1)
    played = read_clip(write(tmp_path / "a.wav", stereo.tobytes(), channels=2))
    assert np.array_equal(played.pcm, np.rint(left / 2).astype(np.int16))


def test_a_file_that_is_not_whole_frames_ends_in_silence(tmp_path: Path) -> None:
    played = read_clip(write(tmp_path / "a.wav", np.full(481, 1000, dtype=np.int16).tobytes()))
    assert len(played) == 2
    assert played.pcm[480] == 1000
    assert not played.pcm[481:].any()


@pytest.mark.parametrize("name", ["ask_long_story", "no_something_else", "stop"])
def test_the_callers_speak_at_once(name: str) -> None:
    assert read_clip(CALLERS / f"{name}.wav").onset_frame == 0


@given(st.integers(0, 5 * VOICE_FRAME - 1), st.sampled_from([ONSET + 1, -ONSET - 1, -32768]))
def test_the_onset_is_the_frame_with_the_first_loud_sample(at: int, value: int) -> None:
    pcm = np.full(5 * VOICE_FRAME, ONSET, dtype=np.int16)
    pcm[at] = value
    assert clip(pcm).onset_frame == at // VOICE_FRAME


def test_a_clip_without_voice_has_no_onset() -> None:
    assert clip(np.full(960, -ONSET, dtype=np.int16)).onset_frame is None


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ReplayError, match=r"nowhere\.wav") as refused:
        read_clip(Path("nowhere.wav"))
    assert refused.value.code == "file_missing"


def test_what_is_not_pcm_in_a_wav_is_refused(tmp_path: Path) -> None:
    for name, content in {"empty": b"", "text": b"hello, world" * 20, "cut": b"RIFF\x00\x00\x00\x00WAVE"}.items():
        path = tmp_path / f"{name}.wav"
        path.write_bytes(content)
        with pytest.raises(ReplayError) as refused:
            read_clip(path)
        assert refused.value.code == "not_wav"


def test_other_sample_widths_and_rates_are_refused(tmp_path: Path) -> None:
    for path in (
        write(tmp_path / "wide.wav", bytes(300), width=3),
        write(tmp_path / "narrow.wav", bytes(300), width=1),
        write(tmp_path / "slow.wav", bytes(300), rate=4_000),
        write(tmp_path / "odd.wav", bytes(300), rate=44_099),
    ):
        with pytest.raises(ReplayError) as refused:
            read_clip(path)
        assert refused.value.code == "not_wav"


def test_a_file_without_sound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReplayError) as refused:
        read_clip(write(tmp_path / "a.wav", b""))
    assert refused.value.code == "empty_sound"


def test_a_microphone_hears_silence_then_the_clip_then_silence() -> None:
    pcm = np.concatenate((silence(VOICE_FRAME), tone(2 * VOICE_FRAME)))
    microphone = Microphone()
    assert microphone.take().pcm is None
    microphone.play(clip(pcm))
    frames = [microphone.take() for _ in range(4)]
    assert [(it.first, it.onset, it.last) for it in frames] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
        (False, False, False),
    ]
    assert np.array_equal(np.concatenate([it.pcm for it in frames if it.pcm is not None]), pcm)


@given(st.integers(1, 200), st.lists(st.floats(-190, 190), min_size=2, max_size=60))
def test_jitter_neither_tears_nor_squeezes_a_track(start: int, jitter_ms: list[float]) -> None:
    sound = np.arange(1, len(jitter_ms) * VOICE_FRAME + 1, dtype=np.int64).astype(np.int16)
    track = Track()
    for at, late_ms in enumerate([0.0, *jitter_ms[1:]]):
        frame = at * VOICE_FRAME
        track.put(start + at * 20 + late_ms, frame, sound[frame : frame + VOICE_FRAME])
    assert np.array_equal(track.render(track.end)[start * 24 :], sound)


def test_a_stream_that_was_interrupted_is_placed_anew() -> None:
    track = Track()
    frame = np.full(VOICE_FRAME, 1, dtype=np.int16)
    track.put(0, 0, frame)
    track.put(1000, VOICE_FRAME, frame)
    heard = track.render(track.end)
    assert len(heard) == 24 * 1020
    assert np.flatnonzero(heard).tolist() == [*range(480), *range(24_000, 24_480)]


def test_a_recording_has_the_caller_left_and_the_answer_right(tmp_path: Path) -> None:
    recording = Recording()
    recording.caller.put(10, 0, np.full(VOICE_FRAME, 5, dtype=np.int16))
    recording.answer.put(20, 0, np.full(VOICE_FRAME, 7, dtype=np.int16))
    recording.write(tmp_path / "both.wav")
    with wave.open(str(tmp_path / "both.wav")) as file:
        assert file.getparams()[:4] == (2, 2, RATE, 24 * 40)
        left, right = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2).T
    assert np.flatnonzero(left == 5).tolist() == list(range(240, 720))
    assert np.flatnonzero(right == 7).tolist() == list(range(480, 960))


def test_a_recording_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(ReplayError) as refused:
        Recording().write(tmp_path / "no such folder" / "both.wav")
    assert refused.value.code == "cannot_write"
