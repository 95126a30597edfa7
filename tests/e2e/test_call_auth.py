"""A call that a browser places with a client secret: it is its own, and ends when its rights do."""

import asyncio
import json
from pathlib import Path

from gateway.runtime.clock import SystemClock
from media.leg import Engines
from tests.auth.keys import SECRET, signed
from tests.e2e.test_call import LIMIT_S
from tests.e2e.test_handover import caller
from tests.media.engines import LoudnessModel, ScriptedRecognizer, ToneSynthesizer
from tests.transports.server import Gateway, serving

CALLS = "/v1/realtime/calls"
NOW = SystemClock().wall()


def by(token: str, kind: str = "application/json") -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Content-Type": kind}


async def secret_of(gateway: Gateway, token: str, **narrowing: object) -> str:
    body = json.dumps({"bargein": narrowing})
    return str((await gateway.http("POST", "/v1/realtime/client_secrets", body, by(token))).json["value"])


def test_a_call_by_a_client_secret_is_its_clients_own_and_ends_with_its_rights(tmp_path: Path) -> None:
    app, root = (signed(NOW, sub=user, jti=f"{user}-token") for user in ("app", "root"))
    eve = signed(NOW, sub="eve", jti="eve-token", bargein={"*": ["read", "send", "steer", "cancel"]})
    foreign = signed(NOW, sub="root", jti="foreign-token", tenant="other")
    engines = Engines(ToneSynthesizer(), ScriptedRecognizer(), LoudnessModel)

    async def main() -> None:
        async with (
            asyncio.timeout(2 * LIMIT_S),
            serving(tmp_path, engines=engines, auth_secret=SECRET.decode()) as gateway,
            caller() as ada,
            caller() as again,
        ):
            secret = await secret_of(gateway, app, user="ada", rights=["read", "send"], once=True)
            path = f"{CALLS}?ext=bargein.v1"
            answer = await gateway.http("POST", path, ada.peer.offer_sdp, by(secret, "application/sdp"))
            assert answer.status == 201, answer.body
            second = await gateway.http("POST", path, again.peer.offer_sdp, by(secret, "application/sdp"))
            assert (second.status, second.code) == (401, "invalid_api_key")
            await ada.peer.connect(answer.body.decode())
            told = (await ada.event("session.created"))["session"]
            assert told["bargein"]["rights"] == ["read", "send"]
            ada.send(type="response.cancel", event_id="e1")
            assert (await ada.event("command.rejected"))["code"] == "missing_right_cancel"
            call, resume = answer.headers["location"], told["bargein"]["resume_token"]
            for method, where in (("POST", call), ("POST", f"{call}/hangup"), ("DELETE", call)):
                for given in (eve, foreign):
                    refused = await gateway.http(method, where, again.peer.offer_sdp, by(given, "application/sdp"))
                    assert (refused.status, refused.code) == (404, "call_id_not_found")
            moved = await gateway.http("POST", call, again.peer.offer_sdp, by(resume, "application/sdp"))
            assert moved.status == 200, moved.body
            await again.peer.connect(moved.body.decode())
            await again.peer.wait_connected(10)
            await gateway.http("POST", "/v1/auth/revocations", json.dumps({"token_id": "app-token"}), by(root))
            await ada.until(lambda: ada.closed is not None)
            await again.until(lambda: again.closed is not None)
            over = await gateway.http("DELETE", call, headers=by(root))
            assert over.status == 404

    asyncio.run(main())
