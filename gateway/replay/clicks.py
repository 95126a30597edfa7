"""Clicks in a recording: a voice that breaks off, or sets in, without a fade."""

import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from media.frames import VOICE_RATE_HZ, Pcm, samples

FADE_MS: Final = 10
"""How long a fade lasts (:class:`media.speaking.playout.PlayoutOptions`)."""

_SILENT: Final = 60
_LOUD: Final = 500
_LULL: Final = samples(40, VOICE_RATE_HZ)
_NEAR: Final = samples(20, VOICE_RATE_HZ)
_BEYOND: Final = samples(5, VOICE_RATE_HZ)
_EDGE: Final = samples(1, VOICE_RATE_HZ)


@dataclass(frozen=True, slots=True)
class Edge:
    """Where sound meets a silence of 40 ms or more. ``step`` and ``bound`` are differences of two samples."""

    at: int
    """The sample at which it falls silent, or sets in."""

    kind: Literal["stop", "start"]
    step: int
    """The largest one in the outermost millisecond of the sound."""

    bound: int
    """The largest that a fade of :data:`FADE_MS` leaves there of a sound as loud as it was 20 ms around."""

    hole: bool = False
    """True when the recording has nothing at all beyond: its packet came late, or never, so nobody cut anything."""

    @property
    def clicks(self) -> bool:
        return self.step > self.bound


def edges(pcm: Pcm) -> list[Edge]:
    """Every edge of *pcm* (24 kHz) at which the sound was loud enough to click."""
    loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) > _SILENT)
    if not len(loud):
        return []
    lulls = np.flatnonzero(np.diff(loud) >= _LULL)
    stops = [*(int(loud[index]) + 1 for index in lulls), int(loud[-1]) + 1]
    starts = [int(loud[0]), *(int(loud[index + 1]) for index in lulls)]
    found = [_edge(pcm[max(0, at - _NEAR) : at + 1], pcm[at : at + _BEYOND], at, "stop") for at in stops]
    found += [
        _edge(pcm[max(0, at - 1) : at + _NEAR][::-1], pcm[max(0, at - _BEYOND) : at], at, "start") for at in starts
    ]
    return sorted((edge for edge in found if edge is not None), key=lambda edge: edge.at)


def _edge(sound: NDArray[np.int16], beyond: NDArray[np.int16], at: int, kind: Literal["stop", "start"]) -> Edge | None:
    """The end of *sound* as an edge; None when it was too quiet to tell.

    A codec smears what is cut in front of it: sound next to digital silence is where a packet is missing.
    """
    whole = sound.astype(np.int32)
    peak = int(np.abs(whole).max())
    if peak < _LOUD:
        return None
    gain = 1 / FADE_MS
    step = int(np.abs(np.diff(whole[-_EDGE - 1 :])).max())
    bound = round(2 * gain * peak) + _SILENT
    return Edge(at, kind, step, bound, hole=step > bound and len(beyond) == _BEYOND and not beyond.any())


def read_answer(path: Path) -> Pcm:
    """The right channel of a recording that ``bargein replay --record`` wrote: the answer."""
    with wave.open(str(path), "rb") as file:
        both = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    return both.reshape(-1, 2)[:, 1].copy()
