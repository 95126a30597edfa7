"""No message is longer than clients take: deltas are split, and what cannot be is shortened and says so."""

import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from gateway.protocol import extension as ext, realtime as rt
from gateway.protocol.frames import MOST_BYTES, frames
from tests.protocol.stock import problems

MEBIBYTE = 1024 * 1024
LONG = "é\u0001𝄞" * 300_000
"""What JSON and UTF-8 make much of."""


def told(event: rt.ServerEvent, most_bytes: int = MOST_BYTES) -> list[dict[str, Any]]:
    event.event_id = "event_1"
    texts = frames(event, most_bytes)
    assert max(len(text.encode()) for text in texts) <= most_bytes
    return [json.loads(text) for text in texts]


def place(**more: Any) -> dict[str, Any]:
    return {"response_id": "resp_1", "item_id": "item_1", **more}


def message(text: str, **more: Any) -> rt.Item:
    return rt.Item("item_1", "completed", "assistant", [rt.Content("output_text", text=text)], **more)


def answer(*items: rt.Item) -> rt.Response:
    return rt.Response("resp_1", "completed", list(items), ["text"], usage=rt.Usage())


def test_what_fits_is_left_as_it_is() -> None:
    event = rt.TextDelta(**place(delta="One.", offset=0), event_id="event_1")
    assert frames(event) == [rt.encode(event)]
    text = "é" * (MOST_BYTES // 2 - 200)
    assert told(rt.TextDone(**place(text=text))) == [{**told(rt.TextDone(**place(text="")))[0], "text": text}]


@pytest.mark.parametrize("kind", [rt.TextDelta, rt.TranscriptDelta])
def test_a_delta_is_split_by_code_points_and_nothing_is_lost(kind: type[rt.TextDelta | rt.TranscriptDelta]) -> None:
    pieces = told(kind(**place(delta=LONG, offset=7)))
    assert "".join(piece["delta"] for piece in pieces) == LONG
    at = 7
    for piece in pieces:
        assert piece["offset"] == at
        at += len(piece["delta"])
    assert len({piece["event_id"] for piece in pieces}) == len(pieces) > 1
    assert [it for piece in pieces for it in problems(json.dumps(piece))] == []


def test_sound_is_split_between_samples() -> None:
    sound = "AAAABBBB" * 200_000
    pieces = told(rt.AudioDelta(**place(delta=sound)))
    assert "".join(piece["delta"] for piece in pieces) == sound
    assert all(len(piece["delta"]) % 8 == 0 and "offset" not in piece for piece in pieces)


BULKY = [
    rt.TextDone(**place(text=LONG)),
    rt.PartDone(**place(part=rt.Part("text", text=LONG))),
    rt.ItemDone(item=message(LONG)),
    rt.OutputItemDone(response_id="resp_1", item=message(LONG)),
    rt.ItemRetrieved(item=message(LONG, heard_text=LONG, unheard_text=LONG, seen_text=LONG)),
    rt.ResponseDone(response=answer(*[message(LONG, unheard_text=LONG)] * 3)),
    rt.ItemTruncated(item_id="item_1", audio_end_ms=5, heard_text=LONG, unheard_text=LONG, seen_text=LONG),
    rt.SessionCreated(session=rt.Session("sess_1", "m", LONG, ["text"], {}, tools=[{"description": LONG}])),
    ext.SessionSnapshot(session_id="sess_1", items=[message(LONG)], running=[]),
]


@pytest.mark.parametrize("event", BULKY, ids=lambda event: type(event).__name__)
def test_what_is_no_delta_is_shortened_and_says_so(event: rt.ServerEvent) -> None:
    (text,) = told(event)
    assert text["shortened"] is True
    whole = json.loads(rt.encode(event))
    assert {**text, "shortened": 0}.keys() == {**whole, "shortened": 0}.keys()
    assert text["type"] == whole["type"]


@pytest.mark.parametrize("event", BULKY[:6], ids=lambda event: type(event).__name__)
def test_stock_clients_take_what_was_shortened(event: rt.ServerEvent) -> None:
    (text,) = told(event)
    assert problems(json.dumps(text)) == []


def test_what_ends_a_long_answer_may_wait_for_a_client_as_a_whole() -> None:
    assert 5 * MOST_BYTES < 4 * MEBIBYTE
    assert MOST_BYTES < MEBIBYTE


@settings(max_examples=50)
@given(st.text(min_size=1, max_size=4000), st.integers(4_096, 20_000))
def test_whatever_is_said_comes_whole_in_pieces_that_fit(text: str, most_bytes: int) -> None:
    said = text * (1 + 8_000 // len(text))
    pieces = told(rt.TextDelta(**place(delta=said, offset=0)), most_bytes)
    assert "".join(piece["delta"] for piece in pieces) == said
