"""The ears of a voice leg: what the detector counts, and what a turn holds."""

import numpy as np
import pytest

from media.frames import MIC_FRAME, MIC_RATE_HZ, Pcm, samples
from media.hearing.detector import standard
from media.hearing.ears import PREROLL_MS, PUSH_PREROLL_MS, SLIP_MS, Ears
from media.hearing.edges import Confirmed, Sustained
from media.hearing.endpoint import TurnOptions
from media.hearing.profiles import DetectorOptions
from media.vad import WINDOW
from tests.media.engines import LoudnessModel, ScriptedRecognizer


def voice(ms: int, begin: int) -> Pcm:
    """A second and a half with a voice of *ms* in it, which begins at a sample of the detector's grid."""
    sound = np.zeros(MIC_RATE_HZ * 3 // 2, dtype=np.int16)
    tone = 6000 * np.sin(2 * np.pi * 220 * np.arange(samples(ms, MIC_RATE_HZ)) / MIC_RATE_HZ)
    sound[2 * WINDOW + begin :][: len(tone)] = tone.astype(np.int16)
    return sound


def sustained(ms: int, begin: int) -> bool:
    ears = Ears(standard(LoudnessModel()), ScriptedRecognizer(), TurnOptions())
    return any(isinstance(edge, Sustained) for edge in ears.hear(voice(ms, begin), sounding=True))


def test_a_voice_is_sustained_at_700_ms_wherever_it_lies_on_the_detectors_grid() -> None:
    for begin in range(0, WINDOW, 64):
        assert not sustained(695, begin)
        assert sustained(800, begin)


def test_a_confirmed_voice_tells_how_loud_it_is_since_its_onset() -> None:
    ears = Ears(standard(LoudnessModel()), ScriptedRecognizer(), TurnOptions())
    sound = voice(800, 0)
    pieces = [sound[at : at + MIC_FRAME] for at in range(0, len(sound), MIC_FRAME)]
    edges = [edge for piece in pieces for edge in ears.hear(piece, sounding=True)]
    (level_db,) = [edge.level_db for edge in edges if isinstance(edge, Confirmed)]
    assert level_db == pytest.approx(20 * np.log10(6000 / np.sqrt(2) / 32768), abs=1.5)


def test_what_is_kept_covers_whatever_may_be_asked_for() -> None:
    assert DetectorOptions().decide_ms + TurnOptions().prefix_padding_ms < PREROLL_MS
    assert 300 <= PUSH_PREROLL_MS <= 500  # people begin to speak before they press
    assert SLIP_MS < PUSH_PREROLL_MS
    assert (
        DetectorOptions().sustained_ms >= 700 + 2 * WINDOW * 1000 // MIC_RATE_HZ
    )  # the design, and the two ends' windows
