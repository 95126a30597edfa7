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
- a note in the user's place where a user message would be missing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gateway.runtime.ports import Conversation, Message, Role

CUT: Final = "[The user interrupted the answer above at this point. The rest of it was not heard.]"
CUT_UNHEARD: Final = "[The user interrupted before any of the answer was heard.]"
BROKEN_OFF: Final = "[The sound of the answer above broke off at this point. The rest was not heard, only shown as text"
BROKEN_OFF_UNHEARD: Final = "[None of the answer was heard, as its sound failed. It was only shown as text"
BEGIN: Final = "[The conversation begins.]"
GO_ON: Final = "[The user has said nothing new. Go on.]"


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a chat completion request. ``content`` is never empty."""

    role: Role
    content: str


def chat_messages(conversation: Conversation) -> tuple[ChatMessage, ...]:
    """At most one system message, then user, assistant, …, user."""
    system = [conversation.instructions, *(m.text for m in conversation.messages if m.role == "system")]
    head = "\n\n".join(text.strip() for text in system if text.strip())
    said = [m for m in conversation.messages if m.role != "system"]
    turns = list(_alternating(part for message in said for part in _parts(message)))
    if not turns or turns[0].role == "assistant":
        turns.insert(0, ChatMessage("user", BEGIN))
    if turns[-1].role == "assistant":
        turns.append(ChatMessage("user", GO_ON))
    elif said and said[-1].role == "assistant" and said[-1].interrupted:  # nothing but the note follows it
        turns[-1] = ChatMessage("user", f"{turns[-1].content}\n{GO_ON}")
    return (ChatMessage("system", head), *turns) if head else tuple(turns)


def _parts(message: Message) -> Iterator[ChatMessage]:
    text = message.text.strip()
    if text:
        yield ChatMessage(message.role, text)
    if message.interrupted:
        yield ChatMessage("user", _note(message, heard=bool(text)))


def _note(message: Message, *, heard: bool) -> str:
    if not message.broken_off:
        return CUT if heard else CUT_UNHEARD
    shown = message.unheard.strip()
    return f"{BROKEN_OFF if heard else BROKEN_OFF_UNHEARD}{f': {shown}]' if shown else '.]'}"


def _alternating(parts: Iterator[ChatMessage]) -> Iterator[ChatMessage]:
    held: ChatMessage | None = None
    for part in parts:
        if held is not None and held.role == part.role:
            held = ChatMessage(held.role, f"{held.content}\n{part.content}")
            continue
        if held is not None:
            yield held
        held = part
    if held is not None:
        yield held
