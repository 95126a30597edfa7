"""What is replaced in aiortc and aioice: that it is there, and that it does what it is for."""

import asyncio
import gc
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import aioice.ice
import pytest
from aioice import stun
from aioice.ice import Connection
from aiortc import InvalidStateError, RTCIceTransport, RTCPeerConnection, RTCRtpSender
from aiortc.rtcrtpreceiver import StreamStatistics

from media.peer import IceServer, Peer, PeerOptions, hooks, ice
from media.peer.stock import Stock
from tests.media.calls import LIMIT_S, Listener, Run, Tone, called, mute, nothing_runs, on_both_loops, play
from tests.media.test_sdp import BROWSER

CALLER_HZ = 440
GATEWAY_HZ = 880


@on_both_loops
def test_a_strangers_datagrams_do_no_harm(run: Run) -> None:
    """An empty datagram ends a stock aiortc call; a handshake from elsewhere could disturb one that begins."""

    async def main() -> None:
        async with called() as call:
            await call.opened()
            for protocol in call.gateway._transceiver.receiver.transport.transport._connection._protocols:
                to = protocol.local_candidate
                family = socket.AF_INET6 if ":" in to.host else socket.AF_INET
                with closing(socket.socket(family, socket.SOCK_DGRAM)) as stranger:
                    for datagram in (b"", b"\x00", b"\x16\xfe\xfd" + bytes(20), b"\x80\x6f" + bytes(20), b"\xff"):
                        stranger.sendto(datagram, (to.host, to.port))
            call.caller.send("still here")
            await call.at_gateway.until(lambda: call.at_gateway.messages == ["still here"])
            assert call.at_gateway.ends == []

    play(main, run)


@on_both_loops
def test_a_machine_with_nothing_but_loopback_connects(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda **_: [])

    async def main() -> None:
        async with called() as call:
            hosts = {line.split()[4] for line in call.caller.offer_sdp.splitlines() if line.startswith("a=candidate:")}
            assert hosts == {"127.0.0.1"}
            await call.opened()

    play(main, run)


class StunServer(asyncio.DatagramProtocol):
    """Tells everyone that they come from a public address."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        request = stun.parse_message(data)
        answer = stun.Message(request.message_method, stun.Class.RESPONSE, request.transaction_id)
        answer.attributes["XOR-MAPPED-ADDRESS"] = ("8.8.4.4", addr[1])
        self._transport.sendto(bytes(answer), addr)


def test_a_stun_server_is_asked_for_our_public_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda **_: [])

    async def main() -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(StunServer, local_addr=("127.0.0.1", 0))
        server = IceServer(f"stun:127.0.0.1:{transport.get_extra_info('sockname')[1]}")
        caller = await Peer.offer(Listener(), mute, PeerOptions(ice_servers=(server,)))
        assert any("8.8.4.4" in line and "typ srflx" in line for line in caller.offer_sdp.splitlines())
        await caller.close()
        await nothing_runs()
        transport.close()

    play(main)


def test_a_peer_that_is_given_up_while_it_gathers_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ice, "GATHER_TIMEOUT_S", 1)
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda **_: [])

    async def main() -> None:
        asked = asyncio.Event()
        loop = asyncio.get_running_loop()
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as deaf:
            deaf.bind(("127.0.0.1", 0))
            loop.add_reader(deaf, asked.set)
            options = PeerOptions(ice_servers=(IceServer(f"stun:127.0.0.1:{deaf.getsockname()[1]}"),))
            making = asyncio.ensure_future(Peer.accept(BROWSER, Listener(), mute, options))
            await asked.wait()
            making.cancel()
            with pytest.raises(asyncio.CancelledError):
                await making
            loop.remove_reader(deaf)
        await nothing_runs()

    play(main)


def test_a_connection_that_is_closed_under_aiortc_leaves_no_complaint(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stumbles(self: object) -> None:
        raise InvalidStateError("RTCIceTransport is closed")

    monkeypatch.setattr(RTCPeerConnection, "_RTCPeerConnection__connect", stumbles)
    complaints: list[object] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, complaint: complaints.append(complaint))
        async with called():
            pass
        gc.collect()

    play(main)
    assert complaints == []


def test_a_call_starts_no_thread() -> None:
    async def main() -> None:
        before = threading.active_count()
        async with called() as call:
            await call.at_gateway.hear(2)
            await call.at_caller.hear(2)
            assert threading.active_count() == before

    play(main)


def test_receiver_reports_are_made_from_our_statistics() -> None:
    async def main() -> None:
        async with called(Tone(CALLER_HZ)) as call:
            await call.at_gateway.hear(10)
            table = vars(call.gateway._transceiver.receiver)["_RTCRtpReceiver__remote_streams"]
            (statistics,) = table.values()
            assert isinstance(statistics, StreamStatistics)
            assert statistics.packets_received == call.gateway.stats().received
            assert list(table) == [call.caller._transceiver.sender._ssrc]

    play(main)


def test_the_round_trip_is_told_by_receiver_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    # The wait for a report is half a second and this; only an answer to the newest sender report counts.
    later = iter([-0.3, -0.49] * 1_000)
    monkeypatch.setattr(random, "random", lambda: next(later))

    async def main() -> None:
        async with called(Tone(CALLER_HZ), Tone(CALLER_HZ)) as call:
            assert call.gateway.stats().round_trip_ms is None
            await call.at_gateway.until(lambda: call.gateway.stats().round_trip_ms is not None)
            round_trip_ms = call.gateway.stats().round_trip_ms
            assert round_trip_ms is not None
            assert 0 <= round_trip_ms < 1_000 * LIMIT_S

    play(main)


EVERY: list[hooks.Hook] = [*hooks.MEDIA]


def test_the_installed_aiortc_has_every_hook() -> None:
    assert set(hooks.NETWORK) < set(hooks.MEDIA)
    assert hooks.missing(hooks.MEDIA) is None


@pytest.mark.parametrize("hook", [each for each in EVERY if isinstance(each, hooks.Method)])
def test_a_method_that_is_gone_or_has_changed_is_named(hook: hooks.Method, monkeypatch: pytest.MonkeyPatch) -> None:
    async def changed(self: object, other: object) -> None: ...

    monkeypatch.setattr(hook.owner, hook.name, changed)
    assert hooks.missing(hooks.MEDIA) == f"{hook.owner.__name__}.{hook.name}"
    monkeypatch.delattr(hook.owner, hook.name)
    assert hooks.missing(hooks.MEDIA) == f"{hook.owner.__name__}.{hook.name}"


@pytest.mark.parametrize("hook", [each for each in EVERY if isinstance(each, hooks.Attribute)])
def test_an_attribute_that_is_gone_is_named(hook: hooks.Attribute, monkeypatch: pytest.MonkeyPatch) -> None:
    others = tuple(each for each in vars(hook.owner)[hook.where].__code__.co_names if each != hook.name)

    def changed(self: object) -> None: ...

    changed.__code__ = changed.__code__.replace(co_names=others)
    monkeypatch.setattr(hook.owner, hook.where, changed)
    # A method that sets it may be a hook itself.
    assert not hook.holds()
    assert hooks.missing([hook]) == f"{hook.owner.__name__}.{hook.name}"


@pytest.mark.parametrize("hook", [each for each in EVERY if isinstance(each, hooks.Property)])
def test_a_property_that_is_gone_is_named(hook: hooks.Property, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook.owner, hook.name, lambda self: None)
    assert hooks.missing(hooks.MEDIA) == f"{hook.owner.__name__}.{hook.name}"


@pytest.fixture
def unchecked() -> Iterator[None]:
    for check in (hooks.has_media, hooks.has_network):
        check.cache_clear()
    yield
    for check in (hooks.has_media, hooks.has_network):
        check.cache_clear()


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("owner", "name"), [(RTCRtpSender, "_run_rtp"), (RTCIceTransport, "_connection"), (Connection, "query_consent")]
)
def test_where_a_hook_is_missing_the_stock_path_serves_and_a_warning_names_it(
    owner: type, name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hook = next(each for each in EVERY if (each.owner, each.name) == (owner, name))
    monkeypatch.setattr(type(hook), "holds", lambda each: each != hook)

    async def main() -> None:
        async with called(Tone(CALLER_HZ), Tone(GATEWAY_HZ)) as call:
            assert isinstance(call.gateway._media, Stock)
            await call.at_gateway.hear(10)
            await call.at_caller.hear(10)

    play(main)
    warnings = [each.getMessage() for each in caplog.records if each.name == "media.peer.hooks"]
    assert all(f"{owner.__name__}.{name} " in each for each in warnings)
    assert len(warnings) == 1 + (hook in hooks.NETWORK)
