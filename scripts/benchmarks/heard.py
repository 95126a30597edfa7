"""Heard truth: what a cut answer keeps, against the sound that its listener recorded."""

import asyncio
import http.client
import json
import random
import statistics
import tempfile
from collections.abc import AsyncGenerator, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import numpy as np
import typer
import uvloop
from rich.table import Table

from benchmarks.aligning import Reading, position
from benchmarks.common import CALLERS, Json, console, write
from benchmarks.serving import serving
from benchmarks.texts import TEXTS
from gateway.replay.sound import read_clip
from gateway.runtime.ports import Conversation, SteerMode
from media.frames import VOICE_FRAME, VOICE_RATE_HZ, Pcm, milliseconds, silence
from media.leg import Engines
from media.peer import Peer
from media.peer.peering import PeerOptions, Reason
from media.speech import Recognition, Speech, Synthesizer, Word
from media.speech.clauses import Clauses
from media.speech.espeak import Espeak
from media.vad.silero import load_model

JITTER_BUFFER_MS: Final = 60
"""What the listener's device holds back, as a browser's does on a quiet network."""

_VOICE: Final = CALLERS / "no_something_else.wav"
_PATIENCE_S: Final = 60.0
_TELLING_MS: Final = 300
_RTP_PER_SAMPLE: Final = 2
_ASK: Final = "Read number "

By = Literal["button", "voice"]


@dataclass(frozen=True, slots=True)
class Plan:
    """One cut: the text, when after its first sound, and by what."""

    text: int
    after_ms: int
    by: By


@dataclass(frozen=True, slots=True)
class Found:
    """One cut, in words from the beginning of the answer."""

    plan: Plan
    truth: int
    """Heard whole in the listener's recording."""

    kept: int
    """In ``heard_text``."""

    sent: int
    """Begun to sound in what was sent: what counts where nobody asks what the device still buffers."""

    generated: int

    recorded_ms: int
    """Where the recording ends in the sound of the answer, as alignment finds it."""

    heard_ms: int
    """``audio_end_ms``: where the gateway says it does."""


class Reader:
    """An agent that reads the text whose number was typed, as fast as any model."""

    name = "reader"
    steer: SteerMode = "instruction"
    speaks = hears = False

    async def reply(self, conversation: Conversation) -> AsyncGenerator[str, None]:
        asked = [it.text for it in conversation.messages if it.text.startswith(_ASK)]
        for word in TEXTS[int(asked[-1].removeprefix(_ASK))].split(" "):
            yield f"{word} "
            await asyncio.sleep(0)

    async def aclose(self) -> None:
        pass


class Untimed:
    """A speech engine whose word times are withheld."""

    exact_words = False

    def __init__(self, engine: Synthesizer) -> None:
        self._engine = engine

    async def speak(self, text: str) -> AsyncGenerator[Speech, None]:
        async for speech in self._engine.speak(text):
            yield Speech(speech.pcm)

    async def aclose(self) -> None:
        await self._engine.aclose()


class _Deaf:
    """A recogniser of no words: a cut is followed by nothing, so that the next question comes in silence."""

    name = "none"
    live = False

    def listen(self) -> Recognition:
        return _Nothing()

    async def aclose(self) -> None:
        pass


class _Nothing:
    def feed(self, pcm: Pcm) -> None:
        pass

    async def partial(self) -> str:
        return "no"

    async def judge(self) -> str:
        return "no"

    async def finish(self) -> str:
        return ""

    def cancel(self) -> None:
        pass


@dataclass(slots=True)
class Listener:
    """A caller who writes down what arrives, when: the ears and the mouth of a peer."""

    heard: list[tuple[float, int, Pcm]] = field(default_factory=list)
    """Arrival, place in the stream (samples), sound."""

    events: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    to_say: list[Pcm] = field(default_factory=list)

    def pull(self) -> Pcm | None:
        return self.to_say.pop(0) if self.to_say else None

    def on_audio(self, pcm: Pcm, rtp_time: int, arrival: float) -> None:
        self.heard.append((asyncio.get_running_loop().time(), rtp_time // _RTP_PER_SAMPLE, pcm))
        self.news.set()

    def attentive(self) -> bool:
        return True

    def on_repair(self, pcm: Pcm) -> None: ...

    def on_message(self, text: str) -> None:
        self.events.append((asyncio.get_running_loop().time(), json.loads(text)))
        self.news.set()

    def on_channel_open(self) -> None:
        pass

    def on_closed(self, reason: Reason) -> None:
        pass

    async def until(self, found: Any) -> Any:
        """Wait for what *found* finds."""
        async with asyncio.timeout(_PATIENCE_S):
            while (result := found()) is None:
                self.news.clear()
                await self.news.wait()
        return result

    def event(self, kind: str, after: int = 0) -> tuple[float, dict[str, Any]] | None:
        return next(((at, event) for at, event in self.events[after:] if event["type"] == kind), None)

    def sounding_since(self, after: float) -> float | None:
        return next((at for at, _, pcm in self.heard if at > after and int(np.abs(pcm).max()) > 500), None)

    def recorded(self, since: float, until: float) -> Pcm:
        """What arrived between two moments, with the silence that lay between."""
        pieces = [(at, place, pcm) for at, place, pcm in self.heard if since <= at <= until]
        if not pieces:
            return silence(0)
        first = pieces[0][1]
        whole = silence(max(place - first + len(pcm) for _, place, pcm in pieces))
        for _, place, pcm in pieces:
            if place >= first:
                whole[place - first : place - first + len(pcm)] = pcm
        return whole


def heard(
    cuts: Annotated[int, typer.Option(help="Cuts for each engine, at least 20.")] = 120,
    sessions: Annotated[int, typer.Option(help="Calls at a time.")] = 4,
    seed: Annotated[int, typer.Option(help="For when the cuts fall.")] = 7,
    json_path: Json = None,
) -> None:
    """Words that a cut answer keeps, against the sound recorded at its listener, over WebRTC on loopback."""
    chance = random.Random(seed)
    plans = [
        Plan(index % len(TEXTS), chance.randrange(400, 9_000), "voice" if index % 4 == 3 else "button")
        for index in range(cuts)
    ]
    table = Table("engine", "what counts", "n", "exact", "p50", "p95", "worst", "mean (+ kept too much)")
    figures: dict[str, Any] = {"jitter_buffer_ms": JITTER_BUFFER_MS}
    for name, timed in (("espeak", True), ("espeak, word times withheld", False)):
        with console.status(f"{name}: {len(plans)} cuts"):
            found = uvloop.run(_run(plans, sessions, timed=timed))
        rows: dict[str, Iterable[int]] = {"heard_text": [it.kept - it.truth for it in found]}
        if timed:
            rows["everything sent"] = [it.sent - it.truth for it in found]
            rows["everything generated"] = [it.generated - it.truth for it in found]
        for what, errors in rows.items():
            figures.setdefault(name, {})[what] = _row(table, name, what, list(errors))
        figures[name]["left_out"] = len(plans) - len(found)
        figures[name]["cuts"] = [asdict(it) for it in found]
    console.print(table)
    console.print("Words off, of cuts by a button (three of four) and by voice; reference rows are of the same cuts.")
    write(json_path, "heard", figures)


def _row(table: Table, name: str, what: str, errors: list[int]) -> dict[str, float]:
    off = [abs(error) for error in errors]
    p50, p95 = statistics.median(off), float(np.percentile(off, 95))
    exact, mean = off.count(0) / len(off), statistics.mean(errors)
    table.add_row(name, what, str(len(off)), f"{exact:.0%}", f"{p50:g}", f"{p95:g}", str(max(off)), f"{mean:+.2f}")
    return {"n": len(off), "p50": p50, "p95": p95, "max": max(off), "exact": exact, "mean": mean}


async def _run(plans: list[Plan], sessions: int, *, timed: bool) -> list[Found]:
    espeak = Espeak()
    await espeak.warm_up()
    readings = [await _reading(espeak, text) for text in TEXTS]
    synthesizer: Synthesizer = espeak if timed else Untimed(espeak)
    engines = Engines(synthesizer, _Deaf(), load_model)
    with tempfile.TemporaryDirectory() as folder:
        async with serving(Path(folder), agent=Reader(), engines=engines, after_empty_cut="silent") as url:
            calls = [_call(url, plans[first::sessions], readings) for first in range(sessions)]
            taken = [cut for call in await asyncio.gather(*calls) for cut in call]
    # Only now: to align recordings takes the time in which calls would have to be carried.
    return [found for cut in taken if (found := cut.compared()) is not None]


async def _reading(espeak: Espeak, text: str) -> Reading:
    """The whole answer, clause by clause as the gateway speaks it."""
    clauses = Clauses()
    pcm: list[Pcm] = []
    words: list[Word] = []
    at = 0
    for clause in [*clauses.feed(f"{text} "), *clauses.finish()]:
        first = at
        async for speech in espeak.speak(clause.text):
            pcm.append(speech.pcm)
            at += len(speech.pcm)
            words += [Word(w.start + clause.start, w.end + clause.start, w.sample + first) for w in speech.words]
    return Reading(text, np.concatenate(pcm), tuple(words))


async def _call(url: str, plans: list[Plan], readings: list[Reading]) -> "list[_Cut]":
    ears = Listener()
    peer = await Peer.offer(ears, ears.pull, PeerOptions(send_rate_hz=VOICE_RATE_HZ, receive_rate_hz=VOICE_RATE_HZ))
    found: list[_Cut] = []
    try:
        await peer.connect(await asyncio.to_thread(_offer, url, peer.offer_sdp))
        await ears.until(lambda: ears.event("session.created"))
        for plan in plans:
            result = await _cut(peer, ears, plan, readings[plan.text])
            if result is not None:
                found.append(result)
    except TimeoutError:
        console.print(f"A call hangs after {len(found)} cuts; the rest of its cuts is left out.", style="red")
    finally:
        await peer.close()
    return found


def _offer(url: str, sdp: str) -> str:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        headers = {"Content-Type": "application/sdp"}
        connection.request("POST", "/v1/realtime/calls?ext=bargein.v1", body=sdp.encode(), headers=headers)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


async def _cut(peer: Peer, ears: Listener, plan: Plan, reading: Reading) -> "_Cut | None":
    """Ask, wait and cut. None when the answer was over, or cut, before it was to be."""
    loop = asyncio.get_running_loop()
    asked, first = loop.time(), len(ears.events)
    content = [{"type": "input_text", "text": f"{_ASK}{plan.text}"}]
    item = {"type": "message", "role": "user", "content": content}
    peer.send(json.dumps({"type": "conversation.item.create", "item": item}))
    peer.send(json.dumps({"type": "response.create"}))
    since = await ears.until(lambda: ears.sounding_since(asked))
    longest = len(reading.pcm) / VOICE_RATE_HZ - 1.5
    await asyncio.sleep(max(0.0, since + min(plan.after_ms / 1000, longest) - loop.time()))
    if plan.by == "button":
        peer.send(json.dumps({"type": "output_audio_buffer.clear"}))
    else:
        clip = read_clip(_VOICE).pcm
        ears.to_say += [clip[at : at + VOICE_FRAME] for at in range(0, len(clip), VOICE_FRAME)]
    over = ("conversation.item.truncated", "output_audio_buffer.stopped", "conversation.item.deleted")
    await ears.until(lambda: next((True for kind in over if ears.event(kind, first)), None))
    told, cleared = ears.event("conversation.item.truncated", first), ears.event("output_audio_buffer.cleared", first)
    await asyncio.sleep(1.0 if plan.by == "button" else 2.5)
    if told is None or cleared is None:
        return None
    # A page mutes when it is told of the cut: what its jitter buffer holds then is never heard.
    played = ears.recorded(since, cleared[0] - JITTER_BUFFER_MS / 1000)
    return _Cut(plan, reading, told[1], played, ears.recorded(since, cleared[0] + 0.2))


@dataclass(frozen=True, slots=True, eq=False)
class _Cut:
    """What the gateway told of a cut, and what was recorded."""

    plan: Plan
    reading: Reading
    told: dict[str, Any]
    played: Pcm
    sent: Pcm

    def compared(self) -> Found | None:
        """None when it was cut before it was to be, with too little recorded to find it by."""
        heard_ms = self.told["audio_end_ms"]
        played, sent = position(self.played, self.reading), position(self.sent, self.reading)
        if played is None and heard_ms > _TELLING_MS:
            return None
        kept = self.told["heard_text"]
        truth = 0 if played is None else self.reading.words_whole(played)
        begun = 0 if sent is None else self.reading.words_begun(sent)
        generated = len((kept + self.told["unheard_text"]).split())
        recorded_ms = milliseconds(played or 0, VOICE_RATE_HZ)
        return Found(self.plan, truth, len(kept.split()), begun, generated, recorded_ms, heard_ms)
