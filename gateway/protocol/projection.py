"""What a session decided, in the words of the wire.

``project`` turns one event into the server events of one connection. Standard types and values
only, unless the connection asked for the extension; what is ours travels in extra fields.

The order of events follows ``docs/protocol.md``: an answer opens with its item and its content
part, closes them in the reverse order, and ``response.done`` comes last.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from msgspec import UNSET

from gateway.core import events as ev
from gateway.core.ids import ItemId, LegId, ResponseId
from gateway.core.values import Failure, ItemStatus, ResponseStatus, Role
from gateway.protocol import extension as ext, floor, messages, presence, realtime as rt


@dataclass(slots=True)
class View:
    """How one connection sees its session."""

    leg: LegId
    extended: bool
    settings_changed: Callable[[], rt.Session]
    """The effective session object of this connection, now."""

    buffered: bool
    """True when ``output_audio_buffer.*`` means something: over WebRTC, and to extended clients."""

    spoken: set[ResponseId] = field(default_factory=set)
    """Responses that have sound and generate, so that their text is its transcript."""

    sounding: set[ResponseId] = field(default_factory=set)
    """Responses whose playout has begun and not ended."""

    finished: dict[ItemId, str] = field(default_factory=dict)
    """Text of items that are complete and whose response is about to end."""

    metadata: dict[ResponseId, dict[str, str]] = field(default_factory=dict)
    continues: dict[ResponseId, str] = field(default_factory=dict)
    replaces: dict[ResponseId, str] = field(default_factory=dict)


Wire: TypeAlias = list[rt.ServerEvent]

Words: TypeAlias = Mapping[ItemId, tuple[str, str]]
"""What messages say, and the unheard rest of those that were cut."""

NO_WORDS: Final[Words] = {}


def item(
    item_id: ItemId,
    role: Role,
    status: ItemStatus,
    text: str,
    *,
    spoken: bool,
    unheard: str | None = None,
    seen: int = 0,
    device: str = "",
) -> rt.Item:
    """A message as the wire shows it. *unheard* is given for an answer that was cut, *seen* as its fact has it."""
    if role == "assistant":
        content = rt.Content("output_audio", transcript=text) if spoken else rt.Content("output_text", text=text)
    elif spoken:
        content = rt.Content("input_audio", transcript=text or None)
    else:
        content = rt.Content("input_text", text=text)
    shown = rt.Item(item_id, status, role, [content])
    if unheard is not None:
        shown.heard_text, shown.unheard_text, shown.seen_text = text, unheard, _seen(text, unheard, seen)
    if device:
        shown.device = device
    return shown


def project(event: ev.Event, view: View, words: Words = NO_WORDS) -> Wire:
    """The server events by which this connection learns of *event*; *words* are those of messages that it brings back.

    They are looked up when it is told, since a fact that only moves messages does not hold them; what was removed
    meanwhile is empty.
    """
    match event:
        case ev.ItemAdded():
            return _item_added(event, view)
        case ev.ItemCompleted():
            return _item_completed(event, view)
        case ev.ResponseStarted():
            return [_response_created(event, view)]
        case ev.ResponseEnded():
            return [_response_done(event, view)]
        case ev.SessionOpened() | ev.CommandApplied():
            return []
        case ev.SettingsChanged():
            return [rt.SessionUpdated(session=view.settings_changed())]
        case ev.PlayoutStarted() | ev.PlayoutMoved() | ev.PlayoutStopped() | ev.PlayoutCleared() | ev.FloorChanged():
            return _playout(event, view)
        case (
            ev.ItemTranscribed()
            | ev.ItemTranscriptionFailed()
            | ev.ItemTruncated()
            | ev.ItemRemoved()
            | ev.ItemRedacted()
        ):
            told = _item_changed(event)
            return [told] if view.extended or not (told.extension or _beside(event)) else []
        case ev.BranchSelected() | ev.ItemCorrected() | ev.ReactionAdded() | ev.ReactionRemoved():
            return _of_message(event, view, words)
        case _:
            return _signal(event, view)


def _item_added(event: ev.ItemAdded, view: View) -> Wire:
    if event.role == "assistant" and event.response_id is not None and not event.spoken:
        view.spoken.discard(event.response_id)  # its device was lost before the first word: it is written
    if event.aside:
        return []  # it is told when it enters the path
    spoken = event.spoken or event.response_id in view.spoken
    shown = item(event.item_id, event.role, event.status, event.text, spoken=spoken, device=event.device)
    if event.response_id is None:
        return [
            rt.ItemAdded(item=shown, previous_item_id=event.parent),
            rt.ItemDone(item=shown, previous_item_id=event.parent),
        ]
    part = rt.Part("audio", transcript="") if spoken else rt.Part("text", text="")
    empty = rt.Item(event.item_id, "in_progress", "assistant", [])
    return [
        rt.OutputItemAdded(response_id=event.response_id, item=empty),
        rt.ItemAdded(item=empty, previous_item_id=event.parent),
        rt.PartAdded(response_id=event.response_id, item_id=event.item_id, part=part),
    ]


def _of_message(
    event: ev.BranchSelected | ev.ItemCorrected | ev.ReactionAdded | ev.ReactionRemoved, view: View, words: Words
) -> Wire:
    match event:
        case ev.BranchSelected():
            return _branch_selected(event, view, words)
        case ev.ItemCorrected():
            return [_item_corrected(event)]
        case _:
            return [messages.told(event)] if view.extended else []


def _branch_selected(event: ev.BranchSelected, view: View, words: Words) -> Wire:
    told: Wire = [rt.ItemDeleted(item_id=item_id, reason="branch_left") for item_id in reversed(event.left)]
    for entered in event.entered:
        text, unheard = words.get(entered.item_id, ("", ""))
        shown = item(
            entered.item_id,
            entered.role,
            entered.status,
            text,
            spoken=entered.spoken,
            unheard=unheard if entered.truncated else None,
            seen=entered.seen,
            device=entered.device,
        )
        if entered.redacted:
            shown.redacted = True
        told += [
            rt.ItemAdded(item=shown, previous_item_id=entered.parent),
            rt.ItemDone(item=shown, previous_item_id=entered.parent),
        ]
    return [*told, messages.BranchSelected(item_id=event.tip)] if view.extended else told


def _item_corrected(event: ev.ItemCorrected) -> rt.ServerEvent:
    shown = item(event.item_id, "user", "completed", event.text, spoken=event.spoken, device=event.device)
    shown.version = rt.Version(event.version, event.by, int(event.wall))
    return rt.ItemDone(item=shown, previous_item_id=event.parent)


def _delta(event: ev.TextAppended, view: View) -> rt.ServerEvent:
    kind = rt.TranscriptDelta if event.response_id in view.spoken else rt.TextDelta
    return kind(response_id=event.response_id, item_id=event.item_id, delta=event.text, offset=event.offset)


def _item_completed(event: ev.ItemCompleted, view: View) -> Wire:
    spoken = event.response_id in view.spoken
    response_id, item_id, text = event.response_id, event.item_id, event.text
    shown = item(item_id, "assistant", event.status, text, spoken=spoken)
    view.finished[item_id] = text
    done: Wire = (
        [
            rt.AudioDone(response_id=response_id, item_id=item_id),
            rt.TranscriptDone(response_id=response_id, item_id=item_id, transcript=text),
        ]
        if spoken
        else [rt.TextDone(response_id=response_id, item_id=item_id, text=text)]
    )
    part = rt.Part("audio", transcript=text) if spoken else rt.Part("text", text=text)
    return [
        *done,
        rt.PartDone(response_id=response_id, item_id=item_id, part=part),
        rt.ItemDone(item=shown),
        rt.OutputItemDone(response_id=response_id, item=shown),
    ]


def _response_created(event: ev.ResponseStarted, view: View) -> rt.ServerEvent:
    if event.leg is not None:
        view.spoken.add(event.response_id)
    view.metadata[event.response_id] = dict(event.metadata)
    if event.continues is not None:
        view.continues[event.response_id] = event.continues
    if event.replaces is not None:
        view.replaces[event.response_id] = event.replaces
    return rt.ResponseCreated(response=_response(event.response_id, "in_progress", [], view))


def _response_done(event: ev.ResponseEnded, view: View) -> rt.ServerEvent:
    output: list[rt.Item] = []
    if event.item_id is not None:
        status: ItemStatus = "completed" if event.status == "completed" else "incomplete"
        spoken = event.response_id in view.spoken
        output = [item(event.item_id, "assistant", status, view.finished.pop(event.item_id, ""), spoken=spoken)]
    response = _response(event.response_id, event.status, output, view)
    response.usage = rt.Usage()
    if event.status == "cancelled":
        by_voice = event.reason == "turn_detected"
        response.status_details = rt.StatusDetails(
            "cancelled", reason="turn_detected" if by_voice else "client_cancelled"
        )
    elif event.failure is not None:
        response.status_details = rt.StatusDetails("failed", error=_fault(event.failure))
    view.spoken.discard(event.response_id)
    view.metadata.pop(event.response_id, None)
    view.continues.pop(event.response_id, None)
    view.replaces.pop(event.response_id, None)
    return rt.ResponseDone(response=response)


def _response(
    response_id: ResponseId, status: ResponseStatus | rt.InProgress, output: list[rt.Item], view: View
) -> rt.Response:
    response = rt.Response(
        response_id,
        status,
        output,
        ["audio"] if response_id in view.spoken else ["text"],
        metadata=view.metadata.get(response_id) or None,
    )
    if response_id in view.continues:
        response.continues = view.continues[response_id]
    if response_id in view.replaces:
        response.replaces = view.replaces[response_id]
    return response


Playout = ev.PlayoutStarted | ev.PlayoutMoved | ev.PlayoutStopped | ev.PlayoutCleared | ev.FloorChanged


def _playout(event: Playout, view: View) -> Wire:
    if isinstance(event, ev.FloorChanged):
        return [floor.changed(event)] if view.extended else []
    if isinstance(event, ev.PlayoutStarted):
        view.sounding.add(event.response_id)
        told: rt.ServerEvent = rt.OutputStarted(response_id=event.response_id)
    elif event.response_id not in view.sounding:
        return []  # it never sounded, so nothing of it can stop
    else:
        view.sounding.discard(event.response_id)
        kind = rt.OutputStopped if isinstance(event, ev.PlayoutStopped) else rt.OutputCleared
        told = kind(response_id=event.response_id)
        if isinstance(told, rt.OutputCleared) and isinstance(event, ev.PlayoutMoved):
            told.moved = True
    return [told] if view.buffered else []


def _item_changed(
    event: ev.ItemTranscribed | ev.ItemTranscriptionFailed | ev.ItemTruncated | ev.ItemRemoved | ev.ItemRedacted,
) -> rt.ServerEvent:
    match event:
        case ev.ItemTranscribed():
            return rt.TranscriptionCompleted(item_id=event.item_id, transcript=event.text)
        case ev.ItemTranscriptionFailed():
            return rt.TranscriptionFailed(item_id=event.item_id, error=_fault(event.failure))
        case ev.ItemTruncated():
            return rt.ItemTruncated(
                item_id=event.item_id,
                audio_end_ms=event.heard_ms,
                heard_text=event.text,
                unheard_text=event.unheard,
                seen_text=_seen(event.text, event.unheard, event.seen),
                reason=event.reason,
            )
        case ev.ItemRemoved():
            return rt.ItemDeleted(item_id=event.item_id, reason=event.reason)
        case ev.ItemRedacted():
            return ext.ItemRedacted(item_id=event.item_id)


def _beside(event: ev.Fact) -> bool:
    """Does this concern a message beside the active path, of which stock clients do not know?"""
    return isinstance(event, ev.ItemRemoved) and event.aside


def _seen(heard: str, unheard: str, seen: int) -> str:
    return unheard[: max(0, seen - len(heard))]


Announced = ev.SpeechStarted | ev.SpeechStopped | ev.InputCommitted | ev.TimeoutTriggered | ev.TruncationKept
Live = ev.PresenceChanged | ev.ReactionSent
Doubt = ev.SpeechSuspected | ev.SpeechConfirmed | ev.SpeechDismissed | ev.PlayoutPaused | ev.PlayoutResumed


def _signal(
    event: Announced | Doubt | Live | ev.TextAppended | ev.SiblingsChanged | ev.CommandRejected, view: View
) -> Wire:
    match event:
        case ev.TextAppended():
            return [_delta(event, view)]
        case ev.SpeechStarted():
            return [rt.SpeechStarted(item_id=event.item_id, audio_start_ms=event.audio_start_ms)]
        case ev.SpeechStopped():
            return [rt.SpeechStopped(item_id=event.item_id, audio_end_ms=event.audio_end_ms)]
        case ev.InputCommitted():
            return [rt.InputCommitted(item_id=event.item_id, previous_item_id=event.previous)]
        case ev.TimeoutTriggered():
            start_ms, end_ms = event.audio_start_ms, event.audio_end_ms
            return [rt.TimeoutTriggered(item_id=event.item_id, audio_start_ms=start_ms, audio_end_ms=end_ms)]
        case ev.TruncationKept() | ev.CommandRejected():
            return [_answer(event, view.extended)] if event.leg == view.leg else []
        case ev.PresenceChanged() | ev.ReactionSent():
            return presence.told(event) if view.extended else []
        case ev.SiblingsChanged():
            return [messages.told(event)] if view.extended else []
        case _:
            return [_doubt(event)] if view.extended else []


def _doubt(event: Doubt) -> rt.ServerEvent:
    match event:
        case ev.SpeechSuspected():
            return ext.SpeechSuspected(audio_start_ms=event.onset_ms)
        case ev.SpeechConfirmed():
            return ext.SpeechConfirmed()
        case ev.SpeechDismissed():
            return ext.SpeechDismissed()
        case ev.PlayoutPaused():
            return ext.OutputPaused(response_id=event.response_id)
        case ev.PlayoutResumed():
            return ext.OutputResumed(response_id=event.response_id)


def _answer(event: ev.TruncationKept | ev.CommandRejected, extended: bool) -> rt.ServerEvent:
    """To who gave the command. A refusal is ``command.rejected`` where that is known, else ``error``."""
    if isinstance(event, ev.TruncationKept):
        return rt.ItemTruncated(item_id=event.item_id, audio_end_ms=event.audio_end_ms)
    failure = event.failure
    if extended:
        return ext.CommandRejected(
            command_id=event.command, code=failure.code, message=failure.message, param=event.param or UNSET
        )
    return rt.Error(
        error=rt.ErrorDetail("invalid_request_error", failure.code, failure.message, event.param, event.command or None)
    )


def _fault(failure: Failure) -> rt.ErrorDetail:
    """What no client is to blame for."""
    return rt.ErrorDetail("server_error", failure.code, failure.message)
