"""The client on real sockets of a real gateway: what it promises when connections, gateways and programs misbehave."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from websockets.asyncio.server import ServerConnection, serve

from gateway.agents.scripted import Hold, Say, ScriptedAgent, Step
from gateway.client import (
    Backoff,
    CommandFailed,
    CommandRejected,
    ConnectionRefused,
    Conversation,
    GatewayUnreachable,
    connect,
)
from gateway.client.events import Disconnected, Event, Missed
from gateway.client.link import MAX_UNREAD
from gateway.client.wire import address
from gateway.protocol import extension as ext, realtime as rt
from gateway.runtime.ports import Agent
from tests.client.proxy import Proxy, proxy
from tests.transports.server import Gateway, serving

PATIENCE_S: Final = 20.0


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a test; afterwards nothing of it may still be running."""

    async def whole() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await main
        left = [task.get_name() for task in asyncio.all_tasks() if "conversation" in task.get_name()]
        assert left == []

    asyncio.run(whole())


def at_once() -> Backoff:
    return Backoff(lambda: 0.0)


async def until(conversation: Conversation, kind: type[Event]) -> Event:
    """Read on to the next event of a kind."""
    async for event in conversation:
        if isinstance(event, kind):
            return event
    raise AssertionError(f"it ended before {kind.__name__}")


@asynccontextmanager
async def behind_a_proxy(folder: Path, agent: Agent) -> AsyncIterator[tuple[Gateway, Proxy, Conversation]]:
    async with (
        serving(folder, agent=agent) as gateway,
        proxy(gateway.port) as way,
        connect(f"http://127.0.0.1:{way.port}", device="phone", backoff=at_once()) as conversation,
    ):
        yield gateway, way, conversation


def test_a_message_is_answered_and_folded(tmp_path: Path) -> None:
    async def main() -> None:
        agent = ScriptedAgent("One two.")
        async with serving(tmp_path, agent=agent) as gateway, connect(gateway.url, device="phone") as conversation:
            nothing = conversation.items
            assert nothing == ()
            assert conversation.about["agent"] == "scripted"
            sent = await conversation.send("Count.", instructions="Be brief.")
            assert (sent.receipt.duplicate, conversation.connected) == (False, True)
            await until(conversation, rt.ResponseDone)
            said = [(item.role, item.text, item.device) for item in conversation.items]
            assert said == [("user", "Count.", "phone"), ("assistant", "One two.", "")]
            assert conversation.items[0].id == sent.item_id
            assert agent.asked[0].instructions == "Be brief."
            assert conversation.running == ()

    run(main())


def test_a_second_device_steers_and_both_fold_the_same(tmp_path: Path) -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One "), Say("two "), Hold()], "Three.")
        async with serving(tmp_path, agent=agent) as gateway, connect(gateway.url, device="phone") as phone:
            await phone.send("Count.")
            await agent.holding()
            async with connect(gateway.url, session=phone.session_id, device="tablet") as tablet:
                assert tablet.items[-1].text == "One two "
                await tablet.send("No, go on.", on_active="interrupt")
                await until(tablet, rt.ResponseDone)
                await until(tablet, rt.ResponseDone)
                while len(phone.items) < 4 or phone.items != tablet.items:
                    await until(phone, rt.ResponseDone)
                assert [it.status for it in phone.items] == ["completed", "incomplete", "completed", "completed"]

    run(main())


def test_pause_resume_and_cancel_have_receipts(tmp_path: Path) -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One "), Hold()])
        async with serving(tmp_path, agent=agent) as gateway, connect(gateway.url) as conversation:
            with pytest.raises(CommandRejected) as nothing:
                await conversation.cancel()
            assert nothing.value.code == "response_cancel_not_active"
            with pytest.raises(CommandRejected) as silent:
                await conversation.pause()
            assert silent.value.code == "output_pause_not_active"
            await conversation.send("Count.")
            await agent.holding()
            (running,) = conversation.running
            receipt = await conversation.cancel(running)
            assert receipt.seq > 0
            assert conversation.running == ()  # what a receipt tells of was told before it

    run(main())


def test_what_the_gateway_does_not_know_is_rejected_with_its_code(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(tmp_path, agent=ScriptedAgent()) as gateway, connect(gateway.url) as conversation:
            with pytest.raises(CommandRejected) as unknown:
                await conversation.command("no.such.command", field=1)
            assert unknown.value.code == "unknown_event_type"
            with pytest.raises(CommandRejected) as missing:
                await conversation.command("conversation.item.delete")
            assert (missing.value.code, missing.value.param) == ("missing_required_parameter", "item_id")

    run(main())


def test_a_refused_answer_leaves_the_message(tmp_path: Path) -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One"), Hold()])
        async with serving(tmp_path, agent=agent) as gateway, connect(gateway.url) as conversation:
            await conversation.send("Count.")
            await agent.holding()
            with pytest.raises(CommandRejected) as refused:
                await conversation.send("And then?", on_active="reject")
            assert refused.value.code == "conversation_already_has_active_response"
            assert conversation.items[-1].text == "And then?"
            await conversation.cancel()

    run(main())


def test_a_drop_in_mid_answer_is_resumed_without_the_program(tmp_path: Path) -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One "), Hold(), Say("two "), Hold(), Say("three.")])
        async with behind_a_proxy(tmp_path, agent) as (_, way, conversation):
            await conversation.send("Count.")
            await agent.holding()
            way.cut()
            assert isinstance(await until(conversation, Disconnected), Disconnected)
            await until(conversation, ext.SessionResumed)
            agent.release()
            await agent.holding()
            agent.release()
            await until(conversation, rt.ResponseDone)
            assert conversation.items[-1].text == "One two three."
            assert way.connections == 2

    run(main())


def test_a_command_given_while_there_is_no_connection_is_applied_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with behind_a_proxy(tmp_path, ScriptedAgent("One.")) as (_, way, conversation):
            way.cut()
            await until(conversation, Disconnected)
            assert not conversation.connected
            assert not conversation.tell("playback.report", buffered_ms=5)
            sent = await conversation.send("Count.")
            assert conversation.items[0].id == sent.item_id
            await until(conversation, rt.ResponseDone)
            assert [it.text for it in conversation.items] == ["Count.", "One."]

    run(main())


def test_a_receipt_that_was_lost_is_told_again_and_the_command_not_repeated(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(tmp_path, agent=ScriptedAgent()) as gateway, proxy(gateway.port) as measured:
            async with connect(f"http://127.0.0.1:{measured.port}") as conversation:
                begun = measured.passed[0]
                await conversation.add("Hello.")
            # Cut right after the greeting: the command gets through, its receipt does not.
            async with (
                proxy(gateway.port, lambda number: begun + 20 if number == 0 else None) as way,
                connect(f"http://127.0.0.1:{way.port}", backoff=at_once()) as conversation,
            ):
                sent = await conversation.add("Hello.")
                assert sent.receipt.duplicate
                assert [it.id for it in conversation.items] == [sent.item_id]
                assert way.connections == 2

    run(main())


def test_of_two_commands_of_which_one_cannot_be_given_neither_is_sent(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(tmp_path, agent=ScriptedAgent()) as gateway, connect(gateway.url) as conversation:
            with pytest.raises(CommandFailed, match="bytes"):
                await conversation.send("Hello.", instructions="Be brief. " * 7000)
            await conversation.add("Good-bye.")
            assert [item.text for item in conversation.items] == ["Good-bye."]

    run(main())


def test_what_was_reported_as_failed_is_never_sent(tmp_path: Path) -> None:
    async def main() -> None:
        async with behind_a_proxy(tmp_path, ScriptedAgent()) as (_, way, conversation):
            way.refuses = True
            way.cut()
            await until(conversation, Disconnected)
            given_up = asyncio.create_task(conversation.add("Too late."))
            await asyncio.sleep(0)
            given_up.cancel()
            assert isinstance((await asyncio.gather(given_up, return_exceptions=True))[0], asyncio.CancelledError)
            way.refuses = False
            await conversation.add("In time.")
            assert [it.text for it in conversation.items] == ["In time."]

    run(main())


def test_closing_fails_what_waits_and_says_whether_it_had_been_sent(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(tmp_path, agent=ScriptedAgent()) as gateway, proxy(gateway.port) as way:
            async with connect(f"http://127.0.0.1:{way.port}", backoff=at_once()) as conversation:
                way.refuses = True
                way.cut()
                await until(conversation, Disconnected)
                waits = asyncio.create_task(conversation.add("Hello."))
                await asyncio.sleep(0)
            with pytest.raises(CommandFailed) as failed:
                await waits
            assert (failed.value.code, failed.value.uncertain) == ("closed", False)
            with pytest.raises(CommandFailed):
                await conversation.add("After the end.")
            assert not conversation.tell("playback.report", buffered_ms=5)
            assert not [event async for event in conversation if isinstance(event, rt.ItemAdded)]

    run(main())


def test_a_session_that_is_not_there_is_refused_at_once_and_later(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(tmp_path, agent=ScriptedAgent()) as gateway:
            with pytest.raises(ConnectionRefused) as refused:
                async with connect(gateway.url, session="sess_none"):
                    pass
            assert refused.value.code == "session_not_found"
        async with behind_a_proxy(tmp_path / "a", ScriptedAgent()) as (_, way, conversation):
            await conversation.add("Hello.")
            async with serving(tmp_path / "b", agent=ScriptedAgent()) as other:
                way.to = other.port
                way.cut()
                with pytest.raises(ConnectionRefused) as lost:
                    await until(conversation, rt.ResponseDone)
                assert lost.value.code == "session_not_found"
                with pytest.raises(CommandFailed) as failed:
                    await conversation.add("Hello?")
                assert failed.value.code == "session_not_found"

    run(main())


def test_a_token_is_presented_and_a_wrong_one_is_told_apart(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(tmp_path, agent=ScriptedAgent(), token="sesame") as gateway:
            async with connect(gateway.url, token="sesame") as conversation:
                assert conversation.connected
            with pytest.raises(ConnectionRefused) as refused:
                async with connect(gateway.url, token="wrong"):
                    pass
            assert refused.value.for_good

    run(main())


def test_who_came_with_a_secret_goes_on_by_the_token_that_it_was_given() -> None:
    """A gateway of a later release, as far as this needs one."""
    presented: list[str | None] = []

    async def answer(socket: ServerConnection) -> None:
        assert socket.request is not None
        presented.append(socket.request.headers.get("Authorization"))
        about = {"resume_token": f"rt_{len(presented)}"}
        await socket.send(rt.encode(rt.SessionCreated(session=rt.Session("sess_1", "", "", [], {}, bargein=about))))
        snapshot = ext.SessionSnapshot(session_id="sess_1", items=[])
        snapshot.seq, snapshot.epoch = 1, "e"
        await socket.send(rt.encode(snapshot))
        if len(presented) < 3:
            await socket.close(1012)
        await socket.wait_closed()

    async def main() -> None:
        async with serve(answer, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            async with connect(url, token=lambda: "ek_1", backoff=at_once()) as conversation:
                for _ in range(2):
                    await until(conversation, Disconnected)
                await until(conversation, ext.SessionSnapshot)
        assert presented == ["Bearer ek_1", "Bearer rt_1", "Bearer rt_2"]

    run(main())


def test_a_full_gateway_says_when_to_come_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(tmp_path, agent=ScriptedAgent(), max_connections=1) as gateway:
            async with connect(gateway.url):
                with pytest.raises(ConnectionRefused) as refused:
                    async with connect(gateway.url):
                        pass
            assert (refused.value.code, refused.value.for_good) == ("overloaded", False)
            assert refused.value.retry_after_s is not None
            assert refused.value.retry_after_s > 0

    run(main())


def test_nobody_at_the_address_is_an_error_of_its_own() -> None:
    async def main() -> None:
        with pytest.raises(GatewayUnreachable):
            async with connect("http://127.0.0.1:9"):
                pass
        with pytest.raises(ValueError, match="URL"):
            async with connect("127.0.0.1:8080"):
                pass

    run(main())


def test_a_program_that_does_not_read_is_told_how_much_it_missed(tmp_path: Path) -> None:
    async def main() -> None:
        pieces: list[Step] = [Say(f"{number} ") for number in range(MAX_UNREAD + 10)]
        async with serving(tmp_path, agent=ScriptedAgent(pieces)) as gateway, connect(gateway.url) as conversation:
            async with connect(gateway.url, session=conversation.session_id) as reader:
                await conversation.send("Count.")
                await until(reader, rt.ResponseDone)
            await conversation.add("Thank you.")  # its receipt comes after everything before it
            first = await anext(aiter(conversation))
            assert isinstance(first, Missed)
            assert first.count > 10
            assert conversation.items[1].text == "".join(it.text for it in pieces if isinstance(it, Say))

    run(main())


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://127.0.0.1:8080", "ws://127.0.0.1:8080/v1/realtime?device=d"),
        ("https://a.example/talk/", "wss://a.example/talk/v1/realtime?device=d"),
        ("ws://a.example/v1/realtime?model=m", "ws://a.example/v1/realtime?model=m&device=d"),
        ("wss://a.example/v1", "wss://a.example/v1/realtime?device=d"),
    ],
)
def test_an_address_may_be_given_in_several_ways(url: str, found: str) -> None:
    assert address(url, {"device": "d"}) == found
