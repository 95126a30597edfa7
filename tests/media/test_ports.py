"""UDP ports from a range, between real peers."""

import asyncio
import socket
from contextlib import ExitStack, closing

import aioice.ice
import pytest

from media.peer import IceServer, Peer, PeerError, PeerOptions
from tests.media.calls import LIMIT_S, Listener, called, mute, nothing_runs, play
from tests.media.test_peer_hooks import StunServer
from tests.media.test_sdp import BROWSER


def free(count: int) -> range:
    """Ports that nobody holds on any address just now."""
    for start in range(42_000, 60_000, count):
        with ExitStack() as held:
            try:
                for port in range(start, start + count):
                    held.enter_context(closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))).bind(("", port))
            except OSError:
                continue
            return range(start, start + count)
    raise AssertionError("no free ports")


def candidates(text: str) -> list[list[str]]:
    """The candidates of a description, each once: every section has them all."""
    return [line.split() for line in dict.fromkeys(text.splitlines()) if line.startswith("a=candidate:")]


def test_ports_are_taken_from_the_range_and_given_back() -> None:
    async def main() -> None:
        allowed = free(8)
        for _ in range(3):
            async with called(options=PeerOptions(ports=allowed)) as call:
                ports = {int(each[5]) for each in candidates(call.gateway.answer_sdp)}
                assert ports
                assert ports <= set(allowed)
                await call.opened()

    play(main)


def test_when_every_port_is_taken_the_peer_says_so_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda **_: [])

    async def main() -> None:
        allowed = free(1)
        first = await Peer.accept(BROWSER, Listener(), mute, PeerOptions(ports=allowed))
        with pytest.raises(PeerError) as caught:
            await Peer.accept(BROWSER, Listener(), mute, PeerOptions(ports=allowed))
        assert caught.value.code == "no_udp_port"
        await first.close()
        again = await Peer.accept(BROWSER, Listener(), mute, PeerOptions(ports=allowed))
        await again.close()
        await nothing_runs()

    play(main)


@pytest.mark.parametrize("answers", [True, False])
def test_a_stun_server_is_asked_from_the_port_of_the_range(answers: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda **_: [])
    monkeypatch.setattr("media.peer.ice.GATHER_TIMEOUT_S", 2 if answers else 0.2)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        factory = StunServer if answers else asyncio.DatagramProtocol
        transport, _ = await loop.create_datagram_endpoint(factory, local_addr=("127.0.0.1", 0))
        server = IceServer(f"stun:127.0.0.1:{transport.get_extra_info('sockname')[1]}")
        async with asyncio.timeout(LIMIT_S):
            peer = await Peer.offer(Listener(), mute, PeerOptions(ice_servers=(server,), ports=free(1)))
            host, *reflexive = candidates(peer.offer_sdp)
            assert host[4:8] == ["127.0.0.1", host[5], "typ", "host"]
            assert [each[4:8] for each in reflexive] == ([["8.8.4.4", host[5], "typ", "srflx"]] if answers else [])
            await peer.close()
            await nothing_runs()
        transport.close()

    play(main)


def test_the_public_address_stands_in_the_answer() -> None:
    async def main() -> None:
        peer = await Peer.accept(BROWSER, Listener(), mute, PeerOptions(public_address="8.8.4.4"))
        hosts = {each[5] for each in candidates(peer.answer_sdp) if each[7] == "host" and ":" not in each[4]}
        public = {each[5] for each in candidates(peer.answer_sdp) if each[4] == "8.8.4.4"}
        await peer.close()
        await nothing_runs()
        assert public == hosts or public == set()  # a machine with nothing but loopback stands behind no router

    play(main)
