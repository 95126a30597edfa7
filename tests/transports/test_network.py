"""How calls reach the gateway: what the settings say, and who may offer how often."""

import asyncio
import base64
import hashlib
import hmac
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aioice.ice
import pytest

from gateway.transports.network import CREDENTIAL_LASTS_S, MAX_ADDRESSES, Network, Offers, Turn, source_of
from media.peer import IceServer
from tests.media.test_ports import free
from tests.media.test_sdp import BROWSER
from tests.transports.server import Gateway, serving
from tests.transports.test_calls import CALLS, OFFER, SDP, check, engines


def served(folder: Path, talk: Callable[[Gateway], Awaitable[None]], **settings: Any) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), serving(folder, engines=engines(), **settings) as gateway:
            await talk(gateway)

    asyncio.run(main())


def test_a_client_that_offers_too_often_is_told_when_to_come_again(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        def from_(address: str) -> dict[str, str]:
            return {**SDP, "X-Forwarded-For": address}  # believed of a proxy on this machine

        for path in (CALLS, f"{CALLS}/rtc_x", CALLS):
            assert (await gateway.http("POST", path, OFFER, from_("198.51.100.7"))).status != 429
        refused = await gateway.http("POST", CALLS, OFFER, from_("198.51.100.7"))
        check(refused, 429, "rate_limited")
        assert refused.headers["retry-after"] == "20"
        check(await gateway.http("POST", CALLS, OFFER, from_("198.51.100.8")), 400, "invalid_sdp")
        check(await gateway.http("POST", CALLS, OFFER, SDP), 400, "invalid_sdp")

    served(tmp_path, talk, max_offers=3)


def test_offers_are_counted_by_address_and_forgotten_in_time() -> None:
    offers = Offers(2)
    assert [offers._take("a", now) for now in (0, 0, 0, 29, 30, 31)] == [True, True, False, False, True, False]
    for number in range(MAX_ADDRESSES):
        offers._take(str(number), 31)
    assert len(offers._buckets) == MAX_ADDRESSES


def test_a_client_is_an_address_or_a_network_of_ipv6() -> None:
    assert source_of("198.51.100.7") == "198.51.100.7"
    assert source_of("2001:db8:1:2:3:4:5:6") == source_of("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert [source_of(host) for host in ("127.0.0.1", "::1", "testclient")] == [None, None, None]


def test_when_every_port_is_taken_the_offer_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda **_: [])
    (port,) = free(1)

    async def talk(gateway: Gateway) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
            held.bind(("127.0.0.1", port))
            check(await gateway.http("POST", CALLS, BROWSER, SDP), 503, "no_udp_port")
            assert len(gateway.services.registry) == 0
        answer = await gateway.http("POST", CALLS, BROWSER, SDP)
        assert answer.status == 201
        assert f" 127.0.0.1 {port} typ host" in answer.body.decode()
        await gateway.http("DELETE", answer.headers["location"])

    served(tmp_path, talk, rtc_ports=f"{port}-{port}")


def test_the_servers_are_told_to_clients(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        answer = await gateway.http("GET", "/v1/realtime/ice_servers")
        assert answer.headers["cache-control"] == "no-store"
        turn = {"urls": ["turn:t.example:3478"], "username": "u", "credential": "p"}
        assert answer.json == {"ice_servers": [{"urls": ["stun:s.example"]}, turn], "ttl": None}

    given = {"turn": "turn:t.example:3478", "turn_username": "u", "turn_credential": "p"}
    served(tmp_path, talk, stun="stun:s.example", **given)


def test_without_servers_there_are_none(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        assert (await gateway.http("GET", "/v1/realtime/ice_servers")).json == {"ice_servers": [], "ttl": None}

    served(tmp_path, talk)


@pytest.mark.parametrize("media", ["direct", "stock"])
def test_the_path_of_the_sound_can_be_chosen(tmp_path: Path, media: str) -> None:
    async def talk(gateway: Gateway) -> None:
        network: Network = gateway.app.state.network
        assert network.options(0.0).media == media

    served(tmp_path, talk, media=media)


def test_with_a_secret_passwords_last_for_minutes() -> None:
    network = Network(turn=Turn(("turn:t.example",), secret="s"))
    username = f"{1_000 + CREDENTIAL_LASTS_S}:bargein"
    credential = base64.b64encode(hmac.digest(b"s", username.encode(), hashlib.sha1)).decode()
    assert network.for_clients(1_000.9) == [
        {"urls": ["turn:t.example"], "username": username, "credential": credential}
    ]
    assert network.options(1_000.9).ice_servers == (IceServer("turn:t.example", username, credential),)
    assert "'s'" not in repr(network)
