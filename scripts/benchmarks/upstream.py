"""What a session costs whose model hears and speaks by itself, over one upstream Realtime session each."""

import asyncio
import base64
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, Any, Final

import numpy as np
import typer
from rich.table import Table
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.common import Json, console, name_machine, shown, write
from benchmarks.process import Server, Usage, gateway_command, python_path, running, usage
from tests.agents.fake_realtime import WORD_MS, Answer, FakeRealtime

_OPEN: Final = ("--max-calls", "0", "--max-connections", "0", "--max-late-ms", "0", "--max-commands", "0")
_NO_ENGINES: Final = ("--synthesizer", "none", "--recognizer", "none")
_COUNTS: Final = ("--agent", "benchmarks.engines:count", "--synthesizer", "benchmarks.engines:chirp")
_WORDS: Final = "word " * 400
_PIECE: Final = base64.b64encode(b"\x20\x01" * 4800).decode()
"""200 ms that somebody says."""


def upstream(
    sessions: Annotated[int, typer.Option(help="Sessions at the same time.")] = 20,
    seconds: Annotated[float, typer.Option(help="How long each state is watched.")] = 15.0,
    count: Annotated[int, typer.Option(help="Measurements of each latency.")] = 50,
    json_path: Json = None,
) -> None:
    """Memory and CPU per session with a Realtime upstream, beside an engine of ours; first sound; the word to stop."""
    figures = asyncio.run(_upstream(sessions, seconds, count))
    _print(figures)
    name_machine()
    write(json_path, "upstream", figures)


async def _upstream(sessions: int, seconds: float, count: int) -> dict[str, Any]:
    with console.status("latencies"):
        latencies = await _latencies(count)
    costs = {}
    async with running([sys.executable, "-m", "tests.agents.fake_realtime", *_PACE], python_path()) as model:
        asks = ("--agent", "openai_realtime", "--base-url", model.url, "--model", "m", *_NO_ENGINES)
        for name, options in (("Realtime upstream", asks), ("engine of ours", _COUNTS)):
            with console.status(f"{sessions} sessions, {name}"):
                costs[name] = await _cost(options, sessions, seconds)
    return {"sessions": sessions, "latencies": latencies, "costs": costs}


_PACE: Final = ("--quiet", "--delay-ms", str(WORD_MS), "--text", _WORDS)
"""As fast as it sounds, so that a second of sound is a second's cost."""


# --- what one session costs ---


async def _cost(options: tuple[str, ...], sessions: int, seconds: float) -> dict[str, float]:
    """Memory of a session at rest, and CPU of one that is quiet, hears somebody, or speaks."""
    command = gateway_command(*options, *_OPEN)
    async with running(command, python_path()) as server, AsyncExitStack() as stack:
        async with _client(server) as first:  # what is loaded at the first answer is nobody's cost
            await _ask(first)
            await _until(first, "response.output_audio.delta")
        empty = usage(server.pid)
        clients = [await stack.enter_async_context(_client(server)) for _ in range(sessions)]
        for client in clients:
            await _ask(client)
            await _until(client, "response.output_audio.delta")
            await client.send(json.dumps({"type": "response.cancel"}))
        await asyncio.sleep(2.0)
        rest = usage(server.pid)
        readers = [asyncio.create_task(_drain(client)) for client in clients]
        quiet = await _watched(server, seconds)
        talking = [asyncio.create_task(_talk(client, seconds + 1)) for client in clients]
        await asyncio.sleep(0.5)
        heard = await _watched(server, seconds)
        await asyncio.gather(*talking)
        for client in clients:
            await _ask(client)
        await asyncio.sleep(1.0)
        speaking = await _watched(server, seconds)
        full = usage(server.pid)
        for task in readers:
            task.cancel()
    cpu = {"quiet": quiet, "user": heard, "agent": speaking}
    return {
        "kb_at_rest": round((rest.rss_mb - empty.rss_mb) * 1000 / sessions, 1),
        "kb_speaking": round((full.rss_mb - empty.rss_mb) * 1000 / sessions, 1),
        **{f"{name}_ms": round(spent * 1000 / sessions, 2) for name, spent in cpu.items()},
    }


async def _watched(server: Server, seconds: float) -> float:
    """CPU seconds a second of the gateway's process."""
    before: Usage = usage(server.pid)
    await asyncio.sleep(seconds)
    after = usage(server.pid)
    return (after.own_s - before.own_s) / (after.at - before.at)


@asynccontextmanager
async def _client(server: Server) -> AsyncIterator[ClientConnection]:
    """A stock client, whose turns are committed by hand."""
    url = f"ws{server.url.removeprefix('http')}/v1/realtime?model=m"
    async with connect(url, ping_interval=None, max_size=None, proxy=None) as socket:
        session = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
        await socket.send(json.dumps({"type": "session.update", "session": session}))
        yield socket


async def _ask(client: ClientConnection) -> None:
    content = [{"type": "input_text", "text": "go on"}]
    item = {"type": "message", "role": "user", "content": content}
    await client.send(json.dumps({"type": "conversation.item.create", "item": item}))
    await client.send(json.dumps({"type": "response.create"}))


async def _until(client: ClientConnection, kind: str) -> dict[str, Any]:
    while True:
        event: dict[str, Any] = json.loads(await client.recv())
        if event["type"] == kind:
            return event


async def _drain(client: ClientConnection) -> None:
    async for _ in client:
        pass


async def _talk(client: ClientConnection, seconds: float) -> None:
    text = json.dumps({"type": "input_audio_buffer.append", "audio": _PIECE})
    due = time.monotonic()
    while seconds > 0:
        await client.send(text)
        due, seconds = due + 0.2, seconds - 0.2
        await asyncio.sleep(max(0.0, due - time.monotonic()))


# --- latencies ---


async def _latencies(count: int) -> dict[str, dict[str, float]]:
    """Of the first sound, beside the same server asked directly; and of the word to stop."""
    direct, through, told = [], [], []
    async with FakeRealtime(Answer(_WORDS, delay_s=0.005)) as model:
        asks = ("--agent", "openai_realtime", "--base-url", model.base_url, "--model", "m", *_NO_ENGINES)
        url = model.base_url.replace("http", "ws") + "/realtime?model=m"
        async with running(gateway_command(*asks, *_OPEN), python_path()) as server, _client(server) as client:
            for _ in range(count):
                async with connect(url, max_size=None, proxy=None) as socket:
                    direct.append(await _first_sound(socket, {"id": "item_1"}))
            before = len(model.sessions)
            for number in range(count):
                through.append(await _first_sound(client, {}))
                session = model.sessions[before]
                at = time.monotonic()
                await client.send(json.dumps({"type": "response.cancel"}))
                while len(session.cancelled_at) <= number:
                    await asyncio.sleep(0.0005)
                told.append(session.cancelled_at[number] - at)
                await _until(client, "response.done")
    first = {"first sound, asked directly": direct, "first sound, through the gateway": through}
    return {name: _spread(values) for name, values in {**first, "cancel → upstream is told": told}.items()}


async def _first_sound(socket: ClientConnection, known: dict[str, str]) -> float:
    """From the question to the first sound."""
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go on"}], **known}
    at = time.monotonic()
    await socket.send(json.dumps({"type": "conversation.item.create", "item": item}))
    await socket.send(json.dumps({"type": "response.create"}))
    await _until(socket, "response.output_audio.delta")
    return time.monotonic() - at


def _spread(values: list[float]) -> dict[str, float]:
    p50, p95 = (round(float(it) * 1000, 2) for it in np.percentile(values, (50, 95)))
    return {"n": len(values), "p50_ms": p50, "p95_ms": p95, "max_ms": round(max(values) * 1000, 2)}


def _print(figures: dict[str, Any]) -> None:
    table = Table("latency", "n", "p50 ms", "p95 ms", "max ms")
    for name, found in figures["latencies"].items():
        table.add_row(name, str(found["n"]), *(shown(found[key], 1) for key in ("p50_ms", "p95_ms", "max_ms")))
    console.print(table)
    titles = ("kB at rest", "kB speaking", "quiet, ms CPU a s", "user speaks", "agent speaks")
    table = Table(f"{figures['sessions']} sessions", *titles)
    for name, found in figures["costs"].items():
        cells = (found[key] for key in ("kb_at_rest", "kb_speaking", "quiet_ms", "user_ms", "agent_ms"))
        table.add_row(name, *(shown(cell, 1) for cell in cells))
    console.print(table)
    console.print(f"Words are tones of {WORD_MS} ms; clients are stock WebSockets, turns by hand.")
