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
from gateway.settings import secrets
from tests.auth.keys import signed
from tests.parrot import FAULTS, parrot
from tests.test_settings import Json, refused, serving

ALL: Final = {name: f"canary-{name.replace('_', '-')}-0123456789abcdef" for name in secrets()}
FOR_EVERYBODY: Final = "turn_credential"
"""Every client is given it, so that it is looked for in the logs alone; and it goes without the other way to TURN."""

CANARIES: Final = {name: value for name, value in ALL.items() if name != FOR_EVERYBODY}
WORDS: Final = "canary-words"
"""What the user says is nobody's business either, but for the conversation's."""

USED: Final = ("api_key", "tts_api_key", "stt_api_key")
"""Keys that servers of models, voices and ears are sent."""

SPEECH: Final = {"BARGEIN_SYNTHESIZER": "openai", "BARGEIN_RECOGNIZER": "openai_realtime"}
SERVERS: Final = ("BARGEIN_BASE_URL", "BARGEIN_TTS_BASE_URL", "BARGEIN_STT_BASE_URL")

PATHS: Final = (
    *("/", "/docs", "/openapi.json", "/asyncapi.json", "/readyz", "/v1/load", "/v1/sessions"),
    *("/v1/realtime/ice_servers", "/v1/sessions/sess_00x/items", "/v1/none"),
)

OTHERS: Final = {
    "BARGEIN_TURN": "turn:127.0.0.1",
    "BARGEIN_AGENT": "openai_chat",
    "BARGEIN_LOG_LEVEL": "debug",
}


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
        for path in (*PATHS, f"/v1/none?token={token}"):
            await asyncio.to_thread(run.ask, path, token)
        await run.connect("model=m", token=token)
        await run.connect("model=m", "realtime", f"openai-insecure-api-key.{token}")
        await run.connect(f"model=m&token={token}")


def asked(how: str) -> tuple[Json, ...]:
    words = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": f"{WORDS} {how}"}]}
    return {"type": "conversation.item.create", "item": words}, {"type": "response.create"}


async def fail(run: Run, good: str) -> None:
    """Ask a model's server that repeats all it is sent, in every way in which it can fail."""
    for how in FAULTS:
        for protocol in ("realtime", "bargein.v1"):
            done = await run.connect("model=m", protocol, token=good, sent=asked(how))
            assert done[-1]["response"]["status"] == "failed", how


async def converse(run: Run, good: str, forged: str) -> list[str]:
    """Get credentials of the gateway's own, which are returned."""
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


def given(folder: Path) -> dict[str, str]:
    """All secrets, by turns in variables and in files."""
    found: dict[str, str] = {}
    for number, (name, value) in enumerate(CANARIES.items()):
        path = folder / name
        path.write_text(f"{value}\n")
        in_file = {f"BARGEIN_{name.upper()}_FILE": str(path)}
        found |= in_file if number % 2 else {f"BARGEIN_{name.upper()}": value}
    return found


@pytest.mark.process
def test_no_secret_is_in_any_output_or_file(tmp_path: Path) -> None:
    now = SystemClock().wall()
    secret = ALL["auth_secret"].encode()
    good, expired = signed(now, secret), signed(now, secret, exp=int(now) - 100)
    forged = signed(now, b"canary-of-an-attacker-0123456789abcdef")
    presented = [good, expired, forged, "canary-unknown-token"]

    with (
        parrot() as (base_url, sent),
        serving(
            tmp_path, "--port", "0", **dict.fromkeys(SERVERS, base_url), **given(tmp_path), **SPEECH, **OTHERS
        ) as gateway,
    ):
        run = Run(gateway.port)
        asyncio.run(knock(run, [*presented, ALL["token"]]))
        made = asyncio.run(converse(run, good, forged))
        asyncio.run(fail(run, good))
        gateway.process.send_signal(signal.SIGTERM)
        printed, said = gateway.process.communicate(timeout=20)
    logged = (printed + said).encode()
    files = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    assert len(run.seen) > 5_000
    assert b"a credential was refused" in logged
    assert len(files) > 5_000
    for name in USED:
        assert any(ALL[name] in request for request in sent), f"nobody was sent {name}"
    signatures = [token.rpartition(".")[2] for token in presented]
    for canary in (*CANARIES.values(), *signatures):
        for output in (bytes(run.seen), logged, files):
            assert canary.encode() not in output, canary
    for hidden in (*made, WORDS):
        assert hidden.encode() not in logged, hidden
    for credential in made:
        assert credential.encode() not in files


@pytest.mark.process
def test_the_password_that_clients_are_given_is_in_no_log(tmp_path: Path) -> None:
    password = ALL[FOR_EVERYBODY]
    let_in = {"BARGEIN_TURN_USERNAME": "ada", "BARGEIN_TURN_CREDENTIAL": password}
    with serving(tmp_path, "--port", "0", **OTHERS | let_in | {"BARGEIN_AGENT": "offline"}) as gateway:
        run = Run(gateway.port)
        assert password.encode() in run.ask("/v1/realtime/ice_servers", "")
        gateway.process.send_signal(signal.SIGTERM)
        printed, said = gateway.process.communicate(timeout=20)
    assert password not in printed + said


@pytest.mark.process
@pytest.mark.parametrize("name", ["token", "auth_secret"])
def test_a_secret_that_is_wrong_is_not_in_the_sentence_about_it(name: str) -> None:
    """The two whose value is looked at."""
    told = refused(**{f"BARGEIN_{name.upper()}": "canary!"})
    assert f"'{name}' is wrong" in told
    assert "canary" not in told
