"""The datagrams of a peer: strangers may only speak STUN, and silence is noticed."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aioice.candidate import Candidate
from aioice.ice import Connection

from media.frames import silence
from media.peer.ice import MAX_SOURCES, Address, Line, guard, mend
from tests.virtual_time import now, run

FRIEND: Address = ("192.0.2.7", 4_000)
STRANGER: Address = ("192.0.2.8", 4_000)

STUN = b"\x00\x01"
DTLS = b"\x16\xfe"
SRTP = b"\x80\x6f"


def on_line(script: Callable[[Line, asyncio.Event], Awaitable[None]]) -> None:
    """Run *script* in virtual time."""

    async def main() -> None:
        silent = asyncio.Event()
        line = Line(silent.set)
        async with asyncio.timeout(100):
            await script(line, silent)
        line.stop()

    run(main())


@pytest.mark.parametrize("datagram", [STUN, DTLS, SRTP, b""])
@pytest.mark.parametrize("source", [FRIEND, STRANGER])
def test_a_stranger_may_only_speak_stun(source: Address, datagram: bytes) -> None:
    async def script(line: Line, silent: asyncio.Event) -> None:
        admitted = line.admits(datagram, source, lambda: [FRIEND])
        assert admitted == (datagram == STUN or (source == FRIEND and datagram != b""))

    on_line(script)


def test_an_address_that_was_known_once_stays_known() -> None:
    async def script(line: Line, silent: asyncio.Event) -> None:
        assert line.admits(SRTP, FRIEND, lambda: [FRIEND])
        assert line.admits(SRTP, FRIEND, lambda: [])
        assert not line.admits(SRTP, STRANGER, lambda: [])

    on_line(script)


def asked(line: Line) -> list[float]:
    """When *line* asks, from now on, in seconds since then."""
    times: list[float] = []
    begin = now()
    line.ask = lambda: times.append(round(now() - begin, 3))
    return times


def test_a_line_that_falls_silent_is_asked_and_then_given_up() -> None:
    async def script(line: Line, silent: asyncio.Event) -> None:
        questions = asked(line)
        line.watch(4.5)
        await silent.wait()
        assert now() == pytest.approx(4.5)
        assert questions == [1.5, 2.0, 2.5, 3.0, 3.5, 4.0]

    on_line(script)


def test_a_line_that_answers_when_it_is_asked_lives() -> None:
    """A microphone that is muted may send nothing at all."""

    async def script(line: Line, silent: asyncio.Event) -> None:
        questions = asked(line)

        def answer() -> None:
            questions.append(now())
            line.admits(STUN, FRIEND, lambda: [FRIEND])

        line.ask = answer
        line.watch(4.5)
        await asyncio.sleep(60)
        assert not silent.is_set()
        assert questions == pytest.approx([1.5 * count for count in range(1, 40)], abs=0.01)

    on_line(script)


def test_a_line_that_is_heard_is_never_asked() -> None:
    async def script(line: Line, silent: asyncio.Event) -> None:
        questions = asked(line)
        line.watch(4.5)
        for _ in range(20):
            await asyncio.sleep(1.4)
            line.admits(SRTP, FRIEND, lambda: [FRIEND])
        assert questions == []

    on_line(script)


def test_silence_counts_from_the_last_datagram_of_a_known_address() -> None:
    async def script(line: Line, silent: asyncio.Event) -> None:
        line.watch(4.5)
        await asyncio.sleep(1)
        line.admits(STUN, FRIEND, lambda: [FRIEND])
        await asyncio.sleep(2)
        line.admits(STUN, STRANGER, lambda: [FRIEND])
        await silent.wait()
        assert now() == pytest.approx(5.5)

    on_line(script)


def test_time_in_which_we_could_not_listen_does_not_count() -> None:
    """A process that stood still finds what came meanwhile in its sockets, but only after its alarms."""

    async def script(line: Line, silent: asyncio.Event) -> None:
        line.watch(4.5)
        await asyncio.sleep(1)
        assert line._alarm is not None
        line._alarm.cancel()
        await asyncio.sleep(60)
        line._listen(4.5, 1.5)
        assert not silent.is_set()
        await silent.wait()
        assert now() == pytest.approx(61 + 4.5 - 1.5)

    on_line(script)


def test_sound_stands_still_while_nobody_may_hear_it() -> None:
    async def script(line: Line, silent: asyncio.Event) -> None:
        pull = line.gated(lambda: silence(480))
        assert pull() is not None
        line.watch(4.5)
        await asyncio.sleep(2.4)
        assert pull() is not None
        await asyncio.sleep(0.2)
        assert pull() is None
        line.admits(STUN, FRIEND, lambda: [FRIEND])
        assert pull() is not None

    on_line(script)


def test_a_connection_that_takes_too_long_is_noticed_whatever_comes() -> None:
    async def script(line: Line, silent: asyncio.Event) -> None:
        line.allow(0.01)
        line.admits(STUN, FRIEND, lambda: [FRIEND])
        await silent.wait()

    on_line(script)


def test_nothing_is_noticed_any_more_after_stop() -> None:
    async def script(line: Line, silent: asyncio.Event) -> None:
        line.allow(0.01)
        line.stop()
        line.watch(0.01)
        line.stop()
        later = asyncio.Event()
        asyncio.get_running_loop().call_later(0.05, later.set)
        await later.wait()
        assert not silent.is_set()

    on_line(script)


def test_a_connection_that_is_closed_as_it_comes_up_asks_for_no_consent() -> None:
    async def main() -> None:
        connection = Connection(ice_controlling=False)
        connection.remote_password = "x" * 22
        mend(connection)
        await connection.close()
        async with asyncio.timeout(10):
            await connection.query_consent()

    asyncio.run(main())


def test_a_connection_that_is_open_asks_for_consent() -> None:
    async def main() -> None:
        connection = Connection(ice_controlling=False)
        connection.remote_password = "x" * 22
        mend(connection)
        asking = asyncio.ensure_future(connection.query_consent())
        await asyncio.wait({asking}, timeout=0.01)
        assert not asking.done()
        asking.cancel()
        await connection.close()

    asyncio.run(main())


def test_no_more_addresses_are_met_than_one_peer_may_have() -> None:
    """Each that sends a check is checked in turn and remembered, and the checks need nothing but our password."""

    async def main() -> None:
        connection = Connection(ice_controlling=False)
        mend(connection)
        connection._local_candidates += await connection.get_component_candidates(1, [], 1)
        taken: list[Address] = []
        (protocol,) = connection._protocols
        vars(protocol).update(datagram_received=lambda _, source: taken.append(source))
        guard(connection, Line(lambda: None))
        port = 4_000
        for port in range(4_000, 4_000 + MAX_SOURCES):
            connection._remote_candidates.append(Candidate("f", 1, "udp", 1, FRIEND[0], port, "prflx"))
            protocol.datagram_received(STUN, STRANGER)
        protocol.datagram_received(STUN, (FRIEND[0], port))
        await connection.close()
        assert taken == [STRANGER] * (MAX_SOURCES - 1) + [(FRIEND[0], port)]

    asyncio.run(main())
