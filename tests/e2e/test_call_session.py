"""The session that a call opens with: of its secret, of its form, or of its address, the form's fields first."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from media.leg import Engines
from tests.e2e.test_call import LIMIT_S
from tests.e2e.test_call_auth import by
from tests.e2e.test_handover import caller
from tests.media.engines import LoudnessModel, ScriptedRecognizer, ToneSynthesizer
from tests.transports.server import Gateway, serving
from tests.transports.test_calls import form

CALLS = "/v1/realtime/calls"
MINTED = {"type": "realtime", "model": "minted", "instructions": "Be brief."}


async def secret(gateway: Gateway) -> str:
    body = json.dumps({"session": MINTED})
    minted = await gateway.http("POST", "/v1/realtime/client_secrets", body, {"Content-Type": "application/json"})
    return str(minted.json["value"])


@pytest.mark.parametrize(
    ("query", "minted", "session", "expected"),
    [
        ("", True, None, ("minted", "Be brief.", ["audio"])),
        ("?model=asked", False, None, ("asked", "", ["audio"])),
        ("?model=asked", True, {"type": "realtime", "model": "form"}, ("form", "Be brief.", ["audio"])),
        ("", False, {"output_modalities": ["text"], "instructions": "Be long."}, ("", "Be long.", ["text"])),
    ],
    ids=["secret", "address", "form over secret", "form"],
)
def test_a_call_begins_as_its_secret_and_its_form_say(
    tmp_path: Path, query: str, minted: bool, session: dict[str, Any] | None, expected: tuple[str, str, list[str]]
) -> None:
    engines = Engines(ToneSynthesizer(), ScriptedRecognizer(), LoudnessModel)

    async def main() -> None:
        async with asyncio.timeout(LIMIT_S), serving(tmp_path, engines=engines) as gateway, caller() as browser:
            key = await secret(gateway) if minted else "any"
            body, headers = browser.peer.offer_sdp, by(key, "application/sdp")
            if session is not None:
                body, kind = form(("sdp", body), ("session", json.dumps(session)))
                headers |= kind
            answer = await gateway.http("POST", f"{CALLS}{query}", body, headers)
            assert answer.status == 201, answer.body
            assert answer.headers["content-type"].startswith("application/sdp")
            assert answer.headers["access-control-expose-headers"] == "Location"
            assert answer.headers["location"].startswith(f"{CALLS}/rtc_")
            await browser.peer.connect(answer.body.decode())
            created = (await browser.event("session.created"))["session"]
            assert (created["model"], created["instructions"], created["output_modalities"]) == expected

    asyncio.run(main())
