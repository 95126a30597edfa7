"""Client events as inputs of the session. Pure."""

import hashlib
from collections.abc import Callable
from typing import Literal, TypeAlias, TypeVar

from msgspec import UNSET, UnsetType

from gateway.core import inputs as inp
from gateway.core.ids import ItemId, ResponseId
from gateway.errors import ProtocolViolation
from gateway.protocol import extension as ext, messages, presence as wire, realtime as rt
from gateway.protocol.decoding import canonical
from gateway.runtime.ports import Verdict
from gateway.transports import items, presence

T = TypeVar("T")

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
    | ext.QueueUpdate
    | ext.Steer
    | wire.OfPresence
    | messages.Command
    | ext.ItemRedact
    | ext.ContextReset
)


def nowhere(_item_id: str, _played_ms: int) -> None:
    """This client was sent no sound."""


def accepted(verdict: Verdict) -> ext.CommandAccepted:
    """What an extended client is told of a command that was taken."""
    effect: Literal["none"] | UnsetType = "none" if verdict.without_effect else UNSET
    return ext.CommandAccepted(
        command_id=verdict.command, applied_seq=verdict.seq, duplicate=verdict.duplicate, effect=effect
    )


def command(
    event: Command, extended: bool, located: Callable[[str, int], tuple[int, int] | None] = nowhere
) -> inp.Input:
    """The command that a client gives with *event*.

    *located* tells how many code points, and ms of its sound, the ms hold that this client says it played of an item.
    """
    if isinstance(event, wire.OfPresence):
        return presence.command(event)
    match event:
        case rt.ItemCreate(item=item):
            previous = "" if event.previous_item_id == "root" else event.previous_item_id
            return items.submitted(item, previous)
        case rt.ItemDelete() | ext.ItemRedact() | ext.ContextReset():
            return _taken_away(event)
        case rt.ItemTruncate():
            played = located(event.item_id, event.audio_end_ms)
            return inp.ItemTruncationRequested(ItemId(event.item_id), event.audio_end_ms, played)
        case rt.ResponseCancel():
            return _cancel(event, extended)
        case rt.OutputClear() | ext.OutputPause() | ext.OutputResume() | ext.FloorClaim() | ext.FloorRelease():
            return _of_output(event)
        case ext.Steer():
            return _steer(event)
        case ext.QueueUpdate():
            return _queue_command(event)
        case _:
            return _of_message(event)


def _taken_away(event: rt.ItemDelete | ext.ItemRedact | ext.ContextReset) -> inp.Input:
    match event:
        case rt.ItemDelete():
            return inp.ItemDeletionRequested(ItemId(event.item_id))
        case ext.ItemRedact():
            return inp.ItemRedactionRequested(ItemId(event.item_id))
        case ext.ContextReset():
            return inp.ContextResetRequested()


Output = rt.OutputClear | ext.OutputPause | ext.OutputResume | ext.FloorClaim | ext.FloorRelease


def _of_output(event: Output) -> inp.Input:
    match event:
        case rt.OutputClear():
            return inp.OutputClearRequested()
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
            text = items.text_of(content)
            if event.mode == "correct":
                return inp.CorrectionSubmitted(item_id, text)
            new_id = ItemId(event.new_item_id) if event.new_item_id else None
            return inp.EditSubmitted(item_id, text, new_id, event.response, items.images_of(content, "content"))
        case messages.BranchSelect():
            return inp.BranchRequested(item_id)
        case messages.ReactionAdd():
            return inp.ReactionRequested(item_id, event.reaction)
        case messages.ReactionRemove():
            return inp.ReactionWithdrawn(item_id, event.reaction)


def request(event: rt.ResponseCreate, modalities: tuple[str, ...]) -> inp.ResponseRequested:
    """The answer that a client asks for; *modalities* hold where the event names none. Raises ``ProtocolViolation``."""
    if event.replaces and event.input is not UNSET:
        raise ProtocolViolation("invalid_value", "An answer given again has its message already.", param="input")
    wanted = options(event)
    words, item_id = _words(event.input)
    return inp.ResponseRequested(
        on_active=None if event.on_active is UNSET else event.on_active,
        wish=items.wish(wanted),
        text_only=tuple(wanted.output_modalities or modalities) == ("text",),
        words=words,
        item_id=item_id,
        debounce_ms=None if event.debounce_ms is UNSET else event.debounce_ms,
        replaces=ItemId(event.replaces) if event.replaces else None,
        aside=wanted.conversation == "none",
    )


def _words(given: str | rt.UserItem | UnsetType) -> tuple[str | None, ItemId | None]:
    """The words of a message of the user, and the id that it shall have."""
    if given is UNSET:
        return None, None
    if isinstance(given, str):
        return given, None
    return items.text_of(given.content), ItemId(given.id) if given.id else None


def _steer(event: ext.Steer) -> inp.SteerRequested:
    """Another direction for an answer."""
    given = [event.input] if isinstance(event.input, str) else event.input
    said = [_words(it) for it in given]
    item_id = next((item_id for _, item_id in said if item_id is not None), None)
    response_id = ResponseId(event.previous_response_id) if event.previous_response_id else None
    return inp.SteerRequested("\n".join(text for text, _ in said if text), response_id, event.when, item_id)


def _queue_command(event: ext.QueueUpdate) -> inp.Input:
    """What is to be done to the turns that wait. Raises ``ProtocolViolation``."""
    match event.action:
        case "reorder":
            return inp.QueueReorderRequested(tuple(ItemId(it) for it in _given(event.order, "order")))
        case "edit":
            return inp.QueueEditRequested(ItemId(_given(event.item_id, "item_id")), _given(event.text, "text"))
        case _:
            return inp.QueueWithdrawalRequested(ItemId(_given(event.item_id, "item_id")))


def _cancel(event: rt.ResponseCancel, extended: bool) -> inp.CancelRequested:
    """Whose answers are to stop. Raises ``ProtocolViolation``."""
    if sum((bool(event.response_id), bool(event.command_id), event.own, event.all)) > 1:
        raise ProtocolViolation("invalid_value", "One of response_id, command_id, own and all.", param="response_id")
    response_id = ResponseId(event.response_id) if event.response_id else None
    return inp.CancelRequested(response_id, event.command_id or "", event.own, strict=not extended)


def _given(value: T | None, name: str) -> T:
    if value is None:
        raise ProtocolViolation("missing_required_parameter", f"Missing required parameter: {name}.", param=name)
    return value


def digest(event: rt.ClientEvent) -> str:
    """What tells a command that is sent again from another one under the same key; ``""`` for one without a key."""
    return hashlib.sha256(canonical(event)).hexdigest() if event.idempotency_key else ""


def options(event: rt.ResponseCreate) -> rt.ResponseOptions:
    """What a client wants for this response alone."""
    return event.response if event.response is not UNSET else rt.ResponseOptions()
