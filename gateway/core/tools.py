"""Tools in the conversation: the model's calls, and what came of them.

A call that a client is to run joins the conversation when its answer has ended well: a tool of an
answer that was cut, or failed, never starts. What an agent ran by itself joins it at once, with its
result. What came of a call may join at any time, as a message of a client's does; it is never acted
on by itself.
"""

from collections.abc import Iterable

from gateway.core import events as ev, inputs as inp
from gateway.core.ids import ItemId, ResponseId
from gateway.core.step import Step
from gateway.core.values import ItemKind


def begin(step: Step, response_id: ResponseId, calls: Iterable[inp.ToolCalled]) -> None:
    """Let the clients run what the model asked for."""
    for call in calls:
        _add(step, "function_call", call.call_id, call.name, call.arguments, response_id)


def ran(step: Step, input: inp.ToolRan) -> None:
    """Show what the agent did, and what came of it: nobody else is to run it."""
    _add(step, "function_call", input.call_id, input.name, input.arguments, None)
    _add(step, "function_call_output", input.call_id, "", input.output, None)


def _add(step: Step, kind: ItemKind, call_id: str, name: str, text: str, response_id: ResponseId | None) -> None:
    tip, item_id = step.conversation.tree.tip, ItemId(step.mint("item"))
    step.fact(
        ev.ItemAdded(
            item_id, tip, "tool", "completed", text, response_id=response_id, kind=kind, call_id=call_id, name=name
        )
    )
