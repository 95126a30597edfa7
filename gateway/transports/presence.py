"""A connection's part in who is here: that it came, that nothing gets through to it, what its client tells."""

from msgspec import UNSET

from gateway.core import inputs as inp
from gateway.protocol import presence as wire
from gateway.runtime.actor import Actor, Origin
from gateway.transports.telling import Caller


def join(actor: Actor, caller: Caller) -> None:
    """The caller's device is here, or is reached again."""
    actor.post(
        inp.DeviceJoined(caller.name, caller.kind, caller.access.principal.user), Origin(caller.leg, caller.device)
    )


def lose(actor: Actor, caller: Caller) -> None:
    """Nothing gets through to the caller for now."""
    actor.post(inp.DeviceUnreachable(), Origin(caller.leg, caller.device))


def command(event: wire.OfPresence) -> inp.OfPresence:
    """The command that a client gives with *event*."""
    match event:
        case wire.PresenceUpdate():
            name = None if event.name is UNSET else event.name
            kind = None if event.kind is UNSET else event.kind
            return inp.PresenceUpdated(name, kind, None if event.data is UNSET else event.data or {})
        case wire.TypingStart():
            return inp.TypingStarted()
        case wire.TypingStop():
            return inp.TypingStopped()
        case wire.ReactionSend():
            return inp.ReactionSubmitted(event.reaction)
