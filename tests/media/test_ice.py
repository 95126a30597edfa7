"""The datagrams of a peer: strangers may only speak STUN, and silence is noticed."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aioice.ice import Connection

from media.ice import Address, Line, mend

FRIEND: Address = ("192.0.2.7", 4_000)
STRANGER: Address = ("192.0.2.8", 4_000)

STUN = b"\x00\x01"
DTLS = b"\x16\xfe"
SRTP = b"\x80\x6f"


def on_line(script: Callable[[Line, asyncio.Event], Awaitable[None]]) -> None:
    async def main() -> None:
        silent = asyncio.Event()
        line = Line(silent.set)
        async with asyncio.timeout(10):
            await script(line, silent)
        line.stop()

    asyncio.run(main())


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


def test_silence_is_noticed() -> None:
    async def script(line: Line, silent: asyncio.Event) -> None:
        line.watch(0.01)
        await silent.wait()

    on_line(script)


def test_silence_counts_from_the_last_datagram_of_a_known_address() -> None:
    async def script(line: Line, silent: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        line.watch(0.1)
        spoken: list[float] = []

        def speak(source: Address) -> None:
            line.admits(STUN, source, lambda: [FRIEND])
            spoken.append(loop.time())

        loop.call_later(0.05, speak, FRIEND)
        loop.call_later(0.08, speak, STRANGER)
        await silent.wait()
        assert loop.time() - spoken[0] >= 0.099

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
