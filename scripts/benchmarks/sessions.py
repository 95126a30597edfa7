"""What a shared session costs, and how fast it obeys, resumes and is told to many."""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Annotated, Any, Final, TypeAlias

import numpy as np
import typer
import uvloop
from rich.table import Table
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.common import Json, console, name_machine, shown, write
from benchmarks.device import Client, connected, happens, message
from benchmarks.model import Model, model
from benchmarks.process import Server, gateway_command, python_path, running, usage

GAP: Final = 500
"""Durable events that a client missed."""

STORM_GAP: Final = 50
_OPEN: Final = (
    *("--max-calls", "0", "--max-connections", "0", "--max-late-ms", "0"),
    *("--max-commands", "0", "--max-per-address", "0", "--max-per-user", "0"),
)
_CHEAP: Final = ("--agent", "benchmarks.engines:count", *_OPEN)
_REACH: Final = {
    "cancel → last delta": "p99 ≤ 5 ms",
    "cancel → the model's connection is closed": "≤ 10 ms",
    "resume of a gap of 500 events": "≤ 20 ms",
}


def sessions(
    count: Annotated[int, typer.Option(help="Measurements of each latency.")] = 100,
    devices: Annotated[int, typer.Option(help="Devices that are told the same, and that resume at once.")] = 1000,
    json_path: Json = None,
) -> None:
    """Cancel, resume, a reconnect storm, fan-out beside a bare broadcast, and memory."""
    figures = uvloop.run(_sessions(count, devices))
    _print(figures)
    name_machine()
    write(json_path, "sessions", figures)


async def _sessions(count: int, devices: int) -> dict[str, Any]:
    with console.status("cancelling"):
        cancelling = await _cancelling(count)
    with console.status("resuming"):
        resuming = await _resuming(count)
    with console.status(f"{devices} devices resume at once"):
        storm = await _storm(devices)
    with console.status(f"one answer to {devices} devices"):
        told = await _fan_out(gateway_command(*_CHEAP), devices, _answer)
        bare = await _fan_out([sys.executable, "-m", "benchmarks.broadcast"], devices, _broadcast)
    with console.status("memory"):
        memory = await _memory(devices)
    return {
        "latencies": {**cancelling, "resume of a gap of 500 events": resuming},
        "storm": storm,
        "fan_out": {"gateway": told, "bare uvicorn": bare, "ratio": round(told["us"] / bare["us"], 2)},
        "memory": memory,
    }


Told: TypeAlias = "Callable[[Server, AsyncExitStack, int], Awaitable[dict[str, Any]]]"


def _spread(values: list[float]) -> dict[str, float]:
    p50, p99 = (round(float(it) * 1000, 2) for it in np.percentile(values, (50, 99)))
    return {"n": len(values), "p50_ms": p50, "p99_ms": p99, "max_ms": round(max(values) * 1000, 2)}


# --- latencies ---


async def _cancelling(count: int) -> dict[str, Any]:
    late, closed = [], []
    async with model(0.002) as speaks:
        options = ("--agent", "openai_chat", "--base-url", speaks.url, "--model", "m", *_OPEN)
        secrets = {**python_path(), "BARGEIN_API_KEY": "none"}
        async with running(gateway_command(*options), secrets) as server, connected(server) as client:
            for number in range(count):
                at, last = await _cancelled(client, speaks, number)
                late.append(max(0.0, last - at))
                while len(speaks.closed_at) <= number:
                    await asyncio.sleep(0.001)
                closed.append(speaks.closed_at[number] - at)
    return {
        "cancel → last delta": _spread(late),
        "cancel → the model's connection is closed": _spread(closed),
    }


async def _cancelled(client: Client, speaks: Model, number: int) -> tuple[float, float]:
    """Ask, cancel in the middle; when that was, and when the last delta came."""
    client.events.clear()
    await client.tell("conversation.item.create", item=message(f"question {number}"))
    await client.tell("response.create")
    await client.until(lambda event: event["type"].endswith("_text.delta") and event["offset"] > 20 + number % 7)
    at = await client.tell("response.cancel")
    await client.until(happens("response.done"))
    await asyncio.sleep(0.02)
    return at, max(came for came, event in client.events if event["type"].endswith("_text.delta"))


async def _filled(client: Client, items: int) -> None:
    for number in range(items):
        await client.tell("conversation.item.create", item=message(f"message {number}"))
        if number % 100 == 99:  # as many a second as one connection may send
            await asyncio.sleep(1.0)
    last, done = f"message {items - 1}", happens("conversation.item.done")
    await client.until(lambda event: done(event) and event["item"]["content"][0]["text"] == last)


def _seq(client: Client) -> int:
    return max(int(event["seq"]) for _, event in client.events if "seq" in event)


async def _resuming(count: int) -> dict[str, float]:
    took = []
    async with running(gateway_command(*_CHEAP), python_path()) as server, connected(server) as writer:
        await _filled(writer, GAP)
        own, epoch, last = writer.session["id"], writer.session["bargein"]["epoch"], _seq(writer)
        url = f"ws{server.url.removeprefix('http')}/v1/realtime?session={own}"
        wanted = json.dumps({"type": "session.resume", "epoch": epoch, "seq": last - GAP})
        protocols: Any = ["bargein.v1"]
        for _ in range(min(count, 30)):
            async with connect(url, subprotocols=protocols, ping_interval=None, max_size=None, proxy=None) as socket:
                took.append(await _resumed(socket, wanted, f'"seq":{last},'))
    return _spread(took)


async def _resumed(socket: ClientConnection, wanted: str, last: str) -> float:
    """How long it took until the *last* event came. Nothing is parsed: the client is not what is measured."""
    while b"snapshot" not in await socket.recv(decode=False):
        pass
    at = time.monotonic()
    await socket.send(wanted)
    while last.encode() not in (text := await socket.recv(decode=False)) or b'"replay":true' not in text:
        pass
    return time.monotonic() - at


# --- many devices ---


async def _storm(devices: int) -> dict[str, Any]:
    """All devices of a session come back at the same moment, each with the same gap."""
    async with running(gateway_command(*_CHEAP), python_path()) as server, connected(server) as writer:
        await _filled(writer, STORM_GAP + 1)
        own, epoch, last = writer.session["id"], writer.session["bargein"]["epoch"], _seq(writer)
        began = time.monotonic()
        query = f"&resume={epoch}.{last - STORM_GAP}"
        results = await asyncio.gather(*(_come_back(server, own, query, last) for _ in range(devices)))
        missed = list(range(last - STORM_GAP + 1, last + 1))
        whole = [told for _, told in results if len({*told}) == len(told) and sorted({at for at, _ in told}) == missed]
        return {
            "devices": devices,
            "gap": STORM_GAP,
            "lost_or_doubled": devices - len(whole),
            "all_s": round(time.monotonic() - began, 2),
            **_spread([result[0] for result in results]),
        }


async def _come_back(server: Server, session: str, query: str, last: int) -> tuple[float, list[tuple[int, str]]]:
    """How long it took, and what was told again: seq and type of each event."""
    began = time.monotonic()
    async with connected(server, session, query) as client:
        await client.until(lambda event: bool(event.get("replay")) and event.get("seq") == last, 120)
        took = time.monotonic() - began
        await asyncio.sleep(0.2)
        replayed = [event for _, event in client.events if "seq" in event and event.get("replay")]
        return took, [(event["seq"], event["type"]) for event in replayed]


async def _fan_out(command: list[str], devices: int, told: Told) -> dict[str, Any]:
    async with running(command, python_path()) as server, AsyncExitStack() as stack:
        return await told(server, stack, devices)


async def _counted(sockets: list[ClientConnection]) -> list[int]:
    """How many messages each socket gets until it is quiet."""
    counts = [0] * len(sockets)

    async def count(at: int, socket: ClientConnection) -> None:
        with contextlib.suppress(TimeoutError):
            while True:
                async with asyncio.timeout(3.0):
                    await socket.recv(decode=False)
                counts[at] += 1

    await asyncio.gather(*(count(at, socket) for at, socket in enumerate(sockets)))
    return counts


async def _answer(server: Server, stack: AsyncExitStack, devices: int) -> dict[str, Any]:
    asks = await stack.enter_async_context(connected(server))
    url = f"ws{server.url.removeprefix('http')}/v1/realtime?session={asks.session['id']}"
    protocols: Any = ["bargein.v1"]
    sockets = [
        await stack.enter_async_context(connect(url, subprotocols=protocols, ping_interval=None, proxy=None))
        for _ in range(devices)
    ]
    await _counted(sockets)
    before = usage(server.pid)
    await asks.tell("response.create", response={"output_modalities": ["text"]})
    counts = await _counted(sockets)
    return _per_delivery(before, usage(server.pid), counts)


async def _broadcast(server: Server, stack: AsyncExitStack, devices: int) -> dict[str, Any]:
    url = f"ws{server.url.removeprefix('http')}/"
    sockets = [await stack.enter_async_context(connect(url, ping_interval=None, proxy=None)) for _ in range(devices)]
    await _counted(sockets)
    before = usage(server.pid)
    await sockets[0].send("go")
    counts = await _counted(sockets)
    return _per_delivery(before, usage(server.pid), counts)


def _per_delivery(before: Any, after: Any, counts: list[int]) -> dict[str, Any]:
    spent = after.own_s - before.own_s
    return {"deliveries": sum(counts), "each_alike": len(set(counts)) == 1, "us": round(spent / sum(counts) * 1e6, 1)}


async def _memory(devices: int) -> dict[str, float]:
    async with running(gateway_command(*_CHEAP), python_path()) as server, connected(server) as first:
        empty = usage(server.pid).rss_mb
        for _ in range(devices):
            async with connected(server):
                pass
        idle = usage(server.pid).rss_mb
        async with AsyncExitStack() as stack:
            for _ in range(devices):
                await stack.enter_async_context(connected(server, first.session["id"]))
            joined = usage(server.pid).rss_mb
    return {
        "kb_per_idle_session": round((idle - empty) * 1000 / devices, 1),
        "kb_per_device": round((joined - idle) * 1000 / devices, 1),
    }


def _print(figures: dict[str, Any]) -> None:
    table = Table("latency", "n", "p50 ms", "p99 ms", "max ms", "to reach")
    for name, found in figures["latencies"].items():
        row = (shown(found[key], 1) for key in ("p50_ms", "p99_ms", "max_ms"))
        table.add_row(name, str(found["n"]), *row, _REACH[name])
    console.print(table)
    storm, fan, memory = figures["storm"], figures["fan_out"], figures["memory"]
    console.print(
        f"{storm['devices']} devices resume at once over {storm['gap']} events: {storm['lost_or_doubled']} lost or "
        f"doubled, p50 {storm['p50_ms']:.0f} ms, p99 {storm['p99_ms']:.0f} ms"
    )
    console.print(
        f"fan-out: {fan['gateway']['us']} us of CPU a delivery, bare uvicorn {fan['bare uvicorn']['us']} us, "
        f"ratio {fan['ratio']}"
    )
    console.print(f"memory: {memory['kb_per_idle_session']} kB an idle session, {memory['kb_per_device']} kB a device")
