"""What a model is given for one answer: the active path with its words, as it was heard."""

from collections.abc import Mapping, Sequence

from gateway.core import effects as fx
from gateway.core.ids import ItemId, ResponseId, SessionId
from gateway.core.state import Conversation as State
from gateway.core.tree import Node
from gateway.core.values import Given, Settings, ToolChoice, Wish
from gateway.runtime.ports import Content, Conversation, Message, Steered, SteerMode, Store


async def conversation(
    state: State, store: Store, session: SessionId, asked: fx.Generate, mode: SteerMode
) -> Conversation:
    """The context of one answer. Raises :class:`gateway.errors.StoreError`."""
    if asked.wish.input is not None:
        messages, steered = await _given(state, store, session, asked.wish.input), None
    else:
        messages, steered = await _path(state, store, session, asked, mode)
    settings, wish = state.settings, asked.wish
    choice, forced = _choice(settings, wish)
    limit = settings.max_output_tokens if wish.max_output_tokens is None else wish.max_output_tokens
    return Conversation(
        session,
        asked.response_id,
        settings.instructions if wish.instructions is None else wish.instructions,
        tuple(messages),
        settings.language,
        steered,
        tools=settings.tools if wish.tools is None else wish.tools,
        tool_choice=choice,
        forced_tool=forced,
        max_output_tokens=limit or None,
    )


def _choice(settings: Settings, wish: Wish) -> tuple[ToolChoice, str]:
    if wish.tool_choice is None:
        return settings.tool_choice, settings.forced_tool
    return wish.tool_choice, wish.forced_tool


async def _path(
    state: State, store: Store, session: SessionId, asked: fx.Generate, mode: SteerMode
) -> tuple[list[Message], Steered | None]:
    """The active path, and what steers its last answer, if anything does."""
    path = [node for node in state.tree.path() if node.status != "in_progress"]
    contents = await store.contents(session, [node.item_id for node in path])
    path = [node for node in path if node.item_id in contents]
    messages = [_message(node, contents) for node in path]
    messages += [Message("user", steering.text, device=steering.device) for steering in asked.steers]
    since = next((at for at, node in enumerate(path) if _is_of(node, asked.steers_on)), None)
    return messages, _steered(mode, messages, since)


async def _given(state: State, store: Store, session: SessionId, given: Sequence[Given]) -> list[Message]:
    """What a client wants the model to be given; of items that it names, those that there are."""
    named = [ItemId(it.refers_to) for it in given if it.refers_to in state.tree.nodes]
    contents = await store.contents(session, named)
    messages = []
    for it in given:
        if not it.refers_to:
            messages.append(Message(it.role, it.text, kind=it.kind, call_id=it.call_id, name=it.name))
        elif it.refers_to in contents:
            messages.append(_message(state.tree.nodes[ItemId(it.refers_to)], contents))
    return messages


def _message(node: Node, contents: Mapping[ItemId, Content]) -> Message:
    content = contents[node.item_id]
    cut = node.truncated or (node.status == "incomplete" and not node.fell_short)
    return Message(
        role=node.role,
        text=content.text,
        interrupted=node.role == "assistant" and cut,
        unheard=content.unheard,
        broken_off=node.broken_off,
        device=node.device,
        spoken=node.spoken,
        item_id=node.item_id,
        kind=node.kind,
        call_id=node.call_id,
        name=node.name,
    )


def _is_of(node: Node, response_id: ResponseId | None) -> bool:
    return response_id is not None and node.response_id == response_id and node.role == "assistant"


def _steered(mode: SteerMode, messages: Sequence[Message], since: int | None) -> Steered | None:
    """The answer that is gone on with; None where nothing of it was heard, so that it begins anew."""
    if since is None:
        return None
    parts = [message.text.strip() for message in messages[since:] if message.role == "assistant"]
    partial = " ".join(part for part in parts if part)
    return Steered(mode, since, partial) if partial else None
