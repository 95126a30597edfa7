"""``/openai/v1/…`` and the ``api-key`` header: what Azure's clients ask for, behind the same doors."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from media.leg import Engines
from tests.media.engines import LoudnessModel, ScriptedRecognizer, ToneSynthesizer
from tests.transports.server import Gateway, serving

KEY = {"api-key": "k3y"}


def served(folder: Path, talk: Callable[[Gateway], Awaitable[None]], **settings: Any) -> None:
    engines = Engines(ToneSynthesizer(), ScriptedRecognizer(), LoudnessModel)

    async def main() -> None:
        async with asyncio.timeout(20), serving(folder, engines=engines, token="k3y", **settings) as gateway:
            await talk(gateway)

    asyncio.run(main())


async def first(gateway: Gateway, path: str, **headers: str) -> dict[str, Any]:
    async with connect(f"ws://127.0.0.1:{gateway.port}{path}", additional_headers=headers) as socket:
        found: dict[str, Any] = json.loads(await socket.recv())
        return found


@pytest.mark.parametrize("path", ["/v1/realtime", "/openai/v1/realtime"])
def test_a_socket_is_opened_with_azures_header_at_either_address(tmp_path: Path, path: str) -> None:
    async def talk(gateway: Gateway) -> None:
        created = await first(gateway, f"{path}?model=gpt-realtime", **KEY)
        assert (created["type"], created["session"]["model"]) == ("session.created", "gpt-realtime")
        for headers in ({}, {"api-key": "wrong"}):
            with pytest.raises(InvalidStatus) as caught:
                await first(gateway, path, **headers)
            assert json.loads(caught.value.response.body)["error"]["code"] == "invalid_api_key"

    served(tmp_path, talk)


def test_a_key_in_an_address_is_refused_under_azures_name_too(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        with pytest.raises(InvalidStatus) as caught:
            await first(gateway, "/openai/v1/realtime?api-key=k3y")
        assert json.loads(caught.value.response.body)["error"]["code"] == "token_in_query"

    served(tmp_path, talk)


def test_all_routes_answer_at_either_address_and_nothing_else_does(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        secret = await gateway.http("POST", "/openai/v1/realtime/client_secrets", "{}", {**KEY, **JSON})
        assert secret.json["value"].startswith("ek_")
        calls = "/openai/v1/realtime/calls"
        for path, code in ((calls, "invalid_sdp"), (f"{calls}/rtc_unknown/hangup", "call_id_not_found")):
            answer = await gateway.http("POST", path, "nonsense", {**KEY, "Content-Type": "application/sdp"})
            assert answer.code == code
        assert (await gateway.http("GET", "/openai/v1/load", headers=KEY)).status == 200
        for path in ("/openai/healthz", "/openai", "/openai/v1", "/openai/openai/v1/load", "/openai/v2/load"):
            assert (await gateway.http("GET", path, headers=KEY)).status == 404

    served(tmp_path, talk)


JSON = {"Content-Type": "application/json"}


def test_a_second_address_is_no_way_around_the_doors(tmp_path: Path) -> None:
    async def talk(gateway: Gateway) -> None:
        for path in ("/openai/v1/load", "/openai/v1/sessions", "/openai//healthz", "/openai/v1/../../healthz"):
            assert (await gateway.http("GET", path)).status == 401
        foreign = {**KEY, "Origin": "https://evil.example"}
        assert (await gateway.http("GET", "/openai/v1/load", headers=foreign)).code == "origin_not_allowed"

    served(tmp_path, talk)
