"""``?call_id=rtc_…``: a WebSocket beside a call, by which a server follows and steers what a browser's call does."""

from collections.abc import Callable

from starlette.requests import HTTPConnection

from gateway.auth.rights import Right
from gateway.protocol import extension as ext, realtime as rt
from gateway.protocol.close_codes import CloseCode
from gateway.transports.config import ConnectionConfig
from gateway.transports.connection import Connection, Services
from gateway.transports.doors import Entry, authority_of, visitor_of
from gateway.transports.telling import Caller
from gateway.transports.voice import Voice
from gateway.transports.webrtc import Calls


class Attachment(Connection):
    """Is told what the call's own client is told, and commands the same session: a member of nobody's company, without
    sound of its own. Microphone, turn detection and modalities are those of the call, for both."""

    def __init__(
        self,
        services: Services,
        call: Connection,
        caller: Caller,
        *,
        send: Callable[[str], None],
        close: Callable[[CloseCode], None],
    ) -> None:
        self._call = call
        super().__init__(services, call.actor, caller, call.config, holds_sound=True, send=send, close=close)
        self.present = False
        self.lifetime = call.lifetime
        self.together = call.together
        self.together.append(self)

    @property
    def config(self) -> ConnectionConfig:
        """The call's."""
        return self._call.config

    @config.setter
    def config(self, config: ConnectionConfig) -> None:
        self._call.config = config

    @property
    def voice(self) -> Voice | None:
        """The call's."""
        return self._call.voice

    @voice.setter
    def voice(self, voice: Voice | None) -> None:
        assert voice is None, "a call has its voice, and what is attached to it brings none"

    def listen(self, event: rt.AudioAppend | rt.AudioCommit | rt.AudioClear | ext.PushToTalk | ext.Mute) -> None:
        """What concerns the microphone is the call's."""
        self._call.listen(event)

    def listen_anew(self, voice: Voice, before: ConnectionConfig) -> None:
        """So is how turns are detected."""
        self._call.listen_anew(voice, before)

    async def aclose(self, *, goodbye: bool = False) -> None:
        """Leave the call, which goes on."""
        self.permit.end()
        if self in self.together:
            self.together.remove(self)
        self.actor.leave(self.origin, goodbye=True)


def attachable(connection: HTTPConnection, call_id: str) -> tuple[Connection, Entry] | None:
    """A call that goes on, and the rights of who asks in its session.

    None for a call that is unknown, or over, or in whose session who asks may not read; and, as at OpenAI, for a
    client secret and what follows from one: they are a browser's, and it has its call.
    """
    calls: Calls = connection.app.state.calls
    call, visitor = calls.get(call_id), visitor_of(connection)
    if call is None or call.connection is None or visitor.value:
        return None
    actor, principal = call.connection.actor, visitor.principal
    access = authority_of(connection).access(principal, actor.session_id, actor.opened_by)
    if actor.tenant != principal.tenant or not access.may(Right.READ):
        return None
    return call.connection, Entry(actor, access, "")
