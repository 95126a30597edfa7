"""Sessions come into memory when somebody wants them, leave it when nobody does, and are never lost."""

import asyncio
from typing import ClassVar

import pytest

from gateway.agents.scripted import Hold, Pause, Say, ScriptedAgent
from gateway.core import events as ev, inputs as inp
from gateway.core.ids import Generation, ItemId, SessionId, TenantId, UserId, shard_of
from gateway.core.values import Settings
from gateway.errors import StoreError
from gateway.runtime.choice import Agents
from gateway.runtime.ports import Loaded, SessionInfo, Stored
from gateway.runtime.registry import IDLE_SECONDS, Registry
from gateway.store.snapshots import FACTS
from tests.runtime.stage import GatedStore, Stage, VirtualClock, stage
from tests.virtual_time import run, settle

FIRST = Generation(1)


async def texts(on: Stage, session: SessionId) -> list[str]:
    glance = await (await on.found(session)).glance()
    contents = await on.store.contents(session, [node.item_id for node in glance.path])
    return [contents[node.item_id].text for node in glance.path]


# --- finding ---


def test_a_new_session_has_an_id_of_its_shard_and_is_found_by_it() -> None:
    async def main() -> None:
        registry = Registry(GatedStore(), Agents(ScriptedAgent()), VirtualClock(), shard=171)
        actor = await registry.open(Settings())
        assert shard_of(actor.session_id) == 171
        assert await registry.find(actor.session_id) is actor
        await registry.aclose()

    run(main())


@pytest.mark.parametrize(
    "wanted", ["", "sess_", "sess_00", "nonsense", "sess_zz123", "sess_00nobody", "sess_00\x00", "х"]
)
def test_what_is_no_session_is_not_found(wanted: str) -> None:
    async def main() -> None:
        async with stage() as on:
            assert await on.registry.find(SessionId(wanted)) is None
            assert len(on.registry) == 0

    run(main())


def test_who_looks_at_the_same_time_finds_the_same_actor() -> None:
    async def main() -> None:
        store = GatedStore()
        async with stage(store=store) as before:
            session = (await before.open()).session_id
            await (await before.found(session)).glance()
        async with stage(store=store) as after:
            found = await asyncio.gather(*(after.registry.find(session) for _ in range(20)))
            assert len(set(map(id, found))) == 1
            assert len(after.registry) == 1

    run(main())


def test_a_log_that_cannot_be_read_is_an_error_now_and_no_obstacle_later() -> None:
    async def main() -> None:
        store = GatedStore()
        async with stage(store=store) as before:
            session = (await before.open()).session_id
            await (await before.found(session)).glance()
        async with stage(store=store) as after:
            store.broken = True
            for _ in range(3):
                with pytest.raises(StoreError):
                    await after.registry.find(session)
            store.broken = False
            assert (await after.found(session)).session_id == session

    run(main())


def test_a_session_that_cannot_be_written_is_not_opened() -> None:
    async def main() -> None:
        async with stage() as on:
            on.store.broken = True
            with pytest.raises(StoreError):
                await on.open()
            assert len(on.registry) == 0

    run(main())


# --- recovery ---


def test_an_answer_that_was_open_when_its_process_ended_is_closed_with_what_was_stored() -> None:
    async def main() -> None:
        store = GatedStore()
        async with stage(ScriptedAgent([Say("One two"), Hold()]), store) as before:
            client = await before.join(await before.open())
            await client.ask("go")
            await client.listener.until_heard(ev.TextAppended)
            session, epoch, seq = client.actor.session_id, client.actor.epoch, client.actor.seq
        async with stage(store=store) as after:
            actor = await after.found(session)
            client = await after.join(actor)
            assert actor.epoch == epoch
            assert client.glance.responses == ()
            assert [node.status for node in client.glance.path] == ["completed", "incomplete"]
            assert await texts(after, session) == ["go", "One two"]
            closing = [stored.fact for stored in await store.read(session, seq)]
            assert [type(fact) for fact in closing] == [ev.ItemCompleted, ev.ResponseEnded]
            done = closing[1]
            assert isinstance(done, ev.ResponseEnded)
            assert (done.status, done.reason) == ("failed", "node_lost")

    run(main())


def test_recovering_twice_closes_once() -> None:
    async def main() -> None:
        store = GatedStore()
        async with stage(ScriptedAgent([Say("One two"), Hold()]), store) as before:
            client = await before.join(await before.open())
            await client.ask("go")
            await client.listener.until_heard(ev.TextAppended)
            session = client.actor.session_id
        seqs = []
        for _ in range(3):
            async with stage(store=store) as after:
                seqs.append((await (await after.found(session)).glance()).seq)
        assert seqs[0] == seqs[1] == seqs[2]

    run(main())


def test_a_sounding_answer_of_an_ended_process_sounds_no_more() -> None:
    async def main() -> None:
        store = GatedStore()
        async with stage(ScriptedAgent("One two three."), store) as before:
            client = await before.join(await before.open(), voice=True)
            await client.ask("go")
            await client.listener.until_heard(ev.ResponseEnded)
            client.report(inp.PlayoutStarted(FIRST))
            await client.listener.until_heard(ev.PlayoutStarted)
            session = client.actor.session_id
        async with stage(ScriptedAgent("Fine."), store) as after:
            client = await after.join(await after.found(session))
            assert client.glance.responses == ()
            await client.ask("and now?")
            assert (await client.listener.until_heard(ev.ResponseEnded)).status == "completed"

    run(main())


def test_a_session_that_ended_before_its_first_fact_still_opens() -> None:
    async def main() -> None:
        store = GatedStore()
        await store.create(SessionId("sess_00empty"), "epoch")
        async with stage(ScriptedAgent("Yes."), store) as on:
            client = await on.join(await on.found(SessionId("sess_00empty")))
            await client.ask("hello")
            await client.listener.until_heard(ev.ResponseEnded)

    run(main())


def test_a_long_session_is_read_again_from_its_snapshot() -> None:
    async def main() -> None:
        store = GatedStore()
        async with stage(store=store) as before:
            client = await before.join(await before.open())
            for number in range(FACTS + 20):
                await client.do(inp.ItemSubmitted("user", f"message {number}"))
            await client.listener.until_heard(ev.ItemAdded, FACTS + 20)
            session, path = client.actor.session_id, (await client.actor.glance()).path
        loaded = await store.load(session)
        assert loaded is not None
        assert loaded.snapshot is not None
        assert len(loaded.log) < FACTS
        async with stage(store=store) as after:
            assert (await (await after.found(session)).glance()).path == path
            assert (await texts(after, session))[-1] == f"message {FACTS + 19}"

    run(main())


def test_a_long_log_without_a_snapshot_gets_one_when_it_is_read() -> None:
    async def main() -> None:
        store, session = GatedStore(), SessionId("sess_00long")
        await store.create(session, "epoch")
        facts = [ev.ItemAdded(ItemId(f"item_{n}"), None, "user", "completed") for n in range(FACTS)]
        await store.append(session, 0, facts, 1.5)
        async with stage(store=store) as on:
            await on.found(session)
        loaded = await store.load(session)
        assert loaded is not None
        assert (loaded.snapshot_seq, loaded.log) == (FACTS, ())

    run(main())


def test_a_snapshot_holds_nothing_that_is_not_written_yet() -> None:
    async def main() -> None:
        store = GatedStore()
        async with stage(store=store) as on:
            client = await on.join(await on.open())
            store.delay = 0.001  # deciding runs ahead of writing
            for number in range(FACTS + 20):
                await client.do(inp.ItemSubmitted("user", f"message {number}"))
            await client.listener.until_heard(ev.ItemAdded, FACTS + 20)
            loaded = await store.load(client.actor.session_id)
            assert loaded is not None
            assert loaded.snapshot is not None
            assert len(loaded.snapshot.tree.nodes) == loaded.snapshot_seq - 1

    run(main())


# --- eviction ---


def test_an_idle_session_leaves_memory_and_its_log_stays() -> None:
    async def main() -> None:
        async with stage(ScriptedAgent("One.")) as on:
            client = await on.join(await on.open())
            await client.ask("go")
            await client.listener.until_heard(ev.ResponseEnded)
            session = client.actor.session_id
            client.leave()
            await asyncio.sleep(IDLE_SECONDS - 1)
            on.registry.evict_idle()
            await settle()
            assert len(on.registry) == 1
            await asyncio.sleep(2)
            on.registry.evict_idle()
            await settle()
            assert len(on.registry) == 0
            assert await texts(on, session) == ["go", "One."]

    run(main())


def test_a_session_with_somebody_in_it_stays() -> None:
    async def main() -> None:
        async with stage() as on:
            client = await on.join(await on.open())
            await asyncio.sleep(IDLE_SECONDS * 10)
            on.registry.evict_idle()
            await settle()
            assert len(on.registry) == 1
            assert client.listener.ended is None

    run(main())


def test_a_session_whose_answer_is_being_given_stays() -> None:
    async def main() -> None:
        async with stage(ScriptedAgent([Say("One"), Pause(IDLE_SECONDS * 1.5), Say(" two.")])) as on:
            client = await on.join(await on.open())
            await client.ask("go")
            await client.listener.until_heard(ev.TextAppended)
            session = client.actor.session_id
            client.leave()
            await asyncio.sleep(IDLE_SECONDS * 1.2)
            on.registry.evict_idle()
            await asyncio.sleep(IDLE_SECONDS)
            assert await texts(on, session) == ["go", "One two."]

    run(main())


def test_a_session_that_is_busy_writing_stays() -> None:
    async def main() -> None:
        async with stage() as on:
            client = await on.join(await on.open())
            client.leave()
            await asyncio.sleep(IDLE_SECONDS * 2)
            on.store.open.clear()
            on.store.arrived.clear()
            client.actor.post(inp.ItemSubmitted("user", "late"))
            await on.store.arrived.wait()
            on.registry.evict_idle()
            await settle()
            on.store.open.set()
            await settle()
            assert await texts(on, client.actor.session_id) == ["late"]

    run(main())


def test_who_finds_a_session_that_is_just_leaving_gets_one_that_lives() -> None:
    async def main() -> None:
        async with stage() as on:
            actor = await on.open()
            await actor.glance()
            await asyncio.sleep(IDLE_SECONDS * 2)
            on.registry.evict_idle()
            found = await on.found(actor.session_id)
            client = await on.join(found)
            await client.do(inp.ItemSubmitted("user", "hello"))
            await client.listener.until_heard(ev.ItemAdded)

    run(main())


def test_a_session_that_was_just_found_waits_for_whoever_found_it() -> None:
    async def main() -> None:
        async with stage() as on:
            actor = await on.open()
            await actor.glance()
            await asyncio.sleep(IDLE_SECONDS * 2)
            found = await on.found(actor.session_id)
            on.registry.evict_idle()
            await settle()
            client = await on.join(found)
            await client.do(inp.ItemSubmitted("user", "hello"))
            await client.listener.until_heard(ev.ItemAdded)

    run(main())


def test_closing_ends_every_session_and_cancels_every_model() -> None:
    async def main() -> None:
        agent = ScriptedAgent([Hold()], [Hold()])
        async with stage(agent) as on:
            clients = [await on.join(await on.open()) for _ in range(2)]
            for client in clients:
                await client.ask("go")
            await settle()
            await on.registry.aclose()
            assert [client.listener.ended for client in clients] == ["shutdown", "shutdown"]
            assert agent.endings == ["cancelled", "cancelled"]
            assert len(on.registry) == 0

    run(main())


# --- tenants ---


def test_a_session_belongs_to_the_tenant_that_opened_it_also_after_a_restart() -> None:
    acme, other = TenantId("acme"), TenantId("other")

    async def main() -> None:
        store = GatedStore()
        async with stage(store=store) as before:
            actor = await before.registry.open(Settings(), acme, UserId("ada"))
            assert await before.registry.find(actor.session_id, acme) is actor
            assert await before.registry.find(actor.session_id, other) is None
            assert await before.registry.find(actor.session_id) is None
            await actor.glance()
        async with stage(store=store) as after:
            assert await after.registry.find(actor.session_id, other) is None
            assert len(after.registry) == 0
            found = await after.registry.find(actor.session_id, acme)
            assert found is not None
            await found.glance()
            assert (found.state.conversation.tenant, found.state.conversation.opened_by) == ("acme", "ada")
            assert await after.registry.find(actor.session_id, other) is None

    run(main())


def test_a_session_of_others_costs_the_same_looks_at_the_log_as_one_that_nobody_has() -> None:
    class Counting(GatedStore):
        looks: ClassVar[list[str]] = []

        async def read(self, session: SessionId, after_seq: int, limit: int = 1000) -> tuple[Stored, ...]:
            self.looks.append("read")
            return await super().read(session, after_seq, limit)

        async def info(self, session: SessionId) -> SessionInfo | None:
            self.looks.append("info")
            return await super().info(session)

        async def load(self, session: SessionId) -> Loaded | None:
            self.looks.append("load")
            return await super().load(session)

    async def main() -> None:
        store = Counting()
        async with stage(store=store) as on:
            actor = await on.registry.open(Settings(), TenantId("acme"), UserId("ada"))
            await actor.glance()
            costs = []
            for wanted in (actor.session_id, SessionId("sess_00nobody")):
                for tenant in (TenantId("other"), TenantId("acme")):
                    store.looks.clear()
                    assert await on.registry.find(wanted, tenant, lambda _user: False) is None
                    costs.append(list(store.looks))
            assert costs == [["info", "read", "load"]] * 4
        async with stage(store=store) as after:
            store.looks.clear()
            assert await after.registry.find(actor.session_id, TenantId("acme"), lambda user: user == "bob") is None
            assert store.looks == ["info", "read", "load"]
            found = await after.registry.find(actor.session_id, TenantId("acme"), lambda user: user == "ada")
            assert found is not None

    run(main())


def test_whose_a_session_is_never_changes() -> None:
    async def main() -> None:
        async with stage() as on:
            actor = await on.registry.open(Settings(), TenantId("acme"))
            actor.post(inp.SessionOpened(Settings(), TenantId("other")))
            await actor.glance()
            assert actor.state.conversation.tenant == "acme"
            assert actor.seq == 1

    run(main())


def test_a_session_of_which_the_log_says_nothing_yet_belongs_to_its_tenant_all_the_same() -> None:
    async def main() -> None:
        store = GatedStore()
        empty = SessionId("sess_00empty")
        await store.create(empty, "epoch", tenant="acme")
        async with stage(store=store) as on:
            assert await on.registry.find(empty) is None
            assert await on.registry.find(empty, TenantId("other")) is None
            found = await on.registry.find(empty, TenantId("acme"))
            assert found is not None
            await found.glance()
            assert found.state.conversation.tenant == "acme"

    run(main())


def test_a_session_is_listed_for_its_tenant_alone() -> None:
    async def main() -> None:
        async with stage() as on:
            ours, theirs = await on.registry.open(Settings()), await on.registry.open(Settings(), TenantId("acme"))
            assert [it.session for it in await on.store.sessions()] == [ours.session_id]
            assert [it.session for it in await on.store.sessions(tenant="acme")] == [theirs.session_id]

    run(main())


def test_a_session_read_from_a_snapshot_is_still_its_tenants_and_users() -> None:
    async def main() -> None:
        store = GatedStore()
        async with stage(store=store) as before:
            actor = await before.registry.open(Settings(), TenantId("acme"), UserId("ada"))
            await actor.glance()
            store.save_snapshot(actor.session_id, actor.seq, actor.state.conversation)
        async with stage(store=store) as after:
            loaded = await store.load(actor.session_id)
            assert loaded is not None
            assert loaded.snapshot is not None
            assert await after.registry.find(actor.session_id) is None
            found = await after.registry.find(actor.session_id, TenantId("acme"), lambda user: user == "ada")
            assert found is not None
            assert (found.tenant, found.opened_by) == ("acme", "ada")
            assert (found.state.conversation.tenant, found.state.conversation.opened_by) == ("acme", "ada")

    run(main())
