"""``?call_id=``: a server beside a browser's call is told the same, steers it, and ends with it. Over real WebRTC."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from gateway.runtime.clock import SystemClock
from media.leg import Engines
from tests.auth.keys import SECRET, signed
from tests.e2e.test_call import LIMIT_S, Caller
from tests.e2e.test_call_auth import by, secret_of
from tests.e2e.test_handover import caller
from tests.media.engines import LoudnessModel, ScriptedRecognizer, ToneSynthesizer
from tests.protocol.stock import problems
from tests.transports.server import EXTENDED, STOCK, Gateway, Socket, serving

CALLS = "/v1/realtime/calls"
SDP = {"Content-Type": "application/sdp"}
MANUAL = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}


@dataclass
class Scene:
    """A browser in a call, and what is attached to that."""

    gateway: Gateway
    browser: Caller
    location: str

    @property
    def call_id(self) -> str:
        return self.location.rpartition("/")[2]

    def attached(self, *protocols: str) -> "contextlib.AbstractAsyncContextManager[Socket]":
        return self.gateway.socket(f"call_id={self.call_id}", *(protocols or (STOCK,)))


@contextlib.asynccontextmanager
async def calling(folder: Path, **settings: Any) -> AsyncIterator[Scene]:
    engines = Engines(ToneSynthesizer(), ScriptedRecognizer("tell me more"), LoudnessModel)
    async with serving(folder, engines=engines, **settings) as gateway, caller() as browser:
        answer = await gateway.http("POST", CALLS, browser.peer.offer_sdp, SDP)
        assert answer.status == 201, answer.body
        await browser.peer.connect(answer.body.decode())
        await browser.event("session.created")
        yield Scene(gateway, browser, answer.headers["location"])


def acted(folder: Path, story: Callable[[Scene], Awaitable[None]], **settings: Any) -> None:
    async def main() -> None:
        async with asyncio.timeout(2 * LIMIT_S), calling(folder, **settings) as scene:
            await story(scene)

    asyncio.run(main())


def told(events: list[dict[str, object]]) -> list[str]:
    """What happened in the conversation, in order."""
    return [str(event["type"]) for event in events if not str(event["type"]).startswith("session.")]


def test_all_that_is_attached_is_told_what_the_call_is_told(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        async with scene.attached() as one, scene.attached() as other:
            for socket in (one, other):
                session = (await socket.get("session.created"))["session"]
                assert session["id"] == scene.browser.events[0]["session"]["id"]
            scene.browser.ask("please tell me a long story")
            await scene.browser.event("output_audio_buffer.started")
            await one.send("response.cancel", event_id="stop")
            for socket in (one, other):
                await socket.get("output_audio_buffer.cleared")
            await scene.browser.event("output_audio_buffer.cleared")
            scene.browser.speak(600)
            await scene.browser.event("conversation.item.input_audio_transcription.completed")
            for socket in (one, other):
                await socket.get("conversation.item.input_audio_transcription.completed")
                seen = told(socket.got)
                assert "input_audio_buffer.speech_started" in seen
                both = min(len(seen), len(told(scene.browser.events)))
                assert seen[:both] == told(scene.browser.events)[:both]
                assert [it for event in socket.got for it in problems(json.dumps(event))] == []

    acted(tmp_path, story)


def test_it_is_told_at_once_how_the_call_is_set_and_sets_it_for_all(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.browser.send(type="session.update", session={**MANUAL, "instructions": "Be brief."})
        await scene.browser.event("session.updated")
        async with scene.attached() as one, scene.attached() as other:
            created = (await one.get("session.created"))["session"]
            assert (created["instructions"], created["audio"]["input"]["turn_detection"]) == ("Be brief.", None)
            detection = {"type": "server_vad", "silence_duration_ms": 900}
            await other.get("session.created")
            await one.send("session.update", session={"audio": {"input": {"turn_detection": detection}}})
            updated = [await socket.get("session.updated") for socket in (one, other)]
            await scene.browser.until(lambda: silences(scene.browser.seen("session.updated"))[-1] == 900)
            assert silences(updated) == [900, 900]
            await one.send("input_audio_buffer.clear")
            for socket in (one, other):
                await socket.get("input_audio_buffer.cleared")
            await scene.browser.event("input_audio_buffer.cleared")

    acted(tmp_path, story)


def silences(events: list[dict[str, object]]) -> list[int | None]:
    found = [json.loads(json.dumps(event))["session"]["audio"]["input"]["turn_detection"] for event in events]
    return [it["silence_duration_ms"] if it else None for it in found]


def test_it_commits_the_calls_microphone_and_sends_no_sound_itself(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        async with scene.attached() as socket:
            silent = {"audio": {"input": {"turn_detection": {"type": "server_vad", "create_response": False}}}}
            await socket.send("session.update", session=silent)
            await socket.get("session.updated")
            await socket.send("input_audio_buffer.append", audio="AAAA", event_id="sound")
            error = (await socket.get("error"))["error"]
            assert (error["code"], error["event_id"]) == ("invalid_event_for_transport", "sound")
            scene.browser.speak(5000)
            await socket.get("input_audio_buffer.speech_started")
            await socket.send("input_audio_buffer.commit")
            await socket.get("conversation.item.input_audio_transcription.completed")
            scene.browser.speak(0)
            await socket.send("response.create")
            await scene.browser.event("output_audio_buffer.started")
            assert scene.browser.seen("error") == []

    acted(tmp_path, story)


def test_what_is_attached_goes_and_the_call_goes_on(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        async with scene.attached(EXTENDED) as socket:
            await socket.get("session.snapshot")
            members = (await socket.get("presence.snapshot"))["members"]
            assert len(members) == 1  # the browser: a server is no company
        scene.browser.ask("please tell me a long story")
        await scene.browser.event("output_audio_buffer.started")
        async with scene.attached() as socket:
            await socket.get("session.created")
            await socket.send("conversation.item.truncate", item_id="item_unknown", audio_end_ms=0, event_id="t")
            assert (await socket.get("error"))["error"]["code"] == "item_truncate_invalid_item_id"
        assert scene.browser.seen("error") == []

    acted(tmp_path, story)


@pytest.mark.parametrize("how", ["hangup", "the browser goes"])
def test_the_end_of_the_call_closes_all_that_is_attached(tmp_path: Path, how: str) -> None:
    async def story(scene: Scene) -> None:
        async with scene.attached() as one, scene.attached(EXTENDED) as other:
            for socket in (one, other):
                await socket.get("session.created")
            if how == "hangup":
                assert (await scene.gateway.http("POST", f"{scene.location}/hangup")).status == 200
                await scene.browser.until(lambda: scene.browser.closed is not None)
            else:
                await scene.browser.peer.close()
            for socket in (one, other):
                assert await socket.close_code() == 1000
                assert socket.connection.close_reason == "call_ended"
        again = await scene.gateway.http("POST", f"{scene.location}/hangup")
        assert (again.status, again.code) == (404, "call_id_not_found")
        assert await refusal(scene.gateway, scene.call_id) == (404, "call_id_not_found", "invalid_request_error")

    acted(tmp_path, story)


async def refusal(gateway: Gateway, call_id: str, key: str = "") -> tuple[int, str, str]:
    """How a handshake is refused, before it is one."""
    headers = {"Authorization": f"Bearer {key}"} if key else None
    uri = f"ws://127.0.0.1:{gateway.port}/v1/realtime?call_id={call_id}"
    with pytest.raises(InvalidStatus) as caught:
        async with connect(uri, additional_headers=headers):
            pass
    response = caught.value.response
    error = json.loads(response.body)["error"]
    assert {"message", "type", "code", "param"} <= set(error)
    return response.status_code, error["code"], error["type"]


def test_who_may_read_the_session_is_attached_and_a_browsers_secret_is_not(tmp_path: Path) -> None:
    now = SystemClock().wall()
    app, eve = (signed(now, sub=user, jti=f"{user}-token") for user in ("app", "eve"))
    mic = signed(now, sub="mic", jti="mic-token", bargein={"*": ["send"]})
    foreign = signed(now, sub="app", jti="foreign-token", tenant="other")
    engines = Engines(ToneSynthesizer(), ScriptedRecognizer(), LoudnessModel)
    unknown = (404, "call_id_not_found", "invalid_request_error")

    async def main() -> None:
        async with (
            asyncio.timeout(2 * LIMIT_S),
            serving(tmp_path, engines=engines, auth_secret=SECRET.decode()) as gateway,
            caller() as ada,
        ):
            secret = await secret_of(gateway, app, user="ada")
            answer = await gateway.http("POST", CALLS, ada.peer.offer_sdp, by(secret, "application/sdp"))
            await ada.peer.connect(answer.body.decode())
            resume = (await ada.event("session.created"))["session"]["bargein"]["resume_token"]
            call_id = answer.headers["location"].rpartition("/")[2]
            for key in (secret, resume, mic, foreign):
                assert await refusal(gateway, call_id, key) == unknown
            assert await refusal(gateway, "rtc_unknown", app) == unknown
            for key in (app, eve):
                headers = {"Authorization": f"Bearer {key}"}
                async with gateway.socket(f"call_id={call_id}", STOCK, additional_headers=headers) as socket:
                    await socket.get("session.created")
            over = await gateway.http("POST", f"{CALLS}/{call_id}/hangup", headers=by(app))
            assert (over.status, over.body) == (200, b"")
            await ada.until(lambda: ada.closed is not None)

    asyncio.run(main())


def test_a_call_and_what_is_attached_to_it_end_together_when_their_time_is_over(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        created = scene.browser.events[0]["session"]
        async with scene.attached() as socket:
            assert (await socket.get("session.created"))["session"]["expires_at"] == created["expires_at"]
            scene.gateway.services.lifetimes.look(created["expires_at"] + 1)
            assert (await socket.get("error"))["error"]["code"] == "session_expired"
            assert await socket.close_code() == 1001
            told = (await scene.browser.event("error"))["error"]
            assert told["message"] == "Your session hit the maximum duration of 1 minutes."
            await scene.browser.until(lambda: scene.browser.closed is not None)
        async with scene.gateway.socket(f"session={created['id']}", STOCK) as again:
            await again.get("session.created")

    acted(tmp_path, story, max_session_minutes=1)
