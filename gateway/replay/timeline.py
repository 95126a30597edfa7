"""The report of a replay, made from its story. Pure.

**Stop latency**, as promise 1 of the design defines it: from the moment the 20 ms frame that holds the step's first
sample over 300 is handed to the encoder (WebRTC) or to the socket (WebSocket), to the arrival of the last packet of
the answer whose decoded peak exceeds 500 before it falls silent. Over WebSocket nothing arrives at the pace at which
it is heard, so there the last such frame counts that the virtual loudspeaker plays.

Speech is full of small silences. The one that counts is the one that fills most of the time between
``output_audio_buffer.paused`` (or ``.cleared``) and ``.resumed`` (or the start of the next answer, or the end); a
packet that was still under way when the event came belongs to what was heard before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any, Final

from gateway.replay.story import Answer, Event, Played, Story, text_at

BREATH_MS: Final = 40
"""An answer of which no packet was audible for so long did not sound: it drew breath, and nothing can be measured."""

_IDS: Final = ("event_id", "seq", "item_id", "response_id", "previous_item_id", "command_id", "code", "replay")
_NESTED: Final = {
    "item_id": ("item", "id"),
    "response_id": ("response", "id"),
    "session_id": ("session", "id"),
    "code": ("error", "code"),
}


@dataclass(frozen=True, slots=True)
class Transcript:
    """What the gateway understood of one turn of the caller."""

    item_id: str
    text: str
    t_ms: float


@dataclass(frozen=True, slots=True)
class Response:
    """One answer. ``heard_text`` is all of ``generated_text``, unless the answer was cut: then it is a prefix."""

    response_id: str
    item_id: str | None
    status: str
    reason: str | None
    generated_text: str
    heard_text: str
    unheard_text: str
    continues: str | None
    created_ms: float
    done_ms: float | None
    started_ms: float | None
    """``output_audio_buffer.started``; None when it never sounded."""

    ended_ms: float | None
    playout: str | None
    """``stopped`` or ``cleared``; ``sounding`` when it still did at the end; None when it never sounded."""


@dataclass(frozen=True, slots=True)
class Interruption:
    """A step that spoke while an answer was running."""

    step: int
    """Its place among the steps, from 1."""

    file: str
    at_ms: float
    """When its first voice was handed over."""

    response_id: str
    stop_latency_ms: float | None
    """None when no answer sounded at that moment (it may have drawn breath), or when it went on sounding."""

    told_after_ms: float | None
    """When, counted from ``at_ms``, the gateway said that the answer is paused or cleared. A stop latency far below it
    means that the answer drew breath in between."""

    paused: bool
    cut: bool
    resumed: bool


@dataclass(frozen=True, slots=True)
class Step:
    """A step as it was played. ``onset_ms`` is None for one that holds no voice, or did not get so far."""

    step: str
    began_ms: float
    onset_ms: float | None
    ended_ms: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """The stop latencies of all interruptions that had one."""

    interruptions: int
    stop_latency_median_ms: float | None
    stop_latency_worst_ms: float | None
    duration_ms: float


@dataclass(frozen=True, slots=True)
class Report:
    """What ``--json`` writes. Times count from the beginning of the replay."""

    ok: bool
    """Every step was played, and every response reached its end."""

    failure: str | None
    """A sentence, when not ok."""

    url: str
    transport: str
    steps: list[Step]
    transcripts: list[Transcript]
    responses: list[Response]
    interruptions: list[Interruption]
    summary: Summary
    events: list[dict[str, Any]]


def report(story: Story, *, url: str, transport: str, now_ms: float, failure: str | None) -> Report:
    """What happened up to *now_ms*. *failure* says why the replay ended before its end, if it did."""
    hanging = [it.response_id for it in story.answers.values() if it.done_ms is None]
    if failure is None and hanging:
        failure = f"{', '.join(hanging)} reached no end."
    interruptions = _interruptions(story, now_ms)
    latencies = [it.stop_latency_ms for it in interruptions if it.stop_latency_ms is not None]
    summary = Summary(
        len(interruptions),
        _tenth(median(latencies)) if latencies else None,
        max(latencies, default=None),
        _tenth(now_ms),
    )
    return Report(
        ok=failure is None,
        failure=failure,
        url=url,
        transport=transport,
        steps=[_step(it) for it in story.played],
        transcripts=_transcripts(story),
        responses=[_response(it) for it in story.answers.values()],
        interruptions=interruptions,
        summary=summary,
        events=[_event(seen.t_ms, seen.event) for seen in story.seen],
    )


def stop_latency_ms(audible_ms: Sequence[float], onset_ms: float, silenced_ms: float, until_ms: float) -> float | None:
    """How long after *onset_ms* the answer was still heard, before the silence of *silenced_ms* .. *until_ms*.

    *audible_ms* are the arrivals of its audible packets, ascending. None when it was silent at the onset already.
    """
    edges = [float("-inf"), *audible_ms, float("inf")]
    last, _ = max(pairwise(edges), key=lambda it: min(it[1], until_ms) - max(it[0], silenced_ms))
    return max(0.0, last - onset_ms) if last >= onset_ms - BREATH_MS else None


def _interruptions(story: Story, now_ms: float) -> list[Interruption]:
    voices = [(number, it, it.onset_ms) for number, it in enumerate(story.played, 1) if it.onset_ms is not None]
    ends = [*(onset_ms for _, _, onset_ms in voices[1:]), now_ms]
    found = (
        _interruption(story, number, played, onset_ms, end_ms)
        for (number, played, onset_ms), end_ms in zip(voices, ends, strict=False)
    )
    return [it for it in found if it is not None]


def _interruption(story: Story, number: int, played: Played, onset_ms: float, end_ms: float) -> Interruption | None:
    """What *played* did to the answer that was running, up to *end_ms*: then the next step speaks."""
    running = [it for it in story.answers.values() if it.alive_at(onset_ms)]
    if not running:
        return None
    answer = next((it for it in running if it.sounding_at(onset_ms)), running[0])
    paused_ms = _when(story, "output_audio_buffer.paused", answer, onset_ms, end_ms)
    resumed_ms = _when(story, "output_audio_buffer.resumed", answer, paused_ms or onset_ms, end_ms)
    cleared_ms = _when(story, "output_audio_buffer.cleared", answer, onset_ms, end_ms)
    silenced_ms = paused_ms if paused_ms is not None else cleared_ms
    latency = None
    if silenced_ms is not None and answer.sounding_at(onset_ms):
        until_ms = _sound_again(story, silenced_ms, resumed_ms, now_ms=end_ms)
        latency = _tenth_or(stop_latency_ms(story.audible_ms, onset_ms, silenced_ms, until_ms))
    cancelled = answer.status == "cancelled" and onset_ms <= (answer.done_ms or 0.0) < end_ms
    return Interruption(
        number,
        played.step.path.name,
        _tenth(onset_ms),
        answer.response_id,
        latency,
        None if silenced_ms is None else _tenth(silenced_ms - onset_ms),
        paused=paused_ms is not None,
        cut=cleared_ms is not None or cancelled,
        resumed=resumed_ms is not None,
    )


def _when(story: Story, kind: str, answer: Answer, from_ms: float, end_ms: float) -> float | None:
    about = (it for it in story.seen if it.type == kind and text_at(it.event, "response_id") == answer.response_id)
    return next((it.t_ms for it in about if from_ms <= it.t_ms < end_ms), None)


def _sound_again(story: Story, silenced_ms: float, resumed_ms: float | None, *, now_ms: float) -> float:
    began = [it.started_ms for it in story.answers.values() if it.started_ms is not None]
    later = [it for it in (*began, resumed_ms) if it is not None and it > silenced_ms]
    return min([*later, max(now_ms, silenced_ms)])


def _step(played: Played) -> Step:
    return Step(str(played.step), _tenth(played.began_ms), _tenth_or(played.onset_ms), _tenth_or(played.ended_ms))


def _transcripts(story: Story) -> list[Transcript]:
    return [
        Transcript(text_at(it.event, "item_id"), text_at(it.event, "transcript"), _tenth(it.t_ms))
        for it in story.seen
        if it.type == "conversation.item.input_audio_transcription.completed"
    ]


def _response(answer: Answer) -> Response:
    heard = answer.text if answer.heard is None else answer.heard
    ended = "cleared" if answer.cleared else "stopped" if answer.ended_ms is not None else None
    playout = ended or ("sounding" if answer.started_ms is not None else None)
    return Response(
        answer.response_id,
        answer.item_id or None,
        answer.status,
        answer.reason or None,
        answer.text,
        heard,
        answer.text[len(heard) :],
        answer.continues or None,
        _tenth(answer.created_ms),
        _tenth_or(answer.done_ms),
        _tenth_or(answer.started_ms),
        _tenth_or(answer.ended_ms),
        playout,
    )


def _event(t_ms: float, event: Event) -> dict[str, Any]:
    """The line of an event: its type, its time and its ids. What it says stands in the other lists."""
    line: dict[str, Any] = {"type": text_at(event, "type"), "t_ms": _tenth(t_ms)}
    line |= {key: event[key] for key in _IDS if event.get(key) is not None}
    nested = {name: text_at(event, *path) for name, path in _NESTED.items()}
    return line | {name: value for name, value in nested.items() if value and name not in line}


def _tenth(ms: float) -> float:
    return round(ms, 1)


def _tenth_or(ms: float | None) -> float | None:
    return None if ms is None else round(ms, 1)
