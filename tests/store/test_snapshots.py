"""Snapshots: a conversation goes on from one as from its whole log, holds no words there, and any may be lost."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, make_dataclass
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from gateway.core.events import Fact, ItemRedacted, SessionOpened, SettingsChanged
from gateway.core.ids import ItemId, SessionId
from gateway.core.session import Session
from gateway.core.state import Conversation
from gateway.core.values import Settings
from gateway.runtime.ports import Loaded, Store
from gateway.store.records import CONTENT_FIELDS, INSTRUCTIONS, METADATA
from gateway.store.snapshots import BYTES, FACTS, Growth, dataclasses_of, decode, encode, shape_of
from tests.core.script import ANSWER, Talk
from tests.core.world import TOKENS, TYPED, World
from tests.store.conftest import HERE, Play
from tests.store.test_contract import WALL, A, B, said

EXAMPLES: Final = int(os.environ.get("BARGEIN_EXAMPLES", "100"))


def folded(facts: Sequence[Fact]) -> Conversation:
    """What a log says."""
    return Session.replay(facts).state.conversation


def lived(numbers: Sequence[int]) -> Talk:
    """A session to which something happened."""
    world = World()
    for number in numbers:
        choices = world.choices()
        choices[number % len(choices)](number // len(choices))
    return world.talk


def settled(loaded: Loaded | None) -> Conversation:
    """What a session is known to be."""
    assert loaded is not None
    return Session.replay((stored.fact for stored in loaded.log), onto=loaded.snapshot).state.conversation


# --- the codec ---


@settings(max_examples=EXAMPLES)
@given(st.lists(st.integers(0, 1 << 16), min_size=20, max_size=120), st.data())
def test_a_snapshot_and_the_log_after_it_fold_like_the_whole_log(numbers: list[int], data: st.DataObject) -> None:
    log = lived(numbers).log
    cut = data.draw(st.integers(0, len(log)))
    before = folded(log[:cut])
    saved = encode(before)
    assert not any(words.encode() in saved for words in (*TYPED, *filter(str.strip, TOKENS), ANSWER, "Be brief."))
    restored = decode(saved, lambda _: {INSTRUCTIONS: before.settings.instructions})
    assert restored == before
    assert Session.replay(log[cut:], onto=restored).state.conversation == folded(log)


def test_no_part_of_a_conversation_has_a_field_for_words_but_its_settings() -> None:
    names = {field.name for kind in set(dataclasses_of(Conversation)) - {Settings} for field in fields(kind)}
    assert not names & {*CONTENT_FIELDS, "instructions", "metadata"}, "a snapshot would hold words: keep an id instead"


def test_settings_get_their_present_words_back() -> None:
    told = Conversation(Settings("m", "Be brief.", metadata={"customer": "Ada"}))
    saved = encode(told)
    assert b"brief" not in saved
    assert b"Ada" not in saved
    assert b"customer" not in saved
    assert decode(saved, lambda _: {INSTRUCTIONS: "Be brief.", METADATA: '{"customer":"Ada"}'}) == told
    assert decode(saved, lambda _: {}) == Conversation(Settings("m"))


@dataclass
class Inner:
    number: int


@dataclass
class Outer:
    inner: dict[str, list[Inner | None]] = field(default_factory=dict)


def made(name: str, *parts: tuple[str, Any]) -> type:
    """A dataclass of one's own making."""
    return make_dataclass(name, parts)


def test_every_dataclass_within_is_part_of_the_shape() -> None:
    assert set(dataclasses_of(Outer)) == {Outer, Inner}
    plain = made("Kind", ("number", int))
    assert shape_of(plain) == shape_of(made("Kind", ("number", int)))
    others = [
        made("Kind", ("number", str)),
        made("Kind", ("count", int)),
        made("Kind", ("number", int), ("more", int)),
        made("Kind", ("number", int), ("inner", Inner)),
    ]
    assert len({shape_of(kind) for kind in (plain, *others)}) == 5


@pytest.mark.parametrize("spoil", ["empty", "cut", "other shape", "other types", "no bytes of ours"])
def test_what_cannot_be_read_is_no_snapshot(spoil: str) -> None:
    saved = encode(Conversation())
    shape, told, rest = msgspec.msgpack.decode(saved)
    spoilt = {
        "empty": b"",
        "cut": saved[:-3],
        "other shape": msgspec.msgpack.encode(["older", told, rest]),
        "other types": msgspec.msgpack.encode([shape, told, {**rest, "tree": 7}]),
        "no bytes of ours": b'{"a":1}',
    }
    assert decode(spoilt[spoil], lambda _: {}) is None


# --- when ---


def test_a_snapshot_is_due_after_so_many_facts_or_bytes() -> None:
    growth = Growth()
    growth.add(HERE, FACTS - 1, 10)
    assert not growth.due(HERE)
    growth.add(HERE, 1, 10)
    assert growth.due(HERE)
    growth.set(HERE, 0, 0)
    assert not growth.due(HERE)
    growth.add(HERE, 1, BYTES)
    assert growth.due(HERE)


def test_sessions_that_are_long_gone_are_not_remembered() -> None:
    growth = Growth()
    growth.add(HERE, FACTS, 0)
    for number in range(10_001):
        growth.add(SessionId(f"sess_00{number}"), FACTS, 0)
    assert not growth.due(HERE)
    assert growth.due(SessionId("sess_0010000"))


# --- in a store ---


def opened() -> SessionOpened:
    return SessionOpened(Settings("m", "Be brief.", metadata={"customer": "Ada"}))


def test_a_session_is_loaded_from_its_snapshot_and_what_followed(play: Play) -> None:
    async def scenario(store: Store) -> None:
        facts: list[Fact] = [opened(), said(A, "one")]
        await store.append(HERE, 0, facts, WALL)
        store.save_snapshot(HERE, 2, folded(facts))
        await store.append(HERE, 2, [said(B, "two")], WALL)
        loaded = await store.load(HERE)
        assert loaded is not None
        assert loaded.snapshot == folded(facts)
        assert (loaded.snapshot_seq, loaded.seq, [stored.seq for stored in loaded.log]) == (2, 3, [3])
        assert settled(loaded) == folded([*facts, said(B, "two")])

    play(scenario)


def test_a_snapshot_is_not_changed_by_what_happens_to_the_conversation_later(play: Play) -> None:
    async def scenario(store: Store) -> None:
        await store.append(HERE, 0, [opened()], WALL)
        conversation = folded([opened()])
        store.save_snapshot(HERE, 1, conversation)
        conversation.settings = Settings("other")
        assert settled(await store.load(HERE)).settings == opened().settings

    play(scenario)


def test_the_words_of_settings_are_those_that_are_left(play: Play) -> None:
    async def scenario(store: Store) -> None:
        await store.append(HERE, 0, [opened()], WALL)
        store.save_snapshot(HERE, 1, folded([opened()]))
        changed = SettingsChanged(Settings("m", "Be kind."))
        await store.append(HERE, 1, [changed], WALL)
        assert settled(await store.load(HERE)).settings == changed.settings
        await store.redact(HERE, INSTRUCTIONS)
        assert settled(await store.load(HERE)).settings == Settings("m")

    play(scenario)


def test_an_item_redacted_after_a_snapshot_is_redacted(play: Play) -> None:
    async def scenario(store: Store) -> None:
        await store.append(HERE, 0, [said(A, "one")], WALL)
        store.save_snapshot(HERE, 1, folded([said(A, "one")]))
        await store.append(HERE, 1, [ItemRedacted(A)], WALL)
        assert settled(await store.load(HERE)).tree.nodes[A].redacted

    play(scenario)


def test_a_snapshot_of_what_is_not_in_the_log_is_ignored(play: Play) -> None:
    async def scenario(store: Store) -> None:
        await store.append(HERE, 0, [said(A, "one")], WALL)
        store.save_snapshot(HERE, 2, Conversation())
        store.save_snapshot(SessionId("sess_00none"), 0, Conversation())
        loaded = await store.load(HERE)
        assert loaded is not None
        assert (loaded.snapshot, loaded.snapshot_seq, loaded.seq) == (None, 0, 1)

    play(scenario)


def test_a_store_tells_when_a_snapshot_is_worth_its_while(play: Play) -> None:
    async def scenario(store: Store) -> None:
        facts = [said(ItemId(f"item_{number}"), "") for number in range(FACTS)]
        await store.append(HERE, 0, facts[1:], WALL)
        assert not store.snapshot_due(HERE)
        await store.append(HERE, FACTS - 1, facts[:1], WALL)
        assert store.snapshot_due(HERE)
        store.save_snapshot(HERE, FACTS, folded(facts))
        assert not store.snapshot_due(HERE)
        await store.load(HERE)
        assert not store.snapshot_due(HERE)
        await store.append(HERE, FACTS, [said(A, "long " * BYTES)], WALL)
        assert store.snapshot_due(HERE)

    play(scenario)


def test_a_long_log_without_a_snapshot_gets_one_when_it_is_loaded(play: Play) -> None:
    async def scenario(store: Store) -> None:
        await store.append(HERE, 0, [said(ItemId(f"item_{number}"), "") for number in range(FACTS)], WALL)
        store.save_snapshot(HERE, 0, Conversation())
        await store.load(HERE)
        assert store.snapshot_due(HERE)

    play(scenario)


# --- pages ---


def test_a_log_is_read_backwards_in_pages(play: Play) -> None:
    async def scenario(store: Store) -> None:
        await store.append(HERE, 0, [said(A, str(number)) for number in range(1, 8)], WALL)

        async def seqs(before_seq: int, limit: int) -> list[int]:
            return [stored.seq for stored in await store.read_before(HERE, before_seq, limit)]

        assert await seqs(8, 3) == [5, 6, 7]
        assert await seqs(5, 3) == [2, 3, 4]
        assert await seqs(2, 3) == [1]
        assert await seqs(1, 3) == await seqs(0, 3) == await seqs(-5, 3) == []
        assert await seqs(99, 2) == [6, 7]
        assert await seqs(5, 0) == await seqs(5, -1) == []
        assert [stored.fact for stored in await store.read_before(HERE, 4, 1)] == [said(A, "3")]
        assert await store.read_before(SessionId("sess_00none"), 5) == ()

    play(scenario)
