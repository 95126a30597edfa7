"""Telling a fade from a click."""

from pathlib import Path

import numpy as np
import pytest

from gateway.replay.clicks import edges, read_answer
from gateway.replay.sound import Recording
from media.frames import Pcm, silence
from media.speaking.playout import Holder, Playout

TONE: Pcm = (12_000 * np.sin(np.arange(24_000) / 9)).astype(np.int16)


def played(cut_ms: int, *, fades: bool) -> Pcm:
    """A tone that swells, and is cut after *cut_ms* (a multiple of 20)."""
    swell = np.minimum(1, np.arange(len(TONE)) / 2_400)
    playout = Playout()
    playout.begin(1, "item", "resp")
    playout.enqueue(1, (TONE * swell).astype(np.int16))
    frames = [playout.pull() for _ in range(cut_ms // 20)]
    if fades:
        playout.flush()
        frames.append(playout.pull())
    return np.concatenate([silence(2_400), *(frame for frame in frames if frame is not None), silence(4_800)])


@pytest.mark.parametrize("cut_ms", [200, 340, 500])
def test_a_fade_is_no_click_and_a_hard_cut_is_one(cut_ms: int) -> None:
    assert [(edge.clicks, edge.hole) for edge in edges(played(cut_ms, fades=True))] == [(False, False)] * 2
    start, stop = edges(played(cut_ms, fades=False))
    assert (start.kind, start.clicks) == ("start", False)
    assert (stop.kind, stop.clicks, stop.hole) == ("stop", True, True)  # no codec lies between here
    assert stop.at == pytest.approx(2_400 + cut_ms * 24, abs=2)


def test_a_pause_and_a_resume_are_faded() -> None:
    playout = Playout()
    playout.begin(1, "item", "resp")
    playout.enqueue(1, np.concatenate((silence(480), TONE)))
    frames = []
    for tick in range(30):
        if tick == 10:
            playout.pause(Holder.REFLEX, 0.0)
        if tick == 18:
            playout.resume(Holder.REFLEX, 0.16)
        frames.append(playout.pull())
    pcm = np.concatenate([silence(480) if frame is None else frame for frame in frames])
    inner = edges(np.concatenate((pcm, silence(2_400))))[1:-1]
    assert [(edge.kind, edge.clicks) for edge in inner] == [("stop", False), ("start", False)]


def test_silence_has_no_edges() -> None:
    assert edges(silence(9_600)) == []


def test_the_answer_is_the_right_channel(tmp_path: Path) -> None:
    recording = Recording()
    recording.caller.put(0, 0, TONE)
    recording.answer.put(0, 0, TONE[:480] // 2)
    path = tmp_path / "talk.wav"
    recording.write(path)
    assert np.array_equal(read_answer(path)[:480], TONE[:480] // 2)
