"""What a gateway adds to a model, beside asking the same server directly in the same minute."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Annotated, Any, Final

import httpx2
import numpy as np
import openai
import typer
import uvloop
from rich.table import Table

from benchmarks.common import Json, console, name_machine, shown, write
from benchmarks.device import Client, Holds, connected, happens, message
from benchmarks.model import Model, model
from benchmarks.process import Server, gateway_command, python_path, running

WORDS: Final = 20
EVERY_S: Final = 0.005
"""As fast as a quick model speaks: 200 tokens a second."""

SETTLE_S: Final = 0.05
"""Before each question, so that nothing that went before is still being written."""

_OPEN: Final = ("--max-late-ms", "0", "--max-commands", "0")
_REACH: Final = {"first token": "≤ 3 ms", "each delta": "≤ 0.5 ms", "cut → the model's connection is closed": "≤ 10 ms"}

Came = list[float]
"""When each word of an answer came."""

Ask = Callable[[], Awaitable[tuple[float, Came]]]
"""Asks; when that was, and when each word came."""


def models(
    count: Annotated[int, typer.Option(help="Answers of each way, taken in turns.")] = 200, json_path: Json = None
) -> None:
    """Overhead of the first token and of each delta, against the openai package and bare HTTP; and of a cut."""
    figures = uvloop.run(_models(count))
    _print(figures)
    name_machine()
    write(json_path, "models", figures)


async def _models(count: int) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        speaks = await stack.enter_async_context(model(EVERY_S))
        speaks.words = WORDS
        options = ("--agent", "openai_chat", "--base-url", speaks.url, "--model", "m", *_OPEN)
        server = await stack.enter_async_context(
            running(gateway_command(*options), {**python_path(), "BARGEIN_API_KEY": "none"})
        )
        package = await stack.enter_async_context(
            openai.AsyncOpenAI(base_url=speaks.url, api_key="none", max_retries=0)
        )
        bare = await stack.enter_async_context(httpx2.AsyncClient())
        ways: dict[str, Ask] = {
            "gateway": lambda: _by_gateway(server),
            "openai package": lambda: _by_package(package),
            "bare HTTP": lambda: _by_http(bare, speaks.url),
        }
        with console.status("asking"):
            firsts, deltas = await _asked(ways, speaks, count)
        with console.status("cutting"):
            cuts = await _cut(server, speaks, count)
    return {
        "first token": _beside(firsts),
        "each delta": _beside(deltas),
        "cut → the model's connection is closed": {"gateway": _spread(cuts)},
    }


async def _asked(
    ways: dict[str, Ask], speaks: Model, count: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """By way, in seconds: from the question to the first word, and from the sending of each later one to its coming."""
    firsts: dict[str, list[float]] = {name: [] for name in ways}
    deltas: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(count + 1):
        for name, ask in ways.items():
            at, came = await ask()
            if number:  # the first of each opens and imports what the others find
                firsts[name].append(came[0] - at)
                deltas[name] += [there - here for here, there in zip(speaks.said_at[-1][1:], came[1:], strict=True)]
            await asyncio.sleep(SETTLE_S)
    return firsts, deltas


async def _by_gateway(server: Server) -> tuple[float, Came]:
    """A turn of a new session, with all that is written of it."""
    async with connected(server) as device:
        await _say(device)
        at = await device.tell("response.create", response={"output_modalities": ["text"]})
        await device.until(happens("response.done"))
        return at, [came for came, event in device.events if event["type"] == "response.output_text.delta"]


async def _say(device: Client) -> None:
    await device.tell("conversation.item.create", item=message("go"))
    await device.until(happens("conversation.item.done"))
    await asyncio.sleep(SETTLE_S)


async def _by_package(client: openai.AsyncOpenAI) -> tuple[float, Came]:
    at = time.monotonic()
    stream = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "go"}], stream=True)
    async with stream:
        came = [time.monotonic() async for chunk in stream if chunk.choices and chunk.choices[0].delta.content]
    return at, came


async def _by_http(client: httpx2.AsyncClient, url: str) -> tuple[float, Came]:
    at = time.monotonic()
    body = {"model": "m", "messages": [{"role": "user", "content": "go"}], "stream": True}
    async with client.stream("POST", f"{url}/chat/completions", json=body) as response:
        came = [time.monotonic() async for line in response.aiter_lines() if '"content"' in line]
    return at, came


async def _cut(server: Server, speaks: Model, count: int) -> list[float]:
    """In seconds, from the sending of a cancellation until the model sees that nobody listens."""
    speaks.words, took = 1_000_000, []
    for number in range(count):
        async with connected(server) as device:
            await _say(device)
            closed = len(speaks.closed_at)
            await device.tell("response.create", response={"output_modalities": ["text"]})
            await device.until(_after(20 + number % 7))
            at = await device.tell("response.cancel")
            while len(speaks.closed_at) == closed:
                await asyncio.sleep(0.001)
            took.append(speaks.closed_at[closed] - at)
    return took


def _after(chars: int) -> Holds:
    return lambda event: event["type"].endswith("_text.delta") and event["offset"] > chars


def _spread(values: list[float]) -> dict[str, float]:
    p50, p95 = (round(float(it) * 1000, 2) for it in np.percentile(values, (50, 95)))
    return {"n": len(values), "p50_ms": p50, "p95_ms": p95, "max_ms": round(max(values) * 1000, 2)}


def _beside(ways: dict[str, list[float]]) -> dict[str, Any]:
    """Each way's figures, and what the gateway's median is over each direct way's: as a difference, and as a ratio."""
    found: dict[str, Any] = {name: _spread(values) for name, values in ways.items()}
    ours = found["gateway"]["p50_ms"]
    for name, figures in found.items():
        if name != "gateway":
            figures["gateway_adds_ms"] = round(ours - figures["p50_ms"], 2)
            figures["ratio"] = round(ours / figures["p50_ms"], 2)
    return found


def _print(figures: dict[str, Any]) -> None:
    table = Table("", "by", "n", "p50 ms", "p95 ms", "max ms", "gateway adds, ms", "ratio", "to reach")
    for name, ways in figures.items():
        for way, found in ways.items():
            row = (shown(found[key], 2) for key in ("p50_ms", "p95_ms", "max_ms"))
            added, ratio = shown(found.get("gateway_adds_ms"), 2), shown(found.get("ratio"), 2)
            table.add_row(name, way, str(found["n"]), *row, added, ratio, "" if way != "gateway" else _REACH[name])
    console.print(table)
