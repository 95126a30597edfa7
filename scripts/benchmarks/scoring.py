"""How a detector is scored on labelled clips: by the rules of the reference scorer, as if an answer sounded.

Sound comes in frames of 10 ms, and a decision is stamped with the end of the one that brought it. On speech, the first
confirmation within 40 ms before and 1.5 s after the labelled onset is the hit, an earlier one is *early*, none is a
*miss*; the pause counts that is still in force at the onset or comes after it. On noise any confirmation is a *cut* and
any suspicion a false *pause*.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Final, Literal, Protocol, TypeAlias

import numpy as np

from gateway.replay.sound import read_clip
from media.frames import MIC_RATE_HZ, VOICE_RATE_HZ, Pcm
from media.resample import resample

Decision: TypeAlias = Literal["pause", "cancel", "resume"]
Decisions: TypeAlias = list[tuple[float, Decision]]
"""Times in ms from the clip's beginning, ascending, and what was decided."""

FRAME: Final = MIC_RATE_HZ // 100
_EARLY_MS: Final = 40.0
_LATE_MS: Final = 1_500.0


class Judge(Protocol):
    """What is scored."""

    def hear(self, frame: Pcm) -> Iterable[Decision]:
        """The decisions that the next 10 ms bring."""
        ...


@dataclass(frozen=True, slots=True)
class Clip:
    """A labelled sound at 16 kHz."""

    name: str
    kind: str
    cls: str
    onset_ms: float
    pcm: Pcm


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one clip; times in ms after the onset, NaN where there is none."""

    clip: Clip
    pause_ms: float = nan
    cancel_ms: float = nan
    early: bool = False
    paused: bool = False
    """A noise paused the answer."""
    cut: bool = False
    """A noise was confirmed."""

    @property
    def missed(self) -> bool:
        return bool(np.isnan(self.cancel_ms)) and not self.early


def read_clips(folder: Path, kinds: Sequence[str] = ("speech", "noise")) -> list[Clip]:
    """The clips of ``labels.csv`` in *folder* that are of these *kinds*."""
    with (folder / "labels.csv").open(newline="") as labels:
        return [
            Clip(row["file"], row["kind"], row["cls"], float(row["onset_ms"]), _read(folder / row["file"]))
            for row in csv.DictReader(labels)
            if row["kind"] in kinds
        ]


def _read(path: Path) -> Pcm:
    import wave

    with wave.open(str(path)) as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (MIC_RATE_HZ, 1, 2):
            return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    return resample(read_clip(path).pcm, VOICE_RATE_HZ, MIC_RATE_HZ)


def decide(clip: Clip, judge: Judge, shift_ms: int = 0) -> Decisions:
    """What *judge* decides on *clip* without its first *shift_ms*, which moves the grid of its windows."""
    pcm = clip.pcm[shift_ms * MIC_RATE_HZ // 1000 :]
    return [
        (shift_ms + (at + FRAME) * 1000 / MIC_RATE_HZ, decision)
        for at in range(0, len(pcm) - FRAME + 1, FRAME)
        for decision in judge.hear(pcm[at : at + FRAME])
    ]


def score(clip: Clip, decisions: Decisions) -> Result:
    """See the module."""
    cancels = [at for at, decision in decisions if decision == "cancel"]
    pauses = _pauses(decisions)
    if clip.kind != "speech":
        return Result(clip, paused=bool(pauses), cut=bool(cancels))
    from_ms, to_ms = clip.onset_ms - _EARLY_MS, clip.onset_ms + _LATE_MS
    early = any(at < from_ms for at in cancels)
    hits = [at for at in cancels if from_ms <= at <= to_ms]
    held = [at for at, until in pauses if until > clip.onset_ms and from_ms <= at <= to_ms]
    return Result(
        clip,
        pause_ms=held[0] - clip.onset_ms if held else nan,
        cancel_ms=hits[0] - clip.onset_ms if hits and not early else nan,
        early=early,
    )


def _pauses(decisions: Decisions) -> list[tuple[float, float]]:
    """When the answer paused and until when; a cancel ends the game."""
    found: list[tuple[float, float]] = []
    since: float | None = None
    for at, decision in decisions:
        if decision == "resume":
            if since is not None:
                found.append((since, at))
            since = None
            continue
        since = at if since is None else since
        if decision == "cancel":
            break
    return found if since is None else [*found, (since, float("inf"))]


@dataclass(frozen=True, slots=True)
class Figures:
    """Latencies in ms, shares in %. Babble holds real talkers: it is told apart."""

    pause_p50: float
    pause_p95: float
    cancel_p50: float
    cancel_p95: float
    miss: float
    early: float
    noise_cut: float
    noise_pause: float
    babble_cut: float


def figures(results: Sequence[Result]) -> Figures:
    """The figures of many clips; NaN for what they hold none of."""
    speech = [it for it in results if it.clip.kind == "speech"]
    noise = [it for it in results if it.clip.kind == "noise" and it.clip.cls != "babble"]
    babble = [it for it in results if it.clip.kind == "noise" and it.clip.cls == "babble"]
    return Figures(
        *_percentiles([it.pause_ms for it in speech]),
        *_percentiles([it.cancel_ms for it in speech]),
        _share([it.missed for it in speech]),
        _share([it.early for it in speech]),
        _share([it.cut for it in noise]),
        _share([it.paused for it in noise]),
        _share([it.cut for it in babble]),
    )


def _percentiles(values: list[float]) -> tuple[float, float]:
    there = [value for value in values if not np.isnan(value)]
    return (float(np.percentile(there, 50)), float(np.percentile(there, 95))) if there else (nan, nan)


def _share(values: list[bool]) -> float:
    return 100 * sum(values) / len(values) if values else nan
