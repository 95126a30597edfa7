"""What a client folds is what the server holds, whatever happens in the session."""

import asyncio
from typing import Any, get_args

from hypothesis import given, settings, strategies as st

from gateway.client.events import decode
from gateway.client.items import Fold, Item, from_wire
from gateway.core import inputs as inp
from gateway.core.events import AsideStarted, Fact, ItemRedacted, ResponseSteered
from gateway.core.ids import ItemId, LegId, SessionId
from gateway.protocol import extension as ext, realtime as rt
from gateway.protocol.projection import project
from gateway.protocol.view import View
from gateway.runtime.glance import glance_at
from gateway.store.memory import MemoryStore
from gateway.store.records import encode
from gateway.transports import history
from tests.core.script import CHAT, DEADLINE, Line, Talk, answering
from tests.core.test_properties import STORIES, lines, resolved, thorough
from tests.core.world import World

SESSION = SessionId("sess_1")


def _nothing() -> rt.Session:
    return rt.Session("sess_1", "", "", ["text"], {})


def folded(talk: Talk) -> Fold:
    """What a client that was there from the beginning holds; each event has crossed the wire."""
    view, fold = View(CHAT, True, _nothing, True), Fold()
    words: dict[ItemId, tuple[str, str]] = {}
    for told in talk.told:
        for event in told.outcome.events:
            if isinstance(event, get_args(Fact)):
                for row in encode(event)[1]:
                    words[ItemId(row.item_id)] = (row.text, row.unheard)
            if isinstance(event, ItemRedacted):
                words.pop(event.item_id, None)
            for wire in project(event, view, words):
                fold.apply(decode(rt.encode(wire)))
    return fold


def held(talk: Talk) -> list[rt.Item]:
    """What the server shows to who joins now."""

    async def read() -> list[rt.Item]:
        store = MemoryStore()
        await store.create(SESSION, "e")
        await store.append(SESSION, 0, talk.log, 0.0)
        path, texts = talk.session.state.conversation.tree.path(), talk.session.state.moment.texts
        contents = await store.contents(SESSION, [node.item_id for node in path])
        return [history.shown(node, texts, contents) for node in path]

    return asyncio.run(read())


@thorough
@given(st.sampled_from(STORIES), st.lists(lines, min_size=1, max_size=60))
def test_the_fold_is_what_the_server_holds_whatever_is_put_in(
    story: tuple[Line, ...], script: list[tuple[float, inp.Input, LegId, str, str]]
) -> None:
    talk = Talk()
    for line in story:
        talk.tell(line)
    for wait, input, leg, _, _ in script:
        talk.command(talk.now + wait, resolved(input, talk), leg)
    items = held(talk)
    assert folded(talk).items == tuple(from_wire(item) for item in items)


@thorough
@given(st.lists(st.integers(0, 1 << 16), min_size=20, max_size=120))
def test_the_fold_is_what_the_server_holds_in_a_world(numbers: list[int]) -> None:
    world = World()
    for number in numbers:
        choices = world.choices()
        choices[number % len(choices)](number // len(choices))
    fold = folded(world.talk)
    assert fold.items == tuple(from_wire(item) for item in held(world.talk))
    assert list(fold.running) == glance_at(world.talk.session.state, 0).running


def test_an_answer_that_was_steered_is_as_old_as_it_was() -> None:
    talk = Talk(voices=())
    talk.tell(*answering(1.0, finished=False, sounding=False), (1.1, inp.ResponseRequested(aside=True)))
    talk.tell((1.2, inp.SteerRequested("In French.")), (2.0, DEADLINE))
    steered, beside = talk.last(ResponseSteered), talk.last(AsideStarted)
    assert steered.generation > beside.generation
    assert glance_at(talk.session.state, 0).running == [steered.response_id, beside.response_id]
    assert list(folded(talk).running) == [steered.response_id, beside.response_id]


@settings(max_examples=50, deadline=None, database=None)
@given(st.lists(st.integers(0, 1 << 16), min_size=20, max_size=80))
def test_a_snapshot_alone_folds_to_the_same(numbers: list[int]) -> None:
    world = World()
    for number in numbers:
        choices = world.choices()
        choices[number % len(choices)](number // len(choices))
    fold = Fold()
    running: list[str] = list(glance_at(world.talk.session.state, 0).running)
    snapshot = ext.SessionSnapshot(session_id="sess_1", items=held(world.talk), running=running)
    fold.apply(decode(rt.encode(snapshot)))
    lived = folded(world.talk)
    assert (fold.items, fold.running) == (lived.items, lived.running)


def test_text_beyond_what_is_known_is_noticed() -> None:
    fold = Fold()
    fold.apply(rt.ItemAdded(item=rt.Item("a", "in_progress", "assistant", [])))
    place: dict[str, Any] = {"response_id": "r", "item_id": "a"}
    fold.apply(rt.TextDelta(**place, delta="👍 one", offset=0))
    assert not fold.lacks(rt.TextDelta(**place, delta=" two", offset=5))
    assert fold.lacks(rt.TextDelta(**place, delta=" two", offset=6))
    assert fold.held() == {"a": 5}


def test_items_are_replaced_and_never_changed() -> None:
    fold = Fold()
    fold.apply(rt.ItemAdded(item=rt.Item("a", "in_progress", "assistant", [])))
    before = fold.items
    fold.apply(rt.TextDelta(response_id="r", item_id="a", delta="One", offset=0))
    assert before == (Item("a", "assistant", "in_progress", "", spoken=False),)
    assert fold.items[0].text == "One"
