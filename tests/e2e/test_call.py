"""Calls over real WebRTC on loopback, against the gateway's application with engines that say what they are told.

The voice is loud noise, as the scripted speech model takes loud for voice; everything between the
caller's encoder and the conversation is real.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import uvicorn
from starlette.applications import Starlette

from gateway.app import create_app
from gateway.settings import Settings
from media.frames import MIC_FRAME, Pcm, silence
from media.leg import Engines
from media.peer import Peer, PeerOptions
from tests.media.engines import LoudnessModel, ScriptedRecognizer, ToneSynthesizer
from tests.transports.server import Server

LOUD: Pcm = np.random.default_rng(5).integers(-9000, 9000, MIC_FRAME).astype(np.int16)
SILENT: Pcm = silence(MIC_FRAME)
LIMIT_S = 20


class Caller:
    """Somebody on the phone: speaks when told to, hears, and reads the data channel."""

    def __init__(self) -> None:
        self.speaking_until = 0.0
        self.events: list[dict[str, Any]] = []
        self.heard = 0
        """Packets of the answer that were audible."""

        self.closed: str | None = None
        self._news = asyncio.Event()
        self.peer: Peer

    def pull(self) -> Pcm:
        return LOUD if asyncio.get_running_loop().time() < self.speaking_until else SILENT

    def speak(self, ms: int) -> None:
        self.speaking_until = asyncio.get_running_loop().time() + ms / 1000

    def on_audio(self, pcm: Pcm, rtp_time: int, arrival: float) -> None:
        if int(np.abs(pcm.astype(np.int32)).max()) > 500:
            self.heard += 1
            self._tell()

    def attentive(self) -> bool:
        return True

    def on_repair(self, pcm: Pcm) -> None: ...

    def on_channel_open(self) -> None: ...

    def on_message(self, text: str) -> None:
        self.events.append(json.loads(text))
        self._tell()

    def on_closed(self, reason: str) -> None:
        self.closed = reason
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not condition():
                await self._news.wait()

    def seen(self, type: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == type]

    async def event(self, type: str, number: int = 0) -> dict[str, Any]:
        await self.until(lambda: len(self.seen(type)) > number)
        return self.seen(type)[number]

    def send(self, **event: Any) -> None:
        self.peer.send(json.dumps(event))

    def ask(self, text: str, **how: Any) -> None:
        content = [{"type": "input_text", "text": text}]
        self.send(type="conversation.item.create", item={"type": "message", "role": "user", "content": content})
        self.send(type="response.create", **how)


@asynccontextmanager
async def listening(app: Starlette) -> AsyncIterator[str]:
    """*app* on a free port of loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await server.up.wait()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.end()
            await serving


@asynccontextmanager
async def served(folder: Path, *texts: str | None) -> AsyncIterator[str]:
    """The application on a free port of loopback."""
    engines = Engines(ToneSynthesizer(), ScriptedRecognizer(*texts), LoudnessModel)
    app = create_app(Settings(data=str(folder), agent="offline", synthesizer="none"), engines=engines)
    async with listening(app) as url:
        yield url


@asynccontextmanager
async def calling(url: str, query: str = "?ext=bargein.v1") -> AsyncIterator[Caller]:
    """A call that is up."""
    caller = Caller()
    caller.peer = await Peer.offer(caller, caller.pull, PeerOptions(send_rate_hz=16_000))
    async with httpx2.AsyncClient() as http:
        answer = await http.post(
            f"{url}/v1/realtime/calls{query}",
            content=caller.peer.offer_sdp,
            headers={"Content-Type": "application/sdp"},
        )
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"].startswith("/v1/realtime/calls/rtc_")
    await caller.peer.connect(answer.text)
    await caller.peer.wait_connected(10)
    await caller.event("session.created")
    try:
        yield caller
    finally:
        await caller.peer.close()


def call(
    folder: Path, story: Callable[[Caller], Awaitable[None]], *texts: str | None, query: str = "?ext=bargein.v1"
) -> None:
    async def main() -> None:
        async with served(folder, *texts) as url, calling(url, query) as caller:
            await story(caller)

    asyncio.run(main())


async def sounding(caller: Caller) -> None:
    """Wait until a long answer is well under way."""
    caller.ask("please tell me a long story")
    await caller.event("output_audio_buffer.started")
    before = caller.heard
    await caller.until(lambda: caller.heard > before + 40)


def test_talking_over_an_answer_cuts_it_to_what_was_heard(tmp_path: Path) -> None:
    async def story(caller: Caller) -> None:
        await sounding(caller)
        caller.speak(1500)
        await caller.event("output_audio_buffer.paused")
        await caller.event("input_audio_buffer.speech_started")
        truncated = await caller.event("conversation.item.truncated")
        assert truncated["heard_text"]
        assert truncated["unheard_text"]
        done = (await caller.event("response.done"))["response"]
        # The model may have finished before the cut: then there is no second end.
        assert len(caller.seen("response.done")) == 1
        assert done["status"] in ("cancelled", "completed")
        second = await caller.event("response.created", 1)
        assert second["response"]["id"] != done["id"]
        await caller.event("output_audio_buffer.started", 1)
        assert not caller.seen("output_audio_buffer.resumed")

    call(tmp_path, story, "no something else")


def test_a_cough_pauses_and_the_answer_goes_on(tmp_path: Path) -> None:
    async def story(caller: Caller) -> None:
        await sounding(caller)
        caller.speak(60)
        await caller.event("output_audio_buffer.paused")
        await caller.event("input_audio_buffer.speech_dismissed")
        await caller.event("output_audio_buffer.resumed")
        before = caller.heard
        await caller.until(lambda: caller.heard > before + 20)
        assert not caller.seen("conversation.item.truncated")
        assert not caller.seen("input_audio_buffer.speech_started")

    call(tmp_path, story)


def test_a_backchannel_pauses_and_the_answer_goes_on(tmp_path: Path) -> None:
    async def story(caller: Caller) -> None:
        await sounding(caller)
        caller.speak(400)
        await caller.event("input_audio_buffer.speech_confirmed")
        await caller.event("output_audio_buffer.resumed")
        before = caller.heard
        await caller.until(lambda: caller.heard > before + 20)
        assert not caller.seen("conversation.item.truncated")
        assert len([e for e in caller.seen("conversation.item.added") if e["item"]["role"] == "user"]) == 1

    call(tmp_path, story, "uh huh")


def test_saying_stop_silences_and_asks_nothing(tmp_path: Path) -> None:
    async def story(caller: Caller) -> None:
        await sounding(caller)
        caller.speak(400)
        await caller.event("output_audio_buffer.cleared")
        await caller.event("conversation.item.input_audio_transcription.completed")
        caller.ask("what time is it")
        await caller.event("response.created", 1)
        answered = [event["response"]["id"] for event in caller.seen("response.created")]
        assert len(answered) == 2  # the story, and the typed question: none for "stop"

    call(tmp_path, story, "stop")


def test_a_cut_with_nothing_said_after_it_goes_on_with_the_unheard_rest(tmp_path: Path) -> None:
    async def story(caller: Caller) -> None:
        await sounding(caller)
        caller.speak(1500)
        truncated = await caller.event("conversation.item.truncated")
        again = await caller.event("response.created", 1)
        assert again["response"]["continues"] == truncated["item_id"]
        rest = await caller.event("response.done", 1)
        spoken = rest["response"]["output"][0]["content"][0]["transcript"]
        assert spoken == truncated["unheard_text"].lstrip()
        await caller.event("output_audio_buffer.started", 1)

    call(tmp_path, story, "")


def test_the_stop_button_silences(tmp_path: Path) -> None:
    async def story(caller: Caller) -> None:
        await sounding(caller)
        caller.send(type="response.cancel", event_id="stop")
        await caller.event("output_audio_buffer.cleared")
        truncated = await caller.event("conversation.item.truncated")
        assert truncated["heard_text"]
        assert (await caller.event("command.accepted"))["command_id"] == "stop"
        caller.send(type="response.cancel", event_id="again")
        assert (await caller.event("command.accepted", 1))["effect"] == "none"

    call(tmp_path, story)


def test_typing_over_a_spoken_answer_cuts_it(tmp_path: Path) -> None:
    async def story(caller: Caller) -> None:
        await sounding(caller)
        caller.ask("what time is it", on_active="interrupt")
        await caller.event("output_audio_buffer.cleared")
        truncated = await caller.event("conversation.item.truncated")
        assert truncated["unheard_text"]
        await caller.event("response.created", 1)
        await caller.event("output_audio_buffer.started", 1)

    call(tmp_path, story)


def test_a_stock_client_hears_of_a_voice_only_at_the_cut(tmp_path: Path) -> None:
    async def story(caller: Caller) -> None:
        await sounding(caller)
        caller.speak(60)
        before = caller.heard
        await caller.until(lambda: caller.heard > before + 30)
        caller.speak(1500)
        await caller.event("conversation.item.truncated")
        types = {event["type"] for event in caller.events}
        assert not types & {
            "input_audio_buffer.speech_suspected",
            "input_audio_buffer.speech_confirmed",
            "input_audio_buffer.speech_dismissed",
            "output_audio_buffer.paused",
            "output_audio_buffer.resumed",
            "session.snapshot",
            "command.accepted",
        }
        assert len(caller.seen("input_audio_buffer.speech_started")) == 1

    call(tmp_path, story, "no", query="")


def test_a_lost_call_does_not_cancel_and_the_session_can_be_joined_again(tmp_path: Path) -> None:
    async def main() -> None:
        async with served(tmp_path) as url:
            async with calling(url) as first:
                await sounding(first)
                session = first.seen("session.created")[0]["session"]["id"]
            async with calling(url, f"?ext=bargein.v1&session={session}") as second:
                snapshot = await second.event("session.snapshot")
                assert [item["role"] for item in snapshot["items"]] == ["user", "assistant"]
                second.ask("what time is it", on_active="interrupt")
                await second.event("output_audio_buffer.started")

    asyncio.run(main())


def test_sound_by_event_is_refused_over_webrtc(tmp_path: Path) -> None:
    async def story(caller: Caller) -> None:
        caller.send(type="input_audio_buffer.append", audio="AAAA")
        assert (await caller.event("error"))["error"]["code"] == "invalid_event_for_transport"

    call(tmp_path, story)


def test_hanging_up_by_http_ends_the_call(tmp_path: Path) -> None:
    async def main() -> None:
        async with served(tmp_path) as url:
            caller = Caller()
            caller.peer = await Peer.offer(caller, caller.pull, PeerOptions(send_rate_hz=16_000))
            async with httpx2.AsyncClient(base_url=url) as http:
                sdp = (None, caller.peer.offer_sdp.encode(), "application/sdp")
                form = [("sdp", sdp), ("session", (None, b"{}", "application/json"))]
                answer = await http.post("/v1/realtime/calls", files=form)
                assert answer.status_code == 201
                await caller.peer.connect(answer.text)
                await caller.event("session.created")
                call_url = answer.headers["Location"]
                assert (await http.post(f"{call_url}/hangup")).status_code == 200
                await caller.until(lambda: caller.closed is not None)
                assert (await http.post(f"{call_url}/hangup")).status_code == 404
            await caller.peer.close()

    asyncio.run(main())
