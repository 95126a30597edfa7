"""The rows of the security table that a gateway answers on its socket, each as a client sees it.

| row | tests |
|---|---|
| no, expired, future, foreign or forged token; HS against RS; unknown key | here, ``tests/auth``, ``test_auth`` |
| issuers' keys from fixed addresses | here, ``tests/auth/test_tokens`` |
| a right is missing, another tenant's session | ``test_auth``, ``test_permits`` |
| client secrets; expiry and revocation in mid-session | ``test_auth``, ``tests/auth/test_passes`` |
| foreign, null and missing Origin; Host | ``test_guard`` |
| a secret in an address | ``test_auth``, here |
| too large: events, messages, fragments, bodies; compression | here, ``test_websocket``, ``test_offers`` |
| JSON that is deep, doubled, no number, half a character | here, ``tests/protocol/test_decoding`` |
| slow heads and bodies of requests | here |
| frames that break the protocol | here |
| floods, and the way that stays open for a stop | here, ``test_connection`` |
| too many connections of one user or address | here, ``test_crowd`` |
| who does not read | ``test_websocket``, ``tests/runtime/test_outbox`` |
| another user's idempotency key | ``test_auth`` |
| secrets in any output | ``tests/test_canaries`` |
"""

import asyncio
import http.server
import json
import os
import socketserver
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from gateway.agents.scripted import Hold, Say, ScriptedAgent
from gateway.runtime.clock import SystemClock
from gateway.runtime.ports import Agent
from gateway.transports import incoming
from gateway.transports.keepalive import HttpProtocol
from media.leg import Engines
from tests.auth.keys import EC_KEY, ISSUER, RSA_KEY, SECRET, claims, forged, jwk, signed
from tests.media.engines import LoudnessModel, ScriptedRecognizer, ToneSynthesizer
from tests.transports.knocking import bearer, by, refused, secret_of, token
from tests.transports.server import STOCK, Gateway, serving

Talk = Callable[[Gateway], Awaitable[None]]
NOW = SystemClock().wall()


def served(folder: Path, talk: Talk, agent: Agent | None = None, **settings: Any) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), serving(folder, agent=agent, **settings) as gateway:
            await talk(gateway)
            assert (await gateway.http("GET", "/healthz")).status == 200

    asyncio.run(main())


# --- keys over the network ---


@contextmanager
def publishing(status: int = 200, location: str = "") -> Iterator[tuple[str, list[str]]]:
    """An issuer's keys at an address of this machine, and what was asked for there."""
    asked: list[str] = []
    body = json.dumps({"keys": [jwk(RSA_KEY, "r1"), jwk(EC_KEY, "e1")]}).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status if self.path == "/keys" else 200)
            if location and self.path == "/keys":
                self.send_header("Location", location)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/keys", asked
        finally:
            server.shutdown()
            thread.join()


async def status_of(gateway: Gateway, token: str) -> tuple[int, str]:
    answer = await gateway.http("GET", "/v1/sessions/sess_00none/items", headers={"Authorization": f"Bearer {token}"})
    return answer.status, answer.code


def test_tokens_of_an_issuer_pass_and_forged_ones_do_not(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        for key, algorithm, kid in ((RSA_KEY, "RS256", "r1"), (EC_KEY, "ES256", "e1")):
            token = signed(NOW, key, algorithm, kid, iss=ISSUER)
            assert await status_of(gateway, token) == (404, "session_not_found")
        wrong = [
            forged({"alg": "none"}, claims(NOW, iss=ISSUER)),
            signed(NOW, kid="r1", iss=ISSUER),
            signed(NOW, RSA_KEY, "RS256", "unknown", iss=ISSUER),
            signed(NOW, RSA_KEY, "RS256", "r1", iss="https://evil.example"),
            signed(NOW, RSA_KEY, "RS256", "r1", iss=ISSUER, aud="other"),
            signed(NOW, RSA_KEY, "RS256", "r1", iss=ISSUER, nbf=int(NOW) + 3600),
        ]
        for token in wrong:
            assert await status_of(gateway, token) == (401, "invalid_api_key")
        expired = signed(NOW, RSA_KEY, "RS256", "r1", iss=ISSUER, exp=int(NOW) - 60)
        assert await status_of(gateway, expired) == (401, "token_expired")
        assert asked == ["/keys"]

    with publishing() as (url, asked):
        served(tmp_path, talk, auth_issuers=f"{ISSUER}={url}", auth_secret=SECRET.decode())


def test_keys_are_not_looked_for_where_a_redirect_points(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        token = signed(NOW, RSA_KEY, "RS256", "r1", iss=ISSUER)
        assert await status_of(gateway, token) == (503, "issuer_unavailable")
        assert asked == ["/keys"]

    with publishing(302, "/elsewhere") as (url, asked):
        served(tmp_path, talk, auth_issuers=f"{ISSUER}={url}")


# --- slow requests ---


class Hasty(HttpProtocol):
    heads_within_s = 0.3


@pytest.mark.parametrize("begun", [b"", b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"])
def test_a_request_whose_head_does_not_come_is_not_waited_for(tmp_path: Path, begun: bytes) -> None:
    async def talk(gateway: Gateway) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(begun)
        assert await ended(reader)
        writer.close()

    served(tmp_path, talk, http=Hasty)


def test_the_next_head_on_a_connection_is_not_waited_for_either(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        writer.write(b"GET /healthz HTTP/1.1\r\n")
        assert await ended(reader)
        writer.close()

    served(tmp_path, talk, http=Hasty)


def test_what_has_sent_its_head_has_all_the_time_it_needs(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            session = (await socket.get("session.created"))["session"]["id"]
            path = f"/v1/sessions/{session}/events?wait=1"
            known = (await gateway.http("GET", path)).json["cursor"]
            # Both are silent for three times as long as a head may take.
            assert (await gateway.http("GET", f"{path}&after={known}")).json["events"] == []
            await socket.ask("hello")
            await socket.get("response.done")

    served(tmp_path, talk, ScriptedAgent("One."), http=Hasty)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1/sessions", "application/json"),
        ("/v1/realtime/calls", "application/sdp"),
        ("/v1/realtime/calls", "multipart/form-data; boundary=x"),
    ],
)
def test_a_body_that_does_not_come_keeps_no_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, kind: str
) -> None:
    monkeypatch.setattr(incoming, "BODY_WITHIN_S", 0.3)

    async def talk(gateway: Gateway) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: 90\r\n\r\n--x"
        writer.write(head.encode())
        answer = await reader.read()  # to the end: the gateway hangs up
        assert b" 408 " in answer
        assert b'"request_timeout"' in answer
        writer.close()
        assert gateway.services.admission.told()["calls"] == 0

    served(tmp_path, talk, engines=Engines(ToneSynthesizer(), ScriptedRecognizer(), LoudnessModel))


async def ended(reader: asyncio.StreamReader) -> bool:
    """Wait until the gateway hangs up."""
    with suppress(ConnectionResetError):
        while await reader.read(4096):
            pass
    return True


# --- sizes and frames ---


async def raw(gateway: Gateway) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A WebSocket without a library, which could not be made to send what is wrong."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(
        b"GET /v1/realtime HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    )
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 101 " in head
    assert b"permessage-deflate" not in head
    return reader, writer


def frame(opcode: int, payload: bytes, *, fin: bool = True, masked: bool = True, rsv1: bool = False) -> bytes:
    first = bytes([fin << 7 | rsv1 << 6 | opcode])
    size = len(payload)
    length = bytes([masked << 7 | size]) if size < 126 else bytes([masked << 7 | 127]) + struct.pack("!Q", size)
    return first + length + (b"\0\0\0\0" if masked else b"") + payload


async def closed(reader: asyncio.StreamReader) -> int:
    """The code with which the gateway closes, whatever it sends before."""
    while True:
        first, second = await reader.readexactly(2)
        size = second & 127
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2))
        elif size == 127:
            size = int.from_bytes(await reader.readexactly(8))
        payload = await reader.readexactly(size)
        if first & 15 == 8:
            return int.from_bytes(payload[:2])


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([frame(1, b"{}", masked=False)], 1002),
        ([frame(3, b"{}")], 1002),
        ([frame(1, b"{}", rsv1=True)], 1002),
        ([frame(0, b"{}")], 1002),
        ([frame(1, b"{", fin=False), frame(1, b"}")], 1002),
        ([frame(9, b"x" * 126)], 1002),
        ([frame(1, b"\xff\xfe")], 1007),
        ([frame(1, b"x" * 4096, fin=False), *[frame(0, b"x" * 4096, fin=False)] * 4], 1009),
        ([frame(1, b"x", fin=False), *[frame(0, b"x", fin=False)] * 6000], 1009),
    ],
)
def test_a_frame_that_breaks_the_protocol_ends_its_connection_alone(
    tmp_path: Path, frames: list[bytes], code: int
) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket() as other:
            reader, writer = await raw(gateway)
            for each in frames:
                writer.write(each)
            assert await closed(reader) == code
            writer.close()
            await other.ask("hello")
            await other.get("response.done")

    served(tmp_path, talk, ScriptedAgent("One."), max_append_bytes=4096)


def test_a_message_in_as_many_fragments_as_libraries_make_is_taken_and_no_more(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        def fragments(count: int) -> bytes:
            text = b'{"type":"input_audio_buffer.clear"}'
            first, last = frame(1, text, fin=False), frame(0, b"")
            return first + frame(0, b" ", fin=False) * (count - 2) + last

        reader, writer = await raw(gateway)
        writer.write(fragments(1024))
        await reader.readuntil(b"input_audio_buffer.cleared")
        await reader.readuntil(b"}")
        writer.write(fragments(1025))
        assert await closed(reader) == 1009
        writer.close()

    served(tmp_path, talk)


# --- JSON ---

PADDING = '{"type":"response.cancel","x":'


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (PADDING + "[" * 33 + "]" * 33 + "}", "invalid_json"),
        (PADDING + "[" * 60_000, "invalid_json"),
        (PADDING + "{" + ",".join(f'"k{number}":1' for number in range(257)) + "}}", "invalid_json"),
        (PADDING + "NaN}", "invalid_json"),
        (PADDING + "Infinity}", "invalid_json"),
        ('{"type":"playback.report","buffered_ms":1e999}', "invalid_value"),
        (PADDING + '"\\ud800"}', "invalid_json"),
        ('{"type":"playback.report","buffered_ms":9007199254740992}', "invalid_value"),
        ('{"type":"playback.report","buffered_ms":-1}', "invalid_value"),
        ('{"type":"playback.report","buffered_ms":1.5}', "invalid_value"),
        ('{"type":"playback.report","buffered_ms":"1"}', "invalid_value"),
        ('{"type":["response.cancel"]}', "unknown_event_type"),
        ('{"type":"response.cancel","type":"nonsense"}', "unknown_event_type"),
        (PADDING + '"' + "x" * 65_536 + '"}', "event_too_large"),
    ],
)
def test_json_that_means_harm_is_an_error_and_harms_nobody(tmp_path: Path, sent: str, code: str) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            await socket.raw(sent)
            assert (await socket.get("error"))["error"]["code"] == code
            await socket.ask("hello")
            await socket.get("response.done")

    served(tmp_path, talk, ScriptedAgent("One."))


# --- connections ---

READS = {"*": ["read", "send"]}


async def all_gone(gateway: Gateway) -> None:
    """Until the gateway has noticed that all have hung up."""
    while gateway.services.admission.connections:
        await gateway.http("GET", "/healthz")


def test_a_user_has_no_more_connections_than_their_share_and_others_have_theirs(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        ada = by(token("ada", READS))
        async with gateway.socket(**ada) as first, gateway.socket(**ada):
            assert await refused(gateway, **ada) == (429, "too_many_connections")
            session = (await first.get("session.created"))["session"]["id"]
            events = f"/v1/sessions/{session}/events?wait=1"
            answer = await gateway.http("GET", events, headers=bearer(token("ada", READS)))
            assert (answer.status, answer.code) == (429, "too_many_connections")
            assert int(answer.headers["retry-after"]) > 0
            for other in (token("bob", READS), token("ada", READS, tenant="globex")):
                async with gateway.socket(**by(other)) as socket:
                    await socket.get("session.created")
        await all_gone(gateway)
        async with gateway.socket(**ada) as again:
            await again.get("session.created")

    served(tmp_path, talk, auth_secret=SECRET.decode(), max_per_user=2)


def test_an_apps_server_is_no_user_but_whom_it_lets_in_is(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        server = token("server")
        one, other = [await secret_of(gateway, server, bargein={"user": "eve"}) for _ in range(2)]
        async with gateway.socket(**by(server)), gateway.socket(**by(server)), gateway.socket(f"token={one}"):
            assert await refused(gateway, f"token={other}") == (429, "too_many_connections")
        await all_gone(gateway)
        async with gateway.socket(f"token={other}") as socket:  # it was not used up
            await socket.get("session.created")

    served(tmp_path, talk, auth_secret=SECRET.decode(), max_per_user=1)


def test_an_address_has_no_more_connections_than_its_share(tmp_path: Path) -> None:
    def from_(address: str) -> dict[str, Any]:
        return {"additional_headers": {"X-Forwarded-For": address}}  # believed of a proxy on this machine

    async def talk(gateway: Gateway) -> None:
        async with gateway.socket(**from_("2001:db8::1")):
            assert await refused(gateway, **from_("2001:db8::2")) == (429, "too_many_connections")
            async with gateway.socket(**from_("2001:db8:0:1::1")), gateway.socket(), gateway.socket():
                pass

    served(tmp_path, talk, max_per_address=1)


# --- floods ---


def test_a_flood_ends_its_connection_and_no_other_and_a_stop_still_comes_in(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            session = (await socket.get("session.created"))["session"]["id"]
            await socket.ask("go")
            await socket.get("response.output_text.delta")
            async with gateway.socket(f"session={session}") as flood:
                await flood.get("session.snapshot")
                for _ in range(230):
                    await flood.send("input_audio_buffer.clear")
                await flood.send("response.cancel")
                assert (await socket.get("response.done"))["response"]["status"] == "cancelled"
                for _ in range(200):
                    await flood.send("input_audio_buffer.clear")
                assert await flood.close_code() == 4429
            await socket.ask("again")
            await socket.get("response.done", 2)

    served(tmp_path, talk, ScriptedAgent([Say("One "), Hold()], "Two."))


def test_commands_have_a_measure_of_their_own_and_a_stop_still_comes_in(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        async with gateway.socket() as socket:
            await socket.get("session.created")
            await socket.ask("go")  # two of the ten
            await socket.get("response.output_text.delta")
            for _ in range(20):
                await socket.send("input_audio_buffer.clear")
            for number in range(12):
                await socket.send("session.update", session={}, event_id=f"e{number}")
            refused = (await socket.get("error"))["error"]
            assert refused["code"] == "rate_limited"
            assert int(refused["event_id"].removeprefix("e")) >= 8
            await socket.send("response.cancel")
            assert (await socket.get("response.done"))["response"]["status"] == "cancelled"
            for _ in range(100):
                await socket.send("session.update", session={})
            assert await socket.close_code() == 4429
        async with gateway.socket() as other:
            await other.ask("again")
            await other.get("response.done")

    served(tmp_path, talk, ScriptedAgent([Say("One "), Hold()], "Two."), max_commands=1)


def test_wrong_tokens_are_counted_by_their_reason_and_not_kept(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        for _ in range(50):
            wrong = os.urandom(32).hex()
            assert await status_of(gateway, wrong) == (401, "invalid_api_key")
        assert dict(gateway.app.state.authority.failures) == {"malformed": 50}

    served(tmp_path, talk, auth_secret=SECRET.decode())


def test_an_error_tells_nothing_of_the_inside(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        for method, path in (("GET", "/v1/none"), ("PUT", "/v1/realtime/calls"), ("GET", "/web/../settings.py")):
            answer = await gateway.http(method, path)
            assert answer.status in (404, 405)
            assert b"Traceback" not in answer.body
            assert b"gateway/" not in answer.body
            assert "server" not in answer.headers or "uvicorn" in answer.headers["server"]
        async with gateway.socket("model=m", STOCK) as socket:
            await socket.raw('{"type":"s3cr3t-looking-value"}')
            assert "s3cr3t" not in json.dumps(await socket.get("error"))

    served(tmp_path, talk)
