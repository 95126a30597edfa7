"""Sounds that are no words, over a spoken answer: it pauses at most, goes on, and nothing of it is missing."""

import asyncio
import io
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from gateway.replay import ReplayOptions, Report, parse, replay
from gateway.replay.own_gateway import own_gateway
from tests.e2e.test_replay import CALLERS, check_nothing_is_left_out, heard_side, synthesis

LABELLED = Path(__file__).parents[3] / "shared" / "data" / "bargein-dev"
"""Clips of real sounds, each about a second of quiet, the sound, and quiet. They are not part of the project."""

pytestmark = [pytest.mark.process, pytest.mark.alone]

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


@dataclass(frozen=True)
class Played:
    """A replay that is over: its report, and what was recorded."""

    told: Report
    recording: Path


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Played]:
    """The time is asked for, and a sound is over the answer: one caller a sound, all of one gateway at a time."""
    folder = tmp_path_factory.mktemp("replays")
    sounds = {"click": click(folder / "click.wav")}
    sounds |= {name: clip for name in CLIPS if (clip := LABELLED / f"{name}.wav").exists()}

    async def play(url: str, name: str, sound: Path) -> Played:
        steps = (parse(str(CALLERS / "ask_time.wav")), parse(f"{sound}@speaking+100"))
        recording = folder / f"{name}-heard.wav"
        options = ReplayOptions(steps, url, record_path=recording, listen_ms=None, timeout_s=45.0)
        return Played(await replay(options, Console(file=io.StringIO())), recording)

    async def main() -> list[Played]:
        async with own_gateway() as url:
            return await asyncio.gather(*(play(url, name, sound) for name, sound in sounds.items()))

    return dict(zip(sounds, asyncio.run(main()), strict=True))


def check_it_went_on(played: Played) -> None:
    assert played.told.failure is None
    [answer] = played.told.responses
    assert answer.playout == "stopped"
    assert answer.heard_text == answer.generated_text
    assert not any(interruption.cut for interruption in played.told.interruptions)
    assert len(played.told.transcripts) == 1
    check_nothing_is_left_out(asyncio.run(synthesis(answer.generated_text)).pcm, heard_side(played.recording))


def test_a_click_does_not_stop_an_answer(played: dict[str, Played]) -> None:
    check_it_went_on(played["click"])


@pytest.mark.parametrize("name", CLIPS)
def test_a_sound_that_is_no_voice_does_not_stop_an_answer(played: dict[str, Played], name: str) -> None:
    if name not in played:
        pytest.skip("the labelled clips (shared/data/bargein-dev) are not beside the project")
    check_it_went_on(played[name])
