"""What a model is given for one answer: the active path with its words, as it was heard."""

from collections.abc import Mapping, Sequence
from typing import Final

from gateway.core import effects as fx
from gateway.core.ids import ItemId, ResponseId, SessionId
from gateway.core.state import Conversation as State
from gateway.core.tree import Node
from gateway.core.values import Context, Given, Settings, ToolChoice, Wish
from gateway.runtime.calls import paired
from gateway.runtime.ports import Content, Conversation, Message, Steered, SteerMode, Store
from gateway.runtime.wishes import as_pictures, pictures_of

IMAGE_TOKENS: Final = 800
"""Of one picture, more or less: models cut them into tiles of a few hundred each."""

SO_FAR: Final = "What was said so far, in short:"


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
        beside=asked.generation in {it.generation for it in state.asides.values()},
        given=wish.input is not None,
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
    begin = begins_after(state, path)
    summary = [] if begin is None else [begin[1]]
    path = path if begin is None else path[begin[0] + 1 :]
    contents = await store.contents(session, [*summary, *places(path)])
    path = [node for node in path if node.item_id in contents]
    messages = [message(node, contents) for node in path]
    told = [contents[it].text for it in summary if it in contents and contents[it].text]
    messages = [Message("system", f"{SO_FAR} {text}") for text in told] + fitted(messages, state.settings.context)
    messages = paired(messages)
    messages += [Message("user", steering.text, device=steering.device) for steering in asked.steers]
    ours = {node.item_id for node in path if _is_of(node, asked.steers_on)}
    since = next((at for at, it in enumerate(messages) if it.item_id in ours), None)
    return messages, _steered(mode, messages, since)


def begins_after(state: State, path: Sequence[Node]) -> tuple[int, ItemId] | None:
    """Where on the active path the context begins, and the summary of what came before; None for the whole of it."""
    known = {it.upto: it.item_id for it in state.shortened}
    places = [at for at, node in enumerate(path) if node.item_id in known] if known else []
    return (places[-1], known[path[places[-1]].item_id]) if places else None


def fitted(messages: list[Message], context: Context) -> list[Message]:
    """The newest of *messages* that a policy gives a model: from a user's message on, and never none.

    The system's are given whatever their age.
    """
    if context.policy == "whole":
        return messages
    begin, left = len(messages), context.max_tokens
    for at in range(len(messages) - 1, -1, -1):
        left -= tokens(messages[at])
        if left < 0 and begin < len(messages):
            break
        if messages[at].role == "user":
            begin = at
    begin = begin if begin < len(messages) else 0
    return [it for it in messages[:begin] if it.role == "system"] + messages[begin:]


def tokens(told: Message) -> int:
    """How many tokens a message is, more or less: four characters each, and four for what stands around it."""
    return len(told.text) // 4 + 4 + IMAGE_TOKENS * len(told.images)


async def _given(state: State, store: Store, session: SessionId, given: Sequence[Given]) -> list[Message]:
    """What a client wants the model to be given; of items that it names, those that there are."""
    named = [ItemId(it.refers_to) for it in given if it.refers_to in state.tree.nodes]
    contents = await store.contents(session, places([state.tree.nodes[it] for it in named]))
    messages = []
    for it in given:
        if not it.refers_to:
            said = Message(it.role, it.text, kind=it.kind, call_id=it.call_id, name=it.name, images=it.images)
            messages.append(said)
        elif it.refers_to in contents:
            messages.append(message(state.tree.nodes[ItemId(it.refers_to)], contents))
    return paired(messages)


def places(nodes: Sequence[Node]) -> list[ItemId]:
    """Where all that these messages hold stands."""
    return [it.item_id for it in nodes] + [pictures_of(it.item_id) for it in nodes if it.pictures]


def message(node: Node, contents: Mapping[ItemId, Content]) -> Message:
    """A message as models are given it. Its words must be among *contents*."""
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
        response_id=node.response_id or "",
        heard_ms=node.heard_ms,
        kind=node.kind,
        call_id=node.call_id,
        name=node.name,
        images=as_pictures(contents[at].text) if (at := pictures_of(node.item_id)) in contents else (),
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
