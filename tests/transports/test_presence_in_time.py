"""Who is here, in virtual time: what ends by itself, and what a client that resumes is told of it."""

import asyncio
from itertools import chain

from gateway.core.policy import Policy
from gateway.runtime.actor import Actor
from gateway.transports import keepalive, presence
from media.peer import PeerOptions
from tests.runtime.stage import GatedStore
from tests.transports.wire import Client, line
from tests.virtual_time import now, run, settle

POLICY = Policy()


def doing(client: Client, member: str) -> list[list[str]]:
    """What a member was told to do, one time after another."""
    changed = chain.from_iterable(event["changed"] for event in client.inbox.all("presence.changed"))
    return [it.get("doing", []) for it in changed if it["id"] == member]


def cursor(client: Client, actor: Actor) -> dict[str, object]:
    return {"epoch": actor.epoch, "seq": client.connection.teller.last_seq}


def test_typing_ends_by_itself() -> None:
    async def main() -> None:
        async with line() as on:
            actor = await on.open()
            one, other = await on.connect(actor, extended=True), await on.connect(actor, extended=True)
            await asyncio.sleep(1)
            await one.send("typing.start")
            began = now()
            await other.inbox.until(lambda: doing(other, "device_1") == [["typing"], []])
            assert now() - began < POLICY.typing_for + 0.001

    run(main())


def test_who_resumes_is_told_who_is_here_and_nothing_of_it_twice() -> None:
    async def main() -> None:
        store = GatedStore()
        async with line(store=store) as on:
            actor = await on.open()
            one, other = await on.connect(actor, extended=True), await on.connect(actor, extended=True)
            await asyncio.sleep(1)
            store.open.clear()
            await one.say("This waits for the log, and what follows waits for it.")
            await other.send("typing.start")
            resuming = asyncio.create_task(one.send("session.resume", **cursor(one, actor)))
            await settle()
            store.open.set()
            await resuming
            await asyncio.sleep(1)
            assert [event["type"] for event in one.inbox.presence][-1] == "presence.snapshot"
            members = {it["id"]: it for it in one.inbox.presence[-1]["members"]}
            assert members["device_2"]["doing"] == ["typing"]
            assert one.inbox.presence[-1]["you"] == "device_1"

    run(main())


def test_a_call_that_is_reached_again_has_not_left() -> None:
    async def main() -> None:
        async with line() as on:
            actor = await on.open()
            one, other = await on.connect(actor, extended=True), await on.connect(actor, extended=True)
            await asyncio.sleep(1)
            presence.lose(actor, one.connection.caller)
            await asyncio.sleep(POLICY.presence_grace - 0.1)
            presence.join(actor, one.connection.caller)
            await asyncio.sleep(60)
            assert not any(event["left"] for event in other.inbox.all("presence.changed"))
            presence.lose(actor, one.connection.caller)
            lost = now()
            await other.inbox.until(lambda: any(event["left"] for event in other.inbox.all("presence.changed")))
            assert now() - lost < POLICY.presence_grace + 0.001

    run(main())


def test_others_know_in_time() -> None:
    """Within 5 s where the end of a socket is known at once, within 15 s where only silence tells."""
    told_within = POLICY.presence_grace + POLICY.presence_every
    silent_for = keepalive.PING_EVERY_S + keepalive.PONG_WITHIN_S + keepalive.FAREWELL_S
    assert told_within <= 5
    assert silent_for + told_within <= 15
    assert PeerOptions().silence_timeout_s <= 5
    assert PeerOptions().silence_timeout_s + told_within <= 15
