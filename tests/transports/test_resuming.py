"""Resuming: whatever a client missed, and nothing else, at any place of the log."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from gateway.agents.scripted import Hold, Pause, Say, ScriptedAgent, Step
from gateway.core import inputs as inp
from gateway.core.ids import Generation, ItemId, SessionId
from gateway.runtime.ports import Stored
from gateway.runtime.scripted import ScriptedVoice
from gateway.transports import history, resuming, telling
from tests.protocol.stock import STANDARD, problems
from tests.runtime.stage import GatedStore
from tests.transports.inbox import Json
from tests.transports.wire import Client, Line, Mirror, add_voice, line, report, update
from tests.virtual_time import now, run, settle

FIRST = Generation(1)


# --- resuming ---


def test_a_cursor_at_the_end_brings_nothing_twice() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("One.")) as at:
            actor = await at.open()
            first = await at.connect(actor, extended=True)
            await first.ask("hi")
            await first.get("response.done")
            await settle()
            client = await at.connect(actor, extended=True, resume=(actor.epoch, actor.seq))
            assert client.types() == ["session.created", "session.resumed"]

    run(main())


@pytest.mark.parametrize(
    ("epoch", "seq", "reason"),
    [("other", 1, "epoch_changed"), ("", 0, "epoch_changed"), (None, 99, "ahead_of_log"), (None, -1, "invalid_cursor")],
)
@pytest.mark.parametrize("extended", [False, True])
def test_a_void_cursor_is_told_with_its_reason_and_everything(
    epoch: str | None, seq: int, reason: str, extended: bool
) -> None:
    async def main() -> None:
        async with line(ScriptedAgent("One.")) as at:
            actor = await at.open()
            first = await at.connect(actor, extended=True)
            await first.ask("hi")
            await first.get("response.done")
            cursor = (actor.epoch if epoch is None else epoch, seq)
            client = await at.connect(actor, extended=extended, resume=cursor)
            if extended:
                assert client.types() == ["session.created", "session.reset", "session.snapshot"]
                assert client.got[1]["reason"] == reason
            else:
                assert set(client.types()) <= STANDARD
            assert Mirror.of(client.got).texts == Mirror.of(first.got).texts

    run(main())


def test_a_stock_client_that_resumes_sees_standard_events_alone() -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One "), Hold(), Say("two.")])
        async with line(agent) as at:
            actor = await at.open()
            first = await at.connect(actor)
            await first.ask("hi")
            await agent.holding()
            client = await at.connect(actor, resume=(actor.epoch, 1))
            agent.release()
            await client.get("response.done")
            assert set(client.types()) <= STANDARD
            assert all(problems(json.dumps(event)) == [] for event in client.got)
            assert list(Mirror.of(client.got).texts.values()) == ["hi", "One two."]

    run(main())


def test_resuming_belongs_to_the_extension() -> None:
    async def main() -> None:
        async with line() as at:
            actor = await at.open()
            client = await at.connect(actor)
            await client.send("session.resume", epoch=actor.epoch, seq=0)
            assert client.all("error")[0]["error"]["code"] == "unknown_event_type"

    run(main())


@pytest.mark.parametrize(
    ("held", "offset", "delta"),
    [(None, 0, "One two"), (4, 4, "two"), (7, 7, ""), (99, 0, "One two")],
)
def test_of_an_open_answer_only_what_the_client_lacks_is_told(held: int | None, offset: int, delta: str) -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One two"), Hold()])
        async with line(agent) as at:
            actor = await at.open()
            client = await at.connect(actor, extended=True)
            await client.ask("hi")
            await agent.holding()
            item_id = (await client.get("response.output_text.delta"))["item_id"]
            named = {} if held is None else {item_id: held}
            await client.send("session.resume", epoch=actor.epoch, seq=actor.seq, open=named)
            replayed = client.got[-1]
            assert (replayed["offset"], replayed["delta"], replayed["replay"]) == (offset, delta, True)

    run(main())


def test_text_that_comes_while_a_client_resumes_is_told_once() -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say(f"{number} ") for number in range(50)])
        async with line(agent) as at:
            actor = await at.open()
            client = await at.connect(actor, extended=True)
            await client.ask("hi")
            await client.get("response.output_text.delta")
            for _ in range(3):
                await client.send("session.resume", epoch=actor.epoch, seq=client.got[-1].get("seq", actor.seq))
            await client.get("response.done")
            assert list(Mirror.of(client.got).texts.values())[-1] == "".join(f"{number} " for number in range(50))

    run(main())


pieces: st.SearchStrategy[Step] = st.one_of(
    st.sampled_from(["a", "bc ", "\U0001f600"]).map(Say), st.sampled_from([0.0, 0.01, 0.05]).map(Pause)
)
commands = st.sampled_from(
    ["say", "ask", "interrupt", "cancel", "delete", "update", "played", "voice", "edit", "again", "back", "react"]
)


BRANCHED = [
    (0.03, command)
    for command in ("say", "ask", "edit", "edit", "back", "again", "ask", "back", "delete", "edit", "react", "back")
]


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resuming, "PAGE", 3)


@pytest.mark.usefixtures("small_pages")
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(replies=[[Say("a"), Say("bc ")]] * 10, script=BRANCHED, extended=True)
@example(replies=[[Say("a"), Pause(0.05), Say("bc ")]] * 10, script=BRANCHED, extended=False)
@example(replies=[[Say("a")]] * 10, script=[(0.1, it) for it in ("say", "edit", "delete")], extended=True)
@given(
    replies=st.lists(st.lists(pieces, max_size=6), min_size=10, max_size=10),
    script=st.lists(st.tuples(st.sampled_from([0.0, 0.01, 0.03]), commands), min_size=1, max_size=10),
    extended=st.booleans(),
)
def test_resuming_at_any_place_gives_the_same_view_as_having_been_connected(
    replies: list[list[Step]], script: list[tuple[float, str]], extended: bool
) -> None:
    async def main() -> None:
        async with line(ScriptedAgent(*replies)) as at:
            actor = await at.open()
            first = await at.connect(actor, extended=extended)
            first.connection.teller.sends_sound = False  # else the end of an answer waits for its sound
            voice = add_voice(first)
            editor = await at.connect(actor, extended=True)
            for pause, command in script:
                await asyncio.sleep(pause)
                await act(first, editor, voice, command)
            await asyncio.sleep(1)
            for seq in range(actor.seq + 1):
                await compare(at, first, seq, extended)

    run(main())


async def act(client: Client, editor: Client, voice: ScriptedVoice, command: str) -> None:
    generation = client.connection.actor.state.conversation.generation
    tree = client.connection.actor.state.conversation.tree
    match command:
        case "edit" | "again" | "back" | "react":
            await branch(editor, command, [node.item_id for node in tree.path()], list(tree.nodes))
        case "say":
            await client.say("typed")
        case "ask":
            await client.send("response.create")
        case "interrupt":
            await client.send("response.create", on_active="interrupt", response={"metadata": {"k": "v"}})
        case "cancel":
            await client.send("response.cancel")
        case "delete":
            path = (await client.connection.actor.glance()).path
            await client.send("conversation.item.delete", item_id=path[0].item_id if path else "nobody")
        case "update":
            await client.send("session.update", **update(instructions=f"at {now()}"))
        case "played":
            report(client, inp.PlayoutStarted(generation))
            voice.play(generation, 1, 100)
        case _:
            report(client, inp.PlayoutStopped(generation, 500))


async def branch(client: Client, command: str, path: list[ItemId], items: list[ItemId]) -> None:
    words = [{"type": "input_text", "text": "otherwise"}]
    match command:
        case "edit":
            response = len(items) % 2 == 0
            await client.send(
                "conversation.item.update", item_id=path[0] if path else "nobody", content=words, response=response
            )
        case "again":
            await client.send("response.create", replaces=path[-1] if path else "nobody")
        case "back":
            await client.send("conversation.branch.select", item_id=items[len(items) // 2] if items else "nobody")
        case _:
            await client.send("reaction.add", item_id=path[-1] if path else "nobody", reaction="+1")


async def compare(at: Line, first: Client, seq: int, extended: bool) -> None:
    """A client that was there until *seq* and one that was not away know the same."""
    actor = first.connection.actor
    resumed = await at.connect(actor, extended=extended, resume=(actor.epoch, seq))
    facts = [event for event in first.got if "prev_seq" in event]
    replayed = [event for event in resumed.got if "prev_seq" in event]
    gone = {event["item_id"] for event in first.got if event["type"] == "conversation.item.deleted"}
    missed = [comparable(it) for it in facts if it["seq"] > seq]
    assert [wordless(comparable(it), gone) for it in replayed] == [wordless(it, gone) for it in missed]
    assert all(event.get("replay") for event in resumed.got if event["type"] not in GREETINGS)
    last = max((place for place, it in enumerate(first.got) if it.get("seq", seq + 1) <= seq), default=0)
    before = first.got[: last + 1]
    known, whole = Mirror.of([*before, *resumed.got]), Mirror.of(first.got)
    assert (known.texts, known.running, known.siblings) == (whole.texts, whole.running, whole.siblings)
    assert list(known.texts) == [node.item_id for node in (await actor.glance()).path]
    await resumed.leave()


WORDS = {"content", "part", "text", "transcript", "heard_text", "unheard_text", "seen_text"}


def wordless(value: Any, gone: set[str]) -> Any:
    """An event without the words of items that were deleted, which the log does not hold any more."""
    if isinstance(value, list):
        return [wordless(each, gone) for each in value]
    if not isinstance(value, dict):
        return value
    hidden = WORDS if {value.get("id"), value.get("item_id")} & gone else set()
    return {key: wordless(each, gone) for key, each in value.items() if key not in hidden}


GREETINGS = {"session.created", "session.resumed", "session.snapshot"}


def comparable(event: Json) -> Json:
    """An event without what counts for one connection alone."""
    private = {"event_id", "prev_seq", "replay"}
    kept = {key: value for key, value in event.items() if key not in private}
    if "session" in kept:
        kept["session"] = kept["session"]["id"]  # the settings as they are now, however old the event is
    return kept


def test_a_gap_that_is_too_large_to_be_told_again_is_answered_by_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "MAX_MISSED", 10)

    async def main() -> None:
        async with line() as at:
            actor = await at.open()
            first = await at.connect(actor, extended=True)
            for number in range(11):
                await first.say(str(number))
            await settle()
            for extended in (True, False):
                small = await at.connect(actor, extended=extended, resume=(actor.epoch, actor.seq - 10))
                assert len(small.all("conversation.item.done")) == 10
                assert all(event["replay"] for event in small.all("conversation.item.done"))
            large = await at.connect(actor, extended=True, resume=(actor.epoch, actor.seq - 11))
            assert large.types() == ["session.created", "session.snapshot"]
            stock = await at.connect(actor, resume=(actor.epoch, actor.seq - 11))
            assert len(stock.all("conversation.item.done")) == 11
            for client in (large, stock):
                assert Mirror.of(client.got).texts == Mirror.of(first.got).texts
            await first.say("on")
            assert (await large.get("conversation.item.done"))["prev_seq"] == actor.seq - 1

    run(main())


def test_a_gap_is_read_in_pages_and_never_held_whole() -> None:
    async def main() -> None:
        store = GatedStore()
        async with line(store=store) as at:
            actor = await at.open()
            first = await at.connect(actor, extended=True)
            for number in range(3 * resuming.PAGE):
                await first.say(str(number))
                await asyncio.sleep(0.01)
            reads: list[int] = []
            read = store.inner.read

            async def counted(session: SessionId, after_seq: int, limit: int = 1000) -> tuple[Stored, ...]:
                page = await read(session, after_seq, limit)
                reads.append(len(page))
                return page

            store.inner.read = counted  # type: ignore[method-assign]
            client = await at.connect(actor, extended=True, resume=(actor.epoch, 1))
            assert reads == [1, *[resuming.PAGE] * 3]  # the first is the one at the cursor
            assert [it["seq"] for it in client.all("conversation.item.done")] == list(range(2, actor.seq + 1))

    run(main())


def test_who_joins_a_long_conversation_is_told_the_newest_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_ITEMS", 5)

    async def main() -> None:
        async with line() as at:
            actor = await at.open()
            first = await at.connect(actor, extended=True)
            for number in range(5):
                await first.say(str(number))
            whole = await (await at.connect(actor, extended=True)).get("session.snapshot")
            assert (len(whole["items"]), "has_before" in whole) == (5, False)
            await first.say("5")
            snapshot = await (await at.connect(actor, extended=True)).get("session.snapshot")
            assert [item["content"][0]["text"] for item in snapshot["items"]] == list("12345")
            assert snapshot["has_before"] is True
            glance = await actor.glance()
            for most_bytes, count in ((1, 1), (10**6, 5)):
                part = await history.newest(at.on.store, actor.session_id, glance, most_bytes)
                assert (len(part.items), part.has_before) == (count, True)
                assert [each.text for each in part.items[-1].content or []] == ["5"]

    run(main())
