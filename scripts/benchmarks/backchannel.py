"""Backchannels over an answer: how often the sound alone tells them apart, and how soon an answer goes on."""

import asyncio
import csv
import shutil
import statistics
import subprocess
import tempfile
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer
import uvloop
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.common import BENCH_CLIPS, CALLERS, DEV_CLIPS, Json, console, write
from gateway.core.policy import has_words, is_backchannel
from gateway.replay import ReplayOptions, parse, replay
from gateway.replay.own_gateway import own_gateway
from gateway.replay.sound import AUDIBLE, read_clip
from media.frames import MIC_FRAME, MIC_RATE_HZ, VOICE_RATE_HZ, Pcm, samples, silence
from media.resample import resample
from media.speech.espeak import Espeak
from media.speech.sphinx import Sphinx

WORDS: Final = (
    *("No.", "Stop.", "Wait.", "What?", "Not that one.", "Hold on.", "Why?", "Next.", "Two.", "Tuesday."),
    *("No no.", "Never mind.", "Shorter please.", "Who?"),
)
"""Short interruptions that ask for something."""

FLITE_VOICES: Final = ("slt", "awb", "rms", "kal16")
LONGEST_S: Final = 0.9
BEFORE: Final = samples(300, MIC_RATE_HZ)
AFTER: Final = samples(250, MIC_RATE_HZ)
"""What a leg has of an utterance when it is judged: the padding, and the quiet that ended it."""

Sound = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Said:
    """An utterance in one of its variants."""

    kind: str
    name: str
    variant: str
    pcm: Pcm


def backchannel(
    live: Annotated[int, typer.Option(help="How often each clip is said over a real answer; 0 for not.")] = 10,
    json_path: Json = None,
) -> None:
    """How many backchannels are dismissed, and how many short interruptions are (wrongly), by what was heard of them.

    Beside it, in the same run, what the language model alone makes of the same sounds.
    """
    figures: dict[str, Any] = {"judged": uvloop.run(_judged())}
    table = Table("said", "n", "dismissed", "by the language model alone")
    for name, row in figures["judged"].items():
        table.add_row(name, str(row["n"]), str(row["dismissed"]), str(row["language_model_alone"]))
    console.print(table)
    if live:
        figures["live"] = uvloop.run(_live(live))
        back = figures["live"]["back_ms"]
        middle = f"{statistics.median(back):.0f} ms median, {max(back):.0f} worst" if back else "never"
        console.print(f"over an answer (WebRTC): {figures['live']['cuts']} cuts of {figures['live']['said']}")
        console.print(f"sound back after the utterance's end: {middle}")
    write(json_path, "backchannel", figures)


# --- by the sound alone ---


async def _judged() -> dict[str, dict[str, int]]:
    engine, speech = Sphinx(), Espeak()
    rows: dict[str, dict[str, int]] = {}
    try:
        await engine.warm_up()
        spoken = [(f"espeak {word}", await _espeak(speech, word)) for word in WORDS]
        for said in _corpus(spoken):
            utterance = engine.listen()
            for at in range(0, len(said.pcm), MIC_FRAME):
                utterance.feed(said.pcm[at : at + MIC_FRAME])
            judged, alone = await utterance.judge(), await utterance.finish()
            row = rows.setdefault(said.kind, {"n": 0, "dismissed": 0, "language_model_alone": 0})
            row["n"] += 1
            row["dismissed"] += _dismissed(judged)
            row["language_model_alone"] += _dismissed(alone)
    finally:
        await asyncio.gather(engine.aclose(), speech.aclose())
    return rows


def _dismissed(text: str) -> bool:
    return not has_words(text) or is_backchannel(text, "en")


def _corpus(spoken: list[tuple[str, Pcm]]) -> Iterator[Said]:
    noise = np.random.default_rng(7)
    for path in sorted(BENCH_CLIPS.glob("bench_b*.wav")):
        for variant, pcm in _variants(_voice(_read(path)), noise):
            yield Said(f"backchannel {path.stem}", path.stem, variant, pcm)
    for name, voice in [*spoken, *_flite()]:
        if len(voice) <= LONGEST_S * MIC_RATE_HZ:
            for variant, pcm in _variants(voice, noise):
                if variant in ("plain", "-12 dB", "speed 1.08", "room", "snr 20", "snr 12"):
                    noisy = " in noise (12 dB)" if variant == "snr 12" else ""
                    yield Said(f"interruption, synthetic{noisy}", name, variant, pcm)
    yield from _people()


def _people() -> Iterator[Said]:
    """Short utterances of real people, from the labelled clips."""
    labels = DEV_CLIPS / "labels.csv"
    if not labels.exists():
        return
    for row in csv.DictReader(labels.open()):
        if row["kind"] == "speech" and float(row["offset_ms"]) - float(row["onset_ms"]) < 700:
            begin, end = int(float(row["onset_ms"])), int(float(row["offset_ms"]))
            pcm = _read(DEV_CLIPS / row["file"])
            cut = pcm[max(0, samples(begin, MIC_RATE_HZ) - BEFORE) : samples(end, MIC_RATE_HZ) + AFTER]
            yield Said("interruption, people", row["file"], "plain", cut)


def _variants(voice: Pcm, noise: np.random.Generator) -> Iterator[tuple[str, Pcm]]:
    sound = voice.astype(np.float64)
    level = float(np.sqrt(np.mean(sound**2)))
    room = np.concatenate(([1.0], np.zeros(200), noise.standard_normal(2400) * np.exp(-np.arange(2400) / 500) * 0.08))
    phone = resample(resample(voice, MIC_RATE_HZ, 8000), 8000, MIC_RATE_HZ).astype(np.float64)
    changed: dict[str, tuple[Sound, float]] = {
        "plain": (sound, 8.0),
        **{f"-{quieter} dB": (sound * 10 ** (-quieter / 20), 8.0) for quieter in (6, 12, 18)},
        **{f"speed {speed}": (_faster(sound, speed), 8.0) for speed in (0.92, 1.08)},
        **{f"snr {snr}": (sound, level / 10 ** (snr / 20)) for snr in (20, 12)},
        "room": (np.convolve(sound, room) * 0.8, 8.0),
        "8 kHz": (phone, 8.0),
    }
    for name, (clean, rms) in changed.items():
        whole = np.concatenate((np.zeros(BEFORE), clean, np.zeros(AFTER)))
        hiss = np.convolve(noise.standard_normal(len(whole) + 4), np.ones(5) / 5, "valid")
        mixed = whole + hiss / np.sqrt(np.mean(hiss**2)) * rms
        yield name, np.clip(np.rint(mixed), -32768, 32767).astype(np.int16)


def _faster(sound: Sound, speed: float) -> Sound:
    count = int(len(sound) / speed)
    faster: Sound = np.interp(np.arange(count) * speed, np.arange(len(sound)), sound)
    return faster


def _read(path: Path) -> Pcm:
    return resample(read_clip(path).pcm, VOICE_RATE_HZ, MIC_RATE_HZ)


def _voice(pcm: Pcm) -> Pcm:
    """*pcm* without the quiet around it."""
    level = np.convolve(np.abs(pcm.astype(np.float64)), np.ones(160) / 160, "same")
    (on,) = np.nonzero(level > max(60.0, 0.03 * float(level.max())))
    return pcm[on[0] : on[-1] + 1]


async def _espeak(engine: Espeak, text: str) -> Pcm:
    pieces = [speech.pcm async for speech in engine.speak(text)]
    return _voice(resample(np.concatenate([silence(0), *pieces]), VOICE_RATE_HZ, MIC_RATE_HZ))


def _flite() -> Iterator[tuple[str, Pcm]]:
    """The voices of flite, where it is installed."""
    program = shutil.which("flite")
    if program is None:
        console.print("flite is not installed: espeak speaks all the interruptions.", style="yellow")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "said.wav")
        for name in FLITE_VOICES:
            for word in WORDS:
                subprocess.run([program, "-voice", name, "-t", word, "-o", str(path)], check=True, capture_output=True)
                yield f"{name} {word}", _voice(_read(path))


# --- over an answer ---


async def _live(count: int) -> dict[str, Any]:
    clips = sorted(BENCH_CLIPS.glob("bench_b*.wav"))
    said = cuts = 0
    back: list[float] = []
    async with own_gateway() as url:
        for turn in range(count):
            with tempfile.TemporaryDirectory() as folder:
                recording = Path(folder, "both.wav")
                steps = [str(CALLERS / "ask_long_story.wav")]
                steps += [f"{clip}@speaking+{900 + 170 * turn}" for clip in clips]
                options = ReplayOptions(
                    tuple(map(parse, steps)), url=url, transport="webrtc", listen_ms=1500, record_path=recording
                )
                done = await replay(options, Console(quiet=True))
                over = [one for one in done.interruptions if one.step > 1]
                said, cuts = said + len(over), cuts + sum(one.cut for one in over)
                back += _back(recording, [one.at_ms for one in over if one.resumed])
    return {"said": said, "cuts": cuts, "back_ms": back}


def _back(recording: Path, onsets_ms: list[float]) -> list[float]:
    """Milliseconds from the end of each utterance to the first audible frame of the answer after it."""
    with wave.open(str(recording)) as file:
        rate = file.getframerate()
        sides = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2).astype(np.int32)
    frame = rate // 50
    peaks = np.abs(sides[: len(sides) // frame * frame].reshape(-1, frame, 2)).max(axis=1)
    found = []
    for onset_ms in onsets_ms:
        first = int(onset_ms / 20)
        (voiced,) = np.nonzero(peaks[first : first + 50, 0] > AUDIBLE)
        if not len(voiced):
            continue
        end = first + int(voiced[-1]) + 1
        (audible,) = np.nonzero(peaks[end:, 1] > AUDIBLE)
        if len(audible):
            found.append(float(audible[0]) * 20)
    return found
