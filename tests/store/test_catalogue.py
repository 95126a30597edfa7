"""What every engine knows of all its sessions: listing, paging, removing them."""

from math import inf

from gateway.core.events import Fact, SessionOpened, SettingsChanged
from gateway.core.ids import DEFAULT_TENANT, ItemId, SessionId
from gateway.core.values import Settings
from gateway.runtime.ports import SessionInfo, Store
from tests.store.conftest import HERE, THERE, Play
from tests.store.test_contract import WALL, A, B, answered, facts_of, open_texts, said

C = ItemId("item_c")


def opened(**metadata: str) -> SessionOpened:
    """A session about something."""
    return SessionOpened(Settings(metadata=metadata))


async def numbered(store: Store, count: int, **metadata: str) -> list[SessionId]:
    """More sessions, oldest first, appended to at ``WALL`` plus their place."""
    sessions = [SessionId(f"sess_0{number:x}more") for number in range(count)]
    for place, session in enumerate(sessions):
        await store.create(session, "epoch")
        await store.append(session, 0, [opened(**metadata)], WALL + place)
    return sessions


def names(infos: tuple[SessionInfo, ...]) -> list[SessionId]:
    """The sessions in the order in which they were listed."""
    return [info.session for info in infos]


def test_a_session_is_described_without_its_log(play: Play) -> None:
    async def scenario(store: Store) -> None:
        before = await store.info(HERE)
        assert before is not None
        assert (before.seq, before.created, before.used, before.size, before.metadata) == (0, 0, 0, 0, {})
        await store.append(HERE, 0, [opened(topic="time")], WALL)
        await store.append(HERE, 1, [said(A, "hello"), said(B, "again")], WALL + 5)
        await store.append(HERE, 3, [], WALL + 9)
        info = await store.info(HERE)
        assert info is not None
        assert (info.epoch, info.tenant, info.seq) == ("epoch_1", DEFAULT_TENANT, 3)
        assert (info.created, info.used, info.metadata) == (WALL, WALL + 5, {"topic": "time"})
        assert await store.info(SessionId("sess_00none")) is None

    play(scenario)


def test_the_size_of_a_session_grows_by_its_facts_and_words(play: Play) -> None:
    async def scenario(store: Store) -> None:
        sizes = []
        for seq, text in enumerate(("", "ten bytes.", "\N{ALARM CLOCK}")):
            await store.append(HERE, seq, [said(A, text)], WALL)
            info = await store.info(HERE)
            assert info is not None
            sizes.append(info.size)
        empty = sizes[0]
        assert [size - (place + 1) * empty for place, size in enumerate(sizes)] == [0, 10, 13]
        assert await store.size() == sizes[-1]

    play(scenario)


def test_sessions_are_listed_newest_first_in_pages(play: Play) -> None:
    async def scenario(store: Store) -> None:
        new = await numbered(store, 5)
        assert names(await store.sessions()) == [*reversed(new), THERE, HERE]
        page = await store.sessions(limit=3)
        assert names(page) == new[:1:-1]
        assert names(await store.sessions(before=page[-1].number, limit=3)) == [new[1], new[0], THERE]
        await store.remove(new[2])  # a page goes on where its cursor stood, whether that session is there or not
        assert names(await store.sessions(before=page[-1].number, limit=1)) == [new[1]]
        assert await store.sessions(before=1) == await store.sessions(limit=0) == ()

    play(scenario)


def test_a_session_created_again_is_a_new_one(play: Play) -> None:
    async def scenario(store: Store) -> None:
        await store.append(HERE, 0, [said(A, "old")], WALL)
        assert await store.remove(HERE)
        await store.create(HERE, "epoch_3")
        assert names(await store.sessions()) == [HERE, THERE]
        assert await facts_of(store) == ()
        assert await store.append(HERE, 0, [said(B, "new")], WALL) == 1
        assert await store.contents(HERE, [A]) == {}

    play(scenario)


def test_sessions_are_found_by_what_they_are_about(play: Play) -> None:
    async def scenario(store: Store) -> None:
        await store.append(HERE, 0, [opened(customer="Ada", topic="time")], WALL)
        await store.append(THERE, 0, [opened(customer="Ada")], WALL)
        assert names(await store.sessions({"customer": "Ada"})) == [THERE, HERE]
        assert names(await store.sessions({"customer": "Ada"}, limit=1)) == [THERE]
        assert names(await store.sessions({"customer": "Ada", "topic": "time"})) == [HERE]
        assert await store.sessions({"customer": "Bob"}) == await store.sessions({"topic": "Ada"}) == ()
        await store.append(THERE, 1, [SettingsChanged(Settings(metadata={"customer": "Bob"}))], WALL)
        assert names(await store.sessions({"customer": "Ada"})) == [HERE]
        assert names(await store.sessions({"customer": "Bob"})) == [THERE]

    play(scenario)


def test_a_tenant_sees_its_own_sessions_alone(play: Play) -> None:
    async def scenario(store: Store) -> None:
        theirs = SessionId("sess_00theirs")
        await store.create(theirs, "epoch", tenant="acme")
        await store.append(theirs, 0, [opened(topic="time")], WALL)
        assert names(await store.sessions(tenant="acme")) == [theirs]
        assert names(await store.sessions({"topic": "time"}, tenant="other")) == []
        assert names(await store.sessions()) == [THERE, HERE]

    play(scenario)


def test_the_longest_unused_sessions_come_first(play: Play) -> None:
    async def scenario(store: Store) -> None:
        first, second, third = await numbered(store, 3)
        await store.append(first, 1, [said(A, "hello")], WALL + 10)
        assert names(await store.least_used(inf)) == [second, third, first]  # those without facts have just begun
        assert names(await store.least_used(WALL + 2)) == [second]
        assert names(await store.least_used(inf, 2)) == [second, third]
        assert await store.least_used(inf, 0) == ()

    play(scenario)


def test_a_removed_session_is_unknown_and_the_others_stay(play: Play) -> None:
    async def scenario(store: Store) -> None:
        facts: list[Fact] = [opened(topic="time"), said(A, "hello"), answered(B, "Hi.")]
        for session in (HERE, THERE):
            await store.append(session, 0, facts, WALL)
            store.save_open(session, C, "You are")
        there = await store.info(THERE)
        assert there is not None
        assert await store.remove(HERE)
        assert not await store.remove(HERE)
        assert await store.load(HERE) is None
        assert await store.info(HERE) is None
        assert await store.read(HERE, 0) == await store.read_before(HERE, 9) == ()
        assert await store.contents(HERE, [A, B]) == {}
        assert await store.size() == there.size
        assert await store.sessions({"topic": "time"}) == (there,) == await store.least_used(inf)
        assert await facts_of(store, THERE) == tuple(facts)
        await store.create(HERE, "epoch_3")
        assert await open_texts(store) == {}

    play(scenario)


def test_compaction_changes_nothing_that_can_be_asked(play: Play) -> None:
    async def scenario(store: Store) -> None:
        for place, session in enumerate(await numbered(store, 6)):
            texts: list[Fact] = [said(A, f"{place} " * 150_000), said(B, f"kept {place}")]
            await store.append(session, 1, texts, WALL)
        _, *gone, kept = names(await store.sessions())[:-2]
        for session in gone:
            await store.remove(session)
        before = await facts_of(store, kept), await store.sessions(), await store.size()
        await store.compact()
        assert (await facts_of(store, kept), await store.sessions(), await store.size()) == before
        assert await store.append(kept, 3, [said(A, "after")], WALL) == 4
        assert (await store.contents(kept, [A]))[A].text == "after"

    play(scenario)
