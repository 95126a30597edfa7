"""``GET /v1/realtime``: Realtime over a WebSocket, text and sound both ways."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from gateway.errors import AuthError, ProtocolViolation, StoreError
from gateway.protocol import beta, realtime as rt
from gateway.protocol.close_codes import CloseCode
from gateway.protocol.extension import SUBPROTOCOL
from gateway.runtime.outbox import Outbox
from gateway.transports.admission import SHED, Overloaded, Place, overloaded
from gateway.transports.config import ConnectionConfig, shared, updated
from gateway.transports.connection import Connection, Services
from gateway.transports.crowd import guest_of
from gateway.transports.doors import enter, visitor_of
from gateway.transports.lifetime import EXPIRED
from gateway.transports.manner import manner_of
from gateway.transports.offers import changes_of
from gateway.transports.pump import SocketPump
from gateway.transports.requests import caller_of, session_of
from gateway.transports.sideband import Attachment, attachable
from gateway.transports.telling import Caller
from gateway.transports.transcribing import intended
from gateway.transports.voice import Voice
from gateway.transports.webrtc import no_call

log = logging.getLogger(__name__)

STOCK_LEAD_MS: Final = 1000
"""How far ahead of the clock sound is sent to a stock client: its jitter, against what it plays of a cut answer."""

EXTENDED_LEAD_MS: Final = 200

CLOSES: Final = {
    "session_not_found": CloseCode.SESSION_NOT_FOUND,
    "invalid_api_key": CloseCode.UNAUTHORISED,
}
"""Codes with which nobody comes into a session, and how their connections are closed."""

DEVICE_MS: Final = 60
"""From our sending to a device's playing what it does not queue: the way there and its sound card. A client's
``playback.report`` tells better."""


async def realtime(websocket: WebSocket) -> None:
    """One connection, from its handshake to its end. Refused where there is no place for it."""
    services: Services = websocket.app.state.services
    offered = websocket.scope.get("subprotocols", [])
    chosen = next((name for name in (SUBPROTOCOL, "realtime") if name in offered), None)
    call_id = websocket.query_params.get("call_id")
    # An extended client says when it wants to speak, and what is attached to a call speaks by that.
    speaks = chosen != SUBPROTOCOL and services.engines is not None and call_id is None
    with contextlib.ExitStack() as places:
        try:
            places.callback(services.admission.connection(guest_of(websocket)).leave)
            place = services.admission.call() if speaks else None
        except Overloaded as error:
            await websocket.send_denial_response(overloaded(error))
            return
        if place is not None:
            places.callback(place.leave)
        if call_id is None:
            await _serve(websocket, services, chosen, place)
        else:
            await _attach(websocket, services, chosen, call_id)


async def _attach(websocket: WebSocket, services: Services, chosen: str | None, call_id: str) -> None:
    if attachable(websocket, call_id) is None:
        await websocket.send_denial_response(no_call())
        return
    await websocket.accept(subprotocol=chosen)
    found = attachable(websocket, call_id)
    if found is None:  # the call has ended meanwhile
        await websocket.close(CloseCode.CALL_ENDED, CloseCode.CALL_ENDED.name.lower())
        return
    call, entry = found
    caller = caller_of(websocket.query_params, services.clock, entry, extended=chosen == SUBPROTOCOL)
    socket = _Socket(websocket)
    attached = Attachment(services, call, caller, send=socket.send, close=socket.close_soon)
    attached.teller.drained = socket.drained
    await _Call(services, caller, attached, None).run(socket)


async def _serve(websocket: WebSocket, services: Services, chosen: str | None, place: Place | None) -> None:
    await websocket.accept(subprotocol=chosen)
    wanted = session_of(websocket.query_params)
    settings = services.begin(websocket.query_params.get("model", ""))
    changes = changes_of(visitor_of(websocket).config)
    try:
        entry = await enter(websocket, services.registry, wanted, shared(settings, changes, services.names))
    except StoreError as error:
        log.warning("a session could not be had", extra={"code": error.code})
        await _refuse(websocket, CloseCode.INTERNAL_ERROR, error.code, "The log of sessions cannot be read or written.")
        return
    except (AuthError, ProtocolViolation) as error:
        await _refuse(websocket, CLOSES.get(error.code, CloseCode.FORBIDDEN), error.code, str(error))
        return
    caller = caller_of(websocket.query_params, services.clock, entry, extended=chosen == SUBPROTOCOL)
    socket = _Socket(websocket)
    config = intended(websocket.query_params, ConnectionConfig(("text",) if caller.extended else ("audio",)))
    config = updated(config, changes)
    connection = Connection(
        services, entry.actor, caller, config, holds_sound=False, send=socket.send, close=socket.close_soon
    )
    connection.teller.drained = socket.drained
    connection.lifetime = services.lifetimes.begin()
    serving = _Call(services, caller, connection, place)
    serving.beta = beta.asked_for(websocket.headers.items(), websocket.scope.get("subprotocols", []))
    connection.make_voice = serving.make_voice
    connection.takes_audio = True
    await serving.run(socket)


async def _refuse(websocket: WebSocket, close: CloseCode, code: str, message: str) -> None:
    error = rt.Error(event_id="event_1", error=rt.ErrorDetail("invalid_request_error", code, message))
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # it may have hung up before
        await websocket.send_text(rt.encode(error))
        await websocket.close(close, code)


class _Socket:
    """The sending half of a WebSocket, behind a bounded outbox."""

    def __init__(self, websocket: WebSocket) -> None:
        self.websocket = websocket
        self.says = ""
        """Why it is closed; the name of the code where nothing is said."""

        self._outbox = Outbox()
        self._code = CloseCode.GOING_AWAY

    def send(self, text: str) -> None:
        """Queue an event. A client that does not read is let go."""
        if not self._outbox.put(text):
            self._code = CloseCode.SLOW_CONSUMER

    async def drained(self) -> None:
        """Wait until the client has been sent all that is queued."""
        await self._outbox.drained()

    def close_soon(self, code: CloseCode) -> None:
        """Close, after what was queued before, unless its client may no longer read that."""
        self._code = code
        if code in (CloseCode.FORBIDDEN, CloseCode.UNAUTHORISED):
            self._outbox.cut()
        else:
            self._outbox.close()

    async def write(self) -> None:
        """Send what is queued until the outbox is closed, then close the socket."""
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, OSError):
            while (text := await self._outbox.get()) is not None:
                await self.websocket.send_text(text)
            if self.websocket.application_state is not WebSocketState.DISCONNECTED:
                await self.websocket.close(self._code, self.says or self._code.name.lower())


def _says_goodbye(message: Mapping[str, Any]) -> bool:
    """Did the client close the socket, other than because its page goes away (1001), as for a reload?

    Only a close frame has a reason: of a socket that is lost uvicorn tells the code 1005 too.
    """
    return message.get("code") in (1000, 1005) and "reason" in message


class _Call:
    """The tasks of one connection: reading, writing and, once it speaks, pumping sound."""

    def __init__(self, services: Services, caller: Caller, connection: Connection, place: Place | None) -> None:
        self._place = place
        self._services = services
        self._caller = caller
        self._connection = connection
        self._pump: asyncio.Task[None] | None = None
        self._goodbye = False
        """True once the client has closed the socket itself, and for good."""

        self.beta = False
        """True for a client that asks for the beta of the protocol, and may get on without it."""

    def make_voice(self) -> Voice:
        """Ears and a mouth for a client that wants to hear. Raises ``ProtocolViolation`` where there is no place."""
        self._place = self._place or self._services.admission.call()
        self._place.end = self._shed
        extended = self._caller.extended
        lead_ms = EXTENDED_LEAD_MS if extended else STOCK_LEAD_MS
        pump = SocketPump(
            self._connection.teller.tell_sound,
            lead_ms=lead_ms,
            client_pauses=extended,
            form=lambda: self._connection.config.output_format,
        )
        assert self._services.engines is not None, "make_voice is asked only where there are engines"
        voice = Voice(
            self._connection.actor,
            self._connection.origin,
            self._services.engines,
            self._services.clock.now,
            turns=self._connection.config.turns,
            interruptible=self._connection.permit.interrupts(self._connection.config.interruptible),
            client_buffer_ms=DEVICE_MS,
            on_sound=pump.sounds,
            recalls=extended,
            room=self._services.rooms.of(self._connection.actor),
            manner=lambda: manner_of(self._connection, self._services.names),
        )
        self._pump = asyncio.create_task(pump.run(voice), name="pump")
        return voice

    def _shed(self) -> None:
        """End for the others' sake. The client may come back at once and go on by text."""
        self._connection.give_notice("overloaded", SHED)
        self._connection.end_soon(CloseCode.OVERLOADED)

    def _expire(self, socket: _Socket) -> None:
        """The client may come back with ``?session=``."""
        why = self._services.lifetimes.sentence
        self._end(socket, CloseCode.GOING_AWAY, EXPIRED, why, why)

    def _end(self, socket: _Socket, code: CloseCode, error: str, message: str, reason: str) -> None:
        """End in OpenAI's own way: with an error, and a close frame that says why."""
        socket.says = reason
        self._connection.give_notice(error, message, "invalid_request_error")
        self._connection.end_soon(code)

    async def run(self, socket: _Socket) -> None:
        """Until either side closes, or its time is over."""
        lifetimes, lifetime = self._services.lifetimes, self._connection.lifetime
        expire = partial(self._expire, socket)
        lifetimes.watch(lifetime, expire)
        writer = asyncio.create_task(socket.write(), name="writer")
        reader = asyncio.create_task(self._read(socket), name="reader")
        try:
            await asyncio.wait((writer, reader), return_when=asyncio.FIRST_COMPLETED)
        finally:
            tasks = [task for task in (reader, writer, self._pump) if task is not None]
            for task in tasks:
                task.cancel()
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(result, Exception):
                    log.error("connection failed", exc_info=result)
            lifetimes.leave(lifetime, expire)
            await self._connection.aclose(goodbye=self._goodbye)
            if self._place is not None:
                self._place.leave()

    async def _read(self, socket: _Socket) -> None:
        await self._connection.open()
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                message = await socket.websocket.receive()
                if message["type"] == "websocket.disconnect":
                    self._goodbye = _says_goodbye(message)
                    return
                text = message.get("text")
                data: str | bytes = text if text is not None else message["bytes"]
                if self.beta and beta.spoken(data):
                    self._end(socket, CloseCode.BETA_SHAPE, beta.CODE, beta.MESSAGE, beta.REASON)
                    self.beta = False
                else:
                    await self._connection.receive(data)
