"""Items and wishes of clients, in the words of the core. Pure. All of it raises ``ProtocolViolation``."""

from collections.abc import Iterable
from typing import Final, TypeVar

import msgspec

from gateway.core import inputs as inp
from gateway.core.ids import ItemId
from gateway.core.values import Given, Role, Tool, ToolChoice, Wish
from gateway.errors import ProtocolViolation
from gateway.protocol import realtime as rt

T = TypeVar("T")

MOST_TOOLS: Final = 128
"""As many as OpenAI's models take."""


def text_of(content: Iterable[rt.InputPart]) -> str:
    """The words of a message; of its sound, the transcript."""
    return "".join(part.text or part.transcript or "" for part in content)


def images_of(content: Iterable[rt.InputPart], where: str) -> tuple[str, ...]:
    """The pictures of a message, as addresses."""
    return tuple(_given(it.image_url, where) for it in content if it.type == "input_image")


def submitted(item: rt.InputItem, previous: str | None) -> inp.ItemSubmitted:
    """The item that a client adds."""
    given = given_of(item, "item")
    if given.refers_to:
        raise ProtocolViolation("invalid_value", "Only the input of a response refers to items.", param="item.type")
    item_id = ItemId(item.id) if item.id else None
    return inp.ItemSubmitted(
        given.role, given.text, item_id, previous, given.kind, given.call_id, given.name, given.images
    )


def given_of(item: rt.InputItem, where: str) -> Given:
    """What an item says; *where* it stands in its event is named where it is wrong."""
    match item.type:
        case "message":
            role: Role = _given(item.role, f"{where}.role")
            content = _given(item.content, f"{where}.content")
            return Given(role, text_of(content), images=images_of(content, f"{where}.content"))
        case "function_call":
            name, call_id = _given(item.name, f"{where}.name"), _given(item.call_id, f"{where}.call_id")
            return Given("tool", item.arguments or "{}", "function_call", call_id, name)
        case "function_call_output":
            call_id, output = _given(item.call_id, f"{where}.call_id"), _given(item.output, f"{where}.output")
            return Given("tool", output, "function_call_output", call_id)
        case "item_reference":
            return Given(refers_to=_given(item.id, f"{where}.id"))


def wish(options: rt.ResponseOptions) -> Wish:
    """What a client wants for one answer alone."""
    choice, forced = choice_of(options.tool_choice)
    return Wish(
        options.instructions,
        options.metadata or {},
        None if options.tools is None else tools_of(options.tools, "response.tools"),
        choice,
        forced,
        None if options.max_output_tokens is None else limit_of(options.max_output_tokens),
        None if options.input is None else _input(options.input),
    )


def tools_of(given: list[rt.FunctionTool], where: str) -> tuple[Tool, ...]:
    """Tools, their schemas as JSON text."""
    if len(given) > MOST_TOOLS:
        raise ProtocolViolation("invalid_value", f"At most {MOST_TOOLS} tools.", param=where)
    if len({tool.name for tool in given}) < len(given):
        raise ProtocolViolation("invalid_value", "Each tool has a name of its own.", param=where)
    return tuple(Tool(it.name, it.description or "", msgspec.json.encode(it.parameters or {}).decode()) for it in given)


def choice_of(given: rt.ToolChoice | None) -> tuple[ToolChoice | None, str]:
    """Whether tools are to be called, and the one that must be."""
    return ("required", given.name) if isinstance(given, rt.NamedTool) else (given, "")


def limit_of(given: rt.MaxTokens) -> int:
    """Tokens at most; 0 for any number."""
    return 0 if given == "inf" else int(given)


def _input(given: list[rt.InputItem]) -> tuple[Given, ...]:
    return tuple(given_of(item, f"response.input[{at}]") for at, item in enumerate(given))


def _given(value: T | None, name: str) -> T:
    if value is None:
        raise ProtocolViolation("missing_required_parameter", f"Missing required parameter: {name}.", param=name)
    return value
