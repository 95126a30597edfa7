"""``POST /v1/realtime/calls``: an SDP offer opens a call, with sound and a data channel for events."""

import asyncio
import logging
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from gateway.core.values import Settings
from gateway.errors import ProtocolViolation
from gateway.protocol.close_codes import CloseCode
from gateway.protocol.extension import SUBPROTOCOL
from gateway.runtime.actor import Actor
from gateway.transports import config as conf
from gateway.transports.connection import Connection, Services
from gateway.transports.failures import failure, refusal
from gateway.transports.offers import read_offer
from gateway.transports.requests import caller_of, session_of
from gateway.transports.telling import Caller
from gateway.transports.voice import Voice
from media.frames import Pcm
from media.peer import Peer, PeerError, PeerOptions

log = logging.getLogger(__name__)

CLIENT_BUFFER_MS: Final = 60
"""What a browser's jitter buffer holds on a quiet network; a measured value will come from RTCP."""

_OPTIONS: Final = PeerOptions(fill_pauses=True)


class Call:
    """One peer and, once its session is known, its connection. Gives the peer its ears."""

    def __init__(self, call_id: str) -> None:
        self.call_id = call_id
        self._peer: Peer | None = None
        self._connection: Connection | None = None
        self._voice: Voice | None = None
        self._messages: asyncio.Queue[str | None] = asyncio.Queue(maxsize=1024)

    async def answer(self, offer: str) -> str:
        """The SDP answer. Raises :class:`media.peer.PeerError`."""
        self._peer = await Peer.accept(offer, self, self._pull, _OPTIONS)
        return self._peer.answer_sdp

    def join(self, services: Services, actor: Actor, caller: Caller, config: conf.ConnectionConfig) -> None:
        """Connect the peer to a session."""
        connection = self._connection = Connection(
            services, actor, caller, config, holds_sound=True, send=self._send, close=self._close_soon
        )
        assert services.engines is not None, "calls are refused where there are no engines"
        voice = self._voice = Voice(
            actor,
            connection.origin,
            services.engines,
            services.clock.now,
            turns=config.turns,
            interruptible=config.interruptible,
            client_buffer_ms=CLIENT_BUFFER_MS,
        )
        connection.make_voice = lambda: voice
        connection.hear_and_speak()

    async def run(self) -> None:
        """Serve the data channel until the peer is gone."""
        assert self._connection is not None, "a call joins a session before it is served"
        try:
            while (message := await self._messages.get()) is not None:
                if message:
                    await self._connection.receive(message)
                else:
                    await self._connection.open()
        finally:
            await self._connection.aclose()
            await self.aclose()

    async def aclose(self) -> None:
        """Let go of the peer."""
        if self._peer is not None:
            await self._peer.close()

    def hang_up(self) -> None:
        """End the call."""
        while self._messages.full():
            self._messages.get_nowait()
        self._messages.put_nowait(None)

    # --- the peer's ears ---

    def on_audio(self, pcm: Pcm, rtp_time: int, arrival: float) -> None:
        if self._voice is not None:
            self._voice.hear(pcm)

    def on_repair(self, pcm: Pcm) -> None:
        if self._voice is not None:
            self._voice.repair(pcm)

    def on_channel_open(self) -> None:
        self._take("")

    def on_message(self, text: str) -> None:
        if text:
            self._take(text)

    def on_closed(self, reason: str) -> None:
        log.info("call ended", extra={"call": self.call_id, "reason": reason})
        self.hang_up()

    def _pull(self) -> Pcm | None:
        return self._voice.pull() if self._voice is not None else None

    def _take(self, message: str) -> None:
        """Queue a message. Overflow policy: disconnect, as nobody sends a thousand events at once."""
        if self._messages.full():
            self.hang_up()
        else:
            self._messages.put_nowait(message)

    def _send(self, text: str) -> None:
        if self._peer is None:
            return
        try:
            self._peer.send(text)
        except PeerError:
            self.hang_up()  # it does not read: joining again brings it up to date

    def _close_soon(self, code: CloseCode) -> None:
        self.hang_up()


class Calls:
    """The calls of this process."""

    def __init__(self) -> None:
        self._calls: dict[str, Call] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, call: Call) -> None:
        """Serve a call until it ends."""
        self._calls[call.call_id] = call
        task = asyncio.create_task(self._serve(call), name=call.call_id)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def hang_up(self, call_id: str) -> bool:
        """End a call. False for one that is unknown, or over."""
        call = self._calls.pop(call_id, None)
        if call is not None:
            call.hang_up()
        return call is not None

    async def aclose(self) -> None:
        """End every call."""
        for call in list(self._calls.values()):
            call.hang_up()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=3.0)

    async def _serve(self, call: Call) -> None:
        try:
            await call.run()
        except Exception:
            log.exception("call failed", extra={"call": call.call_id})
        finally:
            self._calls.pop(call.call_id, None)


async def create(request: Request) -> Response:
    """Answer an offer: 201, the answer as body, and the call's ``Location``."""
    services: Services = request.app.state.services
    if services.engines is None:
        return failure(503, "voice_unavailable", "This gateway serves text alone: install bargein[offline].")
    call = Call(f"rtc_{services.clock.token()}")
    extended = request.query_params.get("ext") == SUBPROTOCOL
    try:
        offer, changes = await read_offer(request)
        config = conf.updated(conf.ConnectionConfig(("audio",)), changes)
        wanted = session_of(request.query_params)
        actor = await services.registry.find(wanted) if wanted is not None else None
        if wanted is not None and actor is None:
            return failure(404, "session_not_found", "There is no session with this id.")
        answer = await call.answer(offer)
    except ProtocolViolation as violation:
        return refusal(violation)
    except PeerError as error:
        return failure(400, error.code, str(error))
    if actor is None:  # opened last: an offer that cannot be answered must not leave a session behind
        actor = await services.registry.open(conf.shared(Settings(instructions=services.instructions), changes))
    call.join(services, actor, caller_of(request.query_params, services.clock, extended=extended), config)
    request.app.state.calls.start(call)
    headers = {"Location": f"/v1/realtime/calls/{call.call_id}", "Access-Control-Expose-Headers": "Location"}
    return PlainTextResponse(answer, 201, headers, media_type="application/sdp")


async def hang_up(request: Request) -> Response:
    """End a call. 404 for one that is unknown, or over."""
    if request.app.state.calls.hang_up(request.path_params["call_id"]):
        return Response(status_code=200)
    return failure(404, "call_id_not_found", "There is no call with this id.")
