"""The callers' recordings as sound."""

from pathlib import Path
from typing import Final

from gateway.replay.sound import read_clip
from media.frames import VOICE_RATE_HZ, Pcm
from media.resample import resample

CALLERS: Final = Path(__file__).parents[1] / "data" / "callers"


def caller(name: str, rate_hz: int) -> Pcm:
    """A recording in ``tests/data/callers``."""
    pcm = read_clip(CALLERS / f"{name}.wav").pcm
    return pcm if rate_hz == VOICE_RATE_HZ else resample(pcm, VOICE_RATE_HZ, rate_hz)


def frames(pcm: Pcm, size: int) -> list[Pcm]:
    """Whole frames."""
    return [pcm[at : at + size] for at in range(0, len(pcm) - size + 1, size)]
