"""Stop latency: from the first sample of a voice to the last audible packet of the answer."""

import statistics
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import typer
import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.common import BENCH_CLIPS, CALLERS, Json, console, write
from gateway.replay import ReplayOptions, Transport, parse, replay
from gateway.replay.own_gateway import own_gateway
from gateway.replay.sound import ONSET, read_clip
from media.detector import Detector
from media.edges import Suspected
from media.frames import MIC_FRAME, MIC_RATE_HZ, VOICE_RATE_HZ, milliseconds
from media.resample import resample
from media.vad.silero import load_model


def stop(
    count: Annotated[int, typer.Option(help="Interruptions for each transport, at least 10.")] = 12,
    transport: Annotated[Literal["webrtc", "websocket", "both"], typer.Option(help="Which to measure.")] = "both",
    json_path: Json = None,
) -> None:
    """Stop latency, as promise 1 of the design defines it, on loopback."""
    clips = sorted(BENCH_CLIPS.glob("bench_u*.wav"))
    if not clips:
        console.print("The bench_u clips are not here; taking the callers of the tests.", style="yellow")
        clips = [CALLERS / "no_something_else.wav", CALLERS / "ask_count.wav"]
    chosen = [clips[index % len(clips)] for index in range(count)]
    reference = [_detector_alone(clip) for clip in chosen]
    table = Table("transport", "n", "median ms", "p95 ms", "worst ms", "ratio to the detector alone")
    figures: dict[str, Any] = {"detector_alone_ms": reference}
    names: list[Transport] = ["webrtc", "websocket"] if transport == "both" else [transport]
    for name in names:
        latencies = uvloop.run(_stops(name, chosen))
        middle, p95 = statistics.median(latencies), float(np.percentile(latencies, 95))
        ratio = middle / statistics.median(reference)
        figures[name] = {"stop_latency_ms": latencies, "median": middle, "p95": p95, "ratio": ratio}
        table.add_row(name, str(len(latencies)), f"{middle:.0f}", f"{p95:.0f}", f"{max(latencies):.0f}", f"{ratio:.2f}")
    console.print(table)
    console.print(
        f"detector alone (pause, from the first sample over {ONSET}): {statistics.median(reference):.0f} ms median"
    )
    write(json_path, "stop", figures)


async def _stops(transport: Transport, clips: list[Path]) -> list[float]:
    ask = CALLERS / "ask_long_story.wav"
    found: list[float] = []
    async with own_gateway() as url:
        for start in range(0, len(clips), 3):
            # A few interruptions to a session: each cuts the answer to the one before.
            steps = [
                str(ask),
                *(f"{clip}@speaking+{1200 + 170 * index}" for index, clip in enumerate(clips[start:][:3])),
            ]
            options = ReplayOptions(tuple(parse(step) for step in steps), url=url, transport=transport, listen_ms=1000)
            done = await replay(options, Console(quiet=True))
            found += [one.stop_latency_ms for one in done.interruptions if one.stop_latency_ms is not None]
    return found


def _detector_alone(path: Path) -> float:
    """What the detector takes to suspect the clip's voice, fed in packets of 20 ms."""
    clip = read_clip(path)
    assert clip.onset_frame is not None, "a bench clip holds a voice"
    sound, first = resample(clip.pcm, VOICE_RATE_HZ, MIC_RATE_HZ), clip.onset_frame * MIC_FRAME
    detector = Detector(model=load_model())
    for at in range(0, len(sound) - MIC_FRAME, MIC_FRAME):
        if any(isinstance(edge, Suspected) for edge in detector.process(sound[at : at + MIC_FRAME], True)):
            return float(max(0, milliseconds(at + MIC_FRAME - first, MIC_RATE_HZ)))
    return float("nan")
