"""A connection that lives for one command: what is posted over HTTP takes the way that every command takes."""

import asyncio
from collections.abc import Sequence
from typing import Final

from gateway.core import events as ev
from gateway.core.values import Failure
from gateway.errors import ProtocolViolation, StoreError
from gateway.protocol import extension as ext, realtime as rt
from gateway.protocol.close_codes import CloseCode
from gateway.runtime.actor import Actor
from gateway.runtime.ports import Published, Verdict
from gateway.transports.config import ConnectionConfig, of_the_connection
from gateway.transports.connection import Connection, Services
from gateway.transports.measure import COMMANDS
from gateway.transports.telling import Caller

POSTED: Final = COMMANDS
"""Client events that mean something without a microphone, a loudspeaker or a place in the stream: the commands."""

PATIENCE_S: Final = 30.0
"""How long the log may take. Who posted with an idempotency key may then post again, and learns what became of it."""


class Refused(ProtocolViolation):
    """The session did not take a command, which was well formed."""

    def __init__(self, failure: Failure, param: str | None, event_id: str | None) -> None:
        super().__init__(failure.code, failure.message, param=param, event_id=event_id)


class Errand(Connection):
    """Give one command to a session, and learn what became of it. It is told nothing else, and joins nobody."""

    def __init__(self, services: Services, actor: Actor, caller: Caller) -> None:
        super().__init__(
            services, actor, caller, ConnectionConfig(("text",)), holds_sound=False, send=_ignore, close=_ignore
        )
        self._outcome: asyncio.Future[Verdict | Refused | StoreError] = asyncio.get_running_loop().create_future()

    async def run(self, event: ext.AnyClientEvent) -> Verdict:
        """Give the command that *event* is.

        Raises :class:`Refused`, other :class:`gateway.errors.ProtocolViolation`, :class:`gateway.errors.StoreError`
        and ``SessionEnded``.
        """
        _check(event)
        self.actor.attach(self.caller.leg, self)
        try:
            await self.take(event)
            async with asyncio.timeout(PATIENCE_S):
                outcome = await self._outcome
        except TimeoutError:
            raise StoreError("store_unavailable", "the log did not take a command in time") from None
        finally:
            await self.aclose()
        if isinstance(outcome, Verdict):
            return outcome
        raise outcome

    def publish(self, batch: Sequence[Published]) -> None:
        for published in batch:
            event = published.event
            if isinstance(event, ev.CommandRejected) and event.leg == self.caller.leg:
                self._settle(Refused(event.failure, event.param, event.command or None))

    def accept(self, verdict: Verdict) -> None:
        self._settle(verdict)

    def end(self, code: str) -> None:
        self._settle(StoreError("store_unavailable", f"the session ended: {code}"))

    def _settle(self, outcome: Verdict | Refused | StoreError) -> None:
        if not self._outcome.done():
            self._outcome.set_result(outcome)


def _ignore(_told: str | CloseCode) -> None:
    """Nobody listens."""


def _check(event: ext.AnyClientEvent) -> None:
    if not isinstance(event, POSTED) or (isinstance(event, ext.QueueUpdate) and event.action == "list"):
        message = "This event means something only on a WebSocket or a call."
        raise ProtocolViolation("invalid_event_for_transport", message, param="type", event_id=event.event_id or None)
    if isinstance(event, rt.SessionUpdate):
        _check_shared(event)


def _check_shared(event: rt.SessionUpdate) -> None:
    """A request has neither turns nor modalities of its own."""
    param = next(of_the_connection(event.session), None)
    if param is not None:
        message = "This belongs to a connection, and a request is none."
        raise ProtocolViolation("invalid_event_for_transport", message, param=param, event_id=event.event_id or None)
