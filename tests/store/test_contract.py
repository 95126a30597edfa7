"""What every engine of the log promises, on each of them."""

from collections.abc import Awaitable
from typing import cast

import pytest

from gateway.core.events import (
    CommandApplied,
    Fact,
    ItemAdded,
    ItemCompleted,
    ItemRedacted,
    ItemRemoved,
    ItemTranscribed,
    ItemTruncated,
    QueueTaken,
    QueueWithdrawn,
    ResponseStarted,
    SessionOpened,
    SettingsChanged,
    TextAppended,
    TurnQueued,
)
from gateway.core.ids import Generation, ItemId, ResponseId, SessionId
from gateway.core.state import Conversation
from gateway.core.values import Settings, Wish
from gateway.errors import StoreError
from gateway.runtime.ports import Content, Store
from gateway.runtime.wishes import place_of, wishes
from tests.store.conftest import HERE, THERE, Play
from tests.store.test_records import SAMPLES

A, B = ItemId("item_a"), ItemId("item_b")
RESPONSE = ResponseId("resp_1")
WALL = 1763640000.25


def said(item: ItemId, text: str) -> ItemAdded:
    """A typed message."""
    return ItemAdded(item, None, "user", "completed", text)


def answered(item: ItemId, text: str) -> ItemCompleted:
    """A whole answer."""
    return ItemCompleted(item, RESPONSE, "completed", text)


async def facts_of(store: Store, session: SessionId = HERE) -> tuple[Fact, ...]:
    """The log without its envelope."""
    loaded = await store.load(session)
    assert loaded is not None
    return tuple(stored.fact for stored in loaded.log)


async def open_texts(store: Store) -> dict[ItemId, str]:
    """What is saved of unfinished items."""
    loaded = await store.load(HERE)
    assert loaded is not None
    return dict(loaded.open_texts)


async def refused(call: Awaitable[object]) -> str:
    """The code with which a call is refused."""
    with pytest.raises(StoreError) as caught:
        await call
    return caught.value.code


def test_a_new_log_is_empty_and_knows_its_epoch(play: Play) -> None:
    async def scenario(store: Store) -> None:
        loaded = await store.load(HERE)
        assert loaded is not None
        assert (loaded.epoch, loaded.log, dict(loaded.open_texts)) == ("epoch_1", (), {})

    play(scenario)


def test_a_session_that_was_never_created_has_nothing(play: Play) -> None:
    async def scenario(store: Store) -> None:
        nowhere = SessionId("sess_00none")
        store.save_open(nowhere, A, "lost")
        await store.redact(nowhere, A)
        assert await store.load(nowhere) is None
        assert await store.read(nowhere, 0) == ()
        assert await store.contents(nowhere, [A]) == {}
        assert await refused(store.append(nowhere, 0, [said(A, "hello")], WALL)) == "store_conflict"

    play(scenario)


def test_a_session_is_created_once(play: Play) -> None:
    async def scenario(store: Store) -> None:
        assert await refused(store.create(HERE, "epoch_3")) == "store_conflict"
        loaded = await store.load(HERE)
        assert loaded is not None
        assert loaded.epoch == "epoch_1"

    play(scenario)


def test_every_kind_of_fact_comes_back_in_order(play: Play) -> None:
    async def scenario(store: Store) -> None:
        taking = SettingsChanged | ItemRedacted | QueueTaken  # words of what came before
        facts = [fact for fact in SAMPLES if not isinstance(fact, taking)]
        assert await store.append(HERE, 0, facts[:5], WALL) == 5
        assert await store.append(HERE, 5, facts[5:], WALL + 1) == len(facts)
        log = await store.read(HERE, 0)
        assert [stored.seq for stored in log] == list(range(1, len(facts) + 1))
        assert tuple(stored.fact for stored in log) == tuple(facts) == await facts_of(store)
        assert [stored.wall for stored in log[4:6]] == [WALL, WALL + 1]

    play(scenario)


@pytest.mark.parametrize("expected_seq", [0, 1, 3])
def test_an_append_at_the_wrong_place_is_refused(play: Play, expected_seq: int) -> None:
    async def scenario(store: Store) -> None:
        await store.append(HERE, 0, [said(A, "one"), said(B, "two")], WALL)
        assert await refused(store.append(HERE, expected_seq, [said(A, "three")], WALL)) == "store_conflict"
        assert await facts_of(store) == (said(A, "one"), said(B, "two"))
        assert await store.contents(HERE, [A]) == {A: Content("one")}

    play(scenario)


def test_an_append_of_nothing_tells_whether_the_log_ends_there(play: Play) -> None:
    async def scenario(store: Store) -> None:
        await store.append(HERE, 0, [said(A, "one")], WALL)
        assert await store.append(HERE, 1, [], WALL) == 1
        assert await refused(store.append(HERE, 0, [], WALL)) == "store_conflict"

    play(scenario)


@pytest.mark.parametrize(
    "bad", [CommandApplied("key", "digest", float("inf")), cast(Fact, TextAppended(RESPONSE, A, 0, "live"))]
)
def test_facts_are_appended_all_or_none(play: Play, bad: Fact) -> None:
    async def scenario(store: Store) -> None:
        assert await refused(store.append(HERE, 0, [said(A, "one"), bad], WALL)) == "store_unavailable"
        assert await facts_of(store) == ()
        assert await store.contents(HERE, [A]) == {}

    play(scenario)


def test_sessions_have_nothing_in_common(play: Play) -> None:
    async def scenario(store: Store) -> None:
        await store.append(HERE, 0, [said(A, "here")], WALL)
        assert await store.append(THERE, 0, [said(A, "there")], WALL) == 1
        await store.redact(HERE, A)
        assert await store.contents(HERE, [A]) == {}
        assert await store.contents(THERE, [A]) == {A: Content("there")}
        assert await facts_of(store, THERE) == (said(A, "there"),)

    play(scenario)


def test_a_log_is_read_in_pages(play: Play) -> None:
    async def scenario(store: Store) -> None:
        await store.append(HERE, 0, [said(A, str(number)) for number in range(1, 8)], WALL)

        async def seqs(after_seq: int, limit: int) -> list[int]:
            return [stored.seq for stored in await store.read(HERE, after_seq, limit)]

        assert await seqs(0, 3) == [1, 2, 3]
        assert await seqs(3, 3) == [4, 5, 6]
        assert await seqs(6, 3) == [7]
        assert await seqs(7, 3) == []
        assert await seqs(-1, 2) == [1, 2]
        assert await seqs(0, 0) == await seqs(0, -1) == []
        assert [stored.fact for stored in await store.read(HERE, 4, 1)] == [said(A, "5")]

    play(scenario)


def test_contents_are_the_latest_words_of_each_item(play: Play) -> None:
    async def scenario(store: Store) -> None:
        await store.append(HERE, 0, [said(A, ""), ItemTranscribed(A, "what time is it")], WALL)
        await store.append(HERE, 2, [answered(B, "It is nine o'clock.")], WALL)
        unknown = ItemId("item_c")
        whole = {A: Content("what time is it"), B: Content("It is nine o'clock.")}
        assert await store.contents(HERE, [A, B, unknown]) == whole
        assert await store.contents(HERE, []) == {}
        await store.append(HERE, 3, [ItemTruncated(B, "It is", " nine o'clock.", 300)], WALL)
        assert await store.contents(HERE, [B]) == {B: Content("It is", " nine o'clock.")}

    play(scenario)


def test_words_keep_every_character_they_can(play: Play) -> None:
    async def scenario(store: Store) -> None:
        text = "nul \0, \N{ALARM CLOCK}, e\N{COMBINING ACUTE ACCENT}, \N{NO-BREAK SPACE}'\"%"
        await store.append(HERE, 0, [said(A, text), said(B, "half \ud83d.")], WALL)
        assert await store.contents(HERE, [A, B]) == {A: Content(text), B: Content("half ?.")}
        store.save_open(HERE, ItemId("item_c"), text + "\ud83d")
        assert await open_texts(store) == {ItemId("item_c"): text + "?"}

    play(scenario)


def test_the_latest_open_text_of_each_item_is_loaded(play: Play) -> None:
    async def scenario(store: Store) -> None:
        for text in ("It", "It is", "It is nine"):
            store.save_open(HERE, A, text)
        store.save_open(HERE, B, "And")
        assert await open_texts(store) == {A: "It is nine", B: "And"}
        store.save_open(HERE, A, "It is nine o'clock")
        assert await open_texts(store) == {A: "It is nine o'clock", B: "And"}

    play(scenario)


@pytest.mark.parametrize("end", [answered(A, "It is nine."), ItemRemoved(A, "unheard")])
def test_an_item_that_has_ended_has_no_open_text(play: Play, end: Fact) -> None:
    async def scenario(store: Store) -> None:
        store.save_open(HERE, A, "It is")
        store.save_open(HERE, B, "And")
        assert await refused(store.append(HERE, 9, [end], WALL)) == "store_conflict"
        assert await open_texts(store) == {A: "It is", B: "And"}
        await store.append(HERE, 0, [end], WALL)
        assert await open_texts(store) == {B: "And"}
        store.save_open(HERE, A, "too late")
        assert await open_texts(store) == {B: "And"}

    play(scenario)


def test_an_open_text_that_is_not_written_yet_ends_with_its_item(play: Play) -> None:
    async def scenario(store: Store) -> None:
        store.save_open(HERE, A, "It is")
        await store.append(HERE, 0, [answered(A, "It is nine.")], WALL)
        assert await open_texts(store) == {}

    play(scenario)


def test_redaction_takes_the_words_and_leaves_the_log(play: Play) -> None:
    async def scenario(store: Store) -> None:
        await store.append(HERE, 0, [answered(A, "It is nine."), ItemTruncated(A, "It", " is nine.", 90)], WALL)
        await store.append(HERE, 2, [said(B, "thanks")], WALL)
        store.save_open(HERE, ItemId("item_c"), "You are")
        await store.redact(HERE, A)
        left = (answered(A, ""), ItemTruncated(A, "", "", 90), said(B, "thanks"))
        assert await facts_of(store) == left
        assert tuple(stored.fact for stored in await store.read(HERE, 0)) == left
        assert await store.contents(HERE, [A, B]) == {B: Content("thanks")}
        assert await open_texts(store) == {ItemId("item_c"): "You are"}

    play(scenario)


def test_redaction_takes_open_text_written_or_not(play: Play) -> None:
    async def scenario(store: Store) -> None:
        store.save_open(HERE, A, "It is")
        store.save_open(HERE, B, "And")
        await store.redact(HERE, A)
        assert await open_texts(store) == {B: "And"}
        await store.redact(HERE, B)
        assert await open_texts(store) == {}

    play(scenario)


def test_redaction_of_nothing_and_twice_is_harmless(play: Play) -> None:
    async def scenario(store: Store) -> None:
        await store.append(HERE, 0, [said(A, "one")], WALL)
        await store.redact(HERE, B)
        await store.redact(HERE, A)
        await store.redact(HERE, A)
        assert await facts_of(store) == (said(A, ""),)

    play(scenario)


def test_an_item_added_again_after_a_redaction_has_its_new_words(play: Play) -> None:
    async def scenario(store: Store) -> None:
        await store.append(HERE, 0, [said(A, "old"), ItemRemoved(A, "deleted")], WALL)
        await store.redact(HERE, A)
        await store.append(HERE, 2, [said(A, "new")], WALL)
        assert await store.contents(HERE, [A]) == {A: Content("new")}
        assert await facts_of(store) == (said(A, ""), ItemRemoved(A, "deleted"), said(A, "new"))

    play(scenario)


@pytest.mark.parametrize("end", [ItemRedacted(A, RESPONSE), ItemRemoved(A, "deleted"), QueueWithdrawn(A, "withdrawn")])
def test_words_that_a_fact_makes_void_are_gone_with_its_append(play: Play, end: Fact) -> None:
    async def scenario(store: Store) -> None:
        begun = ResponseStarted(RESPONSE, Generation(1), None, metadata={"topic": "time"})
        await store.append(HERE, 0, [begun, said(A, "one"), answered(A, "two"), said(B, "three")], WALL)
        store.save_open(HERE, A, "half")
        assert await store.append(HERE, 4, [end, said(B, "four")], WALL) == 6
        metadata = {} if isinstance(end, ItemRedacted) else begun.metadata
        left = (ResponseStarted(RESPONSE, Generation(1), None, metadata=metadata), said(A, ""), answered(A, ""))
        assert await facts_of(store) == (*left, said(B, "three"), end, said(B, "four"))
        assert await store.contents(HERE, [A, B]) == {B: Content("four")}
        assert await open_texts(store) == {}

    play(scenario)


@pytest.mark.parametrize("end", [QueueWithdrawn(A, "withdrawn"), QueueTaken(A)])
def test_what_is_wanted_for_an_answer_stays_while_its_turn_waits(play: Play, end: Fact) -> None:
    waits = TurnQueued(A, "one", "queue", wish=Wish("In French.", {"customer": "Ada"}))

    async def scenario(store: Store) -> None:
        await store.append(HERE, 0, [waits, said(B, "two")], WALL)
        assert wishes([A, B], await store.contents(HERE, [A, place_of(A)])) == {
            A: Wish("In French.", {"customer": "Ada"})
        }
        await store.append(HERE, 2, [end], WALL)
        text = "one" if isinstance(end, QueueTaken) else ""
        assert await facts_of(store) == (TurnQueued(A, text, "queue"), said(B, "two"), end)
        assert await store.contents(HERE, [place_of(A)]) == {}

    play(scenario)


def test_words_that_came_after_a_redaction_in_the_same_append_stay(play: Play) -> None:
    async def scenario(store: Store) -> None:
        await store.append(HERE, 0, [said(A, "old"), ItemRemoved(A, "deleted"), said(A, "new")], WALL)
        assert await store.contents(HERE, [A]) == {A: Content("new")}
        assert await facts_of(store) == (said(A, ""), ItemRemoved(A, "deleted"), said(A, "new"))

    play(scenario)


def test_of_settings_the_words_of_the_latest_alone_are_kept(play: Play) -> None:
    async def scenario(store: Store) -> None:
        first = SessionOpened(Settings("m", "Be brief.", metadata={"customer": "Ada"}))
        second = SettingsChanged(Settings("m", "Be verbose.", metadata={"customer": "Bob"}))
        await store.append(HERE, 0, [first], WALL)
        assert await facts_of(store) == (first,)
        await store.append(HERE, 1, [second], WALL)
        assert await facts_of(store) == (SessionOpened(Settings("m")), second)

    play(scenario)


def test_a_closed_store_refuses_with_a_code(play: Play) -> None:
    async def scenario(store: Store) -> None:
        await store.aclose()
        await store.aclose()
        calls = (
            store.create(SessionId("sess_02c"), "epoch"),
            store.append(HERE, 0, [said(A, "one")], WALL),
            store.load(HERE),
            store.read(HERE, 0),
            store.contents(HERE, [A]),
            store.redact(HERE, A),
            store.read_before(HERE, 1),
            store.info(HERE),
            store.sessions(),
            store.least_used(0.0),
            store.size(),
            store.remove(HERE),
            store.compact(),
        )
        assert [await refused(call) for call in calls] == ["store_unavailable"] * len(calls)
        store.save_open(HERE, A, "never raises")
        store.save_snapshot(HERE, 0, Conversation())

    play(scenario)
