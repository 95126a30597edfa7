"""Does it sound right? A conversation is recorded, and its clicks and stale tails are counted."""

import tempfile
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer
import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.common import BENCH_CLIPS, CALLERS, DEV_CLIPS, Json, console, write
from gateway.replay import ReplayOptions, parse, replay
from gateway.replay.clicks import Edge, edges, read_answer
from gateway.replay.own_gateway import own_gateway
from gateway.replay.sound import AUDIBLE
from gateway.replay.timeline import Report
from media.frames import VOICE_RATE_HZ, Pcm, samples

_ASK: Final = CALLERS / "ask_long_story.wav"
_AT_MS: Final = (900, 1_350, 2_130, 1_710, 2_590)
_EARLY_MS: Final = 300
_STALE_MS: Final = 2_000
_OURS_MS: Final = 300
_OUR_EVENTS: Final = {
    "stop": ("output_audio_buffer.paused", "output_audio_buffer.cleared"),
    "start": ("output_audio_buffer.resumed",),
}
_FADE: Final = samples(10, VOICE_RATE_HZ)


def sound(
    record: Annotated[Path | None, typer.Option(help="Keep the recording (stereo WAV: caller, answer) here.")] = None,
    barge_ins: Annotated[int, typer.Option(help="Questions asked over an answer.")] = 10,
    coughs: Annotated[int, typer.Option(help="Coughs over an answer.")] = 5,
    backchannels: Annotated[int, typer.Option(help="“uh-huh”, “okay”, “mhm” over an answer.")] = 5,
    json_path: Json = None,
) -> None:
    """Record barge-ins, coughs and backchannels; count clicks over the fade's slope, and what sounds after a cut."""
    steps = [str(_ASK), *_steps(barge_ins, coughs, backchannels)]
    with tempfile.TemporaryDirectory() as folder:
        path = record or Path(folder) / "talk.wav"
        report = uvloop.run(_replay(steps, path))
        answer = read_answer(path)
    found = edges(answer)
    holes = [edge for edge in found if edge.hole]
    stops, starts, natural = _ours(report, [edge for edge in found if not edge.hole])
    hard = list(chain.from_iterable(_last_stop(_hard(answer, edge.at)) for edge in stops))
    tails = _tails(report, answer)
    table = Table("event", "paused", "cut", "resumed", "stop ms")
    for event in report.interruptions:
        latency = "–" if event.stop_latency_ms is None else f"{event.stop_latency_ms:.0f}"
        table.add_row(event.file, *(_yes(it) for it in (event.paused, event.cut, event.resumed)), latency)
    console.print(table)
    figures: dict[str, Any] = {
        "ok": report.ok,
        "stops": len(stops),
        "stop_clicks": sum(edge.clicks for edge in stops),
        "resumes": len(starts),
        "resume_clicks": sum(edge.clicks for edge in starts),
        "natural_edges": len(natural),
        "natural_clicks": sum(edge.clicks for edge in natural),
        "holes": len(holes),
        "hard_cut_clicks": sum(edge.clicks for edge in hard),
        "stale_tail_ms": tails,
        "events": [
            {"file": it.file, "paused": it.paused, "cut": it.cut, "resumed": it.resumed} for it in report.interruptions
        ],
    }
    console.print(
        f"{figures['stop_clicks']} clicks at {len(stops)} pauses and cuts, {figures['resume_clicks']} at {len(starts)} "
        f"resumes. Reference: the same stops without their fade, {figures['hard_cut_clicks']} of {len(hard)} click; "
        f"the voice's own {len(natural)} beginnings and ends, {figures['natural_clicks']} are as steep."
    )
    if holes:
        console.print(f"{len(holes)} edges of holes in the recording: packets that came late, or never", style="yellow")
    console.print(f"sound after a cut was announced: {max(tails, default=0):.0f} ms at most, of {len(tails)} cuts")
    if report.failure:
        console.print(report.failure, style="red")
    write(json_path, "sound", figures)


def _steps(barge_ins: int, coughs: int, backchannels: int) -> list[str]:
    """The three kinds in turn, each over a running answer."""
    over = sorted(BENCH_CLIPS.glob("bench_u*.wav")) or [CALLERS / "no_something_else.wav", CALLERS / "ask_count.wav"]
    noises = sorted(DEV_CLIPS.glob("noise_cough*.wav")) or sorted(DEV_CLIPS.glob("noise_*.wav"))
    nods = sorted(BENCH_CLIPS.glob("bench_b*.wav"))
    kinds = [(over, barge_ins), (noises, coughs), (nods, backchannels)]
    queues = [[clips[n % len(clips)] for n in range(count)] if clips else [] for clips, count in kinds]
    order: list[Path] = []
    while any(queues):
        # A noise and a nod leave the answer to the question before them running; then two questions.
        for queue in (queues[1], queues[2], queues[0], queues[0]):
            order += [queue.pop(0)] if queue else []
    # What was asked last may have been no story: so that there is an answer to talk over, one is asked for again.
    return [f"{clip}@speaking+{_AT_MS[n % len(_AT_MS)]}" for n, clip in enumerate(order)]


async def _replay(steps: list[str], path: Path) -> Report:
    async with own_gateway() as url:
        options = ReplayOptions(
            tuple(parse(step) for step in steps), url=url, record_path=path, listen_ms=2_000, timeout_s=400.0
        )
        return await replay(options, Console(quiet=True))


def _ours(report: Report, found: list[Edge]) -> tuple[list[Edge], list[Edge], list[Edge]]:
    """The stops and starts that are ours, as they lie near to an event that tells of them, and the voice's own."""

    def ours(edge: Edge) -> bool:
        at_ms = edge.at * 1000 / VOICE_RATE_HZ
        times = [it["t_ms"] for it in report.events if it["type"] in _OUR_EVENTS[edge.kind]]
        return any(abs(at_ms - t_ms) <= _OURS_MS for t_ms in times)

    stops, starts = ([edge for edge in found if edge.kind == kind and ours(edge)] for kind in ("stop", "start"))
    return stops, starts, [edge for edge in found if not ours(edge)]


def _last_stop(sound: Pcm) -> list[Edge]:
    return [edge for edge in edges(sound) if edge.kind == "stop"][-1:]


def _hard(answer: Pcm, stop: int) -> Pcm:
    """A second of sound around a stop, which falls without a fade one fade earlier."""
    first = max(0, stop - VOICE_RATE_HZ // 50)
    piece = answer[first : stop + VOICE_RATE_HZ // 10].copy()
    at = stop - first - _FADE
    loudest = (
        at - samples(5, VOICE_RATE_HZ) + int(np.abs(piece[at - samples(5, VOICE_RATE_HZ) : at].astype(int)).argmax())
    )
    piece[loudest + 1 :] = 0
    return piece


def _tails(report: Report, answer: Pcm) -> list[float]:
    """For each cut the ms from its announcement to the last audible sound of it, up to two seconds."""
    tails = []
    starts = sorted(it.started_ms for it in report.responses if it.started_ms is not None)
    for response in report.responses:
        if response.playout != "cleared" or response.ended_ms is None:
            continue
        following = next((start for start in starts if start >= response.ended_ms), report.summary.duration_ms)
        # The next answer's first sound may come a moment before the event that tells of it.
        until = min(following - _EARLY_MS, response.ended_ms + _STALE_MS)
        first, last = (samples(ms, VOICE_RATE_HZ) for ms in (response.ended_ms, until))
        loud = np.flatnonzero(np.abs(answer[first:last].astype(np.int32)) > AUDIBLE)
        tails.append((int(loud[-1]) + 1) * 1000 / VOICE_RATE_HZ if len(loud) else 0.0)
    return tails


def _yes(told: bool) -> str:
    return "yes" if told else ""
