"""What a session costs."""

import asyncio
import os
import time
import urllib.request
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
import uvloop
from rich.table import Table

from benchmarks.common import CALLERS, Json, console, write
from gateway.replay.own_gateway import own_gateway
from gateway.replay.sound import read_clip
from media.frames import MIC_FRAME, MIC_RATE_HZ, VOICE_RATE_HZ, Pcm
from media.opus import Decoder, Encoder
from media.peer import Peer, PeerOptions
from media.resample import resample


class _Quiet:
    """Ears that only count."""

    def __init__(self) -> None:
        self.packets = 0

    def on_audio(self, pcm: Pcm, rtp_time: int, arrival: float) -> None:
        self.packets += 1

    def on_repair(self, pcm: Pcm) -> None: ...

    def on_channel_open(self) -> None: ...

    def on_message(self, text: str) -> None: ...

    def on_closed(self, reason: str) -> None: ...


def cpu(
    sessions: Annotated[int, typer.Option(help="Calls at the same time.")] = 5,
    seconds: Annotated[float, typer.Option(help="How long each state is measured.")] = 10.0,
    json_path: Json = None,
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
    write(json_path, "cpu", {"sessions": sessions, "opus_alone_ms": floor, **figures})


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
