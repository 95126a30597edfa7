"""Echo in a closed loop: an answer that comes back through its own microphone, and a user who interrupts it."""

import asyncio
import csv
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer
from rich.table import Table

from benchmarks.common import BENCH_CLIPS, CALLERS, DEV_CLIPS, Json, console, write
from benchmarks.room import Outcome, RoomOptions, Talk, hold_call
from gateway.replay.sound import ONSET, read_clip
from media.echo import Defence, Heard, NoDefence
from media.echo.guard import EchoGuard
from media.echo.reference import BLOCK, Sound
from media.frames import MIC_RATE_HZ, PTIME_MS, VOICE_RATE_HZ, Pcm, silence
from media.resample import Resampler, resample
from media.speech.espeak import Espeak
from media.vad.silero import load_model

TEXT: Final = """The old lighthouse stood at the end of the harbour, and for sixty years nobody had asked who kept it
burning. One evening in October a letter came. It was short, it had no stamp, and it said that the sea would be higher
than usual before the week was over. So the keeper went down to the village, knocked at every door, and told them to
carry what they loved to the church on the hill. Some laughed. Others packed their books, their clocks and their hens;
and when the water came, it found empty kitchens, cold stoves, and a single cat asleep upon a wardrobe."""

ANSWER_DBFS: Final = -20.0
"""An answer's level while it is loud: what espeak and most voices have."""

USER_DBFS: Final = (-34.0, -20.0)
"""From somebody at arm's length to somebody at the microphone."""

FIRST_MS, EVERY_MS = 6_000, 6_500
SECONDS: Final = 34


# --- the defences ---


class LinearOnly:
    """A suppressor that subdues nothing: what the linear canceller does alone."""

    unexplained = 0.0

    def start(self, coupling: float) -> None: ...

    def refer(self, block: Sound) -> None: ...

    def subdue(self, block: Sound) -> Sound:
        return block

    def pass_on(self, block: Sound) -> Sound:
        return block


class SuppressOnly:
    """A canceller that cancels nothing: the predicted power of the echo explains it alone."""

    length = 8 * BLOCK

    def start(self, coupling: float) -> None: ...

    def refer(self, block: Sound) -> None: ...

    def cancel(self, block: Sound) -> Sound:
        return block

    def direct(self) -> int | None:
        return None

    def shift(self, samples: int, sent: Sound) -> None: ...


class Webrtc:
    """WebRTC's echo canceller (AEC3) in the package ``livekit``, which finds the delay by itself."""

    def __init__(self) -> None:
        from livekit import rtc  # not among our dependencies

        self._frame: Final = rtc.AudioFrame
        self._module: Final = rtc.AudioProcessingModule(echo_cancellation=True, high_pass_filter=True)
        self._resampler: Final = Resampler(VOICE_RATE_HZ, MIC_RATE_HZ)

    def reference(self, frame: Pcm | None) -> None:
        sent = self._resampler.process(frame if frame is not None else silence(480))
        for at in (0, 160):
            self._module.process_reverse_stream(self._frame(sent[at : at + 160].tobytes(), MIC_RATE_HZ, 1, 160))

    def hear(self, pcm: Pcm) -> Heard:
        left = []
        for at in range(0, len(pcm), 160):
            frame = self._frame(pcm[at : at + 160].tobytes(), MIC_RATE_HZ, 1, 160)
            self._module.set_stream_delay_ms(0)
            self._module.process_stream(frame)
            left.append(np.frombuffer(frame.data, dtype=np.int16).copy())
        sound = np.concatenate(left)
        return Heard(sound, sound)


class Timed:
    """Another defence, and the CPU it takes."""

    spent = 0.0
    heard = 0

    def __init__(self, defence: Defence) -> None:
        self._defence = defence

    def reference(self, frame: Pcm | None) -> None:
        began = time.thread_time()
        self._defence.reference(frame)
        Timed.spent += time.thread_time() - began

    def hear(self, pcm: Pcm) -> Heard:
        began = time.thread_time()
        heard = self._defence.hear(pcm)
        Timed.spent += time.thread_time() - began
        Timed.heard += len(pcm)
        return heard


DEFENCES: Final[dict[str, Callable[[], Defence]]] = {
    "none": NoDefence,
    "ours": EchoGuard,
    "linear": lambda: EchoGuard(suppressor=LinearOnly()),
    "suppress": lambda: EchoGuard(canceller=SuppressOnly()),
    "livekit": Webrtc,
}


# --- the sounds ---


def levelled(pcm: Pcm, dbfs: float) -> Pcm:
    """At this level while it is loud."""
    size = np.abs(pcm.astype(np.float64))
    loud = size[size > 0.05 * size.max()]
    gain = 32768 * 10 ** (dbfs / 20) / np.sqrt(np.mean(loud**2))
    return np.asarray(np.clip(pcm * gain, -32000, 32000), dtype=np.int16)


async def _espeak() -> Pcm:
    engine = Espeak()
    pieces = [speech.pcm async for speech in engine.speak(TEXT)]
    await engine.aclose()
    return np.concatenate(pieces)


def _clip(path: Path, rate_hz: int) -> Pcm:
    pcm = read_clip(path).pcm
    return pcm if rate_hz == VOICE_RATE_HZ else resample(pcm, VOICE_RATE_HZ, rate_hz)


@cache
def _labels() -> list[dict[str, str]]:
    path = DEV_CLIPS / "labels.csv"
    if not path.exists():
        return []
    with path.open() as file:
        return list(csv.DictReader(file))


def _spoken(row: dict[str, str], rate_hz: int) -> Pcm:
    """A labelled clip from its onset to its offset."""
    first, last = float(row["onset_ms"]), float(row["offset_ms"]) + 40
    return _clip(DEV_CLIPS / row["file"], rate_hz)[int(first * rate_hz / 1000) : int(last * rate_hz / 1000)]


def answers() -> dict[str, Pcm]:
    """The voices that answer, 24 kHz: two synthesizers, and people."""
    flite = [*sorted(CALLERS.glob("*.wav")), *sorted(DEV_CLIPS.glob("echo_flite_*.ref.wav"))]
    voices = {"espeak": [asyncio.run(_espeak())], "flite": [_clip(path, VOICE_RATE_HZ) for path in flite]}
    people = [
        _spoken(row, VOICE_RATE_HZ) for row in _labels() if row["cls"] == "sentence" and float(row["snr_db"]) > 20
    ]
    if people:
        voices["people"] = people
    return {name: levelled(np.concatenate(clips), ANSWER_DBFS) for name, clips in voices.items()}


@cache
def users() -> list[Pcm]:
    """What interrupts, 16 kHz, from its first sample: single digits to sentences, three seconds of them at most."""
    rows = [row for row in _labels() if row["kind"] == "speech" and float(row["snr_db"]) >= 20]
    folder = BENCH_CLIPS if BENCH_CLIPS.exists() else CALLERS
    calls = [path for path in sorted(folder.glob("*.wav")) if not path.name.startswith("bench_b")]
    clips = [_spoken(row, MIC_RATE_HZ) for row in rows] + [_from_onset(_clip(path, MIC_RATE_HZ)) for path in calls]
    return [clip[: 3 * MIC_RATE_HZ] for clip in clips]


def _from_onset(pcm: Pcm) -> Pcm:
    return pcm[int(np.argmax(np.abs(pcm.astype(np.int32)) > ONSET)) :]


def _talks(rng: np.random.Generator) -> tuple[Talk, ...]:
    said = []
    for at_ms in range(FIRST_MS, SECONDS * 1000 - 4_000, EVERY_MS):
        pcm = users()[int(rng.integers(len(users())))]
        said.append(Talk(at_ms + int(rng.integers(0, 600)), levelled(pcm, rng.uniform(*USER_DBFS))))
    return tuple(said)


# --- the figures ---


@dataclass(frozen=True, slots=True)
class Case:
    """One call."""

    voice: str
    echo_db: float | None
    delay_ms: int
    seed: int

    def hold(self, answer: Pcm, new_echo: Callable[[], Defence]) -> Outcome:
        """The call, in a room of its own."""
        rng = np.random.default_rng([self.seed, self.delay_ms, abs(round(self.echo_db or 0)), *self.voice.encode()])
        options = RoomOptions(
            echo_db=self.echo_db,
            delay_ms=self.delay_ms + rng.uniform(-8, 8),
            rt60_s=rng.uniform(0.2, 0.5),
            direct_db=rng.uniform(0, 6),
            seed=int(rng.integers(1 << 30)),
        )
        return hold_call(answer, options, _talks(rng), SECONDS, load_model, new_echo)


def figures(outcomes: list[Outcome]) -> dict[str, Any]:
    """What the calls came to."""
    catches = [catch for outcome in outcomes for catch in outcome.catches]
    caught = [catch for catch in catches if catch.caught]
    minutes = sum(outcome.wanted_ticks for outcome in outcomes) * PTIME_MS / 60_000
    return {
        "minutes": round(minutes, 1),
        "self_cuts": sum(outcome.self_cuts for outcome in outcomes),
        "false_pauses_per_minute": round(sum(outcome.false_pauses for outcome in outcomes) / minutes, 2),
        "double_pauses": sum(outcome.double_pauses for outcome in outcomes),
        "audible": round(sum(o.audible_ticks for o in outcomes) / sum(o.wanted_ticks for o in outcomes), 4),
        "barge_ins": len(catches),
        "caught": round(len(caught) / max(1, len(catches)), 3),
        "pause_ms": _percentiles([it.paused_ms for it in caught if it.paused_ms is not None]),
        "confirm_ms": _percentiles([it.confirmed_ms for it in caught if it.confirmed_ms is not None]),
        "cut_ms": _percentiles([it.cut_ms for it in caught if it.cut_ms is not None]),
    }


def _percentiles(values: list[int]) -> list[int]:
    return [round(float(np.percentile(values, share))) for share in (50, 95)] if values else []


def _row(name: str, found: dict[str, Any]) -> list[str]:
    latencies = ["/".join(map(str, found[key])) or "-" for key in ("pause_ms", "confirm_ms", "cut_ms")]
    return [
        name,
        str(found["self_cuts"]),
        f"{found['false_pauses_per_minute']:.2f}",
        str(found["double_pauses"]),
        f"{found['audible'] * 100:.1f}",
        f"{found['caught'] * 100:.0f} % of {found['barge_ins']}",
        *latencies,
        f"{found['cpu_us_per_10ms']:.0f}",
    ]


def _measured(cases: list[Case], voices: dict[str, Pcm], defence: str) -> dict[str, Any]:
    Timed.spent, Timed.heard = 0.0, 0
    outcomes = []
    for case in cases:
        outcomes.append(case.hold(voices[case.voice], lambda: Timed(DEFENCES[defence]())))
        told = figures(outcomes[-1:])
        console.log(f"{defence} {case}: {told['self_cuts']} self-cuts, caught {told['caught']:.2f}", style="dim")
    cpu = Timed.spent * 1e6 / (Timed.heard / 160)
    calls = [
        {"voice": case.voice, "echo_db": case.echo_db, "delay_ms": case.delay_ms, **figures([outcome])}
        for case, outcome in zip(cases, outcomes, strict=True)
    ]
    return {**figures(outcomes), "cpu_us_per_10ms": cpu, "calls": calls}


def echo(
    defences: Annotated[str, typer.Option(help=f"Some of: {', '.join(DEFENCES)}.")] = "none,ours",
    levels: Annotated[str, typer.Option(help="Echo against what is played, in dB.")] = "-6,-12,-20",
    delays: Annotated[str, typer.Option(help="From the gateway and back, in ms.")] = "30,120,320",
    voice: Annotated[str, typer.Option(help="Only this voice answers: espeak, flite or people.")] = "",
    seed: Annotated[int, typer.Option(help="Other rooms, and other users at other levels.")] = 0,
    json_path: Json = None,
) -> None:
    """An answer in a room with its own microphone: does it cut itself, and can it still be interrupted?"""
    voices = {name: pcm for name, pcm in answers().items() if voice in ("", name)}
    echoes = [float(level) for level in levels.split(",")]
    rooms = [(level, int(delay)) for level in echoes for delay in delays.split(",")]
    headset = [Case(name, None, 120, seed) for name in voices]
    coupled = [Case(name, level, delay, seed) for name in voices for level, delay in rooms]
    columns = ["defence", "self-cuts", "false pauses/min", "double", "audible %", "caught"]
    table = Table(*columns, "pause ms", "confirm ms", "cut ms (p50/p95)", "CPU us/10 ms")
    found: dict[str, Any] = {}
    for name in defences.split(","):
        found[name] = _measured(coupled, voices, name)
        table.add_row(*_row(name, found[name]))
        found[f"{name}, no echo"] = _measured(headset, voices, name)
        table.add_row(*_row(f"{name}, no echo", found[f"{name}, no echo"]))
    console.print(table)
    console.print(f"{len(coupled)} calls of {SECONDS} s with an echo, {len(headset)} without: {', '.join(voices)}")
    write(json_path, "echo", {"levels_db": echoes, "delays": delays, "seed": seed, **found})
