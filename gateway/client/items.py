"""The conversation as a fold over server events. Pure: the same events give the same items, here and in ``web/``.

Applying an event twice changes nothing more, so that what a resume tells again is not doubled.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from msgspec import UNSET

from gateway.client.events import Told
from gateway.protocol import extension as ext, realtime as rt, redaction, transcription


@dataclass(frozen=True, slots=True)
class Item:
    """A message: ``text`` is what was typed, said or heard. Or a tool's call (its arguments), or what came of one."""

    id: str
    role: Literal["user", "assistant", "system", "tool"]
    status: Literal["completed", "incomplete", "in_progress"]
    text: str
    spoken: bool
    unheard: str | None = None
    """The rest of an answer that was cut; None when it was not."""

    seen: str = ""
    """What of ``unheard`` had been shown as text."""

    device: str = ""
    kind: Literal["message", "function_call", "function_call_output"] = "message"
    call_id: str = ""
    """Joins a call and its result."""

    name: str = ""
    """Of the tool that is called."""


def from_wire(item: rt.Item) -> Item:
    """An item as the protocol shows it."""
    if item.type != "message":
        said = (item.output if item.type == "function_call_output" else item.arguments) or ""
        return Item(
            item.id,
            "tool",
            item.status,
            said,
            spoken=False,
            kind=item.type,
            call_id=item.call_id or "",
            name=item.name or "",
        )
    content = item.content or []
    texts = [part.text if part.text is not UNSET else part.transcript for part in content]
    return Item(
        item.id,
        item.role or "user",
        item.status,
        "".join(text for text in texts if isinstance(text, str)),
        any(part.type.endswith("audio") for part in content),
        None if item.unheard_text is UNSET else item.unheard_text,
        "" if item.seen_text is UNSET else item.seen_text,
        "" if item.device is UNSET else item.device,
    )


class Fold:
    """Items and running answers, as far as they were told."""

    def __init__(self) -> None:
        self._order: list[str] = []
        self._items: dict[str, Item] = {}
        self._running: dict[str, None] = {}

    @property
    def items(self) -> tuple[Item, ...]:
        """The conversation, oldest first."""
        return tuple(self._items[each] for each in self._order)

    @property
    def running(self) -> tuple[str, ...]:
        """Ids of the responses that are being generated, oldest first."""
        return tuple(self._running)

    def held(self) -> dict[str, int]:
        """How many code points are known of each item that is not finished."""
        return {item.id: len(item.text) for item in self._items.values() if item.status == "in_progress"}

    def lacks(self, event: Told) -> bool:
        """True for text whose beginning was never told."""
        if not isinstance(event, rt.TextDelta | rt.TranscriptDelta):
            return False
        item = self._items.get(event.item_id)
        return item is not None and item.unheard is None and event.offset > len(item.text)

    def apply(self, event: Told) -> None:
        """Take one event; those that mean nothing here are ignored."""
        rule = _RULES.get(type(event))
        if rule is not None:
            rule(self, event)

    # --- rules ---

    def _snapshot(self, event: ext.SessionSnapshot) -> None:
        self._items = {item.id: from_wire(item) for item in event.items}
        self._order = list(self._items)
        self._running = dict.fromkeys(event.running)

    def _added(self, event: rt.ItemAdded) -> None:
        item = from_wire(event.item)
        known = self._items.get(item.id)
        if known is not None:
            self._items[item.id] = _merged(known, item)
            return
        self._items[item.id] = item
        self._order.insert(self._place_after(event.previous_item_id), item.id)

    def _place_after(self, previous: str | None) -> int:
        if previous is None:
            return 0
        return self._order.index(previous) + 1 if previous in self._items else len(self._order)

    def _done(self, event: rt.ItemDone) -> None:
        item = from_wire(event.item)
        known = self._items.get(item.id)
        if known is None:
            self._order.append(item.id)
        self._items[item.id] = item if known is None else _merged(known, item)

    def _deleted(self, event: rt.ItemDeleted) -> None:
        if self._items.pop(event.item_id, None) is not None:
            self._order.remove(event.item_id)

    def _truncated(self, event: rt.ItemTruncated) -> None:
        if event.heard_text is UNSET:
            return  # only says that a claim of how much was played is known
        unheard = "" if event.unheard_text is UNSET else event.unheard_text
        seen = "" if event.seen_text is UNSET else event.seen_text
        self._change(event.item_id, text=event.heard_text, unheard=unheard, seen=seen)

    def _redacted(self, event: redaction.ItemRedacted) -> None:
        item = self._items.get(event.item_id)
        if item is not None:
            self._change(item.id, text="", unheard=None if item.unheard is None else "", seen="")

    def _transcribed(self, event: transcription.TranscriptionCompleted) -> None:
        self._change(event.item_id, text=event.transcript)

    def _delta(self, event: rt.TextDelta | rt.TranscriptDelta) -> None:
        item = self._items.get(event.item_id)
        if item is None or item.unheard is not None:
            return
        text = item.text[: event.offset] + event.delta
        self._items[item.id] = replace(item, text=text, spoken=item.spoken or isinstance(event, rt.TranscriptDelta))

    def _whole(self, event: rt.TextDone | rt.TranscriptDone) -> None:
        item = self._items.get(event.item_id)
        if item is not None and item.unheard is None:
            text = event.text if isinstance(event, rt.TextDone) else event.transcript
            self._change(item.id, text=text)

    def _part(self, event: rt.PartAdded) -> None:
        if event.part.type == "audio":
            self._change(event.item_id, spoken=True)

    def _begun(self, event: rt.ResponseCreated) -> None:
        self._running[event.response.id] = None

    def _ended(self, event: rt.ResponseDone) -> None:
        self._running.pop(event.response.id, None)

    def _change(self, item_id: str, **changes: Any) -> None:
        item = self._items.get(item_id)
        if item is not None:
            self._items[item_id] = replace(item, **changes)


def _merged(known: Item, item: Item) -> Item:
    """What *item* tells anew about *known*; an opening that is told again takes no words away."""
    if known.unheard is not None and item.unheard is None:
        return replace(known, status=item.status)
    text = item.text or known.text
    spoken = known.spoken or item.spoken
    return replace(known, text=text, status=item.status, spoken=spoken, unheard=item.unheard, seen=item.seen)


_RULES: Final[dict[type, Callable[[Fold, Any], None]]] = {
    ext.SessionSnapshot: Fold._snapshot,
    rt.ItemAdded: Fold._added,
    rt.ItemDone: Fold._done,
    rt.ItemDeleted: Fold._deleted,
    rt.ItemTruncated: Fold._truncated,
    redaction.ItemRedacted: Fold._redacted,
    transcription.TranscriptionCompleted: Fold._transcribed,
    rt.TextDelta: Fold._delta,
    rt.TranscriptDelta: Fold._delta,
    rt.TextDone: Fold._whole,
    rt.TranscriptDone: Fold._whole,
    rt.PartAdded: Fold._part,
    rt.ResponseCreated: Fold._begun,
    rt.ResponseDone: Fold._ended,
}
"""What each event does; a new one is a method and a line."""
