"""The actor: in which order things happen, and what it does when something fails."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest

from gateway.agents.scripted import Crash, Fail, Hold, Pause, Say, ScriptedAgent
from gateway.core import events as ev, inputs as inp
from gateway.core.ids import Generation, ItemId, LegId
from gateway.core.values import Settings
from gateway.runtime.actor import AHEAD, INSIDE, MAILBOX, Actor, Origin, SessionEnded
from gateway.runtime.ports import Conversation, SteerMode
from gateway.runtime.scripted import Begun, Finished, Flushed, Released, Spoken
from tests.runtime.stage import Client, GatedStore, Listener, stage
from tests.virtual_time import now, run, settle

FIRST, SECOND = Generation(1), Generation(2)


def ended(listener: Listener) -> list[tuple[str, str | None]]:
    return [(event.status, event.reason) for event in listener.all(ev.ResponseEnded)]


async def sounding(client: Client, agent: ScriptedAgent, chars: int, ms: int) -> None:
    """The first answer has been spoken so far, and its model holds."""
    await client.ask("go")
    await agent.holding()
    await settle()
    assert client.voice is not None
    client.report(inp.PlayoutStarted(FIRST))
    client.voice.play(FIRST, chars, ms)
    await client.listener.until_heard(ev.PlayoutStarted)


# --- the order in which things happen ---


def test_an_answer_is_asked_for_published_and_ended() -> None:
    async def main() -> None:
        async with stage(ScriptedAgent([Say("One "), Say("two.")])) as on:
            client = await on.join(await on.open())
            await client.ask("hello")
            done = await client.listener.until_heard(ev.ResponseEnded)
            assert (done.status, done.failure) == ("completed", None)
            assert client.listener.text == "One two."
            assert [event.offset for event in client.listener.all(ev.TextAppended)] == [0, 4]
            assert client.listener.all(ev.ItemCompleted)[0].text == "One two."

    run(main())


def test_the_agent_is_given_the_conversation_as_it_was_heard() -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One two three"), Hold()], "Fine.")
        async with stage(agent) as on:
            client = await on.join(await on.open(), voice=True)
            await sounding(client, agent, chars=8, ms=700)
            await client.ask("and now?")
            await client.listener.until_heard(ev.ResponseEnded, 2)
            said = [(message.role, message.text, message.interrupted) for message in agent.asked[1].messages]
            assert said == [("user", "go", False), ("assistant", "One two ", True), ("user", "and now?", False)]
            assert agent.asked[1].messages[1].unheard == "three"

    run(main())


def test_stopping_comes_before_the_append_and_publication_and_receipt_after_it() -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One two three"), Hold()])
        async with stage(agent) as on:
            client = await on.join(await on.open(), voice=True, journal=True)
            await sounding(client, agent, chars=4, ms=300)
            del on.journal[:]
            await client.do(inp.CancelRequested(), command="stop")
            await client.listener.until_heard(ev.ItemTruncated)
            assert agent.endings == ["cancelled"]
            # The cut itself decides no fact: it is acknowledged when its turn comes, the facts follow.
            assert on.journal == [
                "Flushed",
                "accept stop",
                "append begins",
                "append ends",
                "publish PlayoutCleared",
                "publish ItemCompleted",
                "publish ResponseEnded",
                "publish ItemTruncated",
            ]

    run(main())


def test_a_cut_silences_while_its_append_hangs_and_is_announced_afterwards() -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One two three"), Hold()])
        async with stage(agent) as on:
            client = await on.join(await on.open(), voice=True)
            await sounding(client, agent, chars=4, ms=300)
            on.store.open.clear()
            await client.do(inp.CancelRequested(), command="stop")
            await settle()
            assert client.voice is not None
            assert client.voice.calls[-1] == Flushed(FIRST)
            assert agent.endings == ["cancelled"]
            assert client.listener.all(ev.ResponseEnded) == []
            on.store.open.set()
            assert (await client.listener.until_heard(ev.ResponseEnded)).status == "cancelled"

    run(main())


def test_a_cut_silences_at_once_while_the_log_hangs_over_something_older() -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One two three"), Hold()])
        async with stage(agent) as on:
            client = await on.join(await on.open(), voice=True, journal=True)
            await sounding(client, agent, chars=4, ms=300)
            on.store.open.clear()
            await client.do(inp.ItemSubmitted("user", "older"), command="older")
            await settle()
            del on.journal[:]
            await client.do(inp.CancelRequested(), command="stop")
            await settle()
            assert on.journal == ["Flushed"]
            assert agent.endings == ["cancelled"]
            on.store.open.set()
            await client.listener.until_heard(ev.ItemTruncated)
            assert [line for line in on.journal if "append" not in line] == [
                "Flushed",
                "publish ItemAdded",
                "accept older",
                "accept stop",
                "publish PlayoutCleared",
                "publish ItemCompleted",
                "publish ResponseEnded",
                "publish ItemTruncated",
            ]

    run(main())


def test_an_answer_that_is_cancelled_before_it_was_written_is_never_begun() -> None:
    async def main() -> None:
        agent = ScriptedAgent()
        async with stage(agent) as on:
            client = await on.join(await on.open(), voice=True)
            on.store.open.clear()
            await client.ask("go")
            await client.do(inp.CancelRequested())
            await settle()
            on.store.open.set()
            await client.listener.until_heard(ev.ResponseEnded)
            await settle()
            assert ended(client.listener) == [("cancelled", "client_cancelled")]
            assert agent.asked == []

    run(main())


def test_a_voice_leg_never_begins_what_was_cut_before_it_was_written() -> None:
    async def main() -> None:
        agent = ScriptedAgent([Hold(), Say("One two"), Hold()])
        async with stage(agent) as on:
            client = await on.join(await on.open(), voice=True)
            await client.ask("go")
            await agent.holding()
            on.store.open.clear()
            agent.release()
            await settle()
            await client.do(inp.CancelRequested())
            await settle()
            on.store.open.set()
            await client.listener.until_heard(ev.ResponseEnded)
            await settle()
            assert client.voice is not None
            assert [call for call in client.voice.calls if not isinstance(call, Flushed)] == []

    run(main())


def test_what_was_decided_ahead_of_a_log_that_fails_is_told_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with stage() as on:
            client = await on.join(await on.open())
            on.store.open.clear()
            for number in range(5):
                await client.do(inp.ItemSubmitted("user", str(number)), command=f"e{number}")
            await client.do(inp.CancelRequested(), command="refused")
            await settle()
            on.store.broken = True
            on.store.open.set()
            await client.listener.until(lambda listener: listener.ended)
            assert (client.listener.heard, client.listener.verdicts) == ([], [])
            on.store.broken = False
            assert (await (await on.found(client.actor.session_id)).glance()).path == ()

    run(main())


def test_a_session_whose_log_hangs_is_not_idle() -> None:
    async def main() -> None:
        async with stage() as on:
            actor = await on.open()
            await actor.glance()
            on.store.open.clear()
            actor.post(inp.ItemSubmitted("user", "hello"))
            await settle()
            assert not actor.idle
            on.store.open.set()
            await settle()
            assert actor.idle

    run(main())


def test_a_command_that_writes_is_accepted_only_once_it_is_written() -> None:
    async def main() -> None:
        async with stage() as on:
            client = await on.join(await on.open())
            on.store.open.clear()
            await client.do(inp.ItemSubmitted("user", "hello"), command="e1")
            await settle()
            assert client.listener.verdicts == []
            assert client.listener.heard == []
            on.store.open.set()
            await client.listener.until_heard(ev.ItemAdded)
            assert [(verdict.command, verdict.seq) for verdict in client.listener.verdicts] == [("e1", 2)]

    run(main())


def test_a_model_is_asked_only_once_its_response_is_written() -> None:
    async def main() -> None:
        agent = ScriptedAgent("Yes.")
        async with stage(agent) as on:
            client = await on.join(await on.open())
            on.store.open.clear()
            await client.do(inp.ResponseRequested())
            await settle()
            assert agent.asked == []
            on.store.open.set()
            await client.listener.until_heard(ev.ResponseEnded)
            assert len(agent.asked) == 1

    run(main())


def test_a_voice_leg_is_given_text_after_the_answer_was_announced() -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("Hel"), Say("lo.")])
        async with stage(agent) as on:
            client = await on.join(await on.open(), voice=True, journal=True)
            await client.ask("hi")
            await client.listener.until_heard(ev.ResponseEnded)
            await settle()
            assert client.voice is not None
            item = client.listener.all(ev.ItemAdded)[-1].item_id
            response = client.listener.all(ev.ResponseStarted)[0].response_id
            assert client.voice.calls == [
                Begun(FIRST, response, item),
                Spoken(FIRST, "Hel"),
                Spoken(FIRST, "lo."),
                Finished(FIRST),
            ]
            assert on.journal.index("publish ItemAdded") < on.journal.index("Begun")

    run(main())


def test_what_a_model_says_after_its_cut_is_published_nowhere() -> None:
    class Stubborn:
        """Goes on talking when it is told to stop, as code by others may."""

        name = "stubborn"
        steer: SteerMode = "instruction"
        speaks = hears = False
        talked = 0

        async def reply(self, conversation: Conversation) -> AsyncGenerator[str, None]:
            yield "Before."
            for _ in range(3):
                try:
                    await asyncio.sleep(10)
                except asyncio.CancelledError:
                    Stubborn.talked += 1
                    yield "After."

        async def aclose(self) -> None:
            pass

    async def main() -> None:
        async with stage(Stubborn()) as on:
            client = await on.join(await on.open())
            await client.ask("hi")
            await client.listener.until_heard(ev.TextAppended)
            await client.do(inp.CancelRequested())
            await client.listener.until_heard(ev.ResponseEnded)
            await asyncio.sleep(60)
            assert Stubborn.talked == 1
            assert client.listener.text == "Before."
            assert len(client.listener.all(ev.ResponseEnded)) == 1

    run(main())


def test_two_connections_hear_the_same_events_in_the_same_order() -> None:
    async def main() -> None:
        async with stage(ScriptedAgent("One.", [Say("Two"), Hold()], "Three.")) as on:
            actor = await on.open()
            one, two = await on.join(actor, voice=True), await on.join(actor)
            await one.ask("a")
            await one.listener.until_heard(ev.ResponseEnded)
            await two.ask("b")
            await two.listener.until(lambda listener: listener.text.endswith("Two"))
            await one.ask("c")
            await one.listener.until_heard(ev.ResponseEnded, 3)
            await settle()
            assert one.listener.heard == two.listener.heard
            assert [seq for seq, _ in one.listener.facts] == list(range(2, actor.seq + 1))

    run(main())


def test_published_facts_are_those_of_the_log_with_their_numbers() -> None:
    async def main() -> None:
        async with stage(ScriptedAgent("One.", "Two.")) as on:
            actor = await on.open()
            client = await on.join(actor)
            await client.ask("a")
            await client.listener.until_heard(ev.ResponseEnded)
            await client.ask("b")
            await client.listener.until_heard(ev.ResponseEnded, 2)
            stored = await on.store.read(actor.session_id, client.glance.seq)
            assert [(it.seq, it.fact) for it in stored] == client.listener.facts

    run(main())


# --- who is told what ---


def test_a_receipt_goes_to_the_connection_that_gave_the_command() -> None:
    async def main() -> None:
        async with stage() as on:
            actor = await on.open()
            one, two = await on.join(actor), await on.join(actor)
            await one.do(inp.ItemSubmitted("user", "hello"), command="e1")
            await two.listener.until_heard(ev.ItemAdded)
            await settle()
            assert [verdict.command for verdict in one.listener.verdicts] == ["e1"]
            assert two.listener.verdicts == []

    run(main())


def test_a_refused_command_is_not_accepted() -> None:
    async def main() -> None:
        async with stage() as on:
            client = await on.join(await on.open())
            await client.do(inp.CancelRequested(), command="stop")
            refused = await client.listener.until_heard(ev.CommandRejected)
            await settle()
            assert (refused.command, refused.failure.code) == ("stop", "response_cancel_not_active")
            assert client.listener.verdicts == []

    run(main())


def test_a_command_with_a_key_is_applied_once() -> None:
    async def main() -> None:
        async with stage() as on:
            client = await on.join(await on.open())
            for command in ("e1", "e2"):
                await client.do(inp.ItemSubmitted("user", "hello"), command=command, key="k", digest="d")
            await client.listener.until(lambda listener: len(listener.verdicts) == 2)
            assert len(client.listener.all(ev.ItemAdded)) == 1
            assert [(it.command, it.duplicate) for it in client.listener.verdicts] == [("e1", False), ("e2", True)]

    run(main())


def test_a_key_that_is_used_for_another_command_is_refused() -> None:
    async def main() -> None:
        async with stage() as on:
            client = await on.join(await on.open())
            await client.do(inp.ItemSubmitted("user", "hello"), command="e1", key="k", digest="d")
            await client.do(inp.ItemSubmitted("user", "other"), command="e2", key="k", digest="x")
            refused = await client.listener.until_heard(ev.CommandRejected)
            assert (refused.command, refused.failure.code) == ("e2", "idempotency_conflict")
            assert len(client.listener.all(ev.ItemAdded)) == 1

    run(main())


def test_a_key_is_remembered_after_the_session_was_read_from_its_log() -> None:
    async def main() -> None:
        store = GatedStore()
        async with stage(store=store) as before:
            client = await before.join(await before.open())
            session = client.actor.session_id
            await client.do(inp.ItemSubmitted("user", "hello"), command="e1", key="k", digest="d")
            await client.listener.until_heard(ev.ItemAdded)
        async with stage(store=store) as after:
            client = await after.join(await after.found(session))
            await client.do(inp.ItemSubmitted("user", "hello"), command="e2", key="k", digest="d")
            await client.listener.until(lambda listener: listener.verdicts)
            assert client.listener.verdicts[0].duplicate
            assert client.listener.all(ev.ItemAdded) == []

    run(main())


# --- leaving ---


def test_leaving_cancels_nothing() -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One "), Pause(5), Say("two.")])
        async with stage(agent) as on:
            actor = await on.open()
            client = await on.join(actor)
            await client.ask("go")
            await client.listener.until_heard(ev.TextAppended)
            client.leave()
            await asyncio.sleep(10)
            assert agent.endings == ["finished"]
            again = await on.join(actor)
            contents = await on.store.contents(actor.session_id, [again.glance.path[-1].item_id])
            assert [content.text for content in contents.values()] == ["One two."]
            assert client.listener.all(ev.ResponseEnded) == []

    run(main())


def test_an_answer_goes_on_in_writing_when_its_voice_leg_leaves() -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One two three"), Hold(), Say(" four.")])
        async with stage(agent) as on:
            actor = await on.open()
            speaker, reader = await on.join(actor, voice=True), await on.join(actor)
            await sounding(speaker, agent, chars=4, ms=300)
            speaker.leave()
            await reader.listener.until_heard(ev.PlayoutCleared)
            agent.release()
            done = await reader.listener.until_heard(ev.ResponseEnded)
            assert done.status == "completed"
            assert reader.listener.all(ev.ItemCompleted)[0].text == "One two three four."
            assert speaker.voice is not None
            assert speaker.voice.spoken(FIRST) == "One two three"

    run(main())


# --- deadlines ---


def test_a_deadline_wakes_the_session() -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One two three"), Hold()])
        async with stage(agent) as on:
            client = await on.join(await on.open(), voice=True)
            await sounding(client, agent, chars=4, ms=300)
            began = now()
            client.report(inp.SpeechSuspected(onset_ms=100))
            await client.listener.until_heard(ev.PlayoutPaused)
            client.report(inp.SpeechConfirmed(onset_ms=100, prefix_ms=0))
            await client.listener.until_heard(ev.ResponseEnded)
            assert now() - began == pytest.approx(2.0, abs=1e-3)
            assert ended(client.listener) == [("cancelled", "turn_detected")]
            client.leave()

    run(main())


def test_a_suspicion_that_nobody_decides_is_let_go() -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One two three"), Hold()])
        async with stage(agent) as on:
            client = await on.join(await on.open(), voice=True)
            await sounding(client, agent, chars=4, ms=300)
            client.report(inp.SpeechSuspected(onset_ms=100))
            await client.listener.until_heard(ev.PlayoutResumed)
            assert client.voice is not None
            assert client.voice.calls[-1] == Released()
            assert client.listener.all(ev.ResponseEnded) == []

    run(main())


def test_an_input_that_came_before_the_deadline_counts_though_the_store_was_slow() -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One two three"), Hold()])
        async with stage(agent) as on:
            client = await on.join(await on.open(), voice=True)
            await sounding(client, agent, chars=4, ms=300)
            client.report(inp.SpeechSuspected(onset_ms=100))
            await settle()
            on.store.open.clear()
            await client.do(inp.ItemSubmitted("system", "be brief"))
            await settle()
            client.report(inp.SpeechDismissed())
            await asyncio.sleep(60)
            on.store.open.set()
            await client.listener.until_heard(ev.PlayoutResumed)
            assert client.voice is not None
            assert Released() not in client.voice.calls

    run(main())


def test_a_session_without_doubts_sleeps() -> None:
    async def main() -> None:
        async with stage() as on:
            client = await on.join(await on.open())
            await asyncio.sleep(100_000)
            assert client.listener.heard == []

    run(main())


# --- the mailbox ---


def test_who_submits_waits_while_the_mailbox_is_full() -> None:
    async def main() -> None:
        async with stage() as on:
            client = await on.join(await on.open())
            on.store.open.clear()
            everything = AHEAD + MAILBOX + 200

            async def typist(number: int) -> None:
                await client.do(inp.ItemSubmitted("user", str(number)))

            crowd = [asyncio.create_task(typist(number)) for number in range(everything)]
            await settle()
            assert sum(task.done() for task in crowd) == AHEAD + MAILBOX
            on.store.open.set()
            await asyncio.gather(*crowd)
            await client.listener.until_heard(ev.ItemAdded, everything)
            assert [event.text for event in client.listener.all(ev.ItemAdded)] == list(map(str, range(everything)))

    run(main())


def test_when_the_mailbox_has_room_for_one_only_one_goes_in() -> None:
    async def main() -> None:
        async with stage() as on:
            client = await on.join(await on.open())
            on.store.delay = 1.0
            everything = AHEAD + MAILBOX + 50
            crowd = [asyncio.create_task(client.do(inp.ItemSubmitted("user", "more"))) for _ in range(everything)]
            await settle()
            for gone in range(5):
                assert sum(task.done() for task in crowd) == AHEAD + MAILBOX + gone
                await asyncio.sleep(1.0)
            on.store.delay = 0.0
            await asyncio.gather(*crowd)

    run(main())


def test_ears_never_wait() -> None:
    async def main() -> None:
        async with stage() as on:
            client = await on.join(await on.open(), voice=True)
            on.store.open.clear()
            await client.do(inp.ItemSubmitted("user", "hello"))
            for _ in range(MAILBOX + 10):
                client.report(inp.SpeechDismissed())
            await settle()
            on.store.open.set()
            await client.listener.until_heard(ev.ItemAdded)
            await client.do(inp.ItemSubmitted("user", "again"))
            await client.listener.until_heard(ev.ItemAdded, 2)

    run(main())


# --- failures ---


def test_an_agent_that_fails_fails_its_response_and_the_session_lives() -> None:
    async def main() -> None:
        async with stage(ScriptedAgent([Say("One"), Fail("model_timeout")], "Two.")) as on:
            client = await on.join(await on.open())
            await client.ask("a")
            failed = await client.listener.until_heard(ev.ResponseEnded)
            assert failed.failure is not None
            assert (failed.status, failed.failure.code) == ("failed", "model_timeout")
            assert client.listener.all(ev.ItemCompleted)[0] == ev.ItemCompleted(
                failed.item_id or ItemId(""), failed.response_id, "incomplete", "One", fell_short=True
            )
            await client.ask("b")
            assert (await client.listener.until_heard(ev.ResponseEnded, 2)).status == "completed"

    run(main())


def test_an_agent_that_crashes_tells_no_details(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with stage(ScriptedAgent([Crash()], "Two.")) as on:
            client = await on.join(await on.open())
            await client.ask("a")
            failed = await client.listener.until_heard(ev.ResponseEnded)
            assert failed.failure is not None
            assert failed.failure.code == "agent_crashed"
            assert "script" not in failed.failure.message
            await client.ask("b")
            assert (await client.listener.until_heard(ev.ResponseEnded, 2)).status == "completed"

    run(main())
    (logged,) = caplog.records
    assert logged.message.startswith("an answer failed: ZeroDivisionError at ")
    assert logged.exc_info is None  # a traceback would end with the error's words, which may be the user's


class Custom:
    """An agent that is one function."""

    name = "custom"
    steer: SteerMode = "instruction"
    speaks = hears = False

    def __init__(self, say: Callable[[], Awaitable[str]]) -> None:
        self._say = say

    async def reply(self, conversation: Conversation) -> AsyncGenerator[str, None]:
        yield await self._say()

    async def aclose(self) -> None:
        pass


def test_an_agent_that_lets_a_cancellation_of_its_own_escape_has_crashed() -> None:
    """A task inside the agent was cancelled by somebody else; nobody has cut the answer."""

    async def give_up() -> str:
        inner = asyncio.create_task(asyncio.sleep(3600))
        await asyncio.sleep(0)
        inner.cancel()
        await inner
        return "never"

    async def main() -> None:
        async with stage(Custom(give_up)) as on:
            client = await on.join(await on.open())
            await client.ask("a")
            failed = await client.listener.until_heard(ev.ResponseEnded)
            assert failed.failure is not None
            assert failed.failure.code == "agent_crashed"

    run(main())


@pytest.mark.parametrize(("piece", "shown"), [("a\ud83d", "a\ufffd"), ("\ud83d\ude00", "\U0001f600")])
def test_broken_text_of_an_agent_is_mended(piece: str, shown: str) -> None:
    """Servers that count in UTF-16 cut surrogate pairs in two; nothing behind the session can hold a half."""

    async def say() -> str:
        return piece

    async def main() -> None:
        async with stage(Custom(say)) as on:
            client = await on.join(await on.open())
            await client.ask("a")
            done = await client.listener.until_heard(ev.ResponseEnded)
            assert done.status == "completed"
            assert client.listener.text == shown
            assert client.listener.all(ev.ItemCompleted)[0].text == shown

    run(main())


def test_halves_of_a_character_in_two_pieces_are_put_together() -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("a\ud83d"), Say("\ude00b"), Say("\ud83d")])
        async with stage(agent) as on:
            client = await on.join(await on.open())
            await client.ask("a")
            await client.listener.until_heard(ev.ResponseEnded)
            assert client.listener.text == "a\U0001f600b\ufffd"

    run(main())


def test_an_agent_that_says_nothing_ends_its_response_without_an_item() -> None:
    async def main() -> None:
        async with stage(ScriptedAgent([], [Say("")])) as on:
            client = await on.join(await on.open())
            for count in (1, 2):
                await client.ask("a")
                done = await client.listener.until_heard(ev.ResponseEnded, count)
                assert (done.status, done.item_id) == ("completed", None)

    run(main())


def test_a_failing_store_ends_the_actor_and_tells_its_connections(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with stage() as on:
            actor = await on.open()
            one, two = await on.join(actor), await on.join(actor)
            on.store.broken = True
            await one.do(inp.ItemSubmitted("user", "hello"), command="e1")
            await two.listener.until(lambda listener: listener.ended)
            assert (one.listener.ended, two.listener.ended) == ("internal_error", "internal_error")
            assert one.listener.verdicts == []
            assert one.listener.heard == two.listener.heard == []
            assert actor.ended
            assert len(on.registry) == 0
            with pytest.raises(SessionEnded):
                await actor.glance()
            with pytest.raises(SessionEnded):
                await on.join(actor)
            await one.do(inp.ItemSubmitted("user", "to nobody"))

    run(main())
    assert [record.message for record in caplog.records] == ["session ended: its log failed"]


def test_after_a_failure_of_the_store_the_next_join_reads_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with stage(ScriptedAgent([Say("One two"), Hold()], "Fine.")) as on:
            actor = await on.open()
            client = await on.join(actor)
            await client.ask("a")
            await client.listener.until_heard(ev.TextAppended)
            on.store.broken = True
            await client.do(inp.ItemSubmitted("user", "lost"))
            await client.listener.until(lambda listener: listener.ended)
            on.store.broken = False
            again = await on.join(await on.found(actor.session_id))
            path = [(node.role, node.status) for node in again.glance.path]
            assert path == [("user", "completed"), ("assistant", "incomplete")]
            contents = await on.store.contents(actor.session_id, [again.glance.path[1].item_id])
            assert [content.text for content in contents.values()] == ["One two"]
            await again.ask("b")
            await again.listener.until(lambda listener: ("completed", None) in ended(listener))

    run(main())
    assert len(caplog.records) == 1


def test_a_model_ends_with_the_session_that_asked_it(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One two"), Hold()])
        async with stage(agent) as on:
            client = await on.join(await on.open())
            await client.ask("a")
            await agent.holding()
            on.store.broken = True
            await client.do(inp.ItemSubmitted("user", "lost"))
            await client.listener.until(lambda listener: listener.ended)
            await settle()
            assert agent.endings == ["cancelled"]

    run(main())


def test_who_waits_for_a_glance_is_told_when_the_session_ends(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with stage() as on:
            client = await on.join(await on.open())
            on.store.open.clear()
            await client.do(inp.ItemSubmitted("user", "hello"))
            waiting = asyncio.create_task(client.actor.glance())
            await settle()
            on.store.broken = True
            on.store.open.set()
            with pytest.raises(SessionEnded):
                await waiting

    run(main())


def test_who_waits_for_room_is_let_go_when_the_session_ends(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with stage() as on:
            client = await on.join(await on.open())
            on.store.open.clear()
            await client.do(inp.ItemSubmitted("user", "hello"))
            everything = AHEAD + MAILBOX + 20
            crowd = [asyncio.create_task(client.do(inp.ItemSubmitted("user", "x"))) for _ in range(everything)]
            await settle()
            on.store.broken = True
            on.store.open.set()
            await asyncio.gather(*crowd)
            await client.listener.until(lambda listener: listener.ended)
            assert client.listener.ended == "internal_error"

    run(main())


def test_an_end_that_nobody_wanted_is_told_as_a_shutdown() -> None:
    async def main() -> None:
        async with stage() as on:
            client = await on.join(await on.open())
            await on.registry.aclose()
            assert client.listener.ended == "shutdown"

    run(main())


def test_a_cancelled_join_does_not_hold_the_session_in_memory() -> None:
    async def main() -> None:
        async with stage() as on:
            actor = await on.open()
            await actor.glance()
            on.store.open.clear()
            on.store.arrived.clear()
            actor.post(inp.ItemSubmitted("user", "hello"), INSIDE)
            await on.store.arrived.wait()
            joining = asyncio.create_task(actor.join(LegId("leg"), Listener()))
            await settle()
            joining.cancel()
            with pytest.raises(asyncio.CancelledError):
                await joining
            actor.leave(Origin(LegId("leg")))
            on.store.open.set()
            await asyncio.sleep(1)
            assert actor.idle

    run(main())


def test_settings_begin_with_what_the_session_was_opened_with() -> None:
    async def main() -> None:
        async with stage() as on:
            actor: Actor = await on.registry.open(Settings(model="m", instructions="be brief"))
            await actor.glance()
            assert actor.state.conversation.settings.instructions == "be brief"

    run(main())
