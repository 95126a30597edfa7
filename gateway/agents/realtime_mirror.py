"""What an upstream Realtime session holds of a conversation, and how to make it hold what it should. Pure.

The gateway's own conversation is the truth: what was heard of an answer, what was edited, removed or left with a
branch. Before each answer the two are compared, and the upstream session is mended: items are deleted, created in
their places, and answers that it spoke itself are truncated where they were cut. Words are remembered as digests
alone, so that none outlive a redaction here.
"""

import base64
import hashlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from gateway.runtime.ports import Message

Event: TypeAlias = dict[str, Any]
"""An event of the protocol, as JSON."""

APPEND_BYTES: Final = 96_000
"""Of sound in one event: 2 s at 24 kHz."""

MIN_SOUND_BYTES: Final = 5_760
"""Of a turn that is sent as sound: servers refuse less than 100 ms."""

BYTES_A_MS: Final = 48


@dataclass(slots=True)
class Held:
    """An item that the upstream session holds."""

    upstream_id: str
    """``""`` for a turn sent as sound, until the server names it."""

    role: str
    kind: str
    item_id: str = ""
    """Ours; ``""`` until the conversation names it."""

    digest: bytes = b""
    """Of what it says."""

    response_id: str = ""
    """The answer of ours that it was made for; ``""`` for what was created from here."""

    call_id: str = ""
    sound_bytes: int = 0
    """How much sound of it has come."""

    stopped: bool = False
    """The model was stopped in the middle of it, and may have said a little more than has come."""

    def is_now(self, message: Message) -> bool:
        """Is this what it is of?"""
        if self.item_id:
            return self.item_id == message.item_id
        if (self.role, self.kind) != (message.role, message.kind):
            return False
        if self.kind != "message":
            return self.call_id == message.call_id
        if self.response_id:
            return self.response_id == message.response_id
        return self.digest == digest(message.text)


class Mirror:
    """One upstream session's items, in its order."""

    def __init__(self) -> None:
        self._items: list[Held] = []
        self._unnamed: deque[Held] = deque()
        self._created = 0

    # --- what the server does ---

    def made(self, upstream_id: str, kind: str, response_id: str, call_id: str = "") -> Held:
        """The model has begun an item of an answer."""
        role = "assistant" if kind == "message" else "tool"
        held = Held(upstream_id, role, kind, response_id=response_id, call_id=call_id)
        self._items.append(held)
        return held

    def committed(self, upstream_id: str) -> None:
        """The server has named the oldest turn that was sent as sound."""
        if self._unnamed:
            self._unnamed.popleft().upstream_id = upstream_id

    @property
    def settled(self) -> bool:
        """Has the server named every item that it was sent?"""
        return not self._unnamed

    # --- what it should hold ---

    def mend(self, messages: Sequence[Message], sounds: Mapping[str, bytes]) -> list[Event]:
        """The events after which the upstream session holds *messages*; it is taken to do so from now on.

        *sounds*: of turns that came by voice, what was said, by item id.
        """
        turns = {held.item_id for held in self._items if held.role == "user"}
        wanted = [it for it in messages if _says(it) or _audible(it, sounds) or it.item_id in turns]
        kept = self._kept(wanted)
        stay = {id(held) for held in kept if held is not None}
        events: list[Event] = [_delete(held) for held in self._items if id(held) not in stay]
        self._items = []
        last = max((at for at, held in enumerate(kept) if held is not None), default=-1)
        for at, (message, held) in enumerate(zip(wanted, kept, strict=True)):
            if held is None:
                if not (_says(message) or _audible(message, sounds)):
                    continue  # a turn whose words nobody knows, and whose sound is gone
                events += self._create(message, sounds, in_between=at < last)
                continue
            if held.digest != digest(message.text) or (held.stopped and held.sound_bytes):
                events.append(_truncate(held, message))
            held.item_id, held.digest, held.stopped = message.item_id, digest(message.text), False
            self._items.append(held)
        return events

    def _kept(self, wanted: Sequence[Message]) -> list[Held | None]:
        """For each message the item that holds it and may stay, in the order of both; None where there is none."""
        kept: list[Held | None] = []
        rest = deque(self._items)
        for message in wanted:
            found = next((held for held in rest if held.is_now(message)), None)
            if found is not None and _may_stay(found, message):
                while rest.popleft() is not found:
                    pass
                kept.append(found)
            else:
                kept.append(None)
        return kept

    def _create(self, message: Message, sounds: Mapping[str, bytes], *, in_between: bool) -> Iterator[Event]:
        held = Held("", message.role, message.kind, message.item_id, digest(message.text), call_id=message.call_id)
        before = self._items[-1].upstream_id if self._items else "root"
        self._items.append(held)
        if _audible(message, sounds) and not in_between:
            self._unnamed.append(held)
            yield from _spoken(sounds[message.item_id])
            return
        self._created += 1
        held.upstream_id = f"bargein_{self._created}"
        event: Event = {"type": "conversation.item.create", "item": {"id": held.upstream_id, **_item(message)}}
        if in_between:
            event["previous_item_id"] = before
        yield event


def digest(text: str) -> bytes:
    """What stands for words that are not kept."""
    return hashlib.blake2b(text.strip().encode(errors="replace"), digest_size=16).digest()


def _says(message: Message) -> bool:
    return message.kind != "message" or bool(message.text.strip() or message.images)


def _audible(message: Message, sounds: Mapping[str, bytes]) -> bool:
    return message.role == "user" and len(sounds.get(message.item_id, b"")) >= MIN_SOUND_BYTES


def _may_stay(held: Held, message: Message) -> bool:
    """Does it say what it should, or can it be made to by taking its end away?"""
    if held.digest == digest(message.text):
        return True
    return bool(held.response_id and held.sound_bytes and message.interrupted and message.heard_ms)


def _truncate(held: Held, message: Message) -> Event:
    came = held.sound_bytes // BYTES_A_MS
    reached = came if message.heard_ms is None else min(message.heard_ms, came)
    return {
        "type": "conversation.item.truncate",
        "item_id": held.upstream_id,
        "content_index": 0,
        "audio_end_ms": reached,
    }


def _delete(held: Held) -> Event:
    return {"type": "conversation.item.delete", "item_id": held.upstream_id}


def _spoken(pcm: bytes) -> Iterator[Event]:
    for at in range(0, len(pcm), APPEND_BYTES):
        piece = base64.b64encode(pcm[at : at + APPEND_BYTES]).decode()
        yield {"type": "input_audio_buffer.append", "audio": piece}
    yield {"type": "input_audio_buffer.commit"}


def _item(message: Message) -> Event:
    match message.kind:
        case "function_call":
            call = {"call_id": message.call_id, "name": message.name, "arguments": message.text}
            return {"type": "function_call", **call}
        case "function_call_output":
            return {"type": "function_call_output", "call_id": message.call_id, "output": message.text}
        case _:
            kind = "output_text" if message.role == "assistant" else "input_text"
            content: list[Event] = [{"type": kind, "text": message.text}] if message.text.strip() else []
            content += [{"type": "input_image", "image_url": url} for url in message.images]
            return {"type": "message", "role": message.role, "content": content}
