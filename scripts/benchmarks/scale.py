"""What a session costs, and how many of them one process carries in time."""

import asyncio
import json
import os
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

import typer
import uvloop
from rich.table import Table

from benchmarks.common import Json, console, name_machine, shown, write
from benchmarks.crowd import Crowd, crowd
from benchmarks.peers import peer
from benchmarks.process import Server, gateway_command, python_path, running, usage
from media.frames import VOICE_RATE_HZ
from media.speech import Synthesizer

MIX: Final = {"agent": 0.50, "user": 0.15, "both": 0.05, "noisy": 0.10, "quiet": 0.20}
"""Who does what in the ramp, as shares of all."""

STATES: Final = {"quiet line": "quiet", "user speaking": "user", "agent speaking": "agent"}
REACH_MS: Final = {"quiet line": 4.0, "user speaking": 7.0, "agent speaking": 9.0}
RAMP: Final = (10, 25, 50, 75, 100, 120, 150)
STOCK: Final = (5, 10, 25)
GOOD_MS: Final = 10.0
SETTLE_S: Final = 3.0
LOOKS_BACK_S: Final = 5.0
"""The gateway tells its lateness over so long: a window is never shorter."""

_CHEAP: Final = (
    *("--agent", "benchmarks.engines:count", "--synthesizer", "benchmarks.engines:speech"),
    *("--recognizer", "benchmarks.engines:deaf", "--max-calls", "0", "--max-connections", "0", "--max-late-ms", "0"),
)


def scale(
    sessions: Annotated[int, typer.Option(help="Calls at the same time, for the cost of each state.")] = 10,
    most: Annotated[int, typer.Option(help="The ramp goes up to here, or until it is late.")] = 150,
    seconds: Annotated[float, typer.Option(help="How long each step is measured, at least 5.")] = 10.0,
    stock: Annotated[bool, typer.Option(help="Also aiortc's own audio path, as a reference.")] = True,
    espeak: Annotated[bool, typer.Option(help="Also what espeak-ng adds, in its process.")] = True,
    json_path: Json = None,
) -> None:
    """CPU for each state of a session, send lateness as calls are added, and the most that are in time."""
    seconds = max(seconds, LOOKS_BACK_S)
    console.print("callers are real peers in another process; agent and engines cost next to nothing")
    figures = uvloop.run(_scale(sessions, most, seconds, stock=stock, espeak=espeak))
    _print_states(figures)
    _print_ramp(figures)
    name_machine()
    console.print(
        "The callers take a core of their own: on a machine with fewer than two free ones, figures are worse."
    )
    write(json_path, "scale", figures)


async def _scale(sessions: int, most: int, seconds: float, *, stock: bool, espeak: bool) -> dict[str, Any]:
    states = {}
    for name, role in STATES.items():
        with console.status(f"{sessions} × {name}"):
            states[name] = await _state(_CHEAP, role, sessions, seconds)
    ramp = await _ramp(most, seconds)
    good = [step["calls"] for step in ramp if step["late_p99_ms"] <= GOOD_MS]
    reference = await _stock(seconds) if stock else []
    return {
        "sessions": sessions,
        "states": states,
        "ramp": ramp,
        "most_in_time": max(good, default=0),
        "stock": reference,
        "espeak_ms": await _espeak_ms() if espeak else None,
    }


async def _state(options: tuple[str, ...], role: str, count: int, seconds: float) -> dict[str, Any]:
    async with _served(*options) as (server, callers):
        await callers.add(role, count)
        await asyncio.sleep(SETTLE_S)
        return await _step(server, callers, seconds, own_lateness=True)


async def _espeak_ms() -> float:
    """What espeak-ng takes in its process for a second of speech."""
    from media.speech.espeak import Espeak

    engine, spoken = Espeak(), 0
    try:
        await _samples(engine, "One, to wake it up.")
        before = usage(os.getpid()).workers_s
        for _ in range(20):
            spoken += await _samples(
                engine, "An answer of some length, as an agent might give it to somebody who asked."
            )
        return round((usage(os.getpid()).workers_s - before) * 1000 * VOICE_RATE_HZ / spoken, 2)
    finally:
        await engine.aclose()


async def _samples(engine: Synthesizer, text: str) -> int:
    """Samples of the sound of *text*."""
    return sum([len(piece.pcm) async for piece in engine.speak(text)])


async def _ramp(most: int, seconds: float) -> list[dict[str, Any]]:
    """Add calls until the process is late, or there are *most*."""
    steps: list[dict[str, Any]] = []
    async with _served(*_CHEAP) as (server, callers):
        empty_mb, have = usage(server.pid).rss_mb, dict.fromkeys(MIX, 0)
        for calls in (*(n for n in RAMP if n < most), most):
            with console.status(f"{calls} calls"):
                for role, share in MIX.items():
                    wanted = round(calls * share)
                    await callers.add(role, wanted - have[role])
                    have[role] = wanted
                await asyncio.sleep(SETTLE_S)
                step = await _step(server, callers, seconds, own_lateness=True)
            step["mb_per_call"] = round((step["rss_mb"] - empty_mb) / max(1, step["calls"]), 2)
            steps.append(step)
            console.print(f"  {step['calls']} calls: p99 {step['late_p99_ms']:.1f} ms late", style="dim")
            if step["late_p99_ms"] > 5 * GOOD_MS:
                break
    return steps


async def _stock(seconds: float) -> list[dict[str, Any]]:
    steps = []
    for calls in STOCK:
        with console.status(f"stock aiortc, {calls} calls"):
            async with peer("stock", "--speech") as target, crowd(target.server.url, "/offer") as callers:
                await callers.add("quiet", calls)
                await asyncio.sleep(SETTLE_S)
                steps.append(await _step(target.server, callers, seconds, own_lateness=False))
    return steps


@asynccontextmanager
async def _served(*options: str) -> AsyncIterator[tuple[Server, Crowd]]:
    async with running(gateway_command(*options), python_path()) as server, crowd(server.url) as callers:
        yield server, callers


async def _step(server: Server, callers: Crowd, seconds: float, *, own_lateness: bool) -> dict[str, Any]:
    before = usage(server.pid)
    found = await callers.measure(seconds)
    after = usage(server.pid)
    took, calls = after.at - before.at, max(1, found["calls"])
    own, workers = after.own_s - before.own_s, after.workers_s - before.workers_s
    if own_lateness:
        told = await asyncio.to_thread(load_of, server.url)
        late = {"late_p50_ms": told["late_p50_ms"], "late_p99_ms": told["late_p99_ms"]}
    else:
        late = {"late_p50_ms": found["arrival_late_p50_ms"], "late_p99_ms": found["arrival_late_p99_ms"]}
    return {
        **found,
        **late,
        "core": round(own / took, 3),
        "ms_per_session_s": round(own * 1000 / took / calls, 2),
        "workers_ms_per_session_s": round(workers * 1000 / took / calls, 2),
        "rss_mb": round(after.rss_mb, 1),
        "threads": after.threads,
    }


def load_of(url: str) -> dict[str, Any]:
    """What the gateway says of its load."""
    with urllib.request.urlopen(f"{url}/v1/load", timeout=30) as answer:
        told: dict[str, Any] = json.loads(answer.read())
        return told


def _print_states(figures: dict[str, Any]) -> None:
    table = Table("state", "CPU ms / session-second", "to reach", "in speech workers", "packets / s", "late p99 ms")
    for name, step in figures["states"].items():
        table.add_row(
            name,
            shown(step["ms_per_session_s"], 1),
            shown(REACH_MS.get(name), 0),
            shown(step["workers_ms_per_session_s"], 1),
            shown(step["packets_per_call_s"], 0),
            shown(step["late_p99_ms"], 1),
        )
    for step in figures["stock"]:
        per, rate, late = step["ms_per_session_s"], step["packets_per_call_s"], step["late_p99_ms"]
        name = f"stock aiortc, {step['calls']} calls, agent speaking"
        table.add_row(name, shown(per, 1), "–", "0.0", shown(rate, 0), f"{shown(late)} at the caller")
    console.print(table)
    if figures["espeak_ms"] is not None:
        console.print(f"espeak-ng adds {figures['espeak_ms']:.1f} ms for a second of speech, in a process of its own")


def _print_ramp(figures: dict[str, Any]) -> None:
    table = Table(
        *("calls", "core", "ms / session-second", "late p50 ms", "p99 ms", "gap at callers p99 ms"),
        *("later than its place p99 ms", "gaps over 60 ms", "MB / call", "callers' own p99 ms"),
    )
    for step in figures["ramp"]:
        table.add_row(
            str(step["calls"]),
            f"{step['core']:.2f}",
            shown(step["ms_per_session_s"], 1),
            shown(step["late_p50_ms"], 1),
            shown(step["late_p99_ms"], 1),
            shown(step["gap_p99_ms"]),
            shown(step["arrival_late_p99_ms"]),
            str(step["gaps_over_60_ms"]),
            shown(step["mb_per_call"], 2),
            shown(step["generator_late_p99_ms"]),
        )
    console.print(table)
    console.print(f"most calls with p99 ≤ {GOOD_MS:.0f} ms: {figures['most_in_time']} (to reach: 100)")
