"""Hand-over: how long an answer is silent when another device takes it, in mid-answer, over WebRTC on loopback."""

import asyncio
import contextlib
import http.client
import json
import random
import tempfile
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import numpy as np
import typer
import uvloop
from rich.table import Table

from benchmarks.common import Json, console, name_machine, shown, spread, write
from benchmarks.heard import Listener, Reader
from benchmarks.serving import serving
from benchmarks.texts import TEXTS
from media.frames import VOICE_RATE_HZ
from media.leg import Engines
from media.peer import Peer
from media.peer.peering import PeerOptions
from media.speech.espeak import Espeak
from media.speech.sphinx import Sphinx
from media.vad.silero import load_model

TARGET_MS: Final = 150

_AUDIBLE: Final = 500
_SETTLED_S: Final = 1.0
"""After a claim, until nothing of the old device's sound can come any more."""


@dataclass(frozen=True, slots=True)
class Gap:
    """One hand-over, in ms."""

    gap: float
    """From the last audible packet at the old device to the first one at the new."""

    claimed: float
    """From the claim to that first one: a word is finished in between, or a broken one begun anew."""


def handover(
    count: Annotated[int, typer.Option(help="Hand-overs.")] = 60,
    seed: Annotated[int, typer.Option(help="For when they happen.")] = 7,
    quick: Annotated[bool, typer.Option("--quick", help="Only a few.")] = False,
    json_path: Json = None,
) -> None:
    """The silence between two devices when a button hands a spoken answer from one to the other."""
    name_machine()
    chance = random.Random(seed)
    waits = [chance.uniform(0.6, 2.0) for _ in range(6 if quick else count)]
    with console.status(f"{len(waits)} hand-overs"):
        gaps = uvloop.run(_run(waits))
    table = Table("ms", "n", "median", "p90", "p95", "max")
    figures = {"gap": spread([it.gap for it in gaps]), "claim to sound": spread([it.claimed for it in gaps])}
    for name, row in figures.items():
        table.add_row(name, str(row["n"]), *(shown(row[key]) for key in ("median", "p90", "p95", "max")))
    console.print(table)
    console.print(f"Target for the gap: {TARGET_MS} ms. Left out: {len(waits) - len(gaps)}.")
    write(json_path, "handover", {**figures, "left_out": len(waits) - len(gaps), "all": [asdict(it) for it in gaps]})


async def _run(waits: list[float]) -> list[Gap]:
    synthesizer = Espeak()
    await synthesizer.warm_up()
    engines = Engines(synthesizer, Sphinx(), load_model)
    with tempfile.TemporaryDirectory() as folder:
        async with (
            serving(Path(folder), agent=Reader(), engines=engines) as url,
            device(url, "one", "") as (one, ears_of_one),
        ):
            created = await ears_of_one.until(lambda: ears_of_one.event("session.created"))
            session = created[1]["session"]["id"]
            async with device(url, "two", session) as (two, ears_of_two):
                await ears_of_two.until(lambda: ears_of_two.event("session.created"))
                return await _to_and_fro([(one, ears_of_one), (two, ears_of_two)], waits)


@contextlib.asynccontextmanager
async def device(url: str, name: str, session: str) -> AsyncIterator[tuple[Peer, Listener]]:
    """A caller's device at the gateway at *url*, in that session or a new one."""
    ears = Listener()
    peer = await Peer.offer(ears, ears.pull, PeerOptions(send_rate_hz=VOICE_RATE_HZ, receive_rate_hz=VOICE_RATE_HZ))
    query = f"?ext=bargein.v1&device={name}" + (f"&session={session}" if session else "")
    try:
        await peer.connect(await asyncio.to_thread(_offer, url, query, peer.offer_sdp))
        yield peer, ears
    finally:
        await peer.close()


def _offer(url: str, query: str, sdp: str) -> str:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        headers = {"Content-Type": "application/sdp"}
        connection.request("POST", f"/v1/realtime/calls{query}", body=sdp.encode(), headers=headers)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


async def _to_and_fro(devices: list[tuple[Peer, Listener]], waits: list[float]) -> list[Gap]:
    """An answer sounds on one device and is claimed by the other; then the next one the other way round."""
    gaps: list[Gap] = []
    for number, wait in enumerate(waits):
        (old, old_ears), (new, new_ears) = devices if number % 2 == 0 else devices[::-1]
        asked = asyncio.get_running_loop().time()
        content = [{"type": "input_text", "text": f"Read number {number % len(TEXTS)}"}]
        item = {"type": "message", "role": "user", "content": content}
        old.send(json.dumps({"type": "conversation.item.create", "item": item}))
        old.send(json.dumps({"type": "response.create", "on_active": "interrupt"}))
        await old_ears.until(partial(old_ears.sounding_since, asked))
        await asyncio.sleep(wait)
        gap = await _gap(new, old_ears, new_ears)
        if gap is not None:
            gaps.append(gap)
    return gaps


async def _gap(new: Peer, old_ears: Listener, new_ears: Listener) -> Gap | None:
    """None when nothing came any more: the answer was over."""
    claimed = asyncio.get_running_loop().time()
    new.send(json.dumps({"type": "floor.claim"}))
    await asyncio.sleep(_SETTLED_S)
    first = new_ears.sounding_since(claimed)
    last = max((at for at, _, pcm in old_ears.heard if int(np.abs(pcm).max()) > _AUDIBLE), default=None)
    if first is None or last is None:
        return None
    return Gap((first - last) * 1000, (first - claimed) * 1000)
