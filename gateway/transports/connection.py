"""One Realtime connection of a session, whatever carries it.

A transport hands in what the client sent (:meth:`Connection.receive`) and gives a way to send and
to close. In between: events are decoded and become commands of the session, or settings of this
connection; what the session publishes becomes wire events, numbered for this client.
"""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from msgspec import UNSET

from gateway.auth.authority import Authority
from gateway.auth.rights import Right
from gateway.core import inputs as inp
from gateway.core.state import State
from gateway.core.values import Context, Settings
from gateway.errors import ProtocolViolation, StoreError
from gateway.protocol import extension as ext, floor, realtime as rt
from gateway.protocol.close_codes import CloseCode
from gateway.protocol.decoding import Limits, decode
from gateway.protocol.messages import TreeRetrieve
from gateway.runtime.actor import Actor, Origin, SessionEnded
from gateway.runtime.clock import Clock
from gateway.runtime.ports import Published, Store, Verdict
from gateway.runtime.registry import Registry
from gateway.transports import config as conf, effective, hands, looking, presence, transcribing
from gateway.transports.admission import Admission
from gateway.transports.commands import accepted, command, digest, nowhere, options, request
from gateway.transports.flood import Bucket
from gateway.transports.lifetime import Lifetime, Lifetimes
from gateway.transports.measure import Measure
from gateway.transports.microphone import Microphone
from gateway.transports.names import Names
from gateway.transports.permits import Permit, Refused
from gateway.transports.room import Rooms
from gateway.transports.storm import Storm
from gateway.transports.telling import Caller, Teller
from gateway.transports.voice import Voice
from media.leg import Engines

log = logging.getLogger(__name__)

EVENTS_A_SECOND: Final = 200.0
"""A microphone sends 50 appends a second, a person a few events; more than this is no conversation."""

STOPS_A_SECOND: Final = 5.0
"""What may stop an answer has a measure of its own, so that no flood of anything else keeps it out."""

STOPS: Final = ("response.cancel", "output_audio_buffer.clear")

OURS: Final = ("voice_unavailable", "overloaded")
"""Codes for what no client is to blame for."""

ERRORS_A_SECOND: Final = 2.0
ERRORS_AT_ONCE: Final = 40.0


@dataclass(frozen=True, slots=True)
class Services:
    """What every connection needs, made once."""

    registry: Registry
    store: Store
    clock: Clock
    limits: Limits
    engines: Engines | None
    """None when the gateway serves text alone."""

    about: dict[str, Any]
    """Who speaks, who listens: for people, in ``session.bargein``."""

    admission: Admission

    instructions: str = ""
    """What a session begins with, where its client gives nothing else."""

    context: Context = field(default_factory=Context)
    """What of a long conversation models are given, where its session says nothing else."""

    rooms: Rooms = field(default_factory=Rooms)
    """Where the devices of one session may hear each other."""

    authority: Authority | None = None
    """Tells connections when their rights change; None where nobody takes any away."""

    storm: Storm = field(default_factory=Storm)

    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    """How long a connection may last."""

    commands_a_second: int = 0
    """Of each connection, beside what stops an answer; 0 for any number."""

    names: Names = field(default_factory=Names)

    def begin(self, model: str = "") -> Settings:
        """What a session begins with whose client asked for *model*."""
        plain = Settings(self.names.models.first(model), self.instructions, self.names.voices.default)
        return replace(plain, context=self.context)


class Connection:
    """Implements :class:`gateway.runtime.ports.Subscriber`."""

    def __init__(
        self,
        services: Services,
        actor: Actor,
        caller: Caller,
        config: conf.ConnectionConfig,
        *,
        holds_sound: bool,
        send: Callable[[str], None],
        close: Callable[[CloseCode], None],
    ) -> None:
        self.actor = actor
        self.caller = caller
        self.config = config
        self.voice: Voice | None = None
        self.make_voice: Callable[[], Voice] | None = None
        """Gives this connection a mouth when its client wants to hear; None when it has none to give.

        Raises :class:`gateway.errors.ProtocolViolation` when there is no place for another call.
        """

        self.present = True
        """False for a reader that is no device which others would want to know of."""

        self.takes_audio = False
        """True when sound comes as ``input_audio_buffer.append``, and goes as ``response.output_audio.delta``."""

        self.together: list[Connection] = [self]
        """It, and those who share its microphone and its settings: the connections of one call."""

        self.lifetime = Lifetime(math.inf)

        self._services = services
        self.close = close
        self._buffered = holds_sound or caller.extended
        """True when a pause of this client's loudspeaker can be taken back."""

        self.teller = Teller(services.store, actor, caller, self.session, buffered=self._buffered, send=send)
        self.teller.heed(lambda: self.config.transcription is not None, lambda: self.config.converses)
        tell = self.teller.tell if caller.extended else None
        self.permit = Permit(caller.access, services.authority, tell, close)
        self.teller.retry_after_ms = lambda: services.storm.resumed(services.clock.now())
        self._microphone = Microphone(config.input_format)
        self._events = Bucket(EVENTS_A_SECOND, EVENTS_A_SECOND)
        self._stops = Bucket(STOPS_A_SECOND, STOPS_A_SECOND)
        self._commands = Measure(services.commands_a_second)
        self._errors = Bucket(ERRORS_A_SECOND, ERRORS_AT_ONCE)

    # --- beginning and end ---

    async def open(self) -> None:
        """Join the session and bring the client up to date."""
        self.teller.sends_sound = self.takes_audio and not self.caller.extended
        self.permit.begin()
        if self.present:
            presence.join(self.actor, self.caller)
        try:
            await self.teller.greet(await self.actor.join(self.caller.leg, self))
        except (StoreError, SessionEnded):
            self._give_up()

    def give_notice(self, code: str, message: str, kind: str = "server_error") -> None:
        """Tell the client why its connection is about to end."""
        self.teller.tell(rt.Error(error=rt.ErrorDetail(kind, code, message)))

    def end_soon(self, code: CloseCode) -> None:
        """Close, after what the client was told before. There is nothing wrong with it, so that it is to come back."""
        if self.caller.extended:
            wait_ms = self._services.storm.leaving(self._services.admission.connections)
            self.teller.tell(ext.SessionClosing(reason=code.name.lower(), retry_after_ms=wait_ms))
        self.close(code)

    def _give_up(self) -> None:
        session = self.actor.session_id
        log.warning("a connection could not be served any more", extra={"session": session}, exc_info=True)
        self.end_soon(CloseCode.INTERNAL_ERROR)

    async def aclose(self, *, goodbye: bool = False) -> None:
        """Leave the session. Nothing is cancelled by that. *goodbye*: its client said that it goes."""
        self.permit.end()
        if self.voice is not None:
            await self.voice.aclose()
        self.actor.leave(self.origin, goodbye=goodbye)

    @property
    def origin(self) -> Origin:
        """Who speaks for this connection where no command does."""
        return Origin(self.caller.leg, self.caller.device, user=self.caller.access.principal.user)

    def hear_and_speak(self) -> Voice | None:
        """Make this connection a voice leg, if it is none yet and the gateway has the engines, and a place for it.

        A client that gets no place is told so, and goes on by text.
        """
        try:
            return self._find_voice()
        except ProtocolViolation as refused:
            self._fail(refused, CloseCode.TOO_MANY_ERRORS)
            return None

    def _find_voice(self) -> Voice | None:
        if self.voice is None and self.make_voice is not None and self._services.engines is not None:
            voice = self.voice = self.make_voice()
            voice.pace(self.config.speed)
            self._announce(voice)
            self.permit.changed = lambda: self._announce(voice)
        return self.voice

    def _announce(self, voice: Voice) -> None:
        answers = self.config.answers_turns
        interrupts = self.permit.interrupts(self.config.interruptible)
        revocable = self._buffered
        self.actor.add_voice(self.origin, voice, revocable=revocable, answers=answers, interrupts=interrupts)

    # --- what the session tells ---

    def publish(self, batch: Sequence[Published]) -> None:
        """Send what the session decided. Implements ``Subscriber``."""
        if not self.teller.publish(batch):
            self.close(CloseCode.SLOW_CONSUMER)

    def accept(self, verdict: Verdict) -> None:
        """Tell the client that its command was applied. Implements ``Subscriber``."""
        if self.caller.extended and verdict.command:
            self.teller.tell(accepted(verdict))

    def end(self, code: str) -> None:
        """The session ends. Implements ``Subscriber``."""
        self.end_soon(CloseCode.GOING_AWAY if code == "shutdown" else CloseCode.INTERNAL_ERROR)

    def session(self) -> rt.AnySession:
        """The effective configuration, as this client is told."""
        settings = self.actor.state.conversation.settings
        reads = self.caller.access.may(Right.READ)
        shown = settings if reads else replace(settings, instructions="", tools=())
        session = effective.session(self.actor.session_id, shown, self.config, self._services.about.get("recognizer"))
        expires_at = min(self.lifetime.ends_at, self.caller.access.principal.expires)
        if math.isfinite(expires_at):
            session.expires_at = int(expires_at)
        session.bargein = {
            "extended": self.caller.extended,
            "epoch": self.actor.epoch,
            "seq": self.teller.last_seq,
            "device": self.caller.device,
            **self.permit.told(),
            "floor": floor.shown(self.actor.state.conversation.floor) if reads else None,
            "on_active": conf.on_active(settings),
            "metadata": dict(settings.metadata) if reads else {},
            "on_edit": settings.on_edit,
            "context": asdict(settings.context),
            **self._services.about,
            "agent": self._services.registry.agents.of(settings.model).name,
        }
        return session

    # --- what the client sends ---

    async def receive(self, data: str | bytes) -> None:
        """Take one client event. What is wrong with it is told; nothing is raised."""
        if not self._may_come(data):
            self._fail(ProtocolViolation("rate_limited", "Too many events; slow down."), CloseCode.RATE_LIMITED)
            return
        event: ext.AnyClientEvent | None = None
        try:
            event = decode(data, self._services.limits)
            await self.take(event)
        except (StoreError, SessionEnded):
            self._give_up()
        except ProtocolViolation as violation:
            violation.event_id = violation.event_id or (event.event_id if event is not None else None) or None
            flood = violation.code == "rate_limited"
            self._fail(violation, CloseCode.RATE_LIMITED if flood else CloseCode.TOO_MANY_ERRORS)

    def _may_come(self, data: str | bytes) -> bool:
        now = self._services.clock.now()
        if self._events.take(now):
            return True
        head = data[:256] if isinstance(data, str) else data[:256].decode("latin-1")
        return any(kind in head for kind in STOPS) and self._stops.take(now)

    def _fail(self, violation: ProtocolViolation, code: CloseCode) -> None:
        kind = "server_error" if violation.code in OURS else "invalid_request_error"
        detail = rt.ErrorDetail(kind, violation.code, str(violation), violation.param, violation.event_id)
        if isinstance(violation, Refused) and self.caller.extended:
            self.teller.tell(violation.told())
        else:
            self.teller.tell(rt.Error(error=detail))
        if not self._errors.take(self._services.clock.now()):
            self.close(code)

    async def take(self, event: ext.AnyClientEvent) -> None:
        """Do what a client event asks for.

        Raises :class:`gateway.errors.ProtocolViolation`, :class:`gateway.errors.StoreError` and ``SessionEnded``.
        """
        self._commands.check(event, self._services.clock.now())
        self.permit.check(event)
        transcribing.check(self.config, event)
        if not self.caller.extended and isinstance(event, ext.OfTheExtension | ext.SessionResume | ext.PlaybackReport):
            raise ProtocolViolation("unknown_event_type", "This event belongs to bargein.v1.", param="type")
        match event:
            case rt.AudioAppend() | rt.AudioCommit() | rt.AudioClear() | ext.PushToTalk() | ext.Mute():
                self.listen(event)
            case rt.SessionUpdate():
                await self._update(event)
            case rt.ItemRetrieve() | TreeRetrieve() | ext.QueueUpdate(action="list"):
                await self._retrieve(event)
            case ext.SessionResume():
                await self.teller.resume(event)
            case ext.AuthRefresh():
                await self.permit.refresh(event)
            case ext.PlaybackReport():
                hands.played(self.voice, event)
            case rt.ResponseCreate():
                await self._request(event)
            case _:
                located = self.voice.device.located if self.voice is not None else nowhere
                taken = self.permit.grant(command(event, self.caller.extended, located))
                await self.actor.submit(taken, self._commanded(event))

    def listen(self, event: rt.AudioAppend | rt.AudioCommit | rt.AudioClear | ext.PushToTalk | ext.Mute) -> None:
        """What concerns the microphone of this connection."""
        match event:
            case rt.AudioAppend():
                if not self.takes_audio:
                    raise ProtocolViolation(
                        "invalid_event_for_transport", "Over WebRTC, sound comes by the audio track."
                    )
                hands.append(self._find_voice(), self._microphone, event)
            case rt.AudioCommit():
                self._microphone.begin_anew()
                hands.commit(self.voice)
            case rt.AudioClear():
                self._clear()
            case ext.PushToTalk() | ext.Mute():
                hands.hold(self.hear_and_speak(), event)
                if isinstance(event, ext.Mute):
                    self.actor.post(inp.MicrophoneMuted(event.muted), self.origin)

    def _commanded(self, event: rt.ClientEvent) -> Origin:
        return replace(
            self.origin, command=event.event_id, key=self.permit.key(event.idempotency_key), digest=digest(event)
        )

    async def _request(self, event: rt.ResponseCreate) -> None:
        if "audio" in (options(event).output_modalities or self.config.modalities):
            self.hear_and_speak()
        # An extended connection that wants no sound may steer one that does.
        modalities = () if self.caller.extended else self.config.modalities
        await self.actor.submit(request(event, modalities), self._commanded(event))

    def _clear(self) -> None:
        self._microphone.begin_anew()
        if self.voice is not None:
            self.voice.drop_utterance()
            self.actor.post(inp.TurnDiscarded(), self.origin)
        for connection in self.together:
            connection.teller.tell(rt.InputCleared())

    def listen_anew(self, voice: Voice, before: conf.ConnectionConfig) -> None:
        self._announce(voice)
        if (self.config.turns, self.config.interruptible) != (before.turns, before.interruptible):
            voice.configure(self.config.turns, interruptible=self.permit.interrupts(self.config.interruptible))
            self.actor.post(inp.TurnDiscarded(), self.origin)

    async def _update(self, event: rt.SessionUpdate) -> None:
        # What cannot be taken is refused here: raised within the actor, it would end the session.
        conf.shared(self.actor.state.conversation.settings, event.session, self._services.names)
        before, self.config = self.config, conf.updated(self.config, event.session)
        if self.config.input_format != before.input_format:
            self._microphone.listen(self.config.input_format)
        if self.voice is not None:
            self.voice.pace(self.config.speed)
            if self.config.hearing != before.hearing:
                self.listen_anew(self.voice, before)
        if "audio" in self.config.modalities and event.session.output_modalities is not UNSET:
            self.hear_and_speak()

        def merged(state: State) -> inp.Input | None:
            known = state.conversation.settings
            wanted = conf.shared(known, event.session, self._services.names)
            return inp.SettingsSubmitted(wanted) if wanted != known else None

        if not await self.actor.amend(merged, self._commanded(event)):
            for connection in self.together:
                connection.teller.tell(rt.SessionUpdated(session=connection.session()))
            self.accept(Verdict(event.event_id, self.actor.seq, duplicate=False))

    async def _retrieve(self, event: looking.Question) -> None:
        self.teller.tell(await looking.answer(self.actor, self._services.store, event, extended=self.caller.extended))
