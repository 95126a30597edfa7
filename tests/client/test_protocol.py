"""The client without I/O: scripts that the browser's module follows too, and what is Python's alone."""

import itertools
import json
from dataclasses import asdict
from typing import Any, Final

import pytest

from gateway.client.backoff import Backoff
from gateway.client.errors import CommandFailed
from gateway.client.events import Unknown, decode, type_of
from gateway.client.items import Item
from gateway.client.outbox import KEY_LIFE_S, MAX_EVENT_BYTES
from gateway.client.protocol import ClientProtocol, Receipt
from gateway.protocol import realtime as rt
from tests.client.scripts import NAMES, script
from tests.protocol.examples import examples


def client(**options: Any) -> ClientProtocol:
    numbers = itertools.count(1)
    return ClientProtocol("phone", lambda prefix: f"{prefix}{next(numbers)}", **options)


def perform(at: ClientProtocol, step: dict[str, Any]) -> list[str] | None:
    """Do what a step says; returns the types of what was handed on."""
    match step["do"]:
        case "open":
            assert at.query() == step["asks"]
            at.opened()
        case "lose":
            at.lost()
        case "command":
            at.command(step["type"], step["fields"])
        case "tell":
            assert at.tell(step["type"], step["fields"]) is step["said"]
        case "withdraw":
            assert at.withdraw(step["command"]) is step["uncertain"]
        case "fail":
            at.fail(step["code"], "It is over.")
        case _:
            text = step.get("raw") or json.dumps(step["event"])
            return [type_of(event) for event in at.receive(text)]
    return None


def outcome(result: Any) -> str:
    if isinstance(result, Receipt):
        effect = "duplicate" if result.duplicate else "accepted"
        return "without effect" if result.without_effect else effect
    return str(result.code)


OF_TOOLS: Final = {"kind": "message", "call_id": "", "name": ""}


def plain(item: Item) -> dict[str, Any]:
    """What the browser's client knows of an item, too."""
    return {name: value for name, value in asdict(item).items() if name not in OF_TOOLS or OF_TOOLS[name] != value}


@pytest.mark.parametrize("name", NAMES)
def test_the_client_follows_the_script(name: str) -> None:
    at = client()
    for number, step in enumerate(script(name)["steps"]):
        told = perform(at, step)
        where = f"step {number}: {json.dumps(step)[:200]}"
        if told is not None:
            expected = step.get("told", [step["event"]["type"]] if "event" in step else None)
            assert told == expected, where
        assert [json.loads(text) for text in at.to_send(0.0)] == step.get("sends", []), where
        assert [[each, outcome(result)] for each, result in at.settled()] == step.get("settles", []), where
        if "items" in step:
            assert [plain(item) for item in at.items] == step["items"], where
        if "retry_after_s" in step:
            assert at.retry_after_s == step["retry_after_s"], where
        if "running" in step:
            assert list(at.running) == step["running"], where


def test_attempts_are_spread_and_wait_for_what_the_server_asks() -> None:
    given = script("backoff")
    drawn = [step.get("random", 0.0) for step in given["steps"] if "random" in step]
    backoff = Backoff(iter(drawn).__next__, given["first_s"], given["longest_s"])
    for step in given["steps"]:
        if "succeeded" in step:
            backoff.succeeded()
        else:
            assert backoff.next(step.get("hint_s")) == step["wait_s"]


def test_after_a_thousand_failures_the_wait_is_still_the_longest() -> None:
    backoff = Backoff(lambda: 1.0)
    assert [backoff.next() for _ in range(2000)][-1] == backoff.longest_s


@pytest.mark.parametrize("example", examples("server"), ids=lambda example: example["type"])
def test_every_event_of_the_protocol_has_its_type(example: dict[str, Any]) -> None:
    event = decode(json.dumps(example))
    assert not isinstance(event, Unknown)
    assert type_of(event) == example["type"]


def test_a_known_event_with_a_value_of_tomorrow_is_handed_on_whole() -> None:
    event = decode('{"type":"session.reset","session_id":7,"seq":3,"epoch":"e","replay":true}')
    assert event == Unknown(
        "session.reset",
        {"type": "session.reset", "session_id": 7, "seq": 3, "epoch": "e", "replay": True},
        seq=3,
        epoch="e",
        replay=True,
    )


@pytest.mark.parametrize("data", [b"\xff\xfe", "", "null", "[" * 100_000, '{"type":', '{"type":7}', '"\ud800"'])
def test_what_cannot_be_read_is_no_error(data: str | bytes) -> None:
    assert isinstance(decode(data), Unknown)


def test_a_full_outbox_takes_nothing_and_sends_nothing_of_it() -> None:
    at = client(capacity=2)
    kept = [at.command("response.cancel", {}) for _ in range(2)]
    with pytest.raises(CommandFailed) as failed:
        at.command("response.create", {})
    assert (failed.value.code, failed.value.uncertain) == ("outbox_full", False)
    assert [json.loads(text)["event_id"] for text in caught_up(at)] == kept


def test_what_is_too_large_for_any_gateway_is_not_sent() -> None:
    at = client()
    caught_up(at)
    with pytest.raises(CommandFailed, match="bytes") as failed:
        at.command("session.update", {"session": {"instructions": "é" * (MAX_EVENT_BYTES // 2)}})
    assert failed.value.code == "event_too_large"
    assert at.to_send(0.0) == []


@pytest.mark.parametrize("kind", ["input_audio_buffer.append", "playback.report", "session.resume"])
def test_an_event_without_a_receipt_is_no_command(kind: str) -> None:
    with pytest.raises(ValueError, match="receipt"):
        client().command(kind, {})


def test_a_command_is_not_sent_again_under_a_key_that_may_be_forgotten() -> None:
    at = client()
    caught_up(at)
    old = at.command("response.cancel", {})
    at.to_send(0.0)
    young = at.command("response.cancel", {})
    at.to_send(10.0)
    at.lost()
    late = at.command("response.create", {})
    again = caught_up(at, KEY_LIFE_S + 5.0)
    assert [json.loads(text)["event_id"] for text in again] == [young, late]
    ((failed, result),) = at.settled()
    assert isinstance(result, CommandFailed)
    assert (failed, result.code, result.uncertain) == (old, "key_expired", True)


def test_nothing_of_one_connection_is_sent_on_the_next() -> None:
    at = client()
    caught_up(at)
    assert at.tell("playback.report", {"buffered_ms": 5})
    at.lost()
    assert caught_up(at) == []


def caught_up(at: ClientProtocol, now: float = 0.0) -> list[str]:
    """Connect, and be told everything; returns what is then sent."""
    at.opened()
    at.receive('{"type":"session.snapshot","session_id":"sess_1","items":[],"seq":1,"epoch":"e"}')
    return at.to_send(now)


def test_the_greeting_tells_who_answers() -> None:
    at = client()
    session = rt.Session("sess_1", "", "", ["text"], {}, bargein={"agent": "offline"})
    at.receive(rt.encode(rt.SessionCreated(session=session)))
    assert (at.session_id, at.about) == ("sess_1", {"agent": "offline"})
