"""The record format: what is written is read back, for ever, and holds no words."""

from collections.abc import Mapping
from pathlib import Path
from types import EllipsisType
from typing import Any, Final, cast, get_args

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from gateway.core.events import (
    AsideCalled,
    AsideEnded,
    AsideStarted,
    BranchSelected,
    CommandApplied,
    ContextRestored,
    ContextShortened,
    Entered,
    Fact,
    FloorChanged,
    ItemAdded,
    ItemCompleted,
    ItemCorrected,
    ItemRedacted,
    ItemRemoved,
    ItemTranscribed,
    ItemTranscriptionFailed,
    ItemTruncated,
    PlayoutCleared,
    PlayoutMoved,
    PlayoutStarted,
    PlayoutStopped,
    QueueEdited,
    QueueReordered,
    QueueTaken,
    QueueWithdrawn,
    ReactionAdded,
    ReactionRemoved,
    ResponseEnded,
    ResponseStarted,
    ResponseSteered,
    SessionOpened,
    SettingsChanged,
    SteerAccepted,
    SteerConsumed,
    SteerFailed,
    TextAppended,
    TurnQueued,
)
from gateway.core.ids import DeviceId, FloorGeneration, Generation, ItemId, LegId, ResponseId, TenantId, UserId
from gateway.core.values import Failure, Given, Settings, Tool, Usage, Wish
from gateway.errors import StoreError
from gateway.runtime.wishes import as_wish, pictures_of, place_of
from gateway.store.records import (
    FACTS,
    INSTRUCTIONS,
    METADATA,
    TOOLS,
    VERSION,
    ContentRow,
    as_map,
    decode,
    encode,
    ended_item,
    made_void,
    upgrade,
)

DATA: Final = Path(__file__).parents[1] / "data"

USER, ANSWER, EDITED = ItemId("item_1"), ItemId("item_2"), ItemId("item_3")
RESPONSE, LEG = ResponseId("resp_1"), LegId("leg_1")

CLOCK = Tool("clock", "Tells the time.", '{"type":"object"}')

SAMPLES: Final[tuple[Fact, ...]] = (
    SessionOpened(
        Settings(
            "gpt-4o-mini",
            "Be brief.",
            "alloy",
            "de",
            ("stopp",),
            ("ja",),
            "queue",
            "merge",
            9,
            tools=(CLOCK,),
            metadata={"topic": "time"},
        ),
        TenantId("acme"),
        UserId("ada"),
    ),
    SettingsChanged(Settings("offline", "", "", "en", on_edit="reject")),
    ItemAdded(
        USER, None, "user", "completed", "What time is it?", True, DeviceId("phone"), None, ANSWER, user=UserId("ada")
    ),
    ItemAdded(ItemId("item_14"), USER, "user", "completed", "This clock.", images=("https://example.org/clock.png",)),
    ItemAdded(ANSWER, USER, "assistant", "in_progress", "", False, DeviceId(""), RESPONSE, None),
    ItemAdded(EDITED, None, "user", "completed", "What day is it?", device=DeviceId("phone"), aside=True),
    ItemAdded(
        ItemId("item_8"), ANSWER, "tool", "completed", "{}", kind="function_call", call_id="call_1", name="clock"
    ),
    ItemAdded(
        ItemId("item_9"), ItemId("item_8"), "tool", "completed", "Nine.", kind="function_call_output", call_id="call_1"
    ),
    ItemTranscribed(USER, "What time is it? \N{ALARM CLOCK}", 1840),
    ItemTranscriptionFailed(USER, Failure("engine_timeout", "The recogniser took too long.")),
    ItemCompleted(ANSWER, RESPONSE, "incomplete", "It is a quarter past nine."),
    ItemCompleted(ANSWER, RESPONSE, "incomplete", "It is a", fell_short=True),
    ItemTruncated(ANSWER, "It is a", " quarter past nine.", 420, 28, "leg_lost"),
    ItemRemoved(USER, "not_speech"),
    ItemRemoved(EDITED, "not_speech", aside=True),
    ItemRedacted(ANSWER, RESPONSE),
    ResponseStarted(RESPONSE, Generation(7), LEG, ANSWER, {"topic": "time"}, DeviceId("phone"), "evt_1", USER),
    ResponseStarted(RESPONSE, Generation(8), None, replaces=ANSWER),
    ResponseEnded(RESPONSE, Generation(7), "cancelled", ANSWER, "turn_detected", None),
    ResponseEnded(RESPONSE, Generation(8), "failed", None, None, Failure("model_timeout", "No token came.")),
    ResponseEnded(RESPONSE, Generation(9), "incomplete", ANSWER, None, None, Usage(900, 20, 800), "max_output_tokens"),
    AsideStarted(RESPONSE, Generation(10), {"topic": "summary"}, DeviceId("phone"), "evt_3"),
    AsideCalled(RESPONSE, ItemId("item_10"), "call_2", "clock", "{}"),
    AsideEnded(RESPONSE, ItemId("item_11"), "completed", "They talked of clocks.", usage=Usage(900, 20)),
    AsideEnded(RESPONSE, ItemId("item_11"), "cancelled", "They", "client_cancelled"),
    ContextShortened(ItemId("item_12"), ANSWER, "Ada wants to know the time.", sums_up=True),
    ContextRestored(ItemId("item_13")),
    PlayoutStarted(RESPONSE, LEG),
    PlayoutStopped(RESPONSE, LEG),
    PlayoutCleared(RESPONSE, LEG, 7, 420),
    FloorChanged(FloorGeneration(3), DeviceId("phone"), LEG, "claimed"),
    PlayoutMoved(RESPONSE, LEG, 7, 420),
    CommandApplied("key_1", "5f70bf18a086", 1763640000.25),
    BranchSelected(
        ANSWER,
        (EDITED,),
        (
            Entered(USER, None, "user", "completed", True, DeviceId("phone"), False, 0),
            Entered(ANSWER, USER, "assistant", "incomplete", False, DeviceId(""), True, 28, True),
        ),
    ),
    ItemCorrected(USER, "What hour is it?", 2, DeviceId("laptop"), 1763640060.5, ANSWER, True, DeviceId("phone")),
    ReactionAdded(ANSWER, "\N{THUMBS UP SIGN}", DeviceId("phone"), 2),
    ReactionRemoved(ANSWER, "\N{THUMBS UP SIGN}", DeviceId("phone"), 1),
    TurnQueued(
        ItemId("item_3"),
        "And then?",
        "debounce",
        False,
        USER,
        DeviceId("phone"),
        LEG,
        "evt_2",
        Wish(
            "In French.",
            {"topic": "time"},
            (CLOCK,),
            "required",
            "clock",
            200,
            (Given("user", "What time is it?"), Given(refers_to="item_1")),
        ),
        True,
        1763640000.75,
    ),
    QueueEdited(ItemId("item_3"), "And when?", DeviceId("tablet")),
    QueueReordered((ItemId("item_4"), ItemId("item_3"))),
    QueueWithdrawn(ItemId("item_4"), "superseded"),
    QueueTaken(ItemId("item_3")),
    SteerAccepted(ItemId("item_5"), RESPONSE, "In French.", "next_step", DeviceId("tablet"), "evt_3"),
    SteerConsumed(ItemId("item_5"), RESPONSE),
    SteerFailed(ItemId("item_6"), RESPONSE, "cancelled", "In Greek."),
    ResponseSteered(RESPONSE, Generation(9), LEG),
)
"""Every fact type, with values unlike the defaults. ``log-v1.jsonl`` holds the same, line by line."""

_BOUNDED: Final[Mapping[str, st.SearchStrategy[Any]]] = {
    "wall": st.floats(allow_nan=False, allow_infinity=False),
    "heard_ms": st.integers(0, 2**53),
    "heard_chars": st.none() | st.integers(0, 2**53),
    "seen": st.integers(0, 2**53),
    "generation": st.integers(0, 2**53),
    "version": st.integers(0, 2**53),
    "count": st.integers(0, 2**53),
    "audio_ms": st.integers(0, 2**53),
    "entered": st.lists(st.builds(Entered, seen=st.integers(0, 2**53)), max_size=3).map(tuple),
    "not_before": st.none() | st.floats(allow_nan=False, allow_infinity=False),
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
    record = parse(data)
    assert not {"text", "unheard", "wish", "metadata"} & record.keys()
    assert not {"instructions", "metadata", "tools"} & record.get("settings", {}).keys()
    match fact:
        case ItemTruncated(item_id, text, unheard):
            assert contents == (ContentRow(item_id, text, unheard),)
        case ItemAdded():
            assert contents[0] == ContentRow(fact.item_id, fact.text)
            assert [row.item_id for row in contents[1:]] == [pictures_of(fact.item_id)] * bool(fact.images)
        case ItemTranscribed() | ItemCompleted() | ItemCorrected() | AsideCalled() | AsideEnded() | ContextShortened():
            assert contents == (ContentRow(fact.item_id, fact.text),)
        case SessionOpened(settings) | SettingsChanged(settings):
            assert contents[0] == ContentRow(INSTRUCTIONS, settings.instructions)
            assert (contents[1].item_id, as_map(contents[1].text)) == (METADATA, settings.metadata)
            assert [row.item_id for row in contents[2:]] == [TOOLS] * bool(settings.tools)
        case TurnQueued(item_id, text):
            wish = fact.wish
            kept = [(row.item_id, as_wish(row.text)) for row in contents[1:]]
            assert contents[0] == ContentRow(item_id, text)
            assert kept == [(place_of(item_id), wish)] * (wish != Wish())
        case QueueEdited() | SteerAccepted() | SteerFailed():
            assert contents == (ContentRow(fact.item_id, fact.text),)
        case ResponseStarted(response_id, metadata=metadata) | AsideStarted(response_id, metadata=metadata) if metadata:
            assert [(row.item_id, as_map(row.text)) for row in contents] == [(ItemId(f"*{response_id}"), metadata)]
        case _:
            assert contents == ()


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


@pytest.mark.parametrize("data", [b'{"v":%d,"t":"item_removed"}' % (VERSION + 1), b'{"v":1,"t":"moon_landed"}'])
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


def test_words_are_void_once_their_item_is_redacted_deleted_or_withdrawn() -> None:
    assert made_void(ItemRedacted(ANSWER, RESPONSE)) == (ANSWER, pictures_of(ANSWER), ItemId(f"*{RESPONSE}"))
    assert made_void(ItemRedacted(USER)) == made_void(ItemRemoved(USER, "deleted")) == (USER, pictures_of(USER))
    assert made_void(QueueWithdrawn(USER, "withdrawn")) == (USER, place_of(USER))
    assert made_void(QueueTaken(USER)) == (place_of(USER),)
    assert made_void(ItemRemoved(USER, "not_speech")) == made_void(ItemTruncated(ANSWER, "", "", 0)) == ()


def test_damaged_metadata_is_refused_with_a_code() -> None:
    data, _ = encode(ResponseStarted(RESPONSE, Generation(7), None, metadata={"a": "b"}))
    with pytest.raises(StoreError) as caught:
        decode(data, [ContentRow(ItemId(f"*{RESPONSE}"), "[]")])
    assert caught.value.code == "store_unavailable"


def test_an_item_ends_when_it_is_completed_or_removed() -> None:
    ends = {type(fact) for fact in SAMPLES if ended_item(fact) is not None}
    assert ends == {ItemCompleted, ItemRemoved}
