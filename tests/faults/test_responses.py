"""A server of the Responses API that misbehaves, over HTTP and over its WebSocket: each answer ends once, in time,
keeps what came, and the conversation goes on."""

import asyncio
import json
from pathlib import Path
from typing import Any, Final

import pytest

from tests.agents.fake_openai import Request
from tests.agents.fake_responses import Answer, FakeResponses, Fault
from tests.protocol.stock import problems
from tests.transports.inbox import Json
from tests.transports.server import STOCK, Socket, serving

SHORT: Final[dict[str, Any]] = {"first_token_s": 0.4, "next_token_s": 0.2, "model_connect_s": 1.0, "answer_limit": 500}
WELL: Final = Answer(tokens=["All", " is", " well."])

MIDST: Final[tuple[tuple[Fault, str], ...]] = (
    *(("stall", "model_timeout"), ("reset", "model_failed"), ("error", "model_failed"), ("failed", "model_failed")),
    *(("garbage", "model_failed"), ("ends", "model_failed")),
)
BEFORE: Final[tuple[tuple[Answer, str], ...]] = (
    *((Answer(fault=fault), code) for fault, code in MIDST if fault != "ends"),
    (Answer(fault="hang"), "model_timeout"),
    *(
        (Answer(status=500), "model_failed"),
        (Answer(status=429), "rate_limited"),
        (Answer(status=401), "model_refused"),
    ),
)
CASES: Final = [
    *((Answer(tokens=["Well"], fault=fault, fault_after=1), "failed", code, "Well") for fault, code in MIDST),
    *((bad, "failed", code, "") for bad, code in BEFORE),
    (Answer(tokens=["x" * 3_000]), "incomplete", "", "x" * 500),
    (Answer(tokens=["Well"], incomplete="max_output_tokens"), "incomplete", "", "Well"),
]


def of(request: Request) -> list[tuple[str, str]]:
    return [(item["role"], item["content"][0]["text"]) for item in request.body["input"]]


async def asked(client: Socket, text: str) -> Json:
    """The response, ended."""
    count = len(client.all("response.done"))
    await client.ask(text)
    ended: Json = (await client.get("response.done", count + 1))["response"]
    return ended


def text_of(response: Json) -> str:
    parts = [part for item in response["output"] for part in item["content"]]
    return "".join(part.get("text") or part.get("transcript") or "" for part in parts)


@pytest.mark.parametrize("steer", ["instruction", "native"])
@pytest.mark.parametrize(("bad", "status", "code", "kept"), CASES)
def test_an_answer_ends_once_keeps_what_came_and_the_next_one_is_given(
    tmp_path: Path, steer: str, bad: Answer, status: str, code: str, kept: str
) -> None:
    def script(request: Request) -> Answer:
        if request.method == "GET":  # the handshake of a WebSocket
            return WELL
        return bad if of(request)[-1][1].endswith("bad") else WELL

    async def main() -> None:
        async with asyncio.timeout(20), FakeResponses(script) as model:
            given = {"base_url": model.base_url, "steer": steer, **SHORT}
            async with (
                serving(tmp_path, agent="openai_responses", **given) as gateway,
                gateway.socket("model=m", STOCK) as client,
            ):
                ended = await asked(client, "be bad")
                assert (ended["status"], text_of(ended)) == (status, kept)
                details = ended["status_details"]
                assert (details["error"]["code"] if status == "failed" else details["reason"]) == (
                    code or "max_output_tokens"
                )
                good = await asked(client, "be good")
                assert (good["status"], text_of(good)) == ("completed", "All is well.")
                assert len(client.all("response.done")) == len(client.all("response.created")) == 2
                assert client.all("error") == []
                assert all(problems(json.dumps(event)) == [] for event in client.got)
                remembered = of(model.requests[-1])
                assert [content for role, content in remembered if role == "assistant"] == ([kept] if kept else [])

    asyncio.run(main())
