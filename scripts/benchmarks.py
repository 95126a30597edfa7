"""The benchmarks behind ``scripts/bench``: each prints a table and, with ``--json``, writes its figures.

Each figure stands beside a reference that is measured in the same run, because machines differ and are
shared: compare the ratios, not the milliseconds.
"""

import asyncio
import json
import os
import platform
import statistics
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import typer
import uvloop
from rich.console import Console
from rich.table import Table

from gateway.replay import ReplayOptions, Transport, parse, replay
from gateway.replay.own_gateway import own_gateway
from gateway.replay.sound import ONSET, read_clip
from media.detector import Detector
from media.edges import Suspected
from media.frames import MIC_FRAME, MIC_RATE_HZ, VOICE_RATE_HZ, Pcm, milliseconds
from media.opus import Decoder, Encoder
from media.peer import Peer, PeerOptions
from media.resample import resample
from media.vad.silero import load_model

ROOT = Path(__file__).resolve().parent.parent
CALLERS = ROOT / "tests" / "data" / "callers"
BENCH_CLIPS = ROOT.parent / "shared" / "data" / "callers"

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
console = Console()
Json = Annotated[Path | None, typer.Option(help="Write the figures here.")]


def _machine() -> dict[str, Any]:
    model = next((line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")), "unknown")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
    }


def _cpuinfo() -> Iterator[str]:
    path = Path("/proc/cpuinfo")
    yield from path.read_text().splitlines() if path.exists() else []


def _write(path: Path | None, name: str, figures: dict[str, Any]) -> None:
    if path is not None:
        path.write_text(json.dumps({"bench": name, "machine": _machine(), **figures}, indent=2) + "\n")


# --- stop: from the first sample of a voice to the last audible packet of the answer ---


@app.command()
def stop(
    count: Annotated[int, typer.Option(help="Interruptions for each transport, at least 10.")] = 12,
    transport: Annotated[Literal["webrtc", "websocket", "both"], typer.Option(help="Which to measure.")] = "both",
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
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
    _write(json_path, "stop", figures)


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


# --- cpu: what a session costs ---


class _Quiet:
    """Ears that only count."""

    def __init__(self) -> None:
        self.packets = 0

    def on_audio(self, pcm: Pcm, rtp_time: int, arrival: float) -> None:
        self.packets += 1

    def on_channel_open(self) -> None: ...

    def on_message(self, text: str) -> None: ...

    def on_closed(self, reason: str) -> None: ...


@app.command()
def cpu(
    sessions: Annotated[int, typer.Option(help="Calls at the same time.")] = 5,
    seconds: Annotated[float, typer.Option(help="How long each state is measured.")] = 10.0,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
) -> None:
    """CPU of the gateway process for each session and second: connected and quiet, and while it speaks."""
    figures = uvloop.run(_cpu(sessions, seconds))
    floor = _codec_floor()
    table = Table("state", "CPU ms / session-second", "of it in speech workers", "ratio to Opus alone")
    for state in ("idle", "speaking"):
        whole, workers = figures[state]["ms"], figures[state]["workers_ms"]
        table.add_row(state, f"{whole:.1f}", f"{workers:.1f}", f"{whole / floor:.1f}")
    console.print(table)
    console.print(f"Opus alone (decode at 16 kHz and encode at 24 kHz): {floor:.1f} ms; {sessions} sessions")
    _write(json_path, "cpu", {"sessions": sessions, "opus_alone_ms": floor, **figures})


async def _cpu(sessions: int, seconds: float) -> dict[str, Any]:
    async with own_gateway() as url:
        pid = _gateway_pid()
        ask = resample(read_clip(CALLERS / "ask_long_story.wav").pcm, VOICE_RATE_HZ, MIC_RATE_HZ)
        calls = [await _call(url) for _ in range(sessions)]
        await asyncio.sleep(2)
        idle = await _measured(pid, sessions, seconds)
        for microphone, _, _ in calls:
            microphone.extend(ask[at : at + MIC_FRAME] for at in range(0, len(ask) - MIC_FRAME, MIC_FRAME))
        await asyncio.sleep(8)
        speaking = await _measured(pid, sessions, seconds)
        await asyncio.gather(*(peer.close() for _, _, peer in calls))
    return {"idle": idle, "speaking": speaking}


async def _call(url: str) -> tuple[list[Pcm], _Quiet, Peer]:
    microphone: list[Pcm] = []
    ears = _Quiet()
    noise = np.random.default_rng(1).normal(0, 8, MIC_FRAME).astype(np.int16)  # a quiet line, not a dead one

    def pull() -> Pcm:
        return microphone.pop(0) if microphone else noise

    peer = await Peer.offer(ears, pull, PeerOptions(send_rate_hz=MIC_RATE_HZ))

    def post() -> str:
        request = urllib.request.Request(
            f"{url}/v1/realtime/calls?ext=bargein.v1",
            data=peer.offer_sdp.encode(),
            headers={"Content-Type": "application/sdp"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return str(answer.read().decode())

    await peer.connect(await asyncio.to_thread(post))
    await peer.wait_connected(10)
    return microphone, ears, peer


def _gateway_pid() -> int:
    mine = str(os.getpid())
    for stat in Path("/proc").glob("[0-9]*/stat"):
        fields = stat.read_text().rpartition(")")[2].split()
        if fields[1] == mine and b"serve" in (stat.parent / "cmdline").read_bytes():
            return int(stat.parent.name)
    raise RuntimeError("the gateway's process was not found")


def _cpu_seconds(pid: int) -> tuple[float, float]:
    """CPU seconds of the process, and of its children that live."""
    tick = os.sysconf("SC_CLK_TCK")
    own = children = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        spent = (int(fields[11]) + int(fields[12])) / tick
        if stat.parent.name == str(pid):
            own = spent
        elif fields[1] == str(pid):
            children += spent
    return own, children


async def _measured(pid: int, sessions: int, seconds: float) -> dict[str, float]:
    before, started = _cpu_seconds(pid), time.monotonic()
    await asyncio.sleep(seconds)
    after, took = _cpu_seconds(pid), time.monotonic() - started
    own, workers = ((b - a) * 1000 / took / sessions for a, b in zip(before, after, strict=True))
    return {"ms": own + workers, "workers_ms": workers}


def _codec_floor() -> float:
    """CPU ms to decode one second of speech at 16 kHz and encode one second at 24 kHz."""
    speech = read_clip(CALLERS / "ask_long_story.wav").pcm[: 2 * VOICE_RATE_HZ]
    encoder, decoder = Encoder(24_000), Decoder(16_000)
    frames = [speech[at : at + 480] for at in range(0, len(speech) - 479, 480)]
    started = time.process_time()
    for frame in frames:
        decoder.decode(encoder.encode(frame))
    return (time.process_time() - started) * 1000 / (len(frames) / 50)


if __name__ == "__main__":
    sys.exit(app())
