"""Answers beside the conversation on the wire: a response like any other, whose items join no conversation."""

from typing import TypeAlias

from gateway.core import events as ev
from gateway.core.ids import ItemId, ResponseId
from gateway.core.values import ResponseStatus
from gateway.protocol import realtime as rt
from gateway.protocol.answers import ended
from gateway.protocol.shown import item, of_tool
from gateway.protocol.tools import arguments
from gateway.protocol.view import View, output_index

OfAside: TypeAlias = ev.AsideStarted | ev.AsideCalled | ev.AsideEnded | ev.AsideAppended


def told(event: OfAside, view: View) -> list[rt.ServerEvent]:
    """The server events by which a connection learns of it."""
    match event:
        case ev.AsideStarted():
            view.metadata[event.response_id] = dict(event.metadata)
            return [rt.ResponseCreated(response=_response(event.response_id, "in_progress", [], view))]
        case ev.AsideAppended():
            at = output_index(event.response_id, event.item_id, view)
            delta = rt.TextDelta(
                response_id=event.response_id,
                item_id=event.item_id,
                delta=event.text,
                offset=event.offset,
                output_index=at,
            )
            return [*_opened(event.response_id, event.item_id, view), delta]
        case ev.AsideCalled():
            return _called(event, view)
        case ev.AsideEnded():
            return _ended(event, view)


def _opened(response_id: ResponseId, item_id: ItemId, view: View) -> list[rt.ServerEvent]:
    """The beginning of its message, unless that was told."""
    if response_id in view.asides:
        return []
    view.asides.add(response_id)
    at = output_index(response_id, item_id, view)
    empty = rt.Item(item_id, "in_progress", "assistant", [])
    return [
        rt.OutputItemAdded(response_id=response_id, item=empty, output_index=at),
        rt.PartAdded(response_id=response_id, item_id=item_id, part=rt.Part("text", text=""), output_index=at),
    ]


def _called(event: ev.AsideCalled, view: View) -> list[rt.ServerEvent]:
    begun, done = arguments(event.item_id, event.response_id, event.call_id, event.name, event.text, view)
    empty = of_tool(event.item_id, "function_call", "in_progress", "", event.call_id, event.name)
    whole = of_tool(event.item_id, "function_call", "completed", event.text, event.call_id, event.name)
    at = begun.output_index
    return [
        rt.OutputItemAdded(response_id=event.response_id, item=empty, output_index=at),
        begun,
        done,
        rt.OutputItemDone(response_id=event.response_id, item=whole, output_index=at),
    ]


def _ended(event: ev.AsideEnded, view: View) -> list[rt.ServerEvent]:
    response_id, item_id, text = event.response_id, event.item_id, event.text
    told: list[rt.ServerEvent] = []
    if text:
        told += _opened(response_id, item_id, view)
        whole = event.status == "completed"
        shown = item(item_id, "assistant", "completed" if whole else "incomplete", text, spoken=False)
        at = output_index(response_id, item_id, view)
        view.output[response_id][item_id] = shown
        part = rt.Part("text", text=text)
        told += [
            rt.TextDone(response_id=response_id, item_id=item_id, text=text, output_index=at),
            rt.PartDone(response_id=response_id, item_id=item_id, part=part, output_index=at),
            rt.OutputItemDone(response_id=response_id, item=shown, output_index=at),
        ]
    output = [it for it in view.output.pop(response_id, {}).values() if it is not None]
    response = ended(_response(response_id, event.status, output, view), event)
    view.asides.discard(response_id)
    view.metadata.pop(response_id, None)
    return [*told, rt.ResponseDone(response=response)]


def _response(
    response_id: ResponseId, status: ResponseStatus | rt.InProgress, output: list[rt.Item], view: View
) -> rt.Response:
    metadata = view.metadata.get(response_id) or None
    return rt.Response(response_id, status, output, ["text"], metadata=metadata)
