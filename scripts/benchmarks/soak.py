"""Whether a gateway on which calls come, talk, interrupt, and go, needs more of anything as time goes by."""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Final

import numpy as np
import typer
import uvloop
from rich.table import Table
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from benchmarks.common import Json, console, name_machine, write
from benchmarks.crowd import Crowd, crowd
from benchmarks.process import Server, gateway_command, python_path, running, usage
from benchmarks.scale import load_of

ROLES: Final = ("both", "agent", "both", "user", "both", "noisy", "agent", "quiet")
SAMPLE_S: Final = 10.0
WARM_UP: Final = 0.35
"""The share of the time that is not judged: caches fill, and allocators take what they keep."""

FLAT: Final = {"rss_mb": 0.02, "objects": 0.03, "fds": 0.10, "tasks": 0.10, "threads": 0.10}
"""How much more the last third of what is judged may have than the first, as a share. Calls come and go at random
times, so a count that hangs on the calls of the moment is never the same twice."""

A_FEW_CALLS: Final = {"fds": 12, "tasks": 12, "threads": 4}
"""What a call or two more or less have of it."""


def soak(
    minutes: Annotated[float, typer.Option(help="How long; 30 for a figure to quote.")] = 30.0,
    calls: Annotated[int, typer.Option(help="Calls at the same time.")] = 10,
    every: Annotated[float, typer.Option(help="A call comes and one goes each so many seconds.")] = 3.0,
    real_speech: Annotated[bool, typer.Option(help="With espeak-ng and pocketsphinx, not the cheap engines.")] = False,
    trace: Annotated[bool, typer.Option(help="Also name the lines that hold more memory at the end.")] = False,
    json_path: Json = None,
) -> None:
    """Calls come and go, talk, barge in and vanish: memory, descriptors, tasks and threads must stay flat."""
    figures = uvloop.run(_soak(minutes * 60, calls, every, real_speech=real_speech, trace=trace))
    _print(figures)
    name_machine()
    write(json_path, "soak", figures)
    if not figures["flat"]:
        raise typer.Exit(1)


async def _soak(seconds: float, calls: int, every: float, *, real_speech: bool, trace: bool) -> dict[str, Any]:
    engines: tuple[str, ...] = ("--agent", "benchmarks.engines:count")
    if not real_speech:
        engines += ("--synthesizer", "benchmarks.engines:speech", "--recognizer", "benchmarks.engines:deaf")
    with TemporaryDirectory(prefix="bargein-soak-") as folder:
        probe = Path(folder, "probe")
        plain = gateway_command(*engines, "--max-late-ms", "0", module="benchmarks.probed")
        command = [*plain[:3], str(probe), *plain[3:]]
        environment = {**python_path(), **({"PROBE_TRACE": "1"} if trace else {})}
        async with running(command, environment) as server, crowd(server.url) as callers:
            for role in itertools.islice(itertools.cycle(ROLES), calls):
                await callers.add(role, 1)
            churning = asyncio.create_task(_churn(server, callers, every))
            try:
                samples = await _sample(server, probe, seconds, churning)
            finally:
                churning.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await churning
            told = await asyncio.to_thread(load_of, server.url)
    return {"minutes": round(seconds / 60, 1), "calls": calls, "load": told, **verdict(samples)}


async def _churn(server: Server, callers: Crowd, every: float) -> None:
    """One call comes and the oldest goes; one in three goes without a word, as a phone in a tunnel."""
    roles = itertools.cycle(ROLES)
    for count in itertools.count():
        await asyncio.sleep(every)
        await (callers.vanish(1) if count % 3 == 2 else callers.drop(1))
        await callers.add(next(roles), 1)
        with contextlib.suppress(OSError):
            await _type(server.url)


async def _type(url: str) -> None:
    """A session by text, left in the middle of its answer."""
    address = f"{url.replace('http', 'ws')}/v1/realtime"
    async with connect(address, subprotocols=[Subprotocol("bargein.v1")], compression=None) as socket:
        await socket.send('{"type":"response.create"}')
        async for message in socket:
            if b"delta" in (message.encode() if isinstance(message, str) else message):
                return


async def _sample(server: Server, probe: Path, seconds: float, churning: asyncio.Task[None]) -> list[dict[str, Any]]:
    samples: list[dict[str, Any]] = []
    started = time.monotonic()
    while (past := time.monotonic() - started) < seconds:
        await asyncio.sleep(min(SAMPLE_S, seconds / 20))
        if churning.done():
            churning.result()
        used, told = usage(server.pid), await asyncio.to_thread(_probed, server.pid, probe)
        known = {"rss_mb": round(used.rss_mb, 2), "fds": used.fds, "threads": used.threads}
        samples.append({"at_s": round(past, 1), **told, **known})
        if len(samples) % 6 == 0:
            shown = ", ".join(f"{key} {samples[-1][key]}" for key in (*FLAT, "malloc_mb", "sqlite_mb"))
            console.print(f"  {past / 60:.1f} min: {shown}", style="dim")
    return samples


def _probed(pid: int, probe: Path) -> dict[str, Any]:
    probe.unlink(missing_ok=True)
    os.kill(pid, signal.SIGUSR1)
    late = time.monotonic() + 30
    while not probe.exists():
        if time.monotonic() > late:
            raise RuntimeError("the gateway does not answer")
        time.sleep(0.05)
    told: dict[str, Any] = json.loads(probe.read_text())
    return told


def verdict(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """What grew, how fast, and what it is made of."""
    judged = samples[int(len(samples) * WARM_UP) :]
    hours = np.array([sample["at_s"] / 3600 for sample in judged])
    third = max(1, len(judged) // 3)
    found: dict[str, Any] = {}
    for name, allowed in FLAT.items():
        values = np.array([float(sample[name]) for sample in judged])
        first, last = float(np.median(values[:third])), float(np.median(values[-third:]))
        slope = float(np.polyfit(hours, values, 1)[0]) if len(judged) > 2 else 0.0
        flat = last - first <= max(allowed * first, A_FEW_CALLS.get(name, 0))
        found[name] = {"first": first, "last": last, "slope_per_hour": round(slope, 2), "flat": bool(flat)}
    return {
        "growth": found,
        "malloc_mb": [judged[0].get("malloc_mb"), judged[-1].get("malloc_mb")],
        "sqlite_mb": [judged[0].get("sqlite_mb"), judged[-1].get("sqlite_mb")],
        "flat": all(each["flat"] for each in found.values()),
        "types": _grown(judged, third, "types"),
        "lines": _grown(judged, third, "lines"),
        "samples": [
            {key: value for key, value in sample.items() if key not in ("types", "lines")} for sample in samples
        ],
    }


def _grown(judged: list[dict[str, Any]], third: int, what: str) -> dict[str, int]:
    """The ten that grew most, from the median of the first third to that of the last."""
    names = {name for sample in judged for name in sample[what]}

    def median(part: list[dict[str, Any]], name: str) -> float:
        return float(np.median([sample[what].get(name, 0) for sample in part]))

    grown = {name: int(median(judged[-third:], name) - median(judged[:third], name)) for name in names}
    return dict(sorted(((name, more) for name, more in grown.items() if more > 0), key=lambda it: -it[1])[:10])


def _print(figures: dict[str, Any]) -> None:
    table = Table("", "at first", "at last", "an hour", "flat")
    for name, each in figures["growth"].items():
        table.add_row(
            name,
            f"{each['first']:.0f}",
            f"{each['last']:.0f}",
            f"{each['slope_per_hour']:+.1f}",
            "yes" if each["flat"] else "NO",
        )
    console.print(table)
    for what in ("malloc_mb", "sqlite_mb"):
        first, last = figures[what]
        if first is not None and last is not None:
            console.print(f"{what}: {first:.2f} at first, {last:.2f} at last")
    for what in ("types", "lines"):
        if figures[what]:
            more = ", ".join(f"{name} +{count}" for name, count in figures[what].items())
            console.print(f"{what} that grew most: {more}")
    console.print(f"{figures['load']['admitted']} calls in {figures['minutes']} minutes: ", end="")
    console.print("flat" if figures["flat"] else "it grows", style="green" if figures["flat"] else "red")
