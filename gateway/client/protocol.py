"""One conversation from the client's side, without any I/O: text in, events and text to send out.

A transport opens a connection at what :meth:`ClientProtocol.query` asks for, calls :meth:`~ClientProtocol.opened`,
hands in every message (:meth:`~ClientProtocol.receive`), sends what :meth:`~ClientProtocol.to_send` gives after each
call, and tells when the connection is :meth:`~ClientProtocol.lost`. Times are seconds of any one monotonic clock.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec
from msgspec import UNSET

from gateway.client.errors import ClientError, CommandFailed, CommandRejected
from gateway.client.events import Told, decode, retry_after_s
from gateway.client.items import Fold, Item
from gateway.client.outbox import MAX_COMMANDS, MAX_EVENT_BYTES, Outbox
from gateway.protocol import extension as ext, realtime as rt


class Cursor(NamedTuple):
    """The last event of the log that was handled."""

    epoch: str
    seq: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """A command was applied and stored. ``seq`` is the log's last then; ``duplicate``: it had been applied before."""

    command_id: str
    seq: int
    duplicate: bool


Settled: TypeAlias = tuple[str, Receipt | ClientError]
"""The id of a command, and what became of it."""

UNANSWERED: Final = frozenset(
    {
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
        "input_audio_buffer.clear",
        "input_audio_buffer.push_to_talk",
        "input_audio_buffer.mute",
        "conversation.item.retrieve",
        "conversation.tree.retrieve",
        "playback.report",
        "session.resume",
    }
)
"""Client events that are no commands: they are worth sending now or not at all, and get no receipt."""


class ClientProtocol:
    """What a client knows, and what it has yet to say. ``session`` None opens a new one with the first connection."""

    def __init__(
        self, device: str, new_id: Callable[[str], str], *, session: str | None = None, capacity: int = MAX_COMMANDS
    ) -> None:
        self.session_id = session
        self.device = device
        self.cursor: Cursor | None = None
        self.caught_up = False
        """True while a connection has told everything up to now."""

        self.about: dict[str, Any] = {}
        """Who answers, speaks and listens there: ``session.bargein`` of the last greeting."""

        self.retry_after_s: float | None = None
        """When the gateway wants this client back, once the connection is lost; None when it did not say."""

        self._new_id = new_id
        self._fold = Fold()
        self._outbox = Outbox(capacity)
        self._send: list[str] = []
        self._settled: list[Settled] = []
        self._resuming = False
        """True from asking a live connection for what was missed until it answers."""

    @property
    def items(self) -> tuple[Item, ...]:
        """The conversation, oldest first."""
        return self._fold.items

    @property
    def running(self) -> tuple[str, ...]:
        """Ids of the responses that are being generated, oldest first."""
        return self._fold.running

    # --- connections ---

    def query(self) -> dict[str, str]:
        """What the next connection asks for."""
        asked = {"device": self.device}
        if self.session_id is not None:
            asked["session"] = self.session_id
        if self.cursor is not None:
            asked["resume"] = f"{self.cursor.epoch}.{self.cursor.seq}"
        return asked

    def opened(self) -> None:
        """A connection is open; nothing is sent on it before it has told where it stands."""
        self.lost()
        self.retry_after_s = None

    def lost(self) -> None:
        """The connection is gone. What was not answered waits for the next one."""
        self.caught_up = self._resuming = False
        self._send.clear()
        self._outbox.again()

    def to_send(self, now: float) -> list[str]:
        """Messages to send now, in this order. Each is given once."""
        due, self._send = self._send, []
        if self.caught_up:
            for command_id in self._outbox.expired(now):
                self._give_up(command_id, "key_expired", "The command is too old to be sent again safely.")
            due += self._outbox.send(now)
        return due

    def settled(self) -> list[Settled]:
        """Commands of which it is now known what became of them. Each is given once."""
        done, self._settled = self._settled, []
        return done

    # --- what the program says ---

    def command(self, type: str, fields: Mapping[str, Any]) -> str:
        """Give a command, to be applied once; returns its id, which stands in its receipt.

        Raises ``ValueError`` for an event that is no command, and :class:`CommandFailed` (``outbox_full``,
        ``event_too_large``): then nothing of it is sent, ever.
        """
        if type in UNANSWERED:
            raise ValueError(f"{type} is no command: it gets no receipt")
        if self._outbox.full:
            raise CommandFailed("outbox_full", "Too many commands wait for an answer.")
        command_id = self._new_id("evt_")
        text = _text({"type": type, "event_id": command_id, "idempotency_key": command_id, **fields})
        if len(text.encode()) > MAX_EVENT_BYTES:
            raise CommandFailed("event_too_large", f"A command may have {MAX_EVENT_BYTES} bytes at most.")
        self._outbox.put(command_id, text)
        return command_id

    def tell(self, type: str, fields: Mapping[str, Any]) -> bool:
        """Say what is only worth saying now. False when there is no connection."""
        if self.caught_up:
            self._send.append(_text({"type": type, **fields}))
        return self.caught_up

    def withdraw(self, command_id: str) -> bool:
        """Never send a command again. True when it had been sent and not answered."""
        entry = self._outbox.take(command_id)
        return entry is not None and entry.since is not None

    def fail(self, code: str, message: str) -> None:
        """Nothing will be answered any more: every command has failed."""
        for command_id in self._outbox.ids:
            self._give_up(command_id, code, message)

    def _give_up(self, command_id: str, code: str, message: str) -> None:
        uncertain = self.withdraw(command_id)
        self._settled.append((command_id, CommandFailed(code, message, uncertain=uncertain)))

    # --- what the gateway says ---

    def receive(self, data: str | bytes) -> list[Told]:
        """Take one message. What was told before, and what came after a gap, is left out: it is asked for again."""
        event = decode(data)
        self._settle(event)
        self.retry_after_s = retry_after_s(event, self.retry_after_s)
        if isinstance(event, rt.SessionCreated):
            self._greeted(event)
        elif isinstance(event, ext.SessionSnapshot | ext.SessionResumed | ext.SessionReset):
            self._catch_up(event)
        elif not self._is_next(event):
            return [event] if isinstance(event, _RECEIPTS) else []
        self._fold.apply(event)
        return [event]

    def _greeted(self, event: rt.SessionCreated) -> None:
        self.session_id = event.session.id
        self.about = {} if event.session.bargein is UNSET else event.session.bargein

    def _catch_up(self, event: ext.SessionSnapshot | ext.SessionResumed | ext.SessionReset) -> None:
        if isinstance(event, ext.SessionReset):
            self.cursor = None  # void; a snapshot follows
            return
        self._resuming = False
        if isinstance(event, ext.SessionSnapshot) and event.seq is not UNSET and event.epoch is not UNSET:
            self.cursor = Cursor(event.epoch, event.seq)
        self.caught_up = True

    def _is_next(self, event: Told) -> bool:
        """False for what was told before, and for what comes after a gap."""
        if self._resuming:
            return False
        if self.cursor is None:
            return True
        if event.seq is UNSET:
            return not self._gap(self._fold.lacks(event))
        if event.seq <= self.cursor.seq:
            return False
        if self._gap(event.prev_seq is not UNSET and event.prev_seq > self.cursor.seq):
            return False
        self.cursor = self.cursor._replace(seq=event.seq)
        return True

    def _gap(self, found: bool) -> bool:
        """Ask for what is missing, if something is."""
        if found and self.cursor is not None:
            self._resuming = True
            asked = {"epoch": self.cursor.epoch, "seq": self.cursor.seq, "open": self._fold.held()}
            self._send.append(_text({"type": "session.resume", **asked}))
        return found

    def _settle(self, event: Told) -> None:
        match event:
            case ext.CommandAccepted(command_id=answered):
                result: Receipt | ClientError = Receipt(answered, event.applied_seq, event.duplicate)
            case ext.CommandRejected(command_id=answered):
                param = None if event.param is UNSET else event.param
                result = CommandRejected(event.code, event.message, param)
            case rt.Error(error=error) if error.event_id is not None:
                answered, result = error.event_id, CommandRejected(error.code, error.message, error.param)
            case _:
                return
        if self._outbox.take(answered) is not None:
            self._settled.append((answered, result))


_RECEIPTS: Final = (ext.CommandAccepted, ext.CommandRejected, rt.Error)


def _text(event: Mapping[str, Any]) -> str:
    return msgspec.json.encode(event).decode()
