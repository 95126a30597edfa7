"""Clients of the beta: who gets on with what is served is served, who would wait in silence is told why not."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.agents.scripted import ScriptedAgent
from gateway.protocol import beta
from tests.transports.server import Gateway, Socket, serving

HEADER = {"additional_headers": {"OpenAI-Beta": "realtime=v1"}}


def event(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind, **fields})


FLAT = [
    event("session.update", session={"modalities": ["text", "audio"], "instructions": "Be brief."}),
    event("session.update", session={"voice": "alloy"}),
    event("session.update", session={"turn_detection": None}),
    event("session.update", session={"input_audio_format": "pcm16"}),
    event("session.update", session={"input_audio_transcription": {"model": "whisper-1"}}),
    event("response.create", response={"modalities": ["text"]}),
    event("response.create", response={"max_response_output_tokens": 100}),
    event("transcription_session.update", session={}),
]
GENERAL = [
    event("session.update", session={"type": "realtime", "output_modalities": ["text"], "audio": {"output": {}}}),
    event("session.update", session={}),
    event("session.update", session=None),
    event("response.create"),
    event("response.create", response={"output_modalities": ["text"], "metadata": {"voice": "mine"}}),
    event("conversation.item.create", item={"voice": 1}, session={"voice": "x"}),
    "nonsense",
    "[" * 100_000,
    "5",
    "{}",
]


@pytest.mark.parametrize("data", FLAT)
def test_what_only_the_beta_knew_is_told_from_the_rest(data: str) -> None:
    assert beta.spoken(data)
    assert beta.spoken(data.encode())


@pytest.mark.parametrize("data", [*GENERAL, b"\xff\xfe"])
def test_what_is_served_or_is_nothing_is_not_the_beta(data: str | bytes) -> None:
    assert not beta.spoken(data)


@pytest.mark.parametrize(
    ("headers", "offered", "asked"),
    [
        ([("openai-beta", "realtime=v1")], [], True),
        ([("OpenAI-Beta", "assistants=v2, realtime=v1")], ["realtime"], True),
        ([], ["realtime", "openai-beta.realtime-v1"], True),
        ([("openai-beta", "assistants=v2")], ["realtime"], False),
        ([], [], False),
    ],
)
def test_a_handshake_may_name_the_beta(headers: list[tuple[str, str]], offered: list[str], asked: bool) -> None:
    assert beta.asked_for(headers, offered) is asked


def served(folder: Path, *protocols: str, sends: str, **options: Any) -> Socket:
    async def talk(gateway: Gateway) -> Socket:
        async with gateway.socket("model=m", *(protocols or ("",)), **options) as socket:
            await socket.get("session.created")
            await socket.raw(sends)
            await socket.inbox.until(lambda: socket.inbox.closed or len(socket.got) > 1)
            if not socket.inbox.closed and socket.got[-1]["type"] == "error":
                await socket.close_code()
            return socket

    async def main() -> Socket:
        async with asyncio.timeout(20), serving(folder, agent=ScriptedAgent("One.")) as gateway:
            return await talk(gateway)

    return asyncio.run(main())


@pytest.mark.parametrize("sends", FLAT[::5])
@pytest.mark.parametrize("how", ["header", "subprotocol"])
def test_who_speaks_the_beta_is_refused_as_at_openai(tmp_path: Path, sends: str, how: str) -> None:
    protocols = ("realtime", "openai-insecure-api-key.k", "openai-beta.realtime-v1") if how == "subprotocol" else ()
    socket = served(tmp_path, *protocols, sends=sends, **({} if protocols else HEADER))
    error = socket.all("error")[0]["error"]
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", "beta_api_shape_disabled", None)
    assert socket.inbox.closed == [4000]
    assert socket.connection.close_reason == "invalid_request_error.beta_api_shape_disabled"


def test_who_only_sends_the_old_header_is_served(tmp_path: Path) -> None:
    sends = event("session.update", session={"type": "realtime", "output_modalities": ["text"]})
    socket = served(tmp_path, sends=sends, **HEADER)
    assert socket.types() == ["session.created", "session.updated"]


def test_without_the_header_the_betas_fields_are_as_unknown_as_any(tmp_path: Path) -> None:
    socket = served(tmp_path, "realtime", sends=FLAT[0])
    updated = socket.all("session.updated")[0]["session"]
    assert (updated["instructions"], updated["output_modalities"]) == ("Be brief.", ["audio"])
