"""A conversation as chat messages that every OpenAI-compatible server takes. Pure.

Chat templates behind such servers differ: many (Mistral, Gemma) raise unless there is at most one
system message, at the very beginning, and after it user and assistant take turns, the user first and
last; some refuse empty content. So this is what is sent, always:

- instructions and all system messages, joined, as the one leading ``system`` message (none if empty);
- consecutive messages of one speaker, joined with a line break;
- an interrupted answer as exactly the words that were heard. That it was interrupted is told as a
  note in square brackets at the head of the *user's* next message: models imitate what stands in
  their own messages, and would speak the marker. What was not heard is not sent at all;
- an answer whose sound broke off by itself likewise, but the note quotes the rest, which could be read;
- a note in the user's place where a user message would be missing;
- what came of a tool right after its call, wherever it stood, and a note where nothing came.

An answer that is steered is gone on with. For a model that continues its own words (``prefill``) those stand last,
alone against the rule above, and what the user added stands before them. Any other is told in the leading system
message, so that nothing of it can be taken for the user's words or imitated.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from gateway.runtime.ports import Conversation, Message, Steered

CUT: Final = "[The user interrupted the answer above at this point. The rest of it was not heard.]"
CUT_UNHEARD: Final = "[The user interrupted before any of the answer was heard.]"
BROKEN_OFF: Final = "[The sound of the answer above broke off at this point. The rest was not heard, only shown as text"
BROKEN_OFF_UNHEARD: Final = "[None of the answer was heard, as its sound failed. It was only shown as text"
BEGIN: Final = "[The conversation begins.]"
ADDED: Final = "[While you were answering the user added:]"
_QUOTED: Final = 12
UNANSWERED: Final = "[Nothing has come back of this call so far.]"
EMPTY: Final = "[This call came back with nothing.]"
GO_ON: Final = "[The user has said nothing new. Go on.]"


ChatRole: TypeAlias = Literal["user", "assistant", "system", "tool"]


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a chat completion request. ``content`` is empty only where there are calls."""

    role: ChatRole
    content: str
    calls: tuple[Message, ...] = ()
    """The tools that the assistant asks for in it."""

    call_id: str = ""
    """Of what came of a tool: its call."""

    images: tuple[str, ...] = ()


def chat_messages(conversation: Conversation) -> tuple[ChatMessage, ...]:
    """At most one system message, then user, assistant, …, user."""
    steered = conversation.steered
    system = [conversation.instructions, *(m.text for m in conversation.messages if m.role == "system")]
    if steered is not None and steered.mode != "prefill":
        system.append(go_on(steered.partial))
    head = "\n\n".join(text.strip() for text in system if text.strip())
    said = [m for m in conversation.messages if m.role != "system"]
    results = {m.call_id: m.text for m in said if m.kind == "function_call_output"}
    if steered is not None:
        turns = _steered_turns(conversation, steered, results)
        return (ChatMessage("system", head), *turns) if head else tuple(turns)
    turns = list(_alternating((part for message in said for part in _parts(message)), results))
    if not turns or turns[0].role == "assistant":
        turns.insert(0, ChatMessage("user", BEGIN))
    if turns[-1].role == "assistant":
        turns.append(ChatMessage("user", GO_ON))
    elif turns[-1].role == "tool":
        pass
    elif said and said[-1].role == "assistant" and said[-1].interrupted:  # nothing but the note follows it
        turns[-1] = ChatMessage("user", f"{turns[-1].content}\n{GO_ON}")
    return (ChatMessage("system", head), *turns) if head else tuple(turns)


def go_on(partial: str) -> str:
    """What a model is told that cannot go on with its own words by itself."""
    last = " ".join(partial.split()[-_QUOTED:])
    return (
        f"You are in the middle of an answer; its last words so far are: “{last}”. Then the user added the last "
        "message. Take it into account and go on with your answer from exactly there. Repeat nothing, and do not start "
        "over."
    )


def _steered_turns(conversation: Conversation, steered: Steered, results: Mapping[str, str]) -> list[ChatMessage]:
    """The conversation before the answer, and the answer with what the user added to it."""
    before = [m for m in conversation.messages[: steered.since] if m.role != "system"]
    during = [m for m in conversation.messages[steered.since :] if m.role != "system"]
    parts = [part for message in before for part in _parts(message)]
    if steered.mode == "prefill":
        parts += [ChatMessage("user", f"{ADDED} {m.text.strip()}") for m in during if m.role == "user"]
        parts.append(ChatMessage("assistant", steered.partial))
    else:
        parts += [part for m in during for part in _parts(replace(m, interrupted=False))]
    turns = list(_alternating(iter(parts), results))
    return turns if turns[0].role == "user" else [ChatMessage("user", BEGIN), *turns]


def _parts(message: Message) -> Iterator[ChatMessage]:
    """What a message gives; a result nothing, for it stands with its call."""
    text = message.text.strip()
    match message.kind:
        case "function_call":
            yield ChatMessage("assistant", "", calls=(message,))
            return
        case "function_call_output":
            return
    if text or message.images:
        yield ChatMessage(message.role, text, images=message.images)
    if message.interrupted:
        yield ChatMessage("user", _note(message, heard=bool(text)))


def _note(message: Message, *, heard: bool) -> str:
    if not message.broken_off:
        return CUT if heard else CUT_UNHEARD
    shown = message.unheard.strip()
    return f"{BROKEN_OFF if heard else BROKEN_OFF_UNHEARD}{f': {shown}]' if shown else '.]'}"


def _alternating(parts: Iterator[ChatMessage], results: Mapping[str, str]) -> Iterator[ChatMessage]:
    """One message of each speaker in a row; after one with calls, what came of each."""
    held: ChatMessage | None = None
    for part in parts:
        if held is not None and held.role == part.role and (part.calls or not held.calls):
            held = _joined(held, part)
            continue
        if held is not None:
            yield from _whole(held, results)
        held = part
    if held is not None:
        yield from _whole(held, results)


def _joined(one: ChatMessage, other: ChatMessage) -> ChatMessage:
    content = "\n".join(text for text in (one.content, other.content) if text)
    return ChatMessage(one.role, content, one.calls + other.calls, images=one.images + other.images)


def _whole(message: ChatMessage, results: Mapping[str, str]) -> Iterator[ChatMessage]:
    """A message, and what came of its calls: servers refuse a call without, and a result anywhere else."""
    yield message
    for call in message.calls:
        yield ChatMessage("tool", results.get(call.call_id, UNANSWERED) or EMPTY, call_id=call.call_id)
