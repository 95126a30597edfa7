"""Tools on the wire: the model's calls, and, for extended clients, what it thinks."""

from gateway.core import events as ev
from gateway.core.ids import ItemId, ResponseId
from gateway.protocol import extension as ext, realtime as rt
from gateway.protocol.shown import of_tool
from gateway.protocol.view import View, output_index


def called(event: ev.ItemAdded, response_id: ResponseId, view: View) -> list[rt.ServerEvent]:
    """A call that a client is to run, whole: its arguments are known once its answer has ended."""
    begun, done = arguments(event.item_id, response_id, event.call_id, event.name, event.text, view)
    empty = of_tool(event.item_id, "function_call", "in_progress", "", event.call_id, event.name)
    whole = of_tool(event.item_id, "function_call", "completed", event.text, event.call_id, event.name)
    at = begun.output_index
    return [
        rt.OutputItemAdded(response_id=response_id, item=empty, output_index=at),
        rt.ItemAdded(item=empty, previous_item_id=event.parent),
        begun,
        done,
        rt.ItemDone(item=whole, previous_item_id=event.parent),
        rt.OutputItemDone(response_id=response_id, item=whole, output_index=at),
    ]


def arguments(
    item_id: ItemId, response_id: ResponseId, call_id: str, name: str, text: str, view: View
) -> tuple[rt.ArgumentsDelta, rt.ArgumentsDone]:
    """The arguments of a call, as the one delta that they come in, and their end."""
    at = output_index(response_id, item_id, view)
    view.output[response_id][item_id] = of_tool(item_id, "function_call", "completed", text, call_id, name)
    return (
        rt.ArgumentsDelta(response_id=response_id, item_id=item_id, call_id=call_id, output_index=at, delta=text),
        rt.ArgumentsDone(
            response_id=response_id, item_id=item_id, call_id=call_id, output_index=at, arguments=text, name=name
        ),
    )


def reasoned(event: ev.ReasoningAppended) -> rt.ServerEvent:
    """More of what the model thinks."""
    return ext.ReasoningDelta(response_id=event.response_id, offset=event.offset, delta=event.text)
