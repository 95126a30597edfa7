"""Client events as inputs of the session. Pure."""

import hashlib
from collections.abc import Callable
from typing import TypeAlias

from msgspec import UNSET

from gateway.core import inputs as inp
from gateway.core.ids import ItemId, ResponseId
from gateway.protocol import extension as ext, messages, presence as wire, realtime as rt
from gateway.protocol.decoding import canonical
from gateway.transports import presence

Command: TypeAlias = (
    rt.ItemCreate
    | rt.ItemDelete
    | rt.ItemTruncate
    | rt.ResponseCancel
    | rt.OutputClear
    | ext.OutputPause
    | ext.OutputResume
    | ext.FloorClaim
    | ext.FloorRelease
    | wire.OfPresence
    | messages.Command
    | ext.ItemRedact
)


def nowhere(_item_id: str, _played_ms: int) -> None:
    """This client was sent no sound."""


def command(event: Command, located: Callable[[str, int], tuple[int, int] | None] = nowhere) -> inp.Input:
    """The command that a client gives with *event*.

    *located* tells how many code points, and ms of its sound, the ms hold that this client says it played of an item.
    """
    if isinstance(event, wire.OfPresence):
        return presence.command(event)
    match event:
        case rt.ItemCreate(item=item):
            text = "".join(part.text for part in item.content)
            previous = "" if event.previous_item_id == "root" else event.previous_item_id
            return inp.ItemSubmitted(item.role, text, ItemId(item.id) if item.id else None, previous)
        case rt.ItemDelete():
            return inp.ItemDeletionRequested(ItemId(event.item_id))
        case ext.ItemRedact():
            return inp.ItemRedactionRequested(ItemId(event.item_id))
        case rt.ItemTruncate():
            played = located(event.item_id, event.audio_end_ms)
            return inp.ItemTruncationRequested(ItemId(event.item_id), event.audio_end_ms, played)
        case rt.ResponseCancel():
            return inp.CancelRequested(ResponseId(event.response_id) if event.response_id else None)
        case rt.OutputClear():
            return inp.OutputClearRequested()
        case ext.OutputPause() | ext.OutputResume() | ext.FloorClaim() | ext.FloorRelease():
            return _of_the_loudspeaker(event)
        case _:
            return _of_message(event)


def _of_the_loudspeaker(event: ext.OutputPause | ext.OutputResume | ext.FloorClaim | ext.FloorRelease) -> inp.Input:
    match event:
        case ext.OutputPause():
            return inp.PauseRequested()
        case ext.OutputResume():
            return inp.ResumeRequested()
        case ext.FloorClaim():
            return inp.FloorClaimRequested()
        case ext.FloorRelease():
            return inp.FloorReleaseRequested()


def _of_message(event: messages.Command) -> inp.Input:
    item_id = ItemId(event.item_id)
    match event:
        case messages.ItemUpdate(content=content):
            text = "".join(part.text for part in content)
            if event.mode == "correct":
                return inp.CorrectionSubmitted(item_id, text)
            new_id = ItemId(event.new_item_id) if event.new_item_id else None
            return inp.EditSubmitted(item_id, text, new_id, event.response)
        case messages.BranchSelect():
            return inp.BranchRequested(item_id)
        case messages.ReactionAdd():
            return inp.ReactionRequested(item_id, event.reaction)
        case messages.ReactionRemove():
            return inp.ReactionWithdrawn(item_id, event.reaction)


def request(event: rt.ResponseCreate, modalities: tuple[str, ...]) -> inp.ResponseRequested:
    """The answer that a client asks for; *modalities* hold where the event names none."""
    wanted = options(event)
    return inp.ResponseRequested(
        on_active=event.on_active,
        instructions=wanted.instructions,
        text_only=tuple(wanted.output_modalities or modalities) == ("text",),
        metadata=wanted.metadata or {},
        replaces=ItemId(event.replaces) if event.replaces else None,
    )


def digest(event: rt.ClientEvent) -> str:
    """What tells a command that is sent again from another one under the same key; ``""`` for one without a key."""
    return hashlib.sha256(canonical(event)).hexdigest() if event.idempotency_key else ""


def options(event: rt.ResponseCreate) -> rt.ResponseOptions:
    """What a client wants for this response alone."""
    return event.response if event.response is not UNSET else rt.ResponseOptions()
