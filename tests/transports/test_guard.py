"""Who may knock: Host, Origin and token, for requests and for WebSockets."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.datastructures import Headers
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from gateway.auth.authority import Authority
from gateway.errors import AuthError
from gateway.transports.guard import Rules, credential
from tests.transports.server import STOCK, Gateway, serving

OPEN = Rules(("127.0.0.1",), ())
LOCKED = Rules(("gateway.example", "gateway.example:8443", "2001:db8::1"), ("https://app.example",))


def refused(rules: Rules, **headers: str) -> str | None:
    refusal = rules.refusal(Headers({"host": "127.0.0.1:8080", **headers}))
    return refusal[1] if refusal is not None else None


def authorised(token: str, offered: Sequence[str] = (), query: str = "", **headers: str) -> str | None:
    """The code with which a request is refused by a gateway with this token; None when it is let in."""
    authority = Authority(lambda: 0.0, lambda: "name", token=token)
    try:
        asyncio.run(authority.identify(credential(Headers(headers), list(offered), query.encode())[0]))
    except AuthError as error:
        return error.code
    return None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8080", "localhost:1", "LOCALHOST", "[::1]", "[::1]:8080"])
def test_this_machine_is_known_by_its_own_names(host: str) -> None:
    assert refused(OPEN, host=host) is None


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "127.0.0.1:evil", "[::2]", "::1:x"],
)
def test_a_foreign_host_is_refused(host: str) -> None:
    assert refused(OPEN, host=host) == "host_not_allowed"


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("gateway.example", None),
        ("Gateway.Example:443", None),
        ("[2001:db8::1]:8080", None),
        ("other.example", "host_not_allowed"),
    ],
)
def test_further_hosts_are_those_that_were_given(host: str, code: str | None) -> None:
    assert refused(LOCKED, host=host) == code


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8080", "https://127.0.0.1:8080", "HTTP://127.0.0.1:8080"])
def test_the_gateways_own_page_may_connect(origin: str) -> None:
    assert refused(OPEN, origin=origin) is None


UNTRUSTED = [
    *("null", "", "https://evil.example", "http://127.0.0.1:8081", "http://127.0.0.1", "http://localhost:8080"),
    *("http://127.0.0.1:8080.evil.example", "http://127.0.0.1:8080@evil.example", "http://evil@127.0.0.1:8080"),
    *("http://[", "http://[::1", "//", "http://127.0.0.1:8080, http://evil.example", "https://app.example"),
]


@pytest.mark.parametrize("origin", UNTRUSTED)
def test_a_foreign_origin_is_refused(origin: str) -> None:
    assert refused(OPEN, origin=origin) == "origin_not_allowed"


def test_further_origins_are_matched_exactly() -> None:
    assert refused(LOCKED, origin="https://app.example") is None
    for origin in ("http://app.example", "https://app.example.evil.example", "https://app.example:8443"):
        assert refused(LOCKED, origin=origin) == "origin_not_allowed"


@pytest.mark.parametrize(
    ("authorization", "passes"),
    [
        ("Bearer s3crét", True),
        ("bearer s3crét", True),
        ("Bearer  s3crét", True),
        ("", False),
        ("Bearer", False),
        ("Bearer ", False),
        ("s3crét", False),
        ("Basic s3crét", False),
        ("Bearer s3cré", False),
        ("Bearer s3crétt", False),
        ("Bearer S3CRÉT", False),
    ],
)
def test_the_token_must_be_right(authorization: str, passes: bool) -> None:
    found = authorised("s3crét", authorization=authorization.encode().decode("latin-1"))
    assert found == (None if passes else "invalid_api_key")


def test_a_browser_offers_the_token_as_a_subprotocol() -> None:
    assert authorised("k3y", ("realtime", "openai-insecure-api-key.k3y")) is None
    assert authorised("k3y", ("realtime", "openai-insecure-api-key.k3")) == "invalid_api_key"
    assert authorised("k3y", ("k3y",)) == "invalid_api_key"


def test_an_address_is_no_place_for_a_token() -> None:
    assert authorised("k3y", query="token=k3y") == "token_in_query"
    assert authorised("k3y", query="token=ek_unknown") == "invalid_api_key"
    assert authorised("k3y", query="token=k3y", authorization="Bearer k3y") is None


def test_the_pulse_and_the_page_are_open_to_all_and_nothing_else_is(tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), serving(tmp_path, token="k3y") as gateway:
            for path in ("/healthz", "/", "/web/app.js"):
                assert (await gateway.http("GET", path)).status == 200
                assert (await gateway.http("GET", path, headers={"Host": "evil.example"})).status == 421
                assert (await gateway.http("GET", path, headers={"Origin": "https://evil.example"})).status == 403
            for path in ("/readyz", "/healthz/", "/web", "/webx", "/v1/realtime", "/v1/sessions/x/items", "//"):
                assert (await gateway.http("GET", path)).code == "invalid_api_key"

    asyncio.run(main())


# --- over the network ---


def test_a_socket_that_is_refused_is_not_opened(tmp_path: Path) -> None:
    async def status(gateway: Gateway, name: str = "127.0.0.1", **options: Any) -> int:
        with pytest.raises(InvalidStatus) as caught:
            async with connect(f"ws://{name}:{gateway.port}/v1/realtime", host="127.0.0.1", **options):
                pass
        return caught.value.response.status_code

    async def main() -> None:
        async with asyncio.timeout(20), serving(tmp_path, token="k3y") as gateway:
            key = {"Authorization": "Bearer k3y"}
            assert await status(gateway) == 401
            assert await status(gateway, additional_headers={"Authorization": "Bearer k"}) == 401
            assert await status(gateway, additional_headers=key, origin=Origin("https://evil.example")) == 403
            assert await status(gateway, "evil.example", additional_headers=key) == 421
            async with gateway.socket(additional_headers=key, origin=Origin(gateway.url)) as socket:
                await socket.get("session.created")
            async with gateway.socket("model=m", STOCK, "openai-insecure-api-key.k3y") as socket:
                await socket.get("session.created")
                assert socket.connection.subprotocol == STOCK

    asyncio.run(main())


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Host": "evil.example"}, 421, "host_not_allowed"),
        ({"Origin": "https://evil.example"}, 403, "origin_not_allowed"),
        ({"Origin": "http://["}, 403, "origin_not_allowed"),
        ({}, 401, "invalid_api_key"),
        ({"Authorization": "Bearer wrong"}, 401, "invalid_api_key"),
    ],
)
def test_a_request_that_is_refused_is_told_as_json(
    tmp_path: Path, headers: dict[str, str], status: int, code: str
) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), serving(tmp_path, token="k3y") as gateway:
            for method, path in (("GET", "/readyz"), ("POST", "/v1/realtime/calls"), ("GET", "/v1/none")):
                answer = await gateway.http(method, path, headers=headers)
                assert (answer.status, answer.code) == (status, code)
            pulse = await gateway.http("GET", "/healthz")
            assert (pulse.status, pulse.json) == (200, {"status": "ok"})

    asyncio.run(main())


def test_a_page_of_a_trusted_origin_may_read_what_it_asked_for(tmp_path: Path) -> None:
    trusted, calls = {"Origin": "https://app.example"}, "/v1/realtime/calls"
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    key = {"Authorization": "Bearer k3y"}

    async def main() -> None:
        async with asyncio.timeout(20), serving(tmp_path, token="k3y", allow_origin=trusted["Origin"]) as gateway:
            before = await gateway.http("OPTIONS", calls, headers={**trusted, **asked})
            assert before.status == 200
            assert before.headers["access-control-allow-origin"] == "https://app.example"
            assert "POST" in before.headers["access-control-allow-methods"]
            answer = await gateway.http("GET", "/readyz", headers={**trusted, **key})
            assert answer.headers["access-control-allow-origin"] == "https://app.example"
            assert (
                answer.headers["access-control-expose-headers"] == "ETag, Location, Retry-After, Bargein-Resume-Token"
            )
            for method, header in (("PATCH", "idempotency-key"), ("DELETE", "if-none-match"), ("GET", "last-event-id")):
                wanted = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": header}
                assert (await gateway.http("OPTIONS", "/v1/sessions", headers={**trusted, **wanted})).status == 200
            unknown = {**asked, "Access-Control-Request-Headers": "x-unknown"}
            assert (await gateway.http("OPTIONS", calls, headers={**trusted, **unknown})).status == 400
            assert "access-control-allow-credentials" not in answer.headers
            evil = await gateway.http("OPTIONS", calls, headers={"Origin": "https://evil.example", **asked})
            assert evil.status >= 400
            assert "access-control-allow-origin" not in evil.headers
            own = await gateway.http("GET", "/readyz", headers={"Origin": gateway.url, **key})
            assert own.status == 200

    asyncio.run(main())


def test_without_trusted_origins_no_page_elsewhere_is_answered(tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), serving(tmp_path) as gateway:
            headers = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
            for method in ("OPTIONS", "GET", "POST"):
                answer = await gateway.http(method, "/v1/realtime/calls", headers=headers)
                assert (answer.status, answer.code) == (403, "origin_not_allowed")

    asyncio.run(main())
