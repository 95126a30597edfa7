"""A model's server that misbehaves, over real sockets on both sides: each answer ends once, in time, keeps what came
and says what to do, and the conversation goes on."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.runtime.regrets import NO_MORE
from media.leg import Engines
from tests.agents.fake_openai import Answer, FakeOpenAI, Fault, Request
from tests.media.engines import LoudnessModel, ScriptedRecognizer, ToneSynthesizer
from tests.protocol.stock import problems
from tests.transports.inbox import Json
from tests.transports.server import STOCK, Gateway, Socket, serving

SHORT: Final[dict[str, Any]] = {"first_token_s": 0.4, "next_token_s": 0.2, "model_connect_s": 1.0, "answer_limit": 500}
WELL: Final = Answer(tokens=["All", " is", " well."])

MIDST: Final[tuple[tuple[Fault, str], ...]] = (
    *(("stall", "model_timeout"), ("comments", "model_timeout"), ("empty", "model_timeout"), ("reset", "model_failed")),
    *(("error", "model_failed"), ("garbage", "model_failed"), ("end", "model_failed"), ("line", "model_failed")),
)
"""In mid-stream: what the model's server does, and the code of the failure."""

BEFORE: Final = (
    (Answer(fault="hang"), "model_timeout", "did not begin"),
    (Answer(fault="comments"), "model_timeout", "did not begin"),
    (Answer(fault="empty"), "model_timeout", "did not begin"),
    (Answer(fault="reset"), "model_failed", "broke off"),
    (Answer(fault="garbage"), "model_failed", "no stream"),
    (Answer(fault="page"), "model_failed", "stream"),
    (Answer(fault="whole"), "model_failed", "stream"),
    (Answer(status=500), "model_failed", "Try again"),
    (Answer(status=429), "rate_limited", "try again later"),
    (Answer(status=429, headers={"retry-after": "7"}), "rate_limited", "try again in 7 s"),
    (Answer(status=401), "model_refused", "OPENAI_API_KEY"),
)
"""Before the first token: what it does, the code, and what the sentence says."""

ENDLESS: Final = (
    (Answer(tokens=["x" * 3_000]), "x" * 500),
    (Answer(tokens=["x"], fault="endless", fault_after=1), ("x" + " word" * 100)[:500]),
)
"""Too much, and what is kept of it."""

CASES: Final = [
    *((Answer(tokens=["Well"], fault=fault, fault_after=1), "failed", code, "Well", "") for fault, code in MIDST),
    *((bad, "failed", code, "", advice) for bad, code, advice in BEFORE),
    *((bad, "incomplete", "", kept, "") for bad, kept in ENDLESS),
]


@asynccontextmanager
async def gateway_of(folder: Path, bad: Answer, **settings: Any) -> AsyncIterator[tuple[Gateway, FakeOpenAI]]:
    """A gateway whose model does *bad* with whatever ends in this word, and answers well otherwise."""

    def script(request: Request) -> Answer:
        return bad if request.messages[-1][1].endswith("bad") else WELL

    async with asyncio.timeout(20), FakeOpenAI(script) as model:
        given = {"base_url": model.base_url, **SHORT, **settings}
        async with serving(folder, agent="openai_chat", **given) as gateway:
            yield gateway, model


async def asked(client: Socket, text: str) -> Json:
    """The response, ended."""
    count = len(client.all("response.done"))
    await client.ask(text)
    ended: Json = (await client.get("response.done", count + 1))["response"]
    return ended


def text_of(response: Json) -> str:
    parts = [part for item in response["output"] for part in item["content"]]
    return "".join(part.get("text") or part.get("transcript") or "" for part in parts)


@pytest.mark.parametrize(("bad", "status", "code", "kept", "advice"), CASES)
def test_an_answer_ends_once_keeps_what_came_and_the_next_one_is_given(
    tmp_path: Path, bad: Answer, status: str, code: str, kept: str, advice: str
) -> None:
    async def main() -> None:
        async with gateway_of(tmp_path, bad) as (gateway, model), gateway.socket("model=m", STOCK) as client:
            ended = await asked(client, "be bad")
            assert (ended["status"], text_of(ended)) == (status, kept)
            details = ended["status_details"]
            if status == "failed":
                assert details["error"]["code"] == code
                assert advice in details["error"]["message"]
            else:
                assert details["reason"] == "max_output_tokens"
            assert [item["status"] for item in ended["output"]] == (["incomplete"] if kept else [])
            good = await asked(client, "be good")
            assert (good["status"], text_of(good)) == ("completed", "All is well.")
            assert len(client.all("response.done")) == len(client.all("response.created")) == 2
            assert client.all("error") == []
            assert all(problems(json.dumps(event)) == [] for event in client.got)
            remembered = model.requests[-1].messages
            assert [content for role, content in remembered if role == "assistant"] == ([kept] if kept else [])
            # Nobody interrupted it, and the model is not told so.
            assert remembered[-1][1] == ("be good" if kept else "be bad\nbe good")

    asyncio.run(main())


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    async def main() -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            address = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
            async with gateway_of(tmp_path, WELL, base_url=address) as (gateway, _), gateway.socket() as client:
                error = (await asked(client, "go"))["status_details"]["error"]
                assert error["code"] == "model_unreachable"
                assert "check that the model server runs" in error["message"]

    asyncio.run(main())


def test_a_server_that_fails_once_is_not_noticed(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            FakeOpenAI(lambda request: WELL if request.number else Answer(status=503)) as model,
            serving(tmp_path, agent="openai_chat", base_url=model.base_url) as gateway,
            gateway.socket() as client,
        ):
            ended = await asked(client, "go")
            assert (ended["status"], text_of(ended)) == ("completed", "All is well.")
            assert len(client.all("response.created")) == 1

    asyncio.run(main())


def test_a_model_that_was_waited_for_in_vain_is_hung_up_on(tmp_path: Path) -> None:
    async def main() -> None:
        async with gateway_of(tmp_path, Answer(fault="hang")) as (gateway, model), gateway.socket() as client:
            await asked(client, "be bad")
            assert (await model.disconnect()).request == 0

    asyncio.run(main())


def test_by_voice_the_failure_is_said(tmp_path: Path) -> None:
    engines = Engines(ToneSynthesizer(), ScriptedRecognizer(), LoudnessModel)
    bad = Answer(tokens=["Well then."], fault="error", fault_after=1)

    async def main() -> None:
        async with gateway_of(tmp_path, bad, engines=engines) as (gateway, _), gateway.socket("", STOCK) as client:
            ended = await asked(client, "be bad")
            assert (ended["status"], text_of(ended)) == ("failed", f"Well then. {NO_MORE['en']}")
            assert (await client.get("response.output_audio.delta"))["delta"]

    asyncio.run(main())
