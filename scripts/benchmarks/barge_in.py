"""Stop latency, and what does not stop an answer: promises 1 and 2 of the design, beside other servers."""

import asyncio
import csv
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import typer
import uvloop
from rich.table import Table

from benchmarks.common import (
    BENCH_CLIPS,
    CALLERS,
    DEV_CLIPS,
    Json,
    console,
    name_machine,
    shared_clips,
    shown,
    spread,
    write,
)
from benchmarks.engines import ANSWER_S
from benchmarks.peers import Peer, Target, known, our_gateway, peer
from benchmarks.relay import PERFECT, Conditions
from benchmarks.scene import Scene, over_webrtc, over_websocket, spoken_ms
from benchmarks.silence import first_after, last_before_quiet, sounding_at, step_ms
from gateway.replay.sound import Clip, read_clip
from media.frames import MIC_FRAME, MIC_RATE_HZ, VOICE_RATE_HZ, milliseconds
from media.hearing.detector import Detector
from media.hearing.edges import Suspected
from media.resample import resample
from media.vad.silero import load_model

NETWORKS: Final[dict[str, Conditions]] = {
    "loopback": PERFECT,
    "5 % loss": Conditions(loss=0.05),
    "40 ms round trip, 2 % loss": Conditions(delay_ms=20, loss=0.02),
}
LEAD_S: Final = 1.2
"""How long an answer has sounded before it is interrupted, at least."""

GREETED_WITHIN_S: Final = 2.0
SOUND_WITHIN_S: Final = 15.0
TRIES: Final = 4
STOP_WITHIN_S: Final = 6.0
BACK_WITHIN_S: Final = 3.0
ROOM_S: Final = 12.0
"""An answer of ours that has sounded longer than a minute less this is begun anew before the next clip."""

Open: TypeAlias = Callable[[], AbstractAsyncContextManager[tuple[Scene, Callable[[Conditions], None]]]]


@dataclass(frozen=True, slots=True)
class Sound:
    """A clip that is played over an answer."""

    name: str
    clip: Clip
    voiced_ms: float
    """From the frame with its first sample over 300 to its end."""

    is_nothing: bool = False
    """It is no reason to fall silent for good: the sound should be back."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one clip did to an answer. ``stop_ms`` is None when the answer sounded on, or could not be measured."""

    clip: str
    sounded: bool
    stop_ms: float | None
    back_ms: float | None
    """From the clip's end until the sound was back; negative while it still went on. None: not within 3 s."""

    cut: bool
    """The gateway said so; of others we know only that they fell silent."""

    lost_ms: float | None
    """Of the answer, over the pause; negative where some was said again. None when it was cut or did not pause."""


def barge_in(
    count: Annotated[int, typer.Option(help="Interruptions for each row, at least 20 for a figure to quote.")] = 24,
    peers: Annotated[
        list[str] | None, typer.Option("--peer", help="stock, pipecat or fastrtc, on the same clips; can be repeated.")
    ] = None,
    network: Annotated[bool, typer.Option(help="Also with loss, and with delay and loss.")] = True,
    websocket: Annotated[bool, typer.Option(help="Also over WebSocket.")] = True,
    sounds: Annotated[bool, typer.Option(help="Also backchannels, a cough and a knock.")] = True,
    json_path: Json = None,
) -> None:
    """Stop latency, and whether an "uh-huh" or a cough cuts; with --peer beside stock aiortc, Pipecat, FastRTC."""
    others = known(peers or ())
    console.print("from the 20 ms frame with the first sample over 300, to the last packet whose peak exceeds 500")
    figures = uvloop.run(_barge_in(count, others, network=network, websocket=websocket, sounds=sounds))
    _print_stops(figures)
    if sounds:
        _print_sounds(figures["sounds"])
    name_machine()
    write(json_path, "barge-in", figures)


async def _barge_in(
    count: int, peers: Sequence[Peer], *, network: bool, websocket: bool, sounds: bool
) -> dict[str, Any]:
    clips = [_sound(path) for path in shared_clips(BENCH_CLIPS, "bench_u*.wav", ("no_something_else.wav",))]
    words = [clips[at % len(clips)] for at in range(count)]
    others = _sounds(count) if sounds else {}
    alone = [detector_alone_ms(sound) for sound in words]
    figures: dict[str, Any] = {
        "detector_alone": {**spread(alone), "of": alone, "model": _model()},
        "rows": {},
        "sounds": {},
    }

    async def row(name: str, open_: Open, what: Sequence[Sound], conditions: Conditions = PERFECT) -> list[Outcome]:
        began = time.monotonic()
        with console.status(f"{name}: {len(what)} clips"):
            outcomes = await run(open_, what, conditions)
        console.print(f"  {name}: {len(what)} clips in {time.monotonic() - began:.0f} s", style="dim")
        return outcomes

    async with our_gateway("--recognizer", "benchmarks.engines:deaf") as ours:
        for name, conditions in (NETWORKS if network else {"loopback": PERFECT}).items():
            figures["rows"][f"WebRTC, {name}"] = _stops(await row(name, _webrtc(ours), words, conditions))
        if websocket:
            figures["rows"]["WebSocket"] = _stops(await row("WebSocket", _websocket(ours), words))
    async with our_gateway() as ours:  # whose recognizer tells a backchannel from a word
        for name, what in others.items():
            figures["sounds"][name] = _pauses(await row(name, _webrtc(ours), what))
    for each in peers:
        async with peer(each) as other:
            figures["rows"][each] = _stops(await row(each, _webrtc(other), words))
            for name, what in others.items():
                figures["sounds"][f"{each}: {name}"] = _pauses(await row(each, _webrtc(other), what[:6]))
    return figures


def _webrtc(to: Target) -> Open:
    return lambda: over_webrtc(to.answer, seed=1)


def _websocket(to: Target) -> Open:
    @asynccontextmanager
    async def open_() -> AsyncIterator[tuple[Scene, Callable[[Conditions], None]]]:
        async with over_websocket(to.server.url) as scene:
            yield scene, lambda _conditions: None

    return open_


async def run(open_: Open, sounds: Sequence[Sound], conditions: Conditions) -> list[Outcome]:
    """Play each sound over an answer, in calls of six, and tell what came of it."""
    found: list[Outcome] = []
    for start in range(0, len(sounds), 6):
        async with open_() as (scene, change):
            await _ask(scene)
            await scene.wait(lambda scene=scene: bool(scene.audible), SOUND_WITHIN_S)  # type: ignore[misc]
            change(conditions)
            for index, sound in enumerate(sounds[start : start + 6]):
                found.append(await _one(scene, sound, index))
    return found


async def _one(scene: Scene, sound: Sound, index: int) -> Outcome:
    now = asyncio.get_running_loop().time
    for _ in range(TRIES):  # some begin to answer in mid-sentence, and stop again
        if not await _sounding(scene):
            return Outcome(sound.name, False, None, None, cut=False, lost_ms=None)
        # At every place of a frame, and never at the same one of the answer.
        await asyncio.sleep(LEAD_S + 0.0073 * index)
        if sounding_at(scene.audible, now()):
            break
    await scene.play(sound.clip)
    onset = scene.onset
    assert onset is not None, "a sound holds a sample over 300"
    if not sounding_at(scene.audible, onset):
        return Outcome(sound.name, False, None, None, cut=False, lost_ms=None)
    over = onset + sound.voiced_ms / 1000
    await asyncio.sleep(max(0.0, onset + 0.6 - now()))
    await scene.wait(lambda: last_before_quiet(scene.audible, onset, now()) is not None, STOP_WITHIN_S)
    silent = last_before_quiet(scene.audible, onset, now())
    if silent is None:
        return Outcome(sound.name, True, None, None, cut=False, lost_ms=None)
    if sound.is_nothing:
        await scene.wait(lambda: first_after(scene.audible, silent) is not None, over + BACK_WITHIN_S - now())
    back = first_after(scene.audible, silent)
    cut = scene.count("output_audio_buffer.cleared", onset) > 0
    lost = None
    if back is not None and not cut:
        await asyncio.sleep(0.3)
        step = step_ms(scene.arrivals, scene.packets, silent, back)
        lost = None if step is None else round(step if step < 0 else max(0.0, step - 20), 1)
    stop_ms = round((silent - onset) * 1000, 1)
    return Outcome(sound.name, True, stop_ms, None if back is None else round((back - over) * 1000, 1), cut, lost)


async def _ask(scene: Scene) -> None:
    """Have something answered: by an event where there is a channel for it, else by voice. Others speak unasked."""
    if not await scene.wait(lambda: scene.count("session.created", 0) > 0, GREETED_WITHIN_S):
        return
    if scene.tell is not None:
        scene.tell("response.create")
    else:
        await scene.play(read_clip(CALLERS / "ask_time.wav"))


async def _sounding(scene: Scene) -> bool:
    """Wait until an answer sounds that will go on for long enough; ask for one where we can."""
    now = asyncio.get_running_loop().time

    def sounds() -> bool:
        return sounding_at(scene.audible, now())

    began = max((at for at, name in scene.events if name == "output_audio_buffer.started"), default=now())
    if scene.tell is not None and scene.events and now() - began > ANSWER_S - ROOM_S:
        scene.tell("response.cancel")
        scene.tell("output_audio_buffer.clear")
        await asyncio.sleep(1.0)
        scene.tell("response.create")
    if await scene.wait(sounds, SOUND_WITHIN_S):
        return True
    await _ask(scene)
    return await scene.wait(sounds, SOUND_WITHIN_S)


def detector_alone_ms(sound: Sound) -> float:
    """What our detector takes to suspect the voice, fed packet by packet and waiting for nobody."""
    assert sound.clip.onset_frame is not None, "a bench clip holds a voice"
    pcm, first = resample(sound.clip.pcm, VOICE_RATE_HZ, MIC_RATE_HZ), sound.clip.onset_frame * MIC_FRAME
    detector = Detector(model=load_model())
    for at in range(0, len(pcm) - MIC_FRAME, MIC_FRAME):
        if any(isinstance(edge, Suspected) for edge in detector.process(pcm[at : at + MIC_FRAME], True)):
            return float(max(0, milliseconds(at + MIC_FRAME - first, MIC_RATE_HZ)))
    return float("nan")


def _model() -> str:
    model = load_model()
    return "none" if model is None else model.name


def _sound(path: Path) -> Sound:
    clip = read_clip(path)
    label = _labels().get(path.name)
    if label is None or clip.onset_frame is None:
        return Sound(path.stem, clip, spoken_ms(clip))
    return Sound(path.stem, clip, label - clip.onset_frame * 20)


def _labels() -> dict[str, float]:
    """Where the sound of each labelled clip ends, in ms."""
    path = DEV_CLIPS / "labels.csv"
    if not path.exists():
        return {}
    with path.open() as file:
        return {row["file"]: float(row["offset_ms"]) for row in csv.DictReader(file) if row["offset_ms"]}


def _sounds(count: int) -> dict[str, list[Sound]]:
    found: dict[str, list[Sound]] = {}
    backchannels = sorted(BENCH_CLIPS.glob("bench_b*.wav"))
    if backchannels:
        every = [replace(_sound(path), is_nothing=True) for path in backchannels]
        found["backchannels"] = [every[at % len(every)] for at in range(count + count // 4)]
    noises = [DEV_CLIPS / f"noise_{kind}_00.wav" for kind in ("cough", "knock")]
    if all(path.exists() for path in noises):
        every = [replace(_sound(path), is_nothing=True) for path in noises]
        found["cough, knock"] = [every[at % 2] for at in range(max(2, count // 3))]
    if not found:
        console.print("The backchannels, the cough and the knock are not here (shared/data).", style="yellow")
    return found


def _stops(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    sounded = [each for each in outcomes if each.sounded]
    stops = [each.stop_ms for each in sounded if each.stop_ms is not None]
    missed = len(sounded) - len(stops)
    return {**spread(stops), "missed": missed, "void": len(outcomes) - len(sounded), "of": [*map(asdict, outcomes)]}


def _pauses(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    sounded = [each for each in outcomes if each.sounded]
    paused = [each for each in sounded if each.stop_ms is not None]
    steps = [each.lost_ms for each in paused if each.lost_ms is not None]
    return {
        "n": len(sounded),
        "paused": len(paused),
        "cut": sum(each.cut for each in sounded),
        "not_back": sum(each.back_ms is None for each in paused),
        "back_ms": spread([each.back_ms for each in paused if each.back_ms is not None and not each.cut]),
        "lost_ms_worst": max((step for step in steps if step > 0), default=0.0),
        "repeated_ms_worst": -min((step for step in steps if step < 0), default=0.0),
        "of": [*map(asdict, outcomes)],
    }


def _print_stops(figures: dict[str, Any]) -> None:
    rows, alone = figures["rows"], figures["detector_alone"]["median"]
    ours = rows["WebRTC, loopback"]["median"]
    table = Table(
        "stop latency, ms", "n", "median", "p90", "p95", "max", "missed", "ours / this", title="interruptions"
    )
    table.add_row("our detector alone", str(len(figures["detector_alone"]["of"])), shown(alone), "", "", "", "", "")
    for name, row in rows.items():
        against = f"{ours / row['median']:.2f}" if ours and row["median"] else "–"
        cells = [shown(row[key]) for key in ("median", "p90", "p95", "max")]
        table.add_row(name, str(row["n"]), *cells, str(row["missed"]), against)
    console.print(table)
    void = sum(row["void"] for row in rows.values())
    if void:
        console.print(f"{void} clips found no answer sounding and are not counted", style="yellow")


def _print_sounds(sounds: dict[str, Any]) -> None:
    table = Table(
        *("sound over the answer", "n", "paused", "cut", "back after its end: median ms", "p95", "max"),
        *("lost, worst ms", "said again, worst ms"),
        title="no interruptions (others are cut whenever they fall silent)",
    )
    for name, row in sounds.items():
        back = [shown(row["back_ms"][key]) for key in ("median", "p95", "max")]
        cut = str(row["cut"]) if ":" not in name else f"{row['paused']}"
        again = (shown(row["lost_ms_worst"]), shown(row["repeated_ms_worst"])) if ":" not in name else ("–", "–")
        table.add_row(name, str(row["n"]), str(row["paused"]), cut, *back, *again)
    console.print(table)
