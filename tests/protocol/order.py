"""The order of server events that every Realtime client may count on. Standard library alone: any client can use it.

    order = Order()
    for event in events:
        order.take(event)
    assert order.finish() == []

A turn: ``speech_started`` → ``speech_stopped`` → ``committed`` → ``item.added`` → ``item.done``, and its words once,
at any time after that. An answer: ``response.created`` → for each item ``output_item.added`` → ``item.added`` →
``content_part.added`` → deltas → the ``done`` of each kind of delta → ``content_part.done`` → ``item.done`` →
``output_item.done``, and ``response.done`` once, last, whatever happens to it. Items of one answer may overlap: a tool
is called while words are still being sounded. What deltas add up to is what the ``done`` events say. What sounds at the
gateway is ``started``, and then once ``stopped`` or ``cleared``.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

Json = dict[str, Any]

TURN: Final = "input_audio_buffer."
ITEM: Final = "conversation.item."
WORDS: Final = f"{ITEM}input_audio_transcription."
SOUND: Final = "output_audio_buffer."

TEXTS: Final = {"output_text": "text", "output_audio_transcript": "transcript", "function_call_arguments": "arguments"}
"""Kinds of deltas that add up, and the field of their ``done`` that holds the sum."""


@dataclass(slots=True)
class _Output:
    """One item of an answer."""

    item_id: str
    kind: str
    added: bool = False
    """``conversation.item.added`` was told."""

    part: str | None = None
    """The type of its content part, once that was added."""

    said: dict[str, str] = field(default_factory=dict)
    """What the deltas of each kind add up to."""

    closed: list[str] = field(default_factory=list)
    """What of it is done, in order."""


@dataclass(slots=True)
class _Response:
    outputs: list[_Output] = field(default_factory=list)
    done: bool = False


class Order:
    """Takes the events of one connection, one after another, and finds those that come at a wrong time."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._count = 0
        self._ids: set[str] = set()
        self._turns: dict[str, str] = {}
        """How far each spoken turn is: ``started``, ``stopped``, ``committed``, ``worded``."""

        self._items: dict[str, str] = {}
        """``added``, ``done`` or ``deleted``."""

        self._responses: dict[str, _Response] = {}
        self._sounding: dict[str, bool] = {}
        """Answers that the gateway plays: True while they sound."""

    def take(self, event: Json) -> None:
        """The next event."""
        kind = str(event.get("type"))
        self._count += 1
        self._check((self._count == 1) == (kind == "session.created"), "session.created comes first, and once", event)
        given = event.get("event_id")
        self._check(bool(given) and given not in self._ids, "every event has an id of its own", event)
        self._ids.add(str(given))
        rule = _RULES.get(kind)
        if rule is not None:
            rule(self, event)
        elif kind.startswith("response."):
            self._of_an_answer(event, kind.removeprefix("response."))

    def finish(self) -> list[str]:
        """What is wrong with the whole story, once everything that began in it has had time to end."""
        open_items = [item for item, state in self._items.items() if state == "added"]
        found = {
            "answers that never end": [name for name, it in self._responses.items() if not it.done],
            "items that are never done": open_items,
            "turns that never end": [item for item, state in self._turns.items() if state == "started"],
            "turns that become no item": [item for item, state in self._turns.items() if state == "committed"],
            "sound that never ends": [name for name, sounds in self._sounding.items() if sounds],
        }
        return [*self.problems, *(f"{what}: {names}" for what, names in found.items() if names)]

    def _check(self, holds: bool, rule: str, event: Json) -> None:
        if not holds:
            self.problems.append(f"event {self._count} ({event.get('type')}): {rule}")

    # --- the user's turn ---

    def _started(self, event: Json) -> None:
        self._check(event["item_id"] not in self._turns, "a turn starts once", event)
        self._turns[event["item_id"]] = "started"

    def _stopped(self, event: Json) -> None:
        self._check(self._turns.get(event["item_id"]) == "started", "a turn stops after it has started", event)
        self._turns[event["item_id"]] = "stopped"

    def _committed(self, event: Json) -> None:
        # A turn that is committed by hand was never announced.
        self._check(self._turns.get(event["item_id"], "stopped") == "stopped", "a turn is committed at its end", event)
        self._check(event["item_id"] not in self._items, "a turn is committed before it is an item", event)
        self._check(_known(event.get("previous_item_id"), self._items), "what it follows is known", event)
        self._turns[event["item_id"]] = "committed"

    def _more_words(self, event: Json) -> None:
        known = self._turns.get(event["item_id"]) in ("started", "stopped", "committed", "item")
        self._check(known, "words come before they are complete", event)

    def _words(self, event: Json) -> None:
        self._check(self._turns.get(event["item_id"]) == "item", "words are told once, of an item", event)
        self._turns[event["item_id"]] = "worded"

    # --- items ---

    def _added(self, event: Json) -> None:
        item = event["item"]
        self._check(item["id"] not in self._items, "an item is added once", event)
        self._check(_known(event.get("previous_item_id"), self._items), "what it follows is known", event)
        output = self._output(item["id"])
        if output is not None:
            self._check(not output.added, "an answer's item is added right after output_item.added", event)
            output.added = True
        else:
            self._check(item.get("status") != "in_progress", "only an answer is still being said", event)
        if self._turns.get(item["id"]) == "committed":
            self._turns[item["id"]] = "item"
        self._items[item["id"]] = "added"

    def _done(self, event: Json) -> None:
        item = event["item"]
        self._check(self._items.get(item["id"]) == "added", "an item is done once, after it was added", event)
        self._check(item.get("status") != "in_progress", "what is done is not in progress", event)
        self._items[item["id"]] = "done"
        output = self._output(item["id"])
        if output is not None:
            last = "function_call_arguments" if output.kind == "function_call" else "content_part"
            whole = last in output.closed or (output.part is None and output.kind == "message")
            self._check(whole, "an item is done after what is in it", event)
            output.closed.append("item")
            self._check(_text(item) in (None, _sum(output)), "an item holds what its deltas add up to", event)

    def _deleted(self, event: Json) -> None:
        self._check(self._items.get(event["item_id"]) == "done", "what is deleted was done", event)
        self._items[event["item_id"]] = "deleted"

    def _truncated(self, event: Json) -> None:
        self._check(self._items.get(event["item_id"]) == "done", "what is truncated was done", event)

    # --- answers ---

    def _created(self, event: Json) -> None:
        response = event["response"]
        self._check(response["id"] not in self._responses, "an answer is created once", event)
        self._check(response["status"] == "in_progress" and not response["output"], "an answer begins empty", event)
        self._responses[response["id"]] = _Response()

    def _over(self, event: Json) -> None:
        response = event["response"]
        known = self._responses.get(response["id"])
        self._check(known is not None and not known.done, "an answer ends once, after it was created", event)
        if known is None:
            return
        known.done = True
        whole = all("output_item" in output.closed for output in known.outputs)
        self._check(whole, "an answer ends after all of its items", event)
        given = [item["id"] for item in response["output"]]
        self._check(given == [it.item_id for it in known.outputs], "an answer's output is what was added to it", event)
        self._check(bool(response.get("usage")), "an answer says at its end what it cost", event)
        details = response.get("status_details")
        named = response["status"] == "completed" if details is None else details["type"] == response["status"]
        self._check(named, "status_details are those of the status", event)

    def _of_an_answer(self, event: Json, what: str) -> None:
        response = self._responses.get(str(event.get("response_id")))
        self._check(response is not None and not response.done, "nothing of an answer comes outside of it", event)
        if response is None:
            return
        if what == "output_item.added":
            self._begins(event, response)
            return
        at = event["output_index"]
        output = response.outputs[at] if at < len(response.outputs) else None
        item_id = event["item"]["id"] if "item" in event else event["item_id"]
        self._check(output is not None and output.item_id == item_id, "an item keeps its place in the output", event)
        if output is not None:
            self._of_an_item(event, what, output)

    def _begins(self, event: Json, response: _Response) -> None:
        item = event["item"]
        self._check(
            event["output_index"] == len(response.outputs), "the places of the output are filled in order", event
        )
        self._check(item["id"] not in self._items, "an item is announced before it is added", event)
        response.outputs.append(_Output(item["id"], item["type"]))

    def _of_an_item(self, event: Json, what: str, output: _Output) -> None:
        self._check(output.added, "an item is added before anything is said in it", event)
        self._check("output_item" not in output.closed, "nothing of an item comes after it is done", event)
        name, _, step = what.rpartition(".")
        match name, step:
            case "content_part", "added":
                self._check(output.part is None, "a part is added once", event)
                output.part = event["part"]["type"]
            case "content_part" | "output_item", "done":
                self._closes(event, name, output)
            case _, "delta":
                self._check(name not in output.closed, "no delta comes after its done", event)
                self._check(_fits(name, output), "deltas are those of the part", event)
                output.said[name] = output.said.get(name, "") + event["delta"]
            case _:
                field = TEXTS.get(name)
                same = field is None or event[field] == output.said.get(name, "")
                self._check(same, "what is done is what its deltas add up to", event)
                self._check(_fits(name, output) and name not in output.closed, "each kind of delta is done once", event)
                output.closed.append(name)

    def _closes(self, event: Json, name: str, output: _Output) -> None:
        self._check(name not in output.closed, "each is done once", event)
        if name == "content_part":
            whole = set(_kinds(output)) <= set(output.closed)
            self._check(whole, "a part is done after what is in it", event)
            said = event["part"].get("transcript" if output.part == "audio" else "text")
            self._check(said == _sum(output), "a part holds what its deltas add up to", event)
        else:
            self._check("item" in output.closed, "conversation.item.done comes before output_item.done", event)
        output.closed.append(name)

    def _output(self, item_id: str) -> _Output | None:
        found = (output for response in self._responses.values() for output in response.outputs)
        return next((output for output in found if output.item_id == item_id), None)

    # --- what the gateway plays ---

    def _sounds(self, event: Json) -> None:
        name = event["response_id"]
        self._check(name in self._responses and not self._sounding.get(name), "an answer sounds once at a time", event)
        self._sounding[name] = True

    def _silent(self, event: Json) -> None:
        self._check(self._sounding.get(event["response_id"], False), "what ends to sound has sounded", event)
        self._sounding[event["response_id"]] = False


def _known(item_id: str | None, items: dict[str, str]) -> bool:
    return item_id is None or items.get(item_id, "deleted") != "deleted"


def _kinds(output: _Output) -> tuple[str, ...]:
    if output.kind == "function_call":
        return ("function_call_arguments",)
    return ("output_audio", "output_audio_transcript") if output.part == "audio" else ("output_text",)


def _fits(name: str, output: _Output) -> bool:
    return name in _kinds(output) and (output.part is not None or output.kind != "message")


def _sum(output: _Output) -> str:
    (kind,) = [kind for kind in _kinds(output) if kind in TEXTS]
    return output.said.get(kind, "")


def _text(item: Json) -> str | None:
    """What an item says; None where that is not told. A steer's words are an item of the answer, without deltas."""
    if item["type"] == "function_call":
        return str(item["arguments"])
    if item["role"] != "assistant" or not item["content"]:
        return None
    part = item["content"][0]
    return str(part["transcript"] if part["type"] == "output_audio" else part["text"])


_RULES: Final[dict[str, Callable[[Order, Json], None]]] = {
    f"{TURN}speech_started": Order._started,
    f"{TURN}speech_stopped": Order._stopped,
    f"{TURN}committed": Order._committed,
    f"{WORDS}delta": Order._more_words,
    f"{WORDS}completed": Order._words,
    f"{WORDS}failed": Order._words,
    f"{ITEM}added": Order._added,
    f"{ITEM}done": Order._done,
    f"{ITEM}deleted": Order._deleted,
    f"{ITEM}truncated": Order._truncated,
    "response.created": Order._created,
    "response.done": Order._over,
    f"{SOUND}started": Order._sounds,
    f"{SOUND}stopped": Order._silent,
    f"{SOUND}cleared": Order._silent,
}


def problems(events: Iterable[Json]) -> list[str]:
    """What is wrong with the order of a story that is over; empty when nothing is."""
    order = Order()
    for event in events:
        order.take(event)
    return order.finish()
