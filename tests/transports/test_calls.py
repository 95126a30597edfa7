"""``POST /v1/realtime/calls``: what is no offer is refused as JSON with a stable code, and harms nobody."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from media.leg import Engines
from tests.media.engines import LoudnessModel, ScriptedRecognizer, ToneSynthesizer
from tests.transports.server import Answer, Gateway, serving

CALLS = "/v1/realtime/calls"
SDP = {"Content-Type": "application/sdp"}
JSON = {"Content-Type": "application/json"}


def engines() -> Engines:
    return Engines(ToneSynthesizer(), ScriptedRecognizer(), LoudnessModel)


def served(folder: Path, talk: Callable[[Gateway], Awaitable[None]], *, voice: bool = True) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), serving(folder, engines=engines() if voice else None) as gateway:
            await talk(gateway)
            assert (await gateway.http("GET", "/healthz")).status == 200

    asyncio.run(main())


def check(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.code) == (status, code)
    assert answer.json["error"]["message"]
    assert answer.headers["content-type"].startswith("application/json")


OFFER = "\r\n".join(
    ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "m=audio 9 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0", ""]
)

NO_OFFER = [
    *("nonsense", "v=0", "v=0\r\n", "\r\n\r\n\r\n", "\x00" * 100, "m=audio\r\n" * 10, "{}", "v=1\r\n" + OFFER[5:]),
    *(OFFER, OFFER + "a=\r\n" * 100, "v=0\r\n" + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n" * 100, "a=candidate:" * 1000),
]


@pytest.mark.parametrize("body", NO_OFFER)
def test_what_is_no_offer_is_refused(tmp_path: Path, body: str) -> None:
    async def talk(gateway: Gateway) -> None:
        answer = await gateway.http("POST", CALLS, body, SDP)
        assert answer.status == 400
        assert answer.code in {"invalid_sdp", "unsupported_codec"}

    served(tmp_path, talk)


@pytest.mark.parametrize("body", ["", " \r\n", b"\xff\xfe\xfd"])
def test_an_empty_or_broken_body_is_refused(tmp_path: Path, body: str | bytes) -> None:
    async def talk(gateway: Gateway) -> None:
        check(await gateway.http("POST", CALLS, body, SDP), 400, "invalid_sdp")

    served(tmp_path, talk)


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "", "APPLICATION", "multipart/mixed"])
def test_another_type_of_content_is_refused(tmp_path: Path, kind: str) -> None:
    async def talk(gateway: Gateway) -> None:
        check(await gateway.http("POST", CALLS, OFFER, {"Content-Type": kind}), 415, "unsupported_content_type")

    served(tmp_path, talk)


def test_a_body_that_is_too_large_is_refused(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        for body in ("v=0\r\n" + "a=x\r\n" * 14_000, "x" * 200_000):
            check(await gateway.http("POST", CALLS, body, SDP), 413, "offer_too_large")

    served(tmp_path, talk)


def form(*fields: tuple[str, str], boundary: str = "b0") -> tuple[str, dict[str, str]]:
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in fields
    ]
    return "".join(parts) + f"--{boundary}--\r\n", {"Content-Type": f"multipart/form-data; boundary={boundary}"}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ([], "invalid_sdp"),
        ([("session", "{}")], "invalid_sdp"),
        ([("sdp", "")], "invalid_sdp"),
        ([("sdp", "nonsense")], "invalid_sdp"),
        ([("sdp", OFFER), ("session", "nonsense")], "invalid_value"),
        ([("sdp", OFFER), ("session", "[]")], "invalid_value"),
        ([("sdp", OFFER), ("session", "[" * 10_000)], "invalid_value"),
        ([("sdp", OFFER), ("session", '{"instructions":5}')], "invalid_value"),
        ([("sdp", OFFER), ("session", '{"output_modalities":["audio","text"]}')], "invalid_value"),
        ([("sdp", OFFER), ("session", '{"audio":{"input":{"format":{"type":"audio/mp3"}}}}')], "unsupported_format"),
    ],
)
def test_a_form_is_refused_with_what_is_wrong_in_it(tmp_path: Path, fields: list[tuple[str, str]], code: str) -> None:
    async def talk(gateway: Gateway) -> None:
        check(await gateway.http("POST", CALLS, *form(*fields)), 400, code)

    served(tmp_path, talk)


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=other"]
)
def test_a_form_that_cannot_be_read_is_refused(tmp_path: Path, kind: str) -> None:
    async def talk(gateway: Gateway) -> None:
        body, _ = form(("sdp", OFFER))
        check(await gateway.http("POST", CALLS, body, {"Content-Type": kind}), 400, "invalid_form")

    served(tmp_path, talk)


def test_a_form_with_too_many_fields_is_refused(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        answer = await gateway.http("POST", CALLS, *form(*[(f"x{number}", "x") for number in range(100)]))
        check(answer, 400, "invalid_form")

    served(tmp_path, talk)


def test_an_offer_for_a_session_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        check(await gateway.http("POST", f"{CALLS}?session=sess_00nobody", OFFER, SDP), 404, "session_not_found")

    served(tmp_path, talk)


def test_an_offer_that_is_refused_opens_no_session(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        for _ in range(3):
            await gateway.http("POST", CALLS, "nonsense", SDP)
        assert len(gateway.services.registry) == 0

    served(tmp_path, talk)


def test_where_there_are_no_engines_a_call_is_refused(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        check(await gateway.http("POST", CALLS, OFFER, SDP), 503, "voice_unavailable")

    served(tmp_path, talk, voice=False)


@pytest.mark.parametrize(("method", "path"), [("POST", f"{CALLS}/rtc_x/hangup"), ("DELETE", f"{CALLS}/rtc_x")])
def test_a_call_that_nobody_knows_cannot_be_ended(tmp_path: Path, method: str, path: str) -> None:
    async def talk(gateway: Gateway) -> None:
        check(await gateway.http(method, path), 404, "call_id_not_found")

    served(tmp_path, talk)


@pytest.mark.parametrize("verb", ["accept", "refer", "reject"])
def test_what_is_for_telephone_calls_says_so(tmp_path: Path, verb: str) -> None:
    async def talk(gateway: Gateway) -> None:
        check(await gateway.http("POST", f"{CALLS}/rtc_any/{verb}", "{}", JSON), 404, "sip_not_supported")

    served(tmp_path, talk)


@pytest.mark.parametrize("path", [CALLS, "/v1/realtime/client_secrets", f"{CALLS}/rtc_any/hangup"])
def test_a_page_elsewhere_may_ask_and_read_where_its_call_is(tmp_path: Path, path: str) -> None:
    """With the headers that OpenAI's clients send from a browser."""
    origin, headers = "https://app.example", "authorization,content-type,x-openai-agents-sdk"

    async def main() -> None:
        async with asyncio.timeout(20), serving(tmp_path, allow_origin=origin, engines=engines()) as gateway:
            wish = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": headers}
            preflight = await gateway.http("OPTIONS", path, headers={"Origin": origin, **wish})
            assert preflight.status == 200
            assert preflight.headers["access-control-allow-origin"] == origin
            assert "POST" in preflight.headers["access-control-allow-methods"]
            allowed = preflight.headers["access-control-allow-headers"].lower().split(", ")
            assert set(headers.split(",")) <= set(allowed)
            refused = await gateway.http("POST", path, "nonsense", {"Origin": origin, **SDP})
            assert {"message", "type", "code", "param"} <= set(refused.json["error"])
            assert refused.headers["access-control-allow-origin"] == origin
            assert "Location" in refused.headers["access-control-expose-headers"].split(", ")
            evil = await gateway.http("OPTIONS", path, headers={"Origin": "https://evil.example", **wish})
            assert "access-control-allow-origin" not in evil.headers

    asyncio.run(main())


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", "/v1/realtime/sessions", 404, "not_found"),
        ("GET", CALLS, 405, "method_not_allowed"),
        ("PUT", "/v1/realtime/client_secrets", 405, "method_not_allowed"),
        ("POST", f"{CALLS}/rtc_any/hangup", 404, "call_id_not_found"),
        ("POST", f"{CALLS}/rtc_any/unknown", 404, "not_found"),
        ("GET", "/v1/realtime", 404, "not_found"),
    ],
)
def test_every_refusal_has_openais_shape(tmp_path: Path, method: str, path: str, status: int, code: str) -> None:
    async def talk(gateway: Gateway) -> None:
        answer = await gateway.http(method, path)
        check(answer, status, code)
        assert answer.json["error"]["type"] == "invalid_request_error"
        assert answer.json["error"]["param"] is None

    served(tmp_path, talk)


def test_what_is_our_fault_is_told_as_such(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def talk(gateway: Gateway) -> None:
        del gateway.app.state.offers
        answer = await gateway.http("POST", CALLS, OFFER, SDP)
        check(answer, 500, "internal_error")
        assert answer.json["error"]["type"] == "server_error"

    served(tmp_path, talk)


def test_where_there_are_no_engines_nobody_is_to_blame(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        answer = await gateway.http("POST", CALLS, OFFER, SDP)
        assert answer.json["error"]["type"] == "server_error"

    served(tmp_path, talk, voice=False)
