"""Speech by API: what the gateway adds to a speech server's own delay, and how fast it hangs up on it after a cut."""

import asyncio
import json
import random
import time
from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import typer
from rich.table import Table

from benchmarks.common import Json, console, name_machine, shown, spread, write
from benchmarks.handover import device
from benchmarks.heard import Listener
from benchmarks.model import Model, model
from benchmarks.process import gateway_command, python_path, running
from benchmarks.voice import Voice, voice
from media.peer import Peer

DELAY_MS: Final = 100
WORD_EVERY_S: Final = 0.05
FIRST_CLAUSE: Final = "Here is the first clause. "
REACH: Final = {"first audio, beyond the server's own": "median ≤ 40", "cut → the speech server is left": "≤ 10"}


@dataclass(frozen=True, slots=True)
class Spoken:
    """One answer, in ms."""

    first_audio: float | None
    """From the token that completes the first clause, as the model sent it, to the first audible packet at the caller;
    None when it was cut before."""

    left: float
    """From the client's cancel to the server seeing its connection closed."""


def speech(
    count: Annotated[int, typer.Option(help="Answers; each third one is cut before its first sound.")] = 100,
    delay_ms: Annotated[int, typer.Option(help="The speech server's own delay.")] = DELAY_MS,
    seed: Annotated[int, typer.Option(help="For when they are cut.")] = 7,
    quick: Annotated[bool, typer.Option("--quick", help="Only a few.")] = False,
    json_path: Json = None,
) -> None:
    """First sound after the first clause, and hanging up, over WebRTC and a speech server with a fixed delay."""
    name_machine()
    rounds = 9 if quick else count
    with console.status(f"{rounds} answers"):
        own, answers = asyncio.run(_run(rounds, delay_ms / 1000, random.Random(seed)))
    sounded = [it.first_audio for it in answers if it.first_audio is not None]
    own_ms = spread(own)
    added = [ms - float(own_ms["median"] or 0) for ms in sounded]
    figures = {
        "the server's own first audio": own_ms,
        "first clause → first audio at the caller": spread(sounded),
        "first audio, beyond the server's own": spread(added),
        "cut → the speech server is left": spread([it.left for it in answers]),
    }
    table = Table("ms", "n", "median", "p90", "p95", "max", "to reach")
    for name, row in figures.items():
        told = [shown(row[key], 1) for key in ("median", "p90", "p95", "max")]
        table.add_row(name, str(row["n"]), *told, REACH.get(name, ""))
    console.print(table)
    write(json_path, "speech", {"delay_ms": delay_ms, **figures, "all": [asdict(it) for it in answers]})


async def _run(count: int, delay_s: float, chance: random.Random) -> tuple[list[float], list[Spoken]]:
    async with voice(delay_s) as speaks, model(WORD_EVERY_S, FIRST_CLAUSE) as writes:
        own = [await _asked_directly(speaks) for _ in range(min(count, 20))]
        command = gateway_command(
            *("--agent", "openai_chat", "--base-url", writes.url, "--api-key", "none"),
            *("--synthesizer", "openai", "--tts-base-url", speaks.url),
            *("--recognizer", "benchmarks.engines:deaf", "--max-offers", "0", "--max-late-ms", "0"),
        )
        async with running(command, python_path()) as server, device(server.url, "one", "") as (peer, ears):
            await ears.until(lambda: ears.event("session.created"))
            answers = []
            for number in range(count):
                wait_s = delay_s / 2 if number % 3 == 2 else None
                answers.append(await _answer(peer, ears, writes, speaks, wait_s, chance.uniform(0.1, 0.8)))
    return own, answers[1:]  # the first one opens what the others find open


async def _asked_directly(speaks: Voice) -> float:
    """How long the server itself takes until its first byte of sound, in ms, over a connection of its own."""
    parts = urlsplit(speaks.url)
    began = time.monotonic()
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    body = b'{"input": "Here is the first clause."}'
    writer.write(b"POST /v1/audio/speech HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(2)
    took = (time.monotonic() - began) * 1000
    writer.close()
    await speaks.nth(speaks.closed_at, len(speaks.asked_at) - 1)
    return took


async def _answer(
    peer: Peer, ears: Listener, writes: Model, speaks: Voice, cut_early_s: float | None, cut_after_s: float
) -> Spoken:
    """Ask, hear the first sound, and cut; or cut before, *cut_early_s* after the server was asked."""
    asked, begun, told = len(speaks.asked_at), len(writes.began_at), len(ears.events)
    content = [{"type": "input_text", "text": "Say something."}]
    _tell(peer, type="conversation.item.create", item={"type": "message", "role": "user", "content": content})
    since = time.monotonic()
    _tell(peer, type="response.create")
    await speaks.nth(speaks.asked_at, asked)
    first_audio = None
    if cut_early_s is None:
        heard = await ears.until(partial(ears.sounding_since, since))
        first_audio = (heard - writes.began_at[begun]) * 1000
        await asyncio.sleep(cut_after_s)
    else:
        await asyncio.sleep(cut_early_s)
    at = time.monotonic()
    _tell(peer, type="response.cancel")
    left = (await speaks.nth(speaks.closed_at, asked) - at) * 1000
    await ears.until(lambda: ears.event("response.done", told))
    await asyncio.sleep(0.3)  # until nothing of it can sound any more
    return Spoken(first_audio, left)


def _tell(peer: Peer, **event: Any) -> None:
    peer.send(json.dumps(event))
