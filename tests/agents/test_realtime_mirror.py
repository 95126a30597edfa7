"""What an upstream session holds follows the conversation, however that changed."""

from dataclasses import replace
from typing import Any

from hypothesis import given, strategies as st

from gateway.agents.realtime_mirror import BYTES_A_MS, MIN_SOUND_BYTES, Event, Mirror, digest
from gateway.runtime.ports import Message


class Upstream:
    """A server that does what it is told, and refuses what it cannot."""

    def __init__(self) -> None:
        self.items: list[Event] = []
        self.buffered = 0
        self.turns = 0
        self.unnamed: list[str] = []

    def take(self, event: Event) -> None:
        match event["type"]:
            case "conversation.item.create":
                item, before = event["item"], event.get("previous_item_id")
                assert item["id"] not in [it["id"] for it in self.items]
                at = len(self.items) if before is None else 0 if before == "root" else self.at(before) + 1
                self.items.insert(at, item)
            case "conversation.item.delete":
                del self.items[self.at(event["item_id"])]
            case "conversation.item.truncate":
                item = self.items[self.at(event["item_id"])]
                assert event["audio_end_ms"] <= item["ms"]
                item["ms"] = event["audio_end_ms"]
            case "input_audio_buffer.append":
                self.buffered += 1
            case "input_audio_buffer.commit":
                assert self.buffered
                self.buffered = 0
                self.turns += 1
                self.unnamed.append(f"turn_{self.turns}")
                self.items.append({"id": self.unnamed[-1], "type": "message", "role": "user", "spoken": True})

    def at(self, item_id: str) -> int:
        return [it["id"] for it in self.items].index(item_id)

    def speak(self, mirror: Mirror, response_id: str, text: str) -> None:
        """An answer of a second for each word."""
        upstream_id = f"made_{response_id}"
        held = mirror.made(upstream_id, "message", response_id)
        ms = len(text.split()) * 1000
        held.digest, held.sound_bytes = digest(text), ms * BYTES_A_MS
        self.items.append({"id": upstream_id, "type": "message", "role": "assistant", "said": text, "ms": ms})

    def follow(self, mirror: Mirror, messages: list[Message], sounds: dict[str, bytes]) -> list[Event]:
        events = mirror.mend(messages, sounds)
        for event in events:
            self.take(event)
        for upstream_id in self.unnamed:
            mirror.committed(upstream_id)
        self.unnamed.clear()
        return events


def shows(item: Event, message: Message) -> bool:
    """Does an upstream item stand for a message?"""
    if item.get("spoken"):
        return message.spoken
    if "said" in item:
        if not message.interrupted:
            return bool(item["said"] == message.text)
        return bool(item["ms"] == message.heard_ms)
    if item["type"] == "function_call":
        return bool(item["call_id"] == message.call_id and item["arguments"] == message.text)
    if item["type"] == "function_call_output":
        return bool(item["call_id"] == message.call_id and item["output"] == message.text)
    return bool(item["role"] == message.role and item["content"][0]["text"] == message.text)


words = st.sampled_from(["one", "one two", "one two three", "no", ""])
actions = st.one_of(
    st.tuples(st.just("type"), words),
    st.tuples(st.just("say"), words.filter(bool)),
    st.tuples(st.just("answer"), words),
    st.tuples(st.just("cut"), st.integers(0, 2)),
    st.tuples(st.just("delete"), st.integers(0, 9)),
    st.tuples(st.just("correct"), st.integers(0, 9)),
    st.tuples(st.just("swap"), st.integers(0, 9)),
    st.tuples(st.just("insert"), st.integers(0, 9)),
    st.tuples(st.just("call"), st.integers(0, 9)),
    st.tuples(st.just("look"), st.none()),
)


def change(messages: list[Message], what: str, how: Any, item_id: str) -> None:
    """What people and devices do to a conversation."""
    last = messages[-1] if messages else None
    match what:
        case "type" | "say":
            messages.append(Message("user", how, item_id=item_id, spoken=what == "say"))
        case "cut" if last is not None and last.role == "assistant" and len(last.text.split()) > how > 0:
            heard = " ".join(last.text.split()[:how])
            messages[-1] = replace(last, text=heard, interrupted=True, heard_ms=how * 1000 - 100)
        case "delete" if how < len(messages):
            del messages[how]
        case "correct" if how < len(messages) and messages[how].role == "user":
            messages[how] = Message("user", "corrected", item_id=messages[how].item_id)
        case "swap" if how + 1 < len(messages):
            messages[how], messages[how + 1] = messages[how + 1], messages[how]
        case "insert":
            messages.insert(how, Message("system", "be brief", item_id=item_id))
        case "call":
            call = Message("tool", "{}", kind="function_call", item_id=item_id, call_id=item_id, name="clock")
            output = replace(call, text="10:30", kind="function_call_output", item_id=f"{item_id}b", name="")
            messages += [call, output]


@given(st.lists(actions, max_size=25))
def test_after_each_mending_it_holds_the_conversation(script: list[tuple[str, Any]]) -> None:
    upstream, mirror = Upstream(), Mirror()
    messages: list[Message] = []
    for number, (what, how) in enumerate(script):
        item_id = f"item_{number}"
        if what == "answer":
            upstream.follow(mirror, messages, {})
            upstream.speak(mirror, f"resp_{number}", how or "yes")
            messages.append(Message("assistant", how or "yes", item_id=item_id, response_id=f"resp_{number}"))
        else:
            change(messages, what, how, item_id)
        upstream.follow(mirror, messages, {item_id: b"\0" * MIN_SOUND_BYTES} if what == "say" else {})
        expected = [it for it in messages if it.text or it.kind != "message"]
        assert len(upstream.items) == len(expected)
        assert all(shows(item, message) for item, message in zip(upstream.items, expected, strict=True))
        assert mirror.mend(messages, {}) == []


def test_a_turn_whose_words_nobody_knows_stays_as_long_as_the_conversation_has_it() -> None:
    mirror, upstream = Mirror(), Upstream()
    turn = Message("user", "", item_id="item_1", spoken=True)
    upstream.follow(mirror, [turn], {"item_1": b"\0" * MIN_SOUND_BYTES})
    assert upstream.follow(mirror, [turn], {}) == []
    upstream.follow(mirror, [], {})
    assert upstream.items == []
    assert upstream.follow(mirror, [turn], {}) == []  # its sound is gone


def test_what_is_new_is_all_that_is_sent() -> None:
    mirror, upstream = Mirror(), Upstream()
    asked = Message("user", "one", item_id="item_1")
    assert len(upstream.follow(mirror, [asked], {})) == 1
    assert upstream.follow(mirror, [asked], {}) == []
    assert len(upstream.follow(mirror, [asked, Message("user", "two", item_id="item_2")], {})) == 1


def test_words_that_steer_have_no_id_before_they_stand_in_the_conversation() -> None:
    mirror, upstream = Mirror(), Upstream()
    upstream.follow(mirror, [Message("user", "in French")], {})
    assert upstream.follow(mirror, [Message("user", "in French", item_id="item_5")], {}) == []
    assert [event["type"] for event in upstream.follow(mirror, [], {})] == ["conversation.item.delete"]


def test_no_words_are_kept() -> None:
    mirror = Mirror()
    mirror.mend([Message("user", "canary", item_id="item_1")], {})
    assert "canary" not in repr(vars(mirror))


def test_pictures_are_passed_on() -> None:
    [event] = Mirror().mend([Message("user", "", item_id="item_1", images=("data:image/png;base64,AA",))], {})
    assert event["item"]["content"] == [{"type": "input_image", "image_url": "data:image/png;base64,AA"}]
