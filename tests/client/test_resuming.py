"""The client without I/O against a gateway without a network, on a way that loses things."""

import asyncio
import json
from dataclasses import dataclass, field

from hypothesis import given, settings, strategies as st

from gateway.agents.scripted import Pause, Say, ScriptedAgent, Step
from gateway.client.items import Item, from_wire
from gateway.client.protocol import ClientProtocol
from gateway.core import inputs as inp
from gateway.runtime.actor import Actor
from gateway.runtime.scripted import ScriptedVoice
from gateway.transports import history
from tests.transports.wire import Client, Line, add_voice, line, report
from tests.virtual_time import run

pieces: st.SearchStrategy[Step] = st.one_of(
    st.sampled_from(["a", "bc ", "\U0001f600"]).map(Say), st.sampled_from([0.0, 0.01, 0.05]).map(Pause)
)
commands = st.sampled_from(["say", "ask", "interrupt", "cancel", "delete", "played", "voice"])


async def act(client: Client, voice: ScriptedVoice, command: str) -> None:
    """One thing that happens in the session."""
    actor = client.connection.actor
    generation = actor.state.conversation.generation
    match command:
        case "say":
            await client.say("typed")
        case "ask":
            await client.send("response.create")
        case "interrupt":
            await client.send("response.create", on_active="interrupt")
        case "cancel":
            await client.send("response.cancel")
        case "delete":
            path = (await actor.glance()).path
            await client.send("conversation.item.delete", item_id=path[0].item_id if path else "nobody")
        case "played":
            report(client, inp.PlayoutStarted(generation))
            voice.play(generation, 1, 100)
        case _:
            report(client, inp.PlayoutStopped(generation, 500))


@dataclass(slots=True)
class Flaky:
    """A client whose connections end after so many messages, and lose some of the log's events on the way."""

    at: Line
    actor: Actor
    ends: list[int]
    losses: set[int]
    protocol: ClientProtocol = field(default_factory=lambda: ClientProtocol("flaky", "".join))
    connection: Client | None = None
    read: int = 0
    facts: int = 0
    asked: int = 0
    """How often it asked a live connection for what was missing."""

    async def catch_up(self, *, safely: bool = False) -> None:
        """Read what has come; where the connection ends, make another one. *safely*: it loses nothing more."""
        if self.connection is None:
            await self.connect()
        connection = self.connection
        assert connection is not None
        while self.read < len(connection.got):
            if not safely and self.ends and self.read >= self.ends[0]:
                await self.drop()
                return
            event = connection.got[self.read]
            self.read += 1
            if not self.is_lost(event, safely=safely):
                self.protocol.receive(json.dumps(event))
                await self.say(connection)

    def is_lost(self, event: dict[str, object], *, safely: bool) -> bool:
        if "prev_seq" not in event:
            return False
        self.facts += 1
        return not safely and self.facts in self.losses

    async def say(self, connection: Client) -> None:
        for text in self.protocol.to_send(0.0):
            self.asked += 1
            await connection.connection.receive(text)

    async def connect(self) -> None:
        asked = self.protocol.query().get("resume")
        epoch, _, seq = (asked or "").rpartition(".")
        self.connection = await self.at.connect(
            self.actor, extended=True, resume=(epoch, int(seq)) if asked is not None else None
        )
        self.read = 0
        self.protocol.opened()

    async def drop(self) -> None:
        if self.connection is not None:
            await self.connection.leave()
        self.connection = None
        self.ends = self.ends[1:]
        self.protocol.lost()


async def held(at: Line, actor: Actor) -> tuple[Item, ...]:
    glance = await actor.glance()
    contents = await at.services.store.contents(actor.session_id, [node.item_id for node in glance.path])
    return tuple(from_wire(history.shown(node, glance.open_texts, contents)) for node in glance.path)


@settings(max_examples=100, deadline=None, database=None)
@given(
    replies=st.lists(st.lists(pieces, max_size=6), min_size=6, max_size=6),
    script=st.lists(st.tuples(st.sampled_from([0.0, 0.01, 0.03]), commands), min_size=1, max_size=12),
    ends=st.lists(st.integers(1, 12), max_size=12),
    losses=st.sets(st.integers(1, 20), max_size=4),
    voiced=st.booleans(),
)
def test_whatever_is_lost_on_the_way_the_client_ends_with_the_servers_items(
    replies: list[list[Step]], script: list[tuple[float, str]], ends: list[int], losses: set[int], voiced: bool
) -> None:
    async def main() -> None:
        async with line(ScriptedAgent(*replies)) as at:
            actor = await at.open()
            first = await at.connect(actor, extended=True)
            voice = add_voice(first)
            flaky = Flaky(at, actor, ends, losses)
            for pause, command in script:
                await flaky.catch_up()
                await asyncio.sleep(pause)
                if voiced or command not in ("played", "voice"):
                    await act(first, voice, command)
            await asyncio.sleep(1)
            await flaky.catch_up()
            await first.say("The last word.")  # a loss shows by what comes after it
            for _ in range(3):  # connect, ask, and hear the answer
                await asyncio.sleep(1)
                await flaky.catch_up(safely=True)
            assert flaky.protocol.items == await held(at, actor)
            running = [it.response_id for it in (await actor.glance()).responses if it.generating]
            assert list(flaky.protocol.running) == running

    run(main())


def test_a_lost_event_of_the_log_is_asked_for_on_the_same_connection() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("One two.")) as at:
            actor = await at.open()
            first = await at.connect(actor, extended=True)
            flaky = Flaky(at, actor, [], {3})
            await flaky.catch_up()
            await first.ask("Count.")
            await asyncio.sleep(1)
            await flaky.catch_up()
            assert flaky.asked == 1
            assert [item.text for item in flaky.protocol.items] == ["Count.", "One two."]

    run(main())
