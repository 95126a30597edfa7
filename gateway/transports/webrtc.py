"""``POST /v1/realtime/calls``: an SDP offer opens a call, or another one goes on with it. Sound, and a data channel."""

import asyncio
import logging
from contextlib import suppress
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from gateway.auth.principal import Principal
from gateway.auth.rights import Right
from gateway.errors import AuthError, GatewayError, ProtocolViolation, StoreError
from gateway.protocol.close_codes import CloseCode
from gateway.protocol.extension import SUBPROTOCOL
from gateway.protocol.frames import MOST_BYTES
from gateway.runtime.actor import Actor
from gateway.transports import config as conf, presence
from gateway.transports.admission import SHED, Place, admitted
from gateway.transports.connection import Connection, Services
from gateway.transports.doors import authority_of, enter, found, visitor_of
from gateway.transports.failures import failure, refusal
from gateway.transports.lifetime import EXPIRED, Lifetimes
from gateway.transports.manner import manner_of
from gateway.transports.network import Network, Offers
from gateway.transports.offers import changes_of, read_offer
from gateway.transports.paths import Paths
from gateway.transports.permits import demand
from gateway.transports.requests import caller_of, session_of
from gateway.transports.telling import Caller
from gateway.transports.voice import Voice
from media.frames import Pcm
from media.peer import PeerError, PeerOptions

log = logging.getLogger(__name__)

CLIENT_BUFFER_MS: Final = 60
"""What a browser's jitter buffer holds on a quiet network, until the client itself says (``playback.report``)."""

_WAY_EVERY: Final = 50
"""Frames between two looks at the round trip, which RTCP measures about once a second."""


SNAPSHOT_BYTES: Final = 48 * 1024
"""What fits into a message for every client: one that does not say how much it takes, takes 64 KiB (RFC 8841, 6.1)."""

LOW_BYTES: Final = 256 * 1024
DRAINED_WITHIN_S: Final = 5.0

NOTICE_S: Final = 0.3
"""How long a call that is shed goes on, so that its client reads why."""


class Call:
    """A client's peers and, once its session is known, its connection. Gives the peers their ears."""

    def __init__(self, call_id: str, owner: Principal) -> None:
        self.call_id = call_id
        self._owner = owner
        self._paths = Paths(self, self._pull, self._on_gap)
        self.connection: Connection | None = None
        """Its client's; None before its session is known."""

        self._voice: Voice | None = None
        self._pulled = 0
        self._arrived: float | None = None
        """When the microphone's last packet came: the device's last sign of life."""
        self._place: Place | None = None
        self._lifetimes = Lifetimes()
        self._goodbye = False
        self._messages: asyncio.Queue[str | None] = asyncio.Queue(maxsize=1024)

    async def answer(self, offer: str, options: PeerOptions) -> str:
        """The SDP answer, to the first offer or to one with which the client goes on with this call.

        Raises :class:`media.peer.PeerError`.
        """
        return await self._paths.add(offer, options)

    def belongs_to(self, principal: Principal) -> bool:
        """May *principal* go on with it, or end it? Who placed it may, from any of their devices."""
        return (self._owner.tenant, self._owner.user) == (principal.tenant, principal.user)

    def join(self, services: Services, actor: Actor, caller: Caller, config: conf.ConnectionConfig) -> None:
        """Connect the peer to a session."""
        connection = self.connection = Connection(
            services, actor, caller, config, holds_sound=True, send=self._send, close=self._close_soon
        )
        connection.teller.drained = self._drained
        connection.teller.most_bytes = SNAPSHOT_BYTES
        connection.teller.most_frame_bytes = lambda: min(self._paths.message_bytes or MOST_BYTES, MOST_BYTES)
        assert services.engines is not None, "calls are refused where there are no engines"
        voice = self._voice = Voice(
            actor,
            connection.origin,
            services.engines,
            services.clock.now,
            turns=config.turns,
            interruptible=connection.permit.interrupts(config.interruptible),
            client_buffer_ms=CLIENT_BUFFER_MS,
            room=services.rooms.of(actor),
            manner=lambda: manner_of(connection, services.names),
        )
        connection.make_voice = lambda: voice
        connection.hear_and_speak()
        self._lifetimes = services.lifetimes
        connection.lifetime = self._lifetimes.begin()
        self._lifetimes.watch(connection.lifetime, self._expire)

    async def run(self) -> None:
        """Serve the data channel until the peer is gone."""
        assert self.connection is not None, "a call joins a session before it is served"
        while (message := await self._messages.get()) is not None:
            if message:
                await self.connection.receive(message)
            else:
                await self.connection.open()

    async def aclose(self) -> None:
        """Close what is attached, leave the session, and let go of the peers."""
        if self.connection is not None:
            self._lifetimes.leave(self.connection.lifetime, self._expire)
            for attached in self.connection.together[1:]:
                attached.close(CloseCode.CALL_ENDED)
            await self.connection.aclose(goodbye=self._goodbye)
        if self._place is not None:
            self._place.leave()
        await self._paths.close()

    def take(self, place: Place) -> None:
        """Sit on *place* until the call is over."""
        self._place, place.end = place, self.shed

    def shed(self) -> None:
        """End the call for the others' sake: its client is told why, then it is hung up."""
        self._end_soon("overloaded", SHED)

    def _expire(self) -> None:
        self._end_soon(EXPIRED, self._lifetimes.sentence, "invalid_request_error")

    def _end_soon(self, code: str, why: str, kind: str = "server_error") -> None:
        if self.connection is not None:
            self.connection.give_notice(code, why, kind)
        asyncio.get_running_loop().call_later(NOTICE_S, self.hang_up)

    def hang_up(self, *, goodbye: bool = False) -> None:
        """End the call; *goodbye* when its client wants it."""
        self._goodbye = self._goodbye or goodbye
        while self._messages.full():
            self._messages.get_nowait()
        self._messages.put_nowait(None)

    # --- the peer's ears ---

    def on_audio(self, pcm: Pcm, rtp_time: int, arrival: float) -> None:
        self._arrived = arrival
        if self._voice is not None and self._voice_may(Right.SEND):
            self._voice.hear(pcm)

    def attentive(self) -> bool:
        return self._voice is not None and self._voice.attentive

    def on_repair(self, pcm: Pcm) -> None:
        if self._voice is not None and self._voice_may(Right.SEND):
            self._voice.repair(pcm)

    def on_channel_open(self) -> None:
        self._take("")

    def on_message(self, text: str) -> None:
        if text:
            self._take(text)

    def on_closed(self, reason: str) -> None:
        log.info("call ended", extra={"call": self.call_id, "reason": reason})
        if reason == "disconnected" and self._voice is not None and self._arrived is not None:
            self._voice.device.lost_since((asyncio.get_running_loop().time() - self._arrived) * 1000)
        self.hang_up()  # no goodbye: a page that is reloaded closes its peer too

    def _on_gap(self, broken: bool) -> None:
        if self.connection is not None:
            tell = presence.lose if broken else presence.join
            tell(self.connection.actor, self.connection.caller)

    def _voice_may(self, right: Right) -> bool:
        return self.connection is not None and self.connection.caller.access.may(right)

    def _pull(self) -> Pcm | None:
        if self._voice is None:
            return None
        self._pulled += 1
        if self._pulled % _WAY_EVERY == 0 and (stats := self._paths.stats()) is not None:
            self._voice.device.round_trip(stats.round_trip_ms)
        return self._voice.pull()

    def _take(self, message: str) -> None:
        """Queue a message. Overflow policy: disconnect, as nobody sends a thousand events at once."""
        if self._messages.full():
            self.hang_up()
        else:
            self._messages.put_nowait(message)

    def _send(self, text: str) -> None:
        try:
            self._paths.send(text)
        except PeerError:
            self.hang_up()  # it does not read: joining again brings it up to date

    async def _drained(self) -> None:
        """Wait until little is under way, so that a long history does not fill the channel."""
        with suppress(TimeoutError):  # a channel that does not drain is noticed when it is full, or dead
            async with asyncio.timeout(DRAINED_WITHIN_S):
                while self._paths.waiting_bytes > LOW_BYTES:  # noqa: ASYNC110 - a peer that is replaced tells nobody
                    await asyncio.sleep(0.02)

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

    def get(self, call_id: str) -> Call | None:
        """A call that goes on."""
        return self._calls.get(call_id)

    def hang_up(self, call_id: str) -> bool:
        """End a call. False for one that is unknown, or over."""
        call = self._calls.pop(call_id, None)
        if call is not None:
            call.hang_up(goodbye=True)
        return call is not None

    async def aclose(self) -> None:
        """End every call."""
        for call in list(self._calls.values()):
            call.hang_up()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=3.0)

    async def _serve(self, call: Call) -> None:
        try:
            try:
                await call.run()
            finally:
                self._calls.pop(call.call_id, None)  # first: nobody shall attach to what ends
                await call.aclose()
        except Exception:
            log.exception("call failed", extra={"call": call.call_id})


@admitted
async def create(request: Request) -> Response:
    """Answer an offer: 201, the answer as body, and the call's ``Location``."""
    services: Services = request.app.state.services
    if (refused := _refusal(request)) is not None:
        return refused
    visitor = visitor_of(request)
    call = Call(f"rtc_{services.clock.token()}", visitor.principal)
    extended = request.query_params.get("ext") == SUBPROTOCOL
    try:
        offer, changes = await read_offer(request)
        known = changes_of(visitor.config)
        model = changes.model or known.model or request.query_params.get("model", "")
        settings = conf.shared(services.begin(model), known, services.names)
        config = conf.updated(conf.updated(conf.ConnectionConfig(("audio",)), known), changes)
        wanted = session_of(request.query_params) or visitor.principal.bound
        if wanted is not None:
            _, rights = await found(request, services.registry, wanted)
            demand(rights, Right.READ)
        else:
            demand(authority_of(request).rights_to_open(visitor.principal), Right.READ, Right.SEND)
        answer = await call.answer(offer, _options(request))
        # Entered last: an offer that cannot be answered must not leave a session behind, or use a secret up.
        entry = await enter(request, services.registry, wanted, conf.shared(settings, changes, services.names))
    except (AuthError, ProtocolViolation, StoreError, PeerError) as error:
        await call.aclose()
        return _no_answer(error)
    call.join(services, entry.actor, caller_of(request.query_params, services.clock, entry, extended=extended), config)
    call.take(request.state.place)
    request.app.state.calls.start(call)
    return _answered(201, call, answer)


async def go_on(request: Request) -> Response:
    """Answer an offer that is to replace the peer of a call: 200. The call goes on over the new peer when that is
    connected, and over the old one until then."""
    if (refused := _refusal(request)) is not None:
        return refused
    call: Call | None = request.app.state.calls.get(request.path_params["call_id"])
    if call is None or not call.belongs_to(visitor_of(request).principal):
        return no_call()
    try:
        offer, _ = await read_offer(request)
        return _answered(200, call, await call.answer(offer, _options(request)))
    except (ProtocolViolation, PeerError) as error:
        return _no_answer(error)


def _refusal(request: Request) -> Response | None:
    services: Services = request.app.state.services
    offers: Offers = request.app.state.offers
    if services.engines is None:
        return failure(503, "voice_unavailable", "This gateway serves text alone: install bargein[offline].")
    return offers.refusal(request)


def _options(request: Request) -> PeerOptions:
    network: Network = request.app.state.network
    services: Services = request.app.state.services
    return network.options(services.clock.wall())


def _answered(status: int, call: Call, answer: str) -> Response:
    headers = {"Location": f"/v1/realtime/calls/{call.call_id}", "Access-Control-Expose-Headers": "Location"}
    return PlainTextResponse(answer, status, headers, media_type="application/sdp")


def _no_answer(error: GatewayError | PeerError) -> Response:
    if not isinstance(error, PeerError):
        return refusal(error)
    if error.code == "closed":
        return no_call()
    return failure(503 if error.code == "no_udp_port" else 400, error.code, str(error))


def no_call() -> Response:
    """404 for a call that is unknown, over, or somebody else's."""
    return failure(404, "call_id_not_found", "There is no call with this id.")


async def hang_up(request: Request) -> Response:
    """End a call. 404 for one that is unknown, or over."""
    calls: Calls = request.app.state.calls
    call = calls.get(request.path_params["call_id"])
    if call is not None and _may_end(request, call) and calls.hang_up(call.call_id):
        return Response(status_code=200)
    return no_call()


def _may_end(request: Request, call: Call) -> bool:
    """Who placed it, and who administers its session: an app's server, for a browser that it gave a secret."""
    principal, connection = visitor_of(request).principal, call.connection
    if call.belongs_to(principal):
        return True
    if connection is None or connection.actor.tenant != principal.tenant:
        return False
    actor = connection.actor
    return Right.ADMINISTER in authority_of(request).rights(principal, actor.session_id, actor.opened_by)


async def telephone(_request: Request) -> Response:
    """What can be done with a call that came over SIP: there is none here, and no client shall try again."""
    return failure(404, "sip_not_supported", "This gateway takes calls over WebRTC, none over SIP.")
