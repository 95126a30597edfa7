"""The AsyncAPI document describes every event, and what it says of one is what is read and written."""

import json
from typing import Any, Final

import jsonschema_rs
import pytest

from gateway.protocol.asyncapi import asyncapi
from tests.protocol.examples import CLIENT_EVENTS, EXTENSION, SERVER_EVENTS, Json, examples

PAGE: Final[Json] = json.loads(json.dumps(asyncapi()))
MESSAGES: Final[Json] = PAGE["components"]["messages"]


def found(reference: str) -> Any:
    at: Any = PAGE
    for name in reference.removeprefix("#/").split("/"):
        at = at[name]
    return at


def references(part: Any) -> list[str]:
    if isinstance(part, list):
        return [one for each in part for one in references(each)]
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [one for each in part.values() for one in references(each)]
    return []


def test_every_event_is_described() -> None:
    assert set(MESSAGES) == set(CLIENT_EVENTS) | set(SERVER_EVENTS)
    assert not set(CLIENT_EVENTS) & set(SERVER_EVENTS)
    operations = PAGE["operations"]
    for channel in ("realtime", "oai-events", "events"):
        told = {found(message["$ref"])["$ref"] for message in operations[f"{channel}.tell"]["messages"]}
        assert told == {f"#/components/messages/{kind}" for kind in SERVER_EVENTS}
    taken = {found(message["$ref"])["$ref"] for message in operations["realtime.take"]["messages"]}
    assert taken == {f"#/components/messages/{kind}" for kind in CLIENT_EVENTS}


def test_every_reference_leads_somewhere() -> None:
    found_here = references(PAGE)
    assert len(found_here) > 100
    for reference in found_here:
        assert found(reference)


def test_what_belongs_to_the_extension_says_so() -> None:
    marked = {kind for kind, message in MESSAGES.items() if message["x-extension"]}
    assert marked & set(SERVER_EVENTS) == EXTENSION
    assert {"session.resume", "playback.report", "output_audio_buffer.pause"} <= marked
    assert not {"session.update", "response.create", "response.done"} & marked


@pytest.mark.parametrize("side", ["client", "server"])
def test_the_schemas_hold_for_every_example(side: str) -> None:
    for event in examples(side):
        schema = MESSAGES[event["type"]]["payload"]
        check = jsonschema_rs.validator_for({**schema, "components": PAGE["components"]})
        check.validate(event)
        assert not check.is_valid({**event, "type": "other"})
        assert not check.is_valid({**event, "event_id": 5})
