"""A message as the wire shows it."""

from gateway.core.ids import ItemId
from gateway.core.values import ItemKind, ItemStatus, Role
from gateway.protocol import realtime as rt


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
    kind: ItemKind = "message",
    call_id: str = "",
    name: str = "",
    pictures: int = 0,
) -> rt.Item:
    """A message as the wire shows it. *unheard* is given for an answer that was cut, *seen* as its fact has it."""
    if role == "tool":
        return of_tool(item_id, kind, status, text, call_id, name)
    if role == "assistant":
        content = rt.Content("output_audio", transcript=text) if spoken else rt.Content("output_text", text=text)
    elif spoken:
        content = rt.Content("input_audio", transcript=text or None)
    else:
        content = rt.Content("input_text", text=text)
    shown = rt.Item(item_id, status, role, [content, *[rt.Content("input_image")] * pictures])
    if unheard is not None:
        shown.heard_text, shown.unheard_text, shown.seen_text = text, unheard, seen_text(text, unheard, seen)
    if device:
        shown.device = device
    return shown


def of_tool(item_id: ItemId, kind: ItemKind, status: ItemStatus, text: str, call_id: str, name: str) -> rt.Item:
    """A tool's call, or what came of one."""
    if kind == "function_call":
        return rt.Item(item_id, status, type="function_call", call_id=call_id, name=name, arguments=text)
    return rt.Item(item_id, status, type="function_call_output", call_id=call_id, output=text)


def seen_text(heard: str, unheard: str, seen: int) -> str:
    return unheard[: max(0, seen - len(heard))]
