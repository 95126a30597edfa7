"""An app's server with ``openai``'s own package: it mints a secret, places a call, sits beside it, and hangs up."""

import asyncio
import json
from pathlib import Path

import pytest
from openai import AsyncOpenAI, AuthenticationError, NotFoundError

from media.leg import Engines
from tests.e2e.test_call import LIMIT_S
from tests.e2e.test_handover import caller
from tests.media.engines import LoudnessModel, ScriptedRecognizer, ToneSynthesizer
from tests.protocol.stock import problems
from tests.transports.server import serving


@pytest.mark.parametrize("base", ["/v1", "/openai/v1"])
def test_a_server_calls_steers_and_hangs_up_with_openais_package(tmp_path: Path, base: str) -> None:
    engines = Engines(ToneSynthesizer(), ScriptedRecognizer(), LoudnessModel)

    async def main() -> None:
        async with (
            asyncio.timeout(2 * LIMIT_S),
            serving(tmp_path, engines=engines, token="k3y") as gateway,
            caller() as browser,
            AsyncOpenAI(base_url=f"{gateway.url}{base}", api_key="k3y", max_retries=0) as server,
        ):
            minted = await server.realtime.client_secrets.create(
                expires_after={"anchor": "created_at", "seconds": 60},
                session={"type": "realtime", "model": "gpt-realtime", "instructions": "Be brief."},
            )
            assert minted.value.startswith("ek_")
            assert minted.session.type == "realtime"
            assert (minted.session.model, minted.session.instructions) == ("gpt-realtime", "Be brief.")
            app = server.with_options(api_key=minted.value)
            answer = await app.realtime.calls.create(sdp=browser.peer.offer_sdp, session={"type": "realtime"})
            call_id = answer.response.headers["location"].rpartition("/")[2]
            await browser.peer.connect(answer.text)
            await browser.event("session.created")
            with pytest.raises(AuthenticationError, match="valid token"):
                await server.with_options(api_key="wrong").realtime.calls.hangup(call_id)
            async with server.realtime.connect(call_id=call_id) as beside:
                created = await beside.recv()
                assert created.type == "session.created"
                assert problems(json.dumps(created.to_dict())) == []
                await beside.session.update(session={"type": "realtime", "instructions": "Be long."})
                assert (await beside.recv()).type == "session.updated"
                await browser.event("session.updated")
                await server.realtime.calls.hangup(call_id)
                assert [event.type async for event in beside] == []  # a close with 1000 ends the loop
            await browser.until(lambda: browser.closed is not None)
            with pytest.raises(NotFoundError) as gone:
                await server.realtime.calls.hangup(call_id)
            assert gone.value.code == "call_id_not_found"
            with pytest.raises(NotFoundError, match="SIP"):
                await server.realtime.calls.accept(call_id, type="realtime")

    asyncio.run(main())
