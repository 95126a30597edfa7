"""The detector on real sound: callers' words, noises and labelled clips through Silero and webrtcvad."""

import csv
import logging
from pathlib import Path

import numpy as np
import pytest

from media.frames import Pcm, silence
from media.hearing import detector as detector_module
from media.hearing.detector import DEFAULTS, Detector, factory
from media.hearing.edges import Confirmed, Ended, Suspected, Sustained
from media.vad import SpeechModel
from media.vad.silero import load_model
from media.vad.webrtc import WebRtcVad
from tests.media.test_detector import Written, assert_well_formed, caller, clip, feed, kinds, written

SENTENCES = ("ask_count", "ask_long_story", "ask_time", "my_name", "no_something_else", "thank_you", "what_is_my_name")
CLIPS = Path(__file__).parents[3] / "shared" / "data" / "bargein-dev"


def real_model() -> SpeechModel:
    model = load_model()
    assert model is not None
    return model


@pytest.mark.parametrize("sounding", [True, False])
@pytest.mark.parametrize("name", SENTENCES)
def test_a_sentence_is_confirmed_and_sustained(name: str, sounding: bool) -> None:
    edges = feed(Detector(DEFAULTS, real_model()), caller(name), sounding)
    assert kinds(edges)[:3] == [Suspected, Confirmed, Sustained]
    assert kinds(edges)[-1] is Ended
    assert edges[0].onset_ms == pytest.approx(1_000, abs=32)
    assert edges[0].at_ms <= 1_100
    assert edges[1].at_ms <= 1_200


def test_a_short_word_is_confirmed_and_not_sustained() -> None:
    assert kinds(feed(Detector(DEFAULTS, real_model()), caller("stop"))) == [Suspected, Confirmed, Ended]


@pytest.mark.parametrize("size", [160, 777, 16_000])
def test_real_speech_gives_the_same_edges_in_any_frames(size: int) -> None:
    expected = feed(Detector(DEFAULTS, real_model()), caller("wait_stop"))
    assert feed(Detector(DEFAULTS, real_model()), caller("wait_stop"), size=size) == expected
    assert Confirmed in kinds(expected)


def hiss(seconds: int, level_dbfs: float) -> Pcm:
    rng = np.random.default_rng(7)
    return np.rint(rng.standard_normal(seconds * 16_000) * 32768 * 10 ** (level_dbfs / 20)).astype(np.int16)


def knocks() -> Pcm:
    """Eight decaying thumps of 100 ms, with a click of one sample between them."""
    rng = np.random.default_rng(7)
    time = np.arange(1_600)
    thump = 9_000 * np.exp(-time / 200) * (np.sin(2 * np.pi * 180 * time / 16_000) + 0.3 * rng.standard_normal(1_600))
    click = silence(5_400)
    click[2_700] = 30_000
    return np.tile(np.concatenate((np.rint(thump).astype(np.int16), click)), 8)


@pytest.mark.parametrize("sounding", [True, False])
@pytest.mark.parametrize("sound", [silence(48_000), hiss(3, -50), knocks()], ids=["silence", "hiss", "knocks"])
def test_what_is_no_voice_is_not_confirmed(sound: Pcm, sounding: bool) -> None:
    assert Confirmed not in kinds(feed(Detector(DEFAULTS, real_model()), sound, sounding))


def test_without_a_model_webrtcvad_suspects_and_confirms_together() -> None:
    edges = feed(Detector(), caller("my_name"), sounding=False)
    assert kinds(edges)[:3] == [Suspected, Confirmed, Sustained]
    assert edges[0].at_ms == edges[1].at_ms
    assert edges[0].onset_ms == pytest.approx(1_000, abs=100)
    assert edges[0].at_ms - edges[0].onset_ms <= 200
    assert kinds(edges)[-1] is Ended
    assert_well_formed(edges, 5_000)
    assert feed(Detector(), caller("my_name"), sounding=True, size=777) == edges


@pytest.mark.parametrize("name", SENTENCES)
def test_without_a_model_sixteen_voiced_frames_of_twenty_confirm(name: str) -> None:
    sound, vad = caller(name), WebRtcVad(mode=3)
    voiced = [vad.voiced(sound[at : at + 160]) for at in range(0, len(sound) - 159, 160)]
    first = next(at for at in range(len(voiced)) if sum(voiced[max(0, at - 19) : at + 1]) >= 16)
    assert feed(Detector(), sound)[0].at_ms == 10 * (first + 1)


def test_without_a_model_silence_stays_silent() -> None:
    assert feed(Detector(), silence(48_000)) == []


def test_a_missing_model_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    detector_module._warn_of_vote.cache_clear()
    with caplog.at_level(logging.WARNING):
        Detector()
        Detector()
    assert len(caplog.records) == 1


def labelled(kind: str) -> list[dict[str, str]]:
    if not CLIPS.is_dir():
        pytest.skip("the labelled clips are not in this checkout")
    with (CLIPS / "labels.csv").open() as labels:
        return [row for row in csv.DictReader(labels) if row["kind"] == kind]


def test_no_noise_interrupts_and_few_pause() -> None:
    rows = labelled("noise")
    names = {row["file"]: feed(Detector(DEFAULTS, real_model()), clip(CLIPS / row["file"])) for row in rows}
    confirmed = [name for name, edges in names.items() if Confirmed in kinds(edges)]
    assert len(rows) >= 28
    assert confirmed == []
    suspected = [name for name, edges in names.items() if Suspected in kinds(edges) and "babble" not in name]
    assert len(suspected) <= 3, suspected


def test_every_word_interrupts_soon_after_its_onset() -> None:
    rows = labelled("speech")
    waits_ms = []
    for row in rows:
        edges = feed(Detector(DEFAULTS, real_model()), clip(CLIPS / row["file"]))
        first = next(edge for edge in edges if isinstance(edge, Confirmed))
        waits_ms.append(first.at_ms - float(row["onset_ms"]))
    assert len(rows) >= 44
    assert np.median(waits_ms) <= 130
    assert min(waits_ms) >= -40


def test_the_scored_detector_speaks_the_tools_language() -> None:
    scored = factory()
    sound = caller("stop")
    events = [event for at in range(0, len(sound), 160) for event in scored.process(sound[at : at + 160], silence(160))]
    assert events == ["pause", "cancel"]
    unclear = detector_module._Scored(Detector(DEFAULTS, Written()))
    assert unclear.process(written(*[0.55] * 2, *[0.1] * 6), silence(0)) == ["pause", "resume"]
