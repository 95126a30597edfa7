"""What a session decided, in the words of the wire.

``project`` turns one event into the server events of one connection. Standard types and values
only, unless the connection asked for the extension; what is ours travels in extra fields.

The order of events follows ``docs/protocol.md``: an answer opens with its item and its content
part, closes them in the reverse order, and ``response.done`` comes last.
"""

from collections.abc import Mapping
from typing import Final, TypeAlias

from msgspec import UNSET

from gateway.core import events as ev
from gateway.core.ids import ItemId, ResponseId
from gateway.core.values import ResponseStatus
from gateway.protocol import (
    asides,
    context,
    extension as ext,
    floor,
    messages,
    presence,
    realtime as rt,
    tools,
    transcription,
)
from gateway.protocol.answers import ended
from gateway.protocol.shown import item, seen_text
from gateway.protocol.steering_projection import project_steering
from gateway.protocol.view import View, output_index

Wire: TypeAlias = list[rt.ServerEvent]

Words: TypeAlias = Mapping[ItemId, tuple[str, str]]
"""What messages say, and the unheard rest of those that were cut."""

NO_WORDS: Final[Words] = {}


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
        case ev.ResponseStarted() | ev.ResponseEnded():
            return [_response_begun_or_over(event, view)]
        case (
            ev.TurnQueued()
            | ev.QueueEdited()
            | ev.QueueReordered()
            | ev.QueueWithdrawn()
            | ev.QueueTaken()
            | (ev.SteerAccepted() | ev.SteerPending() | ev.SteerConsumed() | ev.SteerFailed() | ev.ResponseSteered())
        ):
            return project_steering(event) if view.extended else []
        case (
            ev.SessionOpened()
            | ev.CommandApplied()
            | ev.SettingsChanged()
            | ev.ContextShortened()
            | ev.ContextRestored()
        ):
            return _of_session(event, view)
        case ev.PlayoutStarted() | ev.PlayoutMoved() | ev.PlayoutStopped() | ev.PlayoutCleared() | ev.FloorChanged():
            return _playout(event, view)
        case (
            ev.ItemTranscribed()
            | ev.ItemTranscriptionFailed()
            | ev.TurnWorded()
            | ev.ItemTruncated()
            | ev.ItemRemoved()
            | ev.ItemRedacted()
        ):
            return _item_changed(event, view)
        case ev.BranchSelected() | ev.ItemCorrected() | ev.ReactionAdded() | ev.ReactionRemoved():
            return _of_message(event, view, words)
        case ev.AsideStarted() | ev.AsideCalled() | ev.AsideEnded() | ev.AsideAppended() | ev.ReasoningAppended():
            return _of_model(event, view)
        case _:
            return _signal(event, view)


OfSession = ev.SessionOpened | ev.CommandApplied | ev.SettingsChanged | ev.ContextShortened | ev.ContextRestored


def _of_session(event: OfSession, view: View) -> Wire:
    match event:
        case ev.SettingsChanged():
            return [rt.SessionUpdated(session=view.settings_changed())]
        case ev.ContextShortened() | ev.ContextRestored():
            return [context.told(event)] if view.extended else []
        case _:
            return []


def _of_model(event: asides.OfAside | ev.ReasoningAppended, view: View) -> Wire:
    if isinstance(event, ev.ReasoningAppended):
        return [tools.reasoned(event)] if view.extended else []
    return asides.told(event, view)


def _item_added(event: ev.ItemAdded, view: View) -> Wire:
    if event.role == "assistant" and event.response_id is not None and not event.spoken:
        view.spoken.discard(event.response_id)  # its device was lost before the first word: it is written
    if event.aside:
        return []  # it is told when it enters the path
    if event.role == "user" and event.response_id is not None:
        return _steer_added(event, event.response_id, view)
    if event.kind == "function_call" and event.response_id is not None:
        return tools.called(event, event.response_id, view)
    spoken = event.spoken or event.response_id in view.spoken
    shown = item(
        event.item_id,
        event.role,
        event.status,
        event.text,
        spoken=spoken,
        device=event.device,
        kind=event.kind,
        call_id=event.call_id,
        name=event.name,
        pictures=len(event.images),
    )
    if event.response_id is None:
        return [
            rt.ItemAdded(item=shown, previous_item_id=event.parent),
            rt.ItemDone(item=shown, previous_item_id=event.parent),
        ]
    part = rt.Part("audio", transcript="") if spoken else rt.Part("text", text="")
    empty = rt.Item(event.item_id, "in_progress", "assistant", [])
    at = output_index(event.response_id, event.item_id, view)
    return [
        rt.OutputItemAdded(response_id=event.response_id, item=empty, output_index=at),
        rt.ItemAdded(item=empty, previous_item_id=event.parent),
        rt.PartAdded(response_id=event.response_id, item_id=event.item_id, part=part, output_index=at),
    ]


def _steer_added(event: ev.ItemAdded, response_id: ResponseId, view: View) -> Wire:
    """Words that steered an answer are an item of it, between the parts of the answer itself."""
    shown = item(event.item_id, event.role, event.status, event.text, spoken=False, device=event.device)
    at = output_index(response_id, event.item_id, view)
    view.output[response_id][event.item_id] = shown
    return [
        rt.OutputItemAdded(response_id=response_id, item=shown, output_index=at),
        rt.ItemAdded(item=shown, previous_item_id=event.parent),
        rt.ItemDone(item=shown, previous_item_id=event.parent),
        rt.OutputItemDone(response_id=response_id, item=shown, output_index=at),
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
            kind=entered.kind,
            call_id=entered.call_id,
            name=entered.name,
            pictures=entered.pictures,
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
    at = output_index(event.response_id, event.item_id, view)
    return kind(
        response_id=event.response_id, item_id=event.item_id, delta=event.text, offset=event.offset, output_index=at
    )


def _item_completed(event: ev.ItemCompleted, view: View) -> Wire:
    spoken = event.response_id in view.spoken
    response_id, item_id, text = event.response_id, event.item_id, event.text
    shown = item(item_id, "assistant", event.status, text, spoken=spoken)
    at = output_index(response_id, item_id, view)
    view.output[response_id][item_id] = shown
    done: Wire = (
        [
            rt.AudioDone(response_id=response_id, item_id=item_id, output_index=at),
            rt.TranscriptDone(response_id=response_id, item_id=item_id, transcript=text, output_index=at),
        ]
        if spoken
        else [rt.TextDone(response_id=response_id, item_id=item_id, text=text, output_index=at)]
    )
    part = rt.Part("audio", transcript=text) if spoken else rt.Part("text", text=text)
    return [
        *done,
        rt.PartDone(response_id=response_id, item_id=item_id, part=part, output_index=at),
        rt.ItemDone(item=shown),
        rt.OutputItemDone(response_id=response_id, item=shown, output_index=at),
    ]


def _response_begun_or_over(event: ev.ResponseStarted | ev.ResponseEnded, view: View) -> rt.ServerEvent:
    return _response_created(event, view) if isinstance(event, ev.ResponseStarted) else _response_done(event, view)


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
    output = [shown for shown in view.output.pop(event.response_id, {}).values() if shown is not None]
    response = ended(_response(event.response_id, event.status, output, view), event)
    view.spoken.discard(event.response_id)
    view.metadata.pop(event.response_id, None)
    view.limits.pop(event.response_id, None)
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
        max_output_tokens=view.limits.get(response_id) or "inf",
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


Changed = ev.ItemTruncated | ev.ItemRemoved | ev.ItemRedacted


def _item_changed(event: Changed | ev.TurnWorded | ev.ItemTranscribed | ev.ItemTranscriptionFailed, view: View) -> Wire:
    if isinstance(event, ev.TurnWorded | ev.ItemTranscribed | ev.ItemTranscriptionFailed):
        return [transcription.told(event)] if view.extended or view.words() else []
    if not view.extended and (isinstance(event, ev.ItemRedacted) or _beside(event)):
        return []
    match event:
        case ev.ItemTruncated():
            return [_truncated(event)]
        case ev.ItemRemoved():
            gone = rt.ItemDeleted(item_id=event.item_id, reason=event.reason)
            return [gone] if view.converses() or not view.words() else [*transcription.no_words(event), gone]
        case ev.ItemRedacted():
            return [ext.ItemRedacted(item_id=event.item_id)]


def _truncated(event: ev.ItemTruncated) -> rt.ServerEvent:
    return rt.ItemTruncated(
        item_id=event.item_id,
        audio_end_ms=event.heard_ms,
        heard_text=event.text,
        unheard_text=event.unheard,
        seen_text=seen_text(event.text, event.unheard, event.seen),
        reason=event.reason,
    )


def _beside(event: ev.Fact) -> bool:
    """Does this concern a message beside the active path, of which stock clients do not know?"""
    return isinstance(event, ev.ItemRemoved) and event.aside


Announced = ev.SpeechStarted | ev.SpeechStopped | ev.InputCommitted | ev.TimeoutTriggered | ev.TruncationKept
Live = ev.PresenceChanged | ev.ReactionSent
Doubt = ev.SpeechSuspected | ev.SpeechConfirmed | ev.SpeechDismissed | ev.PlayoutPaused | ev.PlayoutResumed


def _signal(
    event: Announced | Doubt | Live | ev.TextAppended | ev.SiblingsChanged | ev.CommandRejected,
    view: View,
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
