"""The yardstick for the order of events measures: it finds what is missing, doubled or exchanged in a good story."""

import json
from typing import Any, Final

import pytest

from tests.protocol.order import Json, problems

STORY: Final[list[Json]] = [
    {"type": "session.created"},
    {"type": "input_audio_buffer.speech_started", "item_id": "u"},
    {"type": "input_audio_buffer.speech_stopped", "item_id": "u"},
    {"type": "input_audio_buffer.committed", "item_id": "u", "previous_item_id": None},
    {"type": "conversation.item.added", "item": {"id": "u", "type": "message", "role": "user", "status": "completed"}},
    {"type": "conversation.item.done", "item": {"id": "u", "type": "message", "role": "user", "status": "completed"}},
    {"type": "conversation.item.input_audio_transcription.completed", "item_id": "u", "transcript": "Hi."},
    {"type": "response.created", "response": {"id": "r", "status": "in_progress", "output": []}},
    {"type": "response.output_item.added", "response_id": "r", "output_index": 0, "item": {"id": "a"}},
    {"type": "conversation.item.added", "previous_item_id": "u", "item": {"id": "a", "status": "in_progress"}},
    {"type": "response.content_part.added", "part": {"type": "audio", "transcript": ""}},
    {"type": "output_audio_buffer.started", "response_id": "r"},
    {"type": "response.output_audio_transcript.delta", "delta": "Hello "},
    {"type": "response.output_audio.delta", "delta": "AAAA"},
    {"type": "response.output_audio_transcript.delta", "delta": "there."},
    {"type": "response.output_audio.done"},
    {"type": "response.output_audio_transcript.done", "transcript": "Hello there."},
    {"type": "response.content_part.done", "part": {"type": "audio", "transcript": "Hello there."}},
    {"type": "conversation.item.done", "item": {"id": "a", "status": "completed"}},
    {"type": "response.output_item.done", "response_id": "r", "output_index": 0, "item": {"id": "a"}},
    {"type": "response.output_item.added", "response_id": "r", "output_index": 1, "item": {"id": "f"}},
    {"type": "conversation.item.added", "previous_item_id": "a", "item": {"id": "f", "status": "in_progress"}},
    {"type": "response.function_call_arguments.delta", "delta": "{}"},
    {"type": "response.function_call_arguments.done", "arguments": "{}", "name": "look", "call_id": "c"},
    {"type": "conversation.item.done", "item": {"id": "f", "status": "completed"}},
    {"type": "response.output_item.done", "response_id": "r", "output_index": 1, "item": {"id": "f"}},
    {"type": "response.done", "response": {"id": "r", "status": "completed", "usage": {"total_tokens": 0}}},
    {"type": "output_audio_buffer.stopped", "response_id": "r"},
    {"type": "conversation.item.truncated", "item_id": "a", "audio_end_ms": 5},
    {"type": "conversation.item.deleted", "item_id": "a"},
]

MAY_BE_MISSING: Final = {"response.output_audio.delta", "conversation.item.truncated", "conversation.item.deleted"}
MAY_BE_MISSING_TOO: Final = {"conversation.item.input_audio_transcription.completed", "output_audio_buffer.started"}

MAY_BE_TWICE: Final = {"response.output_audio.delta", "conversation.item.truncated"}

ANSWER: Final = {
    "type": "message",
    "role": "assistant",
    "content": [{"type": "output_audio", "transcript": "Hello there."}],
}
CALL: Final = {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"}


def story() -> list[Json]:
    """A turn, an answer of a message and a call, with what each event of it needs."""
    events: list[Json] = json.loads(json.dumps(STORY))
    for event in events:
        item = event.get("item", {})
        if item.get("id") in ("a", "f"):
            whole: Json = {"content": []} if item.get("status") == "in_progress" else {}
            item |= {**(ANSWER if item["id"] == "a" else CALL), **whole}
        if event["type"].startswith("response.") and "response" not in event:
            call = "function_call" in event["type"]
            place = {"response_id": "r", "item_id": "f" if call else "a", "output_index": int(call)}
            event.update({**place, **event})
        if event["type"] == "response.done":
            event["response"] |= {"output": [{"id": "a"}, {"id": "f"}], "status_details": None}
    return events


def numbered(events: list[Json]) -> list[Json]:
    return [{**event, "event_id": f"event_{at}"} for at, event in enumerate(events)]


def found(events: list[Json]) -> list[str]:
    return problems(numbered(events))


EVERY: Final = range(len(STORY))


def test_a_good_story_is_good() -> None:
    assert found(story()) == []


@pytest.mark.parametrize("at", EVERY, ids=lambda at: f"{at} {STORY[at]['type']}")
def test_what_is_missing_is_found(at: int) -> None:
    events = story()
    kind = events.pop(at)["type"]
    if kind == "output_audio_buffer.started":
        events = [event for event in events if event["type"] != "output_audio_buffer.stopped"]
    assert bool(found(events)) == (kind not in MAY_BE_MISSING | MAY_BE_MISSING_TOO)


@pytest.mark.parametrize("at", EVERY, ids=lambda at: f"{at} {STORY[at]['type']}")
def test_what_comes_twice_is_found(at: int) -> None:
    events = story()
    events.insert(at, events[at])
    assert bool(found(events)) == (events[at]["type"] not in MAY_BE_TWICE)


INDEPENDENT: Final = {
    ("conversation.item.input_audio_transcription.completed", "response.created"),
    ("conversation.item.done", "conversation.item.input_audio_transcription.completed"),
    ("response.content_part.added", "output_audio_buffer.started"),
    ("output_audio_buffer.started", "response.output_audio_transcript.delta"),
    ("response.output_audio_transcript.delta", "response.output_audio.delta"),
    ("response.output_audio.delta", "response.output_audio_transcript.delta"),
    ("response.output_audio_transcript.delta", "response.output_audio.done"),
    ("response.output_audio.done", "response.output_audio_transcript.done"),
    ("response.output_item.done", "response.output_item.added"),
    ("response.done", "output_audio_buffer.stopped"),
    ("output_audio_buffer.stopped", "conversation.item.truncated"),
}
"""Neighbours of which either may come first."""


@pytest.mark.parametrize("at", EVERY[:-1], ids=lambda at: f"{at} {STORY[at]['type']}")
def test_what_is_exchanged_is_found(at: int) -> None:
    events = story()
    pair = events[at]["type"], events[at + 1]["type"]
    events[at], events[at + 1] = events[at + 1], events[at]
    assert bool(found(events)) == (pair not in INDEPENDENT)


def changed(at: int, **fields: Any) -> list[Json]:
    events = story()
    events[at].update(fields)
    return events


def place(kind: str) -> int:
    return [event["type"] for event in STORY].index(kind)


@pytest.mark.parametrize(
    "events",
    [
        changed(place("conversation.item.added"), previous_item_id="nobody"),
        changed(place("response.output_audio_transcript.done"), transcript="Hello"),
        changed(place("response.content_part.done"), part={"type": "audio", "transcript": "Hello"}),
        changed(place("response.content_part.added"), part={"type": "text", "text": ""}),
        changed(place("response.output_audio_transcript.delta"), output_index=1),
        changed(place("response.output_audio_transcript.delta"), response_id="other"),
        changed(place("response.function_call_arguments.done"), arguments="{"),
    ],
)
def test_what_does_not_fit_what_came_before_is_found(events: list[Json]) -> None:
    assert found(events) != []


@pytest.mark.parametrize(
    "fields",
    [
        {"output": [{"id": "f"}, {"id": "a"}]},
        {"output": []},
        {"usage": None},
        {"status": "cancelled"},
        {"status": "cancelled", "status_details": {"type": "failed"}},
    ],
)
def test_an_end_that_does_not_fit_its_answer_is_found(fields: Json) -> None:
    events = story()
    events[place("response.done")]["response"].update(fields)
    assert found(events) != []


def test_two_events_of_one_id_are_found() -> None:
    events = numbered(story())
    events[5]["event_id"] = events[4]["event_id"]
    assert problems(events) != []
    del events[5]["event_id"]
    assert problems(events) != []
