"""The yardstick for stock clients measures: it finds what has broken them."""

import json

import pytest

from tests.protocol.stock import problems

ITEM = {"id": "item_1", "object": "realtime.item", "type": "message", "role": "assistant", "status": "completed"}


def event(kind: str, **fields: object) -> str:
    return json.dumps({"type": kind, "event_id": "event_1", **fields})


GOOD = [
    event("input_audio_buffer.speech_started", item_id="item_1", audio_start_ms=5),
    event("conversation.item.done", item={**ITEM, "content": []}, previous_item_id=None),
    event("conversation.item.done", item={**ITEM, "content": [], "heard_text": "ours"}, seq=1),
    event("error", error={"type": "t", "code": None, "message": "m", "param": None, "event_id": None}),
]

BAD = [
    event("gateway.heard"),
    event("input_audio_buffer.speech_started", item_id="item_1", audio_start_ms=5.0),
    event("input_audio_buffer.speech_started", item_id="item_1", audio_start_ms=5.5),
    event("input_audio_buffer.speech_started", item_id="item_1"),
    event("conversation.item.done", item=ITEM),
    event("conversation.item.done", item={**ITEM, "content": [], "status": "cancelled"}),
    event("conversation.item.done", item={**ITEM, "content": [], "status": None}),
    event("conversation.item.done", item={**ITEM, "role": "tool", "content": []}),
    event("conversation.item.done", item={**ITEM, "role": "user", "content": [{"type": "input_audio"}]}),
    event("conversation.item.done", item={**ITEM, "content": [{"type": "text", "text": "x"}]}),
    event("conversation.item.done", item={**ITEM, "content": [{"type": "output_text", "text": None}]}),
    event("conversation.item.input_audio_transcription.completed", item_id="item_1", content_index=0, transcript="x"),
    event(
        "conversation.item.input_audio_transcription.failed",
        item_id="item_1",
        content_index=0,
        error={"type": "t", "code": "c", "message": "m", "param": None},
    ),
    event("response.done", response={"id": "r", "status": "steered", "output": []}),
    event("response.done", response={"id": "r", "status_details": {"type": "cancelled", "reason": "steered"}}),
    event("response.done", response={"id": "r", "metadata": {"k": 1}}),
    event("error", error={"code": "c", "message": "m"}),
    json.dumps({"type": "input_audio_buffer.cleared"}),
    event("output_audio_buffer.started"),
]


@pytest.mark.parametrize("sent", GOOD)
def test_what_clients_take_passes(sent: str) -> None:
    assert problems(sent) == []


@pytest.mark.parametrize("sent", BAD)
def test_what_has_broken_a_client_is_found(sent: str) -> None:
    assert problems(sent) != []
