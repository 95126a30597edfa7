"""Where another device finds a session."""

import asyncio
import re
from pathlib import Path

import pytest

from gateway.errors import ProtocolViolation
from gateway.transports.links import Reach, drawn
from tests.transports.server import serving

ALONE, OPEN = Reach(), Reach(("192.0.2.7", "198.51.100.1"))


@pytest.mark.parametrize(
    ("reach", "seen", "base"),
    [
        (OPEN, "https://127.0.0.1:8443/v1", "https://192.0.2.7:8443"),
        (OPEN, "http://localhost/v1", "http://192.0.2.7"),
        (OPEN, "https://voice.example/v1", "https://voice.example"),
        (ALONE, "https://192.0.2.9:8080/v1", "https://192.0.2.9:8080"),
    ],
)
def test_another_device_is_sent_where_it_can_get(reach: Reach, seen: str, base: str) -> None:
    assert reach.base(seen) == base


@pytest.mark.parametrize("seen", ["http://127.0.0.1:8080/", "http://localhost:8080/", "http://[::1]:8080/"])
def test_a_gateway_that_listens_on_loopback_alone_says_how_to_open_it(seen: str) -> None:
    with pytest.raises(ProtocolViolation, match="--host") as refused:
        ALONE.base(seen)
    assert refused.value.code == "not_reachable"


def test_a_code_is_drawn_without_a_script_or_a_style() -> None:
    svg = drawn("https://192.0.2.7:8443/?session=sess_00")
    assert svg.startswith("<svg")
    assert not re.search(r"script|style|on\w+=", svg)
    assert svg != drawn("https://192.0.2.7:8443/?session=sess_01")


def test_over_the_network(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(tmp_path) as gateway:
            known = await gateway.http("GET", f"/v1/sessions/{await gateway.session()}/link")
            assert (known.status, known.code) == (409, "not_reachable")
            unknown = await gateway.http("GET", "/v1/sessions/sess_00unknown/link")
            assert (unknown.status, unknown.code) == (404, "session_not_found")

    asyncio.run(main())


def test_the_address_leads_to_the_session(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(tmp_path, allow_host="voice.example") as gateway:
            session = await gateway.session()
            answer = await gateway.http("GET", f"/v1/sessions/{session}/link", headers={"Host": "voice.example"})
            url = f"http://voice.example/?session={session}"
            assert answer.json == {"url": url, "svg": drawn(url)}

    asyncio.run(main())
