"""Sounds that are no words, over a spoken answer: it pauses at most, goes on, and nothing of it is missing."""

import asyncio
import io
import wave
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from gateway.replay import ReplayOptions, Report, parse, replay
from gateway.replay.own_gateway import own_gateway
from tests.e2e.test_replay import CALLERS, check_nothing_is_left_out, heard_side, synthesis

LABELLED = Path(__file__).parents[3] / "shared" / "data" / "bargein-dev"
"""Clips of real sounds, each about a second of quiet, the sound, and quiet. They are not part of the project."""

CLIPS = ("noise_cough_00", "noise_knock_00")


def click(path: Path) -> Path:
    """A loud click of 2 ms, half a second into quiet."""
    rate_hz = 16_000
    pcm = np.zeros(rate_hz, dtype="<i2")
    pcm[rate_hz // 2 : rate_hz // 2 + 16] = 30_000
    pcm[rate_hz // 2 + 16 : rate_hz // 2 + 32] = -30_000
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate_hz, 0, "NONE", ""))
        file.writeframes(pcm.tobytes())
    return path


def over_an_answer(folder: Path, clip: Path) -> tuple[Report, Path]:
    """Ask for the time, and let *clip* sound over the answer."""
    recording = folder / "heard.wav"
    steps = (parse(str(CALLERS / "ask_time.wav")), parse(f"{clip}@speaking+100"))

    async def main() -> Report:
        async with own_gateway() as url:
            options = ReplayOptions(steps, url, record_path=recording, listen_ms=None, timeout_s=45.0)
            return await replay(options, Console(file=io.StringIO()))

    return asyncio.run(main()), recording


def check_it_went_on(told: Report, recording: Path) -> None:
    assert told.failure is None
    [answer] = told.responses
    assert answer.playout == "stopped"
    assert answer.heard_text == answer.generated_text
    assert not any(interruption.cut for interruption in told.interruptions)
    assert len(told.transcripts) == 1
    check_nothing_is_left_out(asyncio.run(synthesis(answer.generated_text)).pcm, heard_side(recording))


@pytest.mark.process
def test_a_click_does_not_stop_an_answer(tmp_path: Path) -> None:
    check_it_went_on(*over_an_answer(tmp_path, click(tmp_path / "click.wav")))


@pytest.mark.process
@pytest.mark.parametrize("name", CLIPS)
def test_a_sound_that_is_no_voice_does_not_stop_an_answer(tmp_path: Path, name: str) -> None:
    clip = LABELLED / f"{name}.wav"
    if not clip.exists():
        pytest.skip("the labelled clips (shared/data/bargein-dev) are not beside the project")
    check_it_went_on(*over_an_answer(tmp_path, clip))
