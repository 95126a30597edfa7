"""The record format: what is written is read back, for ever, and holds no words."""

from collections.abc import Mapping
from pathlib import Path
from types import EllipsisType
from typing import Any, Final, cast, get_args

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from gateway.core.events import (
    CommandApplied,
    Fact,
    ItemAdded,
    ItemCompleted,
    ItemRemoved,
    ItemTranscribed,
    ItemTranscriptionFailed,
    ItemTruncated,
    PlayoutCleared,
    PlayoutStarted,
    PlayoutStopped,
    ResponseEnded,
    ResponseStarted,
    SessionOpened,
    SettingsChanged,
    TextAppended,
)
from gateway.core.ids import DeviceId, Generation, ItemId, LegId, ResponseId, TenantId, UserId
from gateway.core.values import Failure, Settings
from gateway.errors import StoreError
from gateway.store.records import FACTS, VERSION, ContentRow, decode, encode, ended_item, upgrade

DATA: Final = Path(__file__).parents[1] / "data"

USER, ANSWER = ItemId("item_1"), ItemId("item_2")
RESPONSE, LEG = ResponseId("resp_1"), LegId("leg_1")

SAMPLES: Final[tuple[Fact, ...]] = (
    SessionOpened(Settings("gpt-4o-mini", "Be brief.", "alloy", "de"), TenantId("acme"), UserId("ada")),
    SettingsChanged(Settings("offline", "", "", "en")),
    ItemAdded(USER, None, "user", "completed", "What time is it?", True, DeviceId("phone"), None, ANSWER),
    ItemAdded(ANSWER, USER, "assistant", "in_progress", "", False, DeviceId(""), RESPONSE, None),
    ItemTranscribed(USER, "What time is it? \N{ALARM CLOCK}"),
    ItemTranscriptionFailed(USER, Failure("engine_timeout", "The recogniser took too long.")),
    ItemCompleted(ANSWER, RESPONSE, "incomplete", "It is a quarter past nine."),
    ItemTruncated(ANSWER, "It is a", " quarter past nine.", 420, 28, "leg_lost"),
    ItemRemoved(USER, "not_speech"),
    ResponseStarted(RESPONSE, Generation(7), LEG, ANSWER, {"topic": "time"}),
    ResponseEnded(RESPONSE, Generation(7), "cancelled", ANSWER, "turn_detected", None),
    ResponseEnded(RESPONSE, Generation(8), "failed", None, None, Failure("model_timeout", "No token came.")),
    PlayoutStarted(RESPONSE, LEG),
    PlayoutStopped(RESPONSE, LEG),
    PlayoutCleared(RESPONSE, LEG, 7, 420),
    CommandApplied("key_1", "5f70bf18a086", 1763640000.25),
)
"""Every fact type, with values unlike the defaults. ``log-v1.jsonl`` holds the same, line by line."""

_BOUNDED: Final[Mapping[str, st.SearchStrategy[Any]]] = {
    "wall": st.floats(allow_nan=False, allow_infinity=False),
    "heard_ms": st.integers(0, 2**53),
    "heard_chars": st.none() | st.integers(0, 2**53),
    "seen": st.integers(0, 2**53),
    "generation": st.integers(0, 2**53),
}


def _any_of(kind: type[Fact]) -> st.SearchStrategy[Fact]:
    fields: dict[str, st.SearchStrategy[Any] | EllipsisType] = {
        name: _BOUNDED.get(name, ...) for name in kind.__dataclass_fields__
    }
    return cast(st.SearchStrategy[Fact], st.builds(kind, **fields))


ANY_FACT: Final = st.one_of([_any_of(kind) for kind in get_args(Fact)])


def golden(version: int) -> list[tuple[dict[str, Any], tuple[ContentRow, ...]]]:
    """The frozen records of a version with the words beside them."""
    lines = (DATA / f"log-v{version}.jsonl").read_bytes().splitlines()
    return [(entry["record"], tuple(ContentRow(*row) for row in entry["contents"])) for entry in map(parse, lines)]


def parse(line: bytes) -> dict[str, Any]:
    """A JSON object."""
    return msgspec.json.decode(line, type=dict[str, Any])


def refused(data: bytes) -> str:
    """The code with which a record is refused."""
    with pytest.raises(StoreError) as caught:
        decode(data)
    return caught.value.code


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_every_released_version_is_still_read(version: int) -> None:
    entries = golden(version)
    facts = [decode(msgspec.json.encode(record), contents) for record, contents in entries]
    assert {record["v"] for record, _ in entries} == {version}
    assert len(facts) >= len(FACTS)


def test_version_1_means_what_it_meant() -> None:
    assert tuple(decode(msgspec.json.encode(record), contents) for record, contents in golden(1)) == SAMPLES


def test_a_fact_that_changes_its_shape_needs_a_new_version() -> None:
    frozen = golden(VERSION)
    written = [encode(fact) for fact in SAMPLES]
    assert [(parse(data), contents) for data, contents in written] == frozen


def test_every_fact_type_is_in_the_golden_file() -> None:
    assert {record["t"] for record, _ in golden(VERSION)} == set(FACTS)
    assert set(FACTS.values()) == set(get_args(Fact))


def test_no_fact_has_a_field_that_a_record_needs_for_itself() -> None:
    assert not {"v", "t"} & {name for kind in FACTS.values() for name in kind.__dataclass_fields__}


@given(ANY_FACT)
@settings(max_examples=200)
def test_any_fact_comes_back_as_it_was(fact: Fact) -> None:
    assert decode(*encode(fact)) == fact


@given(ANY_FACT)
@settings(max_examples=200)
def test_words_are_beside_the_record_and_not_in_it(fact: Fact) -> None:
    data, contents = encode(fact)
    words = {name: getattr(fact, name) for name in ("text", "unheard") if hasattr(fact, name)}
    assert not {"text", "unheard"} & parse(data).keys()
    assert [ContentRow(getattr(fact, "item_id", ItemId("")), **words)] * bool(words) == list(contents)


def test_missing_words_come_back_empty() -> None:
    data, _ = encode(ItemTruncated(ANSWER, "heard", "unheard", 420))
    assert decode(data) == ItemTruncated(ANSWER, "", "", 420)
    assert decode(data, [ContentRow(USER, "of another item")]) == ItemTruncated(ANSWER, "", "", 420)


def test_half_a_character_keeps_its_place_in_the_words() -> None:
    data, contents = encode(ItemTranscribed(USER, "a\ud83db"))
    assert decode(data, contents) == ItemTranscribed(USER, "a?b")


def test_a_field_added_by_a_newer_gateway_is_ignored() -> None:
    data = b'{"v":1,"t":"item_removed","item_id":"item_1","reason":"deleted","by":"somebody"}'
    assert decode(data) == ItemRemoved(USER, "deleted")


def test_a_field_that_has_a_default_may_be_absent() -> None:
    data = b'{"v":1,"t":"response_started","response_id":"resp_1","generation":7,"leg":null}'
    assert decode(data) == ResponseStarted(RESPONSE, Generation(7), None)


@pytest.mark.parametrize("data", [b'{"v":%d,"t":"item_removed"}' % (VERSION + 1), b'{"v":1,"t":"reaction_added"}'])
def test_what_a_newer_gateway_wrote_is_refused_as_too_new(data: bytes) -> None:
    assert refused(data) == "store_too_new"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"t":"item_removed"}',
        b'{"v":true,"t":"item_removed"}',
        b'{"v":"1","t":"item_removed"}',
        b'{"v":0,"t":"item_removed"}',
        b'{"v":1,"t":"item_removed"}',
        b'{"v":1,"t":"item_removed","item_id":1,"reason":""}',
        b'{"v":1,"t":"item_removed"' + b',"x":' + b"[" * 5000,
    ],
)
def test_what_no_gateway_wrote_is_refused_with_a_code(data: bytes) -> None:
    assert refused(data) == "store_unavailable"


@pytest.mark.parametrize(
    "fact",
    [
        CommandApplied("key", "digest", float("nan")),
        CommandApplied("\ud800", "digest", 1.0),
        ItemRemoved(cast(ItemId, 7), "deleted"),
        cast(Fact, TextAppended(RESPONSE, ANSWER, 0, "live only")),
    ],
)
def test_what_could_not_be_read_back_is_not_written(fact: Fact) -> None:
    with pytest.raises(StoreError) as caught:
        encode(fact)
    assert caught.value.code == "store_unavailable"


def test_a_refusal_does_not_quote_what_it_refused() -> None:
    with pytest.raises(StoreError) as caught:
        encode(CommandApplied("canary\ud800", "digest", 1.0))
    assert "canary" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_an_old_record_goes_through_every_step_to_the_present() -> None:
    steps = {1: lambda fields: {**fields, "b": fields["a"] + 1}, 2: lambda fields: {**fields, "c": fields["b"] + 1}}
    assert upgrade({"v": 1, "a": 1}, steps, 3) == {"a": 1, "b": 2, "c": 3}
    assert upgrade({"v": 2, "b": 5}, steps, 3) == {"b": 5, "c": 6}
    with pytest.raises(StoreError, match="version 3"):
        upgrade({"v": 1, "a": 1}, steps, 4)


def test_an_item_ends_when_it_is_completed_or_removed() -> None:
    ends = {type(fact) for fact in SAMPLES if ended_item(fact) is not None}
    assert ends == {ItemCompleted, ItemRemoved}
