"""No secret ever comes out: a whole run of the command, with everything said as loudly as it can, and every byte of it
looked through."""

import asyncio
import contextlib
import json
import signal
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from gateway.runtime.clock import SystemClock
from tests.auth.keys import signed
from tests.test_settings import Json, serving

SECRETS: Final = {
    "BARGEIN_TOKEN": "canary-token-1f0d",
    "BARGEIN_AUTH_SECRET": "canary-auth-secret-77aa-0123456789abcdef",
    "BARGEIN_API_KEY": "canary-api-key-c0de",
    "BARGEIN_TURN": "turn:127.0.0.1",
    "BARGEIN_TURN_SECRET": "canary-turn-secret-5bad",
    "BARGEIN_BASE_URL": "http://127.0.0.1:1/v1",
    "BARGEIN_AGENT": "openai_chat",
    "BARGEIN_LOG_LEVEL": "debug",
}
CANARIES: Final = [value.encode() for value in SECRETS.values() if value.startswith("canary")]


class Run:
    """A gateway's clients, and every byte that they got."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.seen = bytearray()

    def ask(self, path: str, token: str, body: object = None) -> bytes:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                answer: bytes = response.read()
                self.seen += str(response.headers).encode() + answer
        except urllib.error.HTTPError as refused:
            with refused:
                answer = refused.read()
                self.seen += str(refused.headers).encode() + answer
        return answer

    async def connect(self, query: str, *protocols: str, token: str = "", sent: tuple[Json, ...] = ()) -> list[Json]:
        got: list[Json] = []
        offered = [Subprotocol(name) for name in protocols]
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        uri = f"ws://127.0.0.1:{self.port}/v1/realtime?{query}"
        with contextlib.suppress(ConnectionClosed, TimeoutError):
            try:
                async with connect(uri, subprotocols=offered or None, additional_headers=headers) as connection:
                    for event in sent:
                        await connection.send(json.dumps(event))
                    while not got or got[-1]["type"] not in ("response.done", "auth.changed"):
                        text = await asyncio.wait_for(connection.recv(), 5.0 if sent else 1.0)
                        self.seen += text.encode() if isinstance(text, str) else text
                        got.append(json.loads(text))
                        if not sent:
                            break
            except InvalidStatus as refused:
                self.seen += bytes(refused.response.body or b"") + str(refused.response.headers).encode()
        return got


async def knock(run: Run, presented: list[str]) -> None:
    """Present every credential everywhere, in every way."""
    for token in presented:
        for path in ("/readyz", "/v1/load", "/v1/sessions/sess_00x/items", "/v1/none", f"/v1/none?token={token}"):
            await asyncio.to_thread(run.ask, path, token)
        await run.connect("model=m", token=token)
        await run.connect("model=m", "realtime", f"openai-insecure-api-key.{token}")
        await run.connect(f"model=m&token={token}")


async def converse(run: Run, good: str, forged: str) -> list[str]:
    """Ask a model that is not there, and get credentials of the gateway's own, which are returned."""
    words = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
    ask = ({"type": "conversation.item.create", "item": words}, {"type": "response.create"})
    done = await run.connect("model=m", "bargein.v1", token=good, sent=ask)
    assert done[-1]["response"]["status"] == "failed"  # there is no model behind the address
    refresh = {"type": "auth.refresh", "token": good}
    await run.connect("model=m", "bargein.v1", token=good, sent=({**refresh, "token": forged}, refresh))
    minted = json.loads(await asyncio.to_thread(run.ask, "/v1/realtime/client_secrets", good, {}))["value"]
    seen = len(run.seen)
    created = await run.connect(f"token={minted}", "bargein.v1")
    resume = created[0]["session"]["bargein"]["resume_token"]
    assert run.seen.count(resume.encode()) == 1
    await run.connect(f"token={minted}")
    await run.connect("model=m", token=resume)
    await asyncio.to_thread(run.ask, "/v1/auth/revocations", good, {"token_id": "token_9"})
    await asyncio.to_thread(run.ask, "/v1/auth/revocations", good, {"token_id": good})
    assert minted.encode() not in run.seen[seen:]
    return [minted, resume]


@pytest.mark.process
def test_no_secret_is_in_any_output_or_file(tmp_path: Path) -> None:
    now = SystemClock().wall()
    secret = SECRETS["BARGEIN_AUTH_SECRET"].encode()
    good, expired = signed(now, secret), signed(now, secret, exp=int(now) - 100)
    forged = signed(now, b"canary-of-an-attacker-0123456789abcdef")
    presented = [good, expired, forged, "canary-unknown-token"]

    with serving(tmp_path, "--port", "0", **SECRETS) as gateway:
        run = Run(gateway.port)
        asyncio.run(knock(run, [*presented, SECRETS["BARGEIN_TOKEN"]]))
        made = asyncio.run(converse(run, good, forged))
        gateway.process.send_signal(signal.SIGTERM)
        printed, said = gateway.process.communicate(timeout=20)
    logged = (printed + said).encode()
    files = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    assert len(run.seen) > 5_000
    assert b"a credential was refused" in logged
    assert len(files) > 5_000
    signatures = [token.rpartition(".")[2].encode() for token in presented]
    for canary in (*CANARIES, *signatures):
        for output in (bytes(run.seen), logged, files):
            assert canary not in output, canary
    for credential in made:
        assert credential.encode() not in logged + files
